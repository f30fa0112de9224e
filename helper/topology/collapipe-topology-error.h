/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TOPOLOGY_ERROR_H
#define COLLAPIPE_TOPOLOGY_ERROR_H

#include <stdexcept>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A network that was asked for cannot be built, or does not work: a node is out of reach. what() is
 * one sentence that says what is wrong and what to do. TopologyHelper::Build() throws it; that a
 * node cannot attach to its cell is known, and thrown, only while the simulation runs.
 */
class TopologyError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TOPOLOGY_ERROR_H */
