/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_POSITION_RECORDER_H
#define COLLAPIPE_POSITION_RECORDER_H

#include "ns3/collapipe-run-applications.h"
#include "ns3/mobility-model.h"
#include "ns3/nstime.h"
#include "ns3/vector.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Where a node was as a round was planned
struct PositionRow
{
    uint32_t round{0}; //!< from 1
    uint32_t cell{0};  //!< index
    std::string name;  //!< of the node, as in other tables; es, or es0, es1, ... of several cells
    Vector positionM;  //!< in m
};

/**
 * @ingroup collapipe
 * Keeps where nodes are as each round is planned. It asks no mobility model while time passes: that
 * would have the model add up its way in other steps, and round otherwise. It listens for changes
 * of course, between which nodes of ns-3's models that are used here go straight.
 */
class PositionRecorder
{
  public:
    /**
     * @param applications of the run, whose nodes' positions to record; those of nodes without a
     *        mobility model are not known
     */
    explicit PositionRecorder(const RunApplications& applications);

    PositionRecorder(const PositionRecorder&) = delete; // traces hold its address
    PositionRecorder& operator=(const PositionRecorder&) = delete;

    /// @return a row per round and node that has a position, cell by cell
    const std::vector<PositionRow>& GetRows() const;

  private:
    /// A node and its way
    struct Course
    {
        uint32_t cell{0}; //!< index
        std::string name; //!< of the node
        Time since;       //!< of the latest change
        Vector positionM; //!< then
        Vector speedMps;  //!< since then
    };

    /// Begins to follow a node, if it has a position.
    void Follow(uint32_t cell, const std::string& name, const Ptr<Node>& node);

    /// Keeps a model's course as it is now.
    void HandleCourse(std::size_t index, Ptr<const MobilityModel> mobility);

    void HandlePlan(uint32_t cell, const SystemState& state, const RoundPlan& plan);

    std::vector<Course> m_courses;   //!< of all nodes with a position
    std::vector<PositionRow> m_rows; //!< results
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_POSITION_RECORDER_H */
