/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-gradient-watch.h"

#include "collapipe-torch-compat.h"
#include "collapipe-torch-support.h"

namespace ns3
{
namespace collapipe
{

double
GetSquaredNorm(const at::Tensor& tensor)
{
    const torch::NoGradGuard withoutGradients;
    const auto values = tensor.detach().flatten();
    return at::dot(values, values).item<float>();
}

TorchGradientWatch::TorchGradientWatch(const ModelConfig& config,
                                       const PartRange& part,
                                       const std::vector<at::Tensor>& parameters)
    : m_config(config),
      m_part(part),
      m_squares(std::make_shared<double>(0)),
      m_watching(std::make_shared<bool>(true))
{
    for (const auto& parameter : parameters)
    {
        parameter.register_hook(
            [squares = m_squares, watching = m_watching](const at::Tensor& gradient) {
                if (*watching)
                {
                    *squares += GetSquaredNorm(gradient);
                }
            });
    }
}

void
TorchGradientWatch::EndIteration(const std::vector<at::Tensor>& parameters)
{
    if (*m_watching)
    {
        m_sums.watched += 1;
        m_sums.microBatchSquares += *m_squares;
        for (const auto& parameter : parameters)
        {
            m_sums.squaredNorm += parameter.grad().defined() ? GetSquaredNorm(parameter.grad()) : 0;
        }
    }
    if (m_iteration == 0)
    {
        m_sums.sketch = SketchGradients(m_config, m_part, CopyGradients(parameters));
    }
    ++m_iteration;
    *m_squares = 0;
    *m_watching = m_iteration % WATCHED_ITERATIONS == 0;
}

GradientStatistics
TorchGradientWatch::Get() const
{
    auto means = m_sums;
    if (means.watched > 0)
    {
        means.microBatchSquares /= means.watched;
        means.squaredNorm /= means.watched;
    }
    return means;
}

} // namespace collapipe
} // namespace ns3
