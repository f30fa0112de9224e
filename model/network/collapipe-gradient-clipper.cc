/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-gradient-clipper.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

GradientClipper::GradientClipper(const OptimizerConfig& optimizer,
                                 uint32_t stages,
                                 uint32_t firstIteration)
    : m_optimizer(optimizer),
      m_stages(stages),
      m_iteration(firstIteration)
{
}

bool
GradientClipper::Accepts(uint32_t iteration, uint32_t stage) const
{
    return stage < m_stages && iteration == m_iteration && m_norms.count(stage) == 0;
}

bool
GradientClipper::Add(uint32_t iteration, uint32_t stage, double squaredNorm)
{
    NS_ABORT_MSG_IF(stage >= m_stages || iteration != m_iteration ||
                        !m_norms.emplace(stage, squaredNorm).second,
                    "stage " << stage << " told its gradients' norm for local iteration "
                             << iteration << " out of turn");
    if (m_norms.size() < m_stages)
    {
        return false;
    }
    double sum = 0;
    for (const auto& [teller, value] : m_norms)
    {
        sum += value;
    }
    m_factor = GetClipFactor(m_optimizer, sum);
    m_norms.clear();
    ++m_iteration;
    return true;
}

double
GradientClipper::GetFactor() const
{
    return m_factor;
}

} // namespace collapipe
} // namespace ns3
