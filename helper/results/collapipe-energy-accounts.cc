/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-energy-accounts.h"

#include "ns3/double.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

EnergyAccounts::EnergyAccounts(const Network& network,
                               const RunApplications& applications,
                               double batteryJ)
    : m_applications(applications)
{
    for (std::size_t cluster = 0; cluster < applications.clusters.size(); ++cluster)
    {
        m_nodes.emplace_back();
        for (NodeIndex node = 0; node < applications.clusters[cluster].size(); ++node)
        {
            const auto& application = applications.clusters[cluster][node];
            DoubleValue powerW;
            application->GetAttribute("ComputePowerW", powerW);
            m_nodes.back().push_back(
                std::make_unique<NodeEnergy>(network.clusters[cluster].GetNode(node),
                                             application->GetProcessor(),
                                             powerW.Get(),
                                             node == CONTROL_UNIT ? 0 : batteryJ));
            m_nodes.back().back()->SetEmptyCallback(
                [this, cluster, node] { HandleEmpty(cluster, node); });
        }
    }
    ReportBatteries();
    applications.leader->TraceConnectWithoutContext(
        "Round",
        MakeCallback(&EnergyAccounts::HandleRound, this));
}

EnergyParts
EnergyAccounts::Read(uint32_t cluster, NodeIndex node) const
{
    return m_nodes.at(cluster).at(node)->Read();
}

double
EnergyAccounts::GetLeftJ(uint32_t cluster, NodeIndex node) const
{
    return m_nodes.at(cluster).at(node)->GetLeftJ();
}

void
EnergyAccounts::SetEmptyCallback(std::function<void(uint32_t, NodeIndex)> callback)
{
    m_onEmpty = std::move(callback);
}

void
EnergyAccounts::HandleEmpty(uint32_t cluster, NodeIndex node)
{
    const auto& application = m_applications.clusters[cluster][node];
    application->SetAttribute("BatteryJ", DoubleValue(0));
    application->SetAttribute("MemoryBytes", DoubleValue(0));
    if (m_onEmpty)
    {
        m_onEmpty(cluster, node);
    }
}

void
EnergyAccounts::ReportBatteries() const
{
    for (uint32_t cluster = 0; cluster < m_nodes.size(); ++cluster)
    {
        for (NodeIndex node = 0; node < m_nodes[cluster].size(); ++node)
        {
            const double leftJ = GetLeftJ(cluster, node);
            if (std::isfinite(leftJ))
            {
                m_applications.clusters[cluster][node]->SetAttribute("BatteryJ",
                                                                     DoubleValue(leftJ));
            }
        }
    }
}

void
EnergyAccounts::HandleRound(const RoundRecord& /* record */)
{
    ReportBatteries();
}

} // namespace collapipe
} // namespace ns3
