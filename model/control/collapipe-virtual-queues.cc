/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-virtual-queues.h"

#include "ns3/abort.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * The law of (12).
 * @param queue Q(t)
 * @param value what was measured
 * @param target what is allowed on average, above 0
 * @return Q(t+1)
 */
double
NextQueue(double queue, double value, double target)
{
    return std::max(0.0, queue + value / target - 1);
}

} // namespace

VirtualQueues::VirtualQueues(const std::vector<std::size_t>& nodes)
{
    for (const std::size_t count : nodes)
    {
        m_energy.emplace_back(count, 0.0);
    }
}

void
VirtualQueues::Reset(const SystemState& state)
{
    m_energy.clear();
    m_convergence = 0;
    Fit(state);
}

void
VirtualQueues::Fit(const SystemState& state)
{
    m_energy.resize(state.clusters.size());
    for (std::size_t m = 0; m < m_energy.size(); ++m)
    {
        m_energy[m].resize(state.clusters[m].devices.size() + 1, 0.0);
    }
}

void
VirtualQueues::UpdateEnergy(const NodeValues& energyJ, const NodeValues& budgetJ)
{
    const std::size_t clusters = std::min({m_energy.size(), energyJ.size(), budgetJ.size()});
    for (std::size_t m = 0; m < clusters; ++m)
    {
        const std::size_t nodes =
            std::min({m_energy[m].size(), energyJ[m].size(), budgetJ[m].size()});
        for (std::size_t k = 0; k < nodes; ++k)
        {
            if (budgetJ[m][k] > 0 && std::isfinite(energyJ[m][k]))
            {
                m_energy[m][k] = NextQueue(m_energy[m][k], energyJ[m][k], budgetJ[m][k]);
            }
        }
    }
}

void
VirtualQueues::UpdateConvergence(double phi, double phiTarget)
{
    if (phiTarget > 0 && std::isfinite(phi))
    {
        m_convergence = NextQueue(m_convergence, phi, phiTarget);
    }
}

double
VirtualQueues::GetEnergyQueue(std::size_t cluster, std::size_t node) const
{
    const bool known = cluster < m_energy.size() && node < m_energy[cluster].size();
    return known ? m_energy[cluster][node] : 0;
}

const VirtualQueues::NodeValues&
VirtualQueues::GetEnergyQueues() const
{
    return m_energy;
}

double
VirtualQueues::GetConvergenceQueue() const
{
    return m_convergence;
}

VirtualQueues::NodeValues
VirtualQueues::GetEnergyPrices(const SystemState& state) const
{
    NodeValues prices = m_energy;
    const NodeValues budgets = GetBudgets(state);
    for (std::size_t m = 0; m < prices.size() && m < budgets.size(); ++m)
    {
        for (std::size_t k = 0; k < prices[m].size() && k < budgets[m].size(); ++k)
        {
            prices[m][k] /= budgets[m][k] > 0 ? budgets[m][k] : 1;
        }
    }
    return prices;
}

double
VirtualQueues::GetConvergencePrice(double phiTarget) const
{
    return phiTarget > 0 ? m_convergence / phiTarget : 0;
}

void
VirtualQueues::SetPrices(const SystemState& state,
                         const NodeValues& energyPrices,
                         double convergencePrice,
                         double phiTarget)
{
    NodeValues energy = energyPrices;
    const NodeValues budgets = GetBudgets(state);
    for (std::size_t m = 0; m < energy.size() && m < budgets.size(); ++m)
    {
        for (std::size_t k = 0; k < energy[m].size() && k < budgets[m].size(); ++k)
        {
            energy[m][k] *= budgets[m][k] > 0 ? budgets[m][k] : 1;
        }
    }
    Set(energy, convergencePrice * phiTarget);
}

void
VirtualQueues::Set(const NodeValues& energy, double convergence)
{
    for (const auto& cluster : energy)
    {
        for (const double queue : cluster)
        {
            NS_ABORT_MSG_IF(!(queue >= 0), "A virtual queue cannot be " << queue);
        }
    }
    NS_ABORT_MSG_IF(!(convergence >= 0), "A virtual queue cannot be " << convergence);
    m_energy = energy;
    m_convergence = convergence;
}

double
VirtualQueues::GetLyapunov() const
{
    double sum = m_convergence * m_convergence;
    for (const auto& cluster : m_energy)
    {
        for (const double queue : cluster)
        {
            sum += queue * queue;
        }
    }
    return sum / 2;
}

VirtualQueues::NodeValues
VirtualQueues::GetBudgets(const SystemState& state)
{
    NodeValues budgets;
    for (const ClusterState& cluster : state.clusters)
    {
        std::vector<double> row{cluster.controlUnit.energyBudgetJ};
        for (const DeviceState& device : cluster.devices)
        {
            row.push_back(device.energyBudgetJ);
        }
        budgets.push_back(row);
    }
    return budgets;
}

} // namespace collapipe
} // namespace ns3
