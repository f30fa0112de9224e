/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-optimizer.h"

#include "collapipe-torch-compat.h"
#include "collapipe-torch-support.h"

#include "ns3/abort.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

// At -O2 GCC leaves the loop scalar: square roots might set errno
#if defined(__GNUC__) && !defined(__clang__)
#define COLLAPIPE_VECTORISED __attribute__((optimize("O3", "no-math-errno", "no-trapping-math")))
#else
#define COLLAPIPE_VECTORISED
#endif

namespace
{

/**
 * What a step of Adam goes by.
 */
struct AdamFactors
{
    float beta1;   //!< of the first moments
    float beta2;   //!< of the second moments
    float rate;    //!< step size over the first moments' bias
    float spread;  //!< reciprocal root of the second moments' bias
    float epsilon; //!< added to the root
};

/**
 * Adam (Kingma and Ba 2015, algorithm 1), in one pass.
 * @param factors what it goes by
 * @param g gradient
 * @param m first moments
 * @param v second moments
 * @param p parameter
 * @param count elements of each
 */
COLLAPIPE_VECTORISED void
RunAdam(const AdamFactors factors,
        const float* __restrict__ g,
        float* __restrict__ m,
        float* __restrict__ v,
        float* __restrict__ p,
        int64_t count)
{
    for (int64_t i = 0; i < count; i++)
    {
        m[i] = factors.beta1 * m[i] + (1 - factors.beta1) * g[i];
        v[i] = factors.beta2 * v[i] + (1 - factors.beta2) * (g[i] * g[i]);
        p[i] -= factors.rate * m[i] / (sqrtf(v[i]) * factors.spread + factors.epsilon);
    }
}

/**
 * @param parameters what an optimizer steps
 * @return as many zeros
 */
std::vector<at::Tensor>
MakeZeros(const std::vector<at::Tensor>& parameters)
{
    std::vector<at::Tensor> zeros;
    for (const auto& parameter : parameters)
    {
        zeros.push_back(at::zeros_like(parameter.detach()));
    }
    return zeros;
}

/**
 * @param tensors of the state; empty: zeros
 * @param parameters what the optimizer steps
 * @param list where copies of the tensors are appended, one per parameter
 */
void
AppendCopies(const std::vector<at::Tensor>& tensors,
             const std::vector<at::Tensor>& parameters,
             TensorList& list)
{
    for (size_t i = 0; i < parameters.size(); i++)
    {
        list.push_back(FromTorch(tensors.empty() ? at::zeros_like(parameters[i].detach())
                                                 : tensors[i].clone()));
    }
}

} // namespace

TorchOptimizer::TorchOptimizer(const OptimizerConfig& config,
                               const std::vector<at::Tensor>& parameters,
                               uint64_t steps)
    : m_config(config),
      m_parameters(parameters),
      m_steps(steps)
{
    NS_ABORT_MSG_IF(config.name != "adam" && config.name != "sgd",
                    "Unknown optimizer '" << config.name << "': use adam or sgd");
}

void
TorchOptimizer::StepAdam(size_t index, float learningRate)
{
    const auto gradient = m_parameters[index].grad().contiguous();
    const double steps = static_cast<double>(m_ownSteps);
    AdamFactors factors;
    factors.beta1 = static_cast<float>(m_config.beta1);
    factors.beta2 = static_cast<float>(m_config.beta2);
    factors.rate = static_cast<float>(learningRate / (1 - std::pow(m_config.beta1, steps)));
    factors.spread = static_cast<float>(1 / std::sqrt(1 - std::pow(m_config.beta2, steps)));
    factors.epsilon = static_cast<float>(m_config.epsilon);
    RunAdam(factors,
            gradient.data_ptr<float>(),
            m_first[index].data_ptr<float>(),
            m_second[index].data_ptr<float>(),
            m_parameters[index].data_ptr<float>(),
            gradient.numel());
}

void
TorchOptimizer::StepSgd(size_t index, float learningRate)
{
    const torch::NoGradGuard withoutGradients;
    auto update = m_parameters[index].grad();
    if (m_config.momentum != 0)
    {
        update = m_first[index].mul_(m_config.momentum).add_(update);
    }
    m_parameters[index].sub_(update, learningRate);
}

void
TorchOptimizer::Step()
{
    const bool isAdam = m_config.name == "adam";
    const auto learningRate = static_cast<float>(m_config.GetLearningRate(++m_steps));
    m_ownSteps++;
    if (m_first.empty() && (isAdam || m_config.momentum != 0))
    {
        m_first = MakeZeros(m_parameters);
        m_second = isAdam ? MakeZeros(m_parameters) : std::vector<at::Tensor>();
    }
    for (size_t i = 0; i < m_parameters.size(); i++)
    {
        if (!m_parameters[i].grad().defined())
        {
            continue;
        }
        if (isAdam)
        {
            StepAdam(i, learningRate);
        }
        else
        {
            StepSgd(i, learningRate);
        }
    }
    DropGradients();
}

uint64_t
TorchOptimizer::GetSteps() const
{
    return m_steps;
}

void
TorchOptimizer::DropGradients()
{
    for (auto& parameter : m_parameters)
    {
        // The memory stays, as formula (8) counts it: allocating it anew would save none at the
        // moment when most is needed.
        if (parameter.grad().defined())
        {
            parameter.mutable_grad().detach_().zero_();
        }
    }
}

TensorList
TorchOptimizer::ExportState() const
{
    TensorList list;
    if (m_config.name == "sgd")
    {
        if (m_config.momentum != 0)
        {
            AppendCopies(m_first, m_parameters, list);
        }
        return list;
    }
    AppendCopies(m_first, m_parameters, list);
    AppendCopies(m_second, m_parameters, list);
    const auto steps = static_cast<float>(m_ownSteps);
    list.push_back(TensorData::FromVector(DType::FLOAT32, {1}, std::vector<float>{steps}));
    return list;
}

void
TorchOptimizer::ImportState(const TensorList& state)
{
    if (state.empty())
    {
        return;
    }
    const size_t count = m_parameters.size();
    m_first.clear();
    m_second.clear();
    for (size_t i = 0; i < count; i++)
    {
        m_first.push_back(ToTorch(state[i]).clone());
        if (m_config.name == "adam")
        {
            m_second.push_back(ToTorch(state[count + i]).clone());
        }
    }
    if (m_config.name == "adam")
    {
        m_ownSteps = static_cast<uint64_t>(std::lround(ToTorch(state.back()).item<float>()));
    }
}

} // namespace collapipe
} // namespace ns3
