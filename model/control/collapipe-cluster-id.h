/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLUSTER_ID_H
#define COLLAPIPE_CLUSTER_ID_H

#include <cstdint>

namespace ns3
{
namespace collapipe
{

/**
 * A cluster's number in the whole run: on the wire, in names, traces and results. An edge server
 * and its control loop count their own clusters from 0, and so do their states and plans; where
 * there are several cells the two differ. Neither turns into the other by itself, so that one in
 * the other's place does not compile.
 */
struct ClusterId
{
    ClusterId() = default;

    /// @param number of the cluster among all cells', from 0
    explicit ClusterId(uint32_t number)
        : number(number)
    {
    }

    uint32_t number{0}; //!< among all cells' clusters, from 0

    /// @return whether both are the same cluster
    bool operator==(const ClusterId& other) const
    {
        return number == other.number;
    }

    /// @return whether this one comes first
    bool operator<(const ClusterId& other) const
    {
        return number < other.number;
    }
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLUSTER_ID_H */
