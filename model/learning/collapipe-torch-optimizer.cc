/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-optimizer.h"

#include "collapipe-torch-support.h"

#include "ns3/abort.h"

#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

using torch::optim::Optimizer;

/**
 * @param config which optimizer
 * @param parameters what it steps
 * @return LibTorch's optimizer
 */
std::unique_ptr<Optimizer>
MakeStepper(const OptimizerConfig& config, const std::vector<at::Tensor>& parameters)
{
    if (config.name == "sgd")
    {
        const auto options =
            torch::optim::SGDOptions(config.learningRate).momentum(config.momentum);
        return std::make_unique<torch::optim::SGD>(parameters, options);
    }
    NS_ABORT_MSG_IF(config.name != "adam",
                    "Unknown optimizer '" << config.name << "': use adam or sgd");
    const auto options = torch::optim::AdamOptions(config.learningRate)
                             .betas({config.beta1, config.beta2})
                             .eps(config.epsilon);
    return std::make_unique<torch::optim::Adam>(parameters, options);
}

/**
 * @tparam State LibTorch's state of one parameter
 * @param stepper the optimizer
 * @param parameter one of its parameters
 * @return its state; null before the first step
 */
template <typename State>
const State*
FindState(const Optimizer& stepper, const at::Tensor& parameter)
{
    const auto& states = stepper.state();
    const auto found = states.find(c10::guts::to_string(parameter.unsafeGetTensorImpl()));
    return found == states.end() ? nullptr : static_cast<const State*>(found->second.get());
}

/**
 * @param stepper the optimizer
 * @param parameter one of its parameters
 * @param state what it goes on from
 */
void
SetState(Optimizer& stepper,
         const at::Tensor& parameter,
         std::unique_ptr<torch::optim::OptimizerParamState> state)
{
    stepper.state()[c10::guts::to_string(parameter.unsafeGetTensorImpl())] = std::move(state);
}

/**
 * @tparam State LibTorch's state of one parameter
 * @tparam Getter function from State to tensor
 * @param stepper the optimizer
 * @param parameters its parameters
 * @param get gives the tensor wanted
 * @param list where copies of it are appended, one per parameter; zeros before the first step
 */
template <typename State, typename Getter>
void
AppendCopies(const Optimizer& stepper,
             const std::vector<at::Tensor>& parameters,
             Getter get,
             TensorList& list)
{
    for (const auto& parameter : parameters)
    {
        const State* state = FindState<State>(stepper, parameter);
        list.push_back(FromTorch(state ? get(*state).clone() : at::zeros_like(parameter).detach()));
    }
}

} // namespace

TorchOptimizer::TorchOptimizer(const OptimizerConfig& config,
                               const std::vector<at::Tensor>& parameters,
                               uint64_t steps)
    : m_config(config),
      m_parameters(parameters),
      m_steps(steps),
      m_stepper(MakeStepper(config, parameters))
{
}

void
TorchOptimizer::Step()
{
    const double learningRate = m_config.GetLearningRate(++m_steps);
    for (auto& group : m_stepper->param_groups())
    {
        group.options().set_lr(learningRate);
    }
    m_stepper->step();
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
        parameter.mutable_grad().reset();
    }
}

TensorList
TorchOptimizer::ExportState() const
{
    using torch::optim::AdamParamState;
    using torch::optim::SGDParamState;
    TensorList list;
    if (m_config.name == "sgd")
    {
        if (m_config.momentum != 0)
        {
            const auto buffer = [](const SGDParamState& state) { return state.momentum_buffer(); };
            AppendCopies<SGDParamState>(*m_stepper, m_parameters, buffer, list);
        }
        return list;
    }
    const auto first = [](const AdamParamState& state) { return state.exp_avg(); };
    const auto second = [](const AdamParamState& state) { return state.exp_avg_sq(); };
    AppendCopies<AdamParamState>(*m_stepper, m_parameters, first, list);
    AppendCopies<AdamParamState>(*m_stepper, m_parameters, second, list);
    const auto* state = FindState<AdamParamState>(*m_stepper, m_parameters.front());
    const float steps = state ? state->step() : 0;
    list.push_back(TensorData::FromVector(DType::FLOAT32, {1}, std::vector<float>{steps}));
    return list;
}

void
TorchOptimizer::ImportState(const TensorList& state)
{
    const size_t count = m_parameters.size();
    for (size_t i = 0; i < count && !state.empty(); i++)
    {
        if (m_config.name == "sgd")
        {
            auto values = std::make_unique<torch::optim::SGDParamState>();
            values->momentum_buffer(ToTorch(state[i]).clone());
            SetState(*m_stepper, m_parameters[i], std::move(values));
            continue;
        }
        auto values = std::make_unique<torch::optim::AdamParamState>();
        values->exp_avg(ToTorch(state[i]).clone());
        values->exp_avg_sq(ToTorch(state[count + i]).clone());
        values->step(ToTorch(state.back()).item<float>());
        SetState(*m_stepper, m_parameters[i], std::move(values));
    }
}

} // namespace collapipe
} // namespace ns3
