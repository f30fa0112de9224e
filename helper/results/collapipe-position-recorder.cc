/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-position-recorder.h"

#include "ns3/collapipe-node-name.h"
#include "ns3/simulator.h"

namespace ns3
{
namespace collapipe
{

PositionRecorder::PositionRecorder(const RunApplications& applications)
{
    const bool several = applications.edgeServers.size() > 1;
    for (uint32_t cell = 0; cell < applications.edgeServers.size(); ++cell)
    {
        Follow(cell,
               several ? "es" + std::to_string(cell) : "es",
               applications.edgeServers[cell]->GetNode());
        for (const auto& id : applications.loops[cell]->GetClusterIds())
        {
            const auto& nodes = applications.clusters[id.number];
            for (uint32_t node = 0; node < nodes.size(); ++node)
            {
                Follow(cell, GetNodeName(id, static_cast<NodeIndex>(node)), nodes[node]->GetNode());
            }
        }
        applications.loops[cell]->TraceConnectWithoutContext(
            "Plan",
            MakeCallback(&PositionRecorder::HandlePlan, this).Bind(cell));
    }
}

const std::vector<PositionRow>&
PositionRecorder::GetRows() const
{
    return m_rows;
}

void
PositionRecorder::Follow(uint32_t cell, const std::string& name, const Ptr<Node>& node)
{
    const auto mobility = node->GetObject<MobilityModel>();
    if (!mobility)
    {
        return;
    }
    m_courses.push_back({cell, name, {}, {}, {}});
    const std::size_t index = m_courses.size() - 1;
    HandleCourse(index, mobility);
    mobility->TraceConnectWithoutContext(
        "CourseChange",
        MakeCallback(&PositionRecorder::HandleCourse, this).Bind(index));
}

void
PositionRecorder::HandleCourse(std::size_t index, Ptr<const MobilityModel> mobility)
{
    auto& course = m_courses[index];
    course.since = Simulator::Now();
    course.positionM = mobility->GetPosition();
    course.speedMps = mobility->GetVelocity();
}

void
PositionRecorder::HandlePlan(uint32_t cell, const SystemState& state, const RoundPlan& /* plan */)
{
    for (const auto& course : m_courses)
    {
        if (course.cell == cell)
        {
            const double seconds = (Simulator::Now() - course.since).GetSeconds();
            m_rows.push_back({state.round,
                              cell,
                              course.name,
                              {course.positionM.x + seconds * course.speedMps.x,
                               course.positionM.y + seconds * course.speedMps.y,
                               course.positionM.z + seconds * course.speedMps.z}});
        }
    }
}

} // namespace collapipe
} // namespace ns3
