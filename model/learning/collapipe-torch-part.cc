/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-part.h"

#include "collapipe-frozen-weights.h"
#include "collapipe-torch-again.h"
#include "collapipe-torch-compat.h"
#include "collapipe-torch-memory.h"
#include "collapipe-torch-support.h"

#include "ns3/abort.h"

#include <algorithm>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/variable.h>

namespace ns3
{
namespace collapipe
{

TorchPart::TorchPart(const ModelConfig& config,
                     const PartRange& part,
                     const OptimizerConfig& optimizer,
                     const TensorList& parameters,
                     const TensorList& state,
                     const TrainingPosition& start,
                     std::shared_ptr<MemoryAccount> account)
    : m_part(part),
      m_skipPadding(config.skipPadding),
      m_pad(config.special.pad),
      m_stream(start.stream),
      m_shapes(config, part, optimizer),
      m_account(std::move(account)),
      m_parameters(ToParameters(parameters)),
      m_layers(config, part, m_parameters),
      m_optimizer(optimizer, m_parameters, start.step),
      m_watch(config, part, m_parameters),
      m_tie(config, part, m_parameters)
{
    // What is frozen is shared with others here, but the device that is simulated has its own
    m_account->Charge(MemoryKind::PARAMETERS, GetFrozenBytes(config, part));
    const MemoryScope scope(m_account, MemoryKind::OPTIMIZER);
    m_optimizer.ImportState(state);
    m_account->Settle();
}

at::Tensor
TorchPart::RunEncoder(Pass& pass,
                      const at::Tensor& first,
                      const at::Tensor& padding,
                      const TorchRows& layout,
                      const TorchDropout& dropout) const
{
    at::Tensor rows;
    if (m_part.embedding)
    {
        rows = m_layers.Embed(first, layout, dropout);
    }
    else
    {
        const bool gives = c10::GradMode::is_enabled() && m_shapes.GivesGradient();
        pass.input = first.detach().requires_grad_(gives);
        rows = layout.Pack(pass.input);
    }
    if (!m_recompute || m_part.GetBlocks() == 0)
    {
        return m_layers.Encode(rows, layout, padding, dropout);
    }
    const auto encode = [this, layout, padding, dropout](const at::Tensor& input) {
        return m_layers.Encode(input, layout, padding, dropout);
    };
    return ComputeAgain(rows, encode, m_account);
}

void
TorchPart::SetRecompute(bool recompute)
{
    NS_ABORT_MSG_IF(!m_passes.empty(), "Recomputation is chosen before the first pass");
    m_recompute = recompute;
}

TensorList
TorchPart::Forward(uint32_t microBatch, TensorList input)
{
    auto output = RunForward(microBatch, std::move(input));
    m_account->Settle();
    return output;
}

TensorList
TorchPart::RunForward(uint32_t microBatch, TensorList input)
{
    NS_ABORT_MSG_IF(m_passes.count(microBatch),
                    "Micro-batch " << microBatch << " goes forward twice");
    const torch::AutoGradMode recording(m_shapes.HasBackward());
    const MemoryScope scope(m_account, MemoryKind::ACTIVATIONS);
    Pass pass;
    pass.samples = m_shapes.CheckForward(input);
    pass.microBatch = microBatch;
    // Kept for the backward pass: a copy, since the message's memory is not the device's.
    pass.first = ToTorch(input[0]).clone();
    pass.padding = m_part.embedding ? MakePadding(pass.first, m_pad) : ToTorch(input[1]).clone();
    if (m_part.decoder)
    {
        pass.targets = ToTorch(input[input.size() - 2]).clone();
        pass.normaliser = ToTorch(input.back()).to(at::kDouble);
    }
    auto result = Compute(pass);
    TensorList output;
    if (!m_part.decoder)
    {
        output.push_back(m_part.embedding ? ReleaseToNetwork(pass.padding) : input[1]);
    }
    if (m_shapes.HasBackward())
    {
        // The graph alone is kept, not its result: that is the next stage's.
        pass.start = torch::autograd::impl::gradient_edge(result);
        pass.first = pass.padding = pass.targets = pass.normaliser = at::Tensor();
        m_passes.emplace(microBatch, std::move(pass));
    }
    output.insert(output.begin(), ReleaseToNetwork(std::move(result)));
    return output;
}

at::Tensor
TorchPart::Compute(Pass& pass) const
{
    // Micro-batches of an iteration are of equal size
    const TorchRows layout(pass.padding, m_skipPadding, pass.microBatch * pass.samples);
    const auto dropout = m_layers.GetDropout({m_stream, m_optimizer.GetSteps()});
    const auto rows = RunEncoder(pass, pass.first, pass.padding, layout, dropout);
    if (!m_part.decoder)
    {
        return layout.Unpack(rows);
    }
    return m_layers.Decode(rows, layout, pass.padding, pass.targets, dropout) / pass.normaliser;
}

TensorList
TorchPart::Backward(uint32_t microBatch, TensorList gradient)
{
    const auto found = m_passes.find(microBatch);
    NS_ABORT_MSG_IF(found == m_passes.end(),
                    "Micro-batch " << microBatch << " goes backward without having gone forward");
    Pass pass = std::move(found->second);
    m_passes.erase(found);
    m_shapes.CheckBackward(gradient, pass.samples);
    auto given = RunBackward(std::move(pass), gradient);
    m_account->Settle();
    return given;
}

TensorList
TorchPart::RunBackward(Pass pass, const TensorList& gradient)
{
    const MemoryScope scope(m_account, MemoryKind::GRADIENTS);
    // Held until the pass is over: what is shared is not written to by automatic differentiation
    const auto start = m_part.decoder ? at::ones({1}, at::kDouble) : ToTorch(gradient[0]);
    torch::autograd::Engine::get_default_engine().execute({pass.start},
                                                          {start},
                                                          false,
                                                          false,
                                                          true);
    if (!m_shapes.GivesGradient())
    {
        return {};
    }
    auto result = pass.input.grad();
    pass.input.mutable_grad().reset();
    return {ReleaseToNetwork(std::move(result))};
}

void
TorchPart::Step()
{
    Watch();
    m_isWatched = false;
    m_tie.EndIteration();
    const MemoryScope scope(m_account, MemoryKind::OPTIMIZER);
    m_optimizer.Step();
    m_account->Settle();
}

void
TorchPart::Watch() const
{
    if (!m_isWatched)
    {
        m_watch.EndIteration(m_parameters);
        m_isWatched = true;
    }
    m_tie.Join();
}

double
TorchPart::GetSquaredGradientNorm() const
{
    Watch();
    double sum = -m_tie.GetSurplus();
    for (const auto& parameter : m_parameters)
    {
        sum += parameter.grad().defined() ? GetSquaredNorm(parameter.grad()) : 0;
    }
    return sum;
}

TensorList
TorchPart::ExportTiedGradient() const
{
    const auto gradient = m_tie.GetGradient();
    return gradient.defined() ? TensorList{FromTorch(gradient.clone())} : TensorList();
}

void
TorchPart::JoinTiedGradients(const TensorList& own, const TensorList& other)
{
    for (const auto* each : {&own, &other})
    {
        NS_ABORT_MSG_IF(m_shapes.GetTiedGradient().empty() || each->size() != 1 ||
                            each->front().dtype != DType::FLOAT32 ||
                            each->front().shape != m_shapes.GetTiedGradient().front().shape,
                        "A gradient of a shared table came to a part that has none like it");
    }
    Watch();
    const torch::NoGradGuard withoutGradients;
    const MemoryScope scope(m_account, MemoryKind::GRADIENTS);
    m_tie.Set(ToTorch(own[0]) + ToTorch(other[0]));
    m_account->Settle();
}

void
TorchPart::ScaleGradients(double factor)
{
    Watch();
    for (const auto& parameter : m_parameters)
    {
        if (parameter.grad().defined())
        {
            parameter.mutable_grad().mul_(factor);
        }
    }
}

TensorList
TorchPart::ExportStatistics() const
{
    return EncodeStatistics(m_part, m_watch.Get());
}

MemoryReport
TorchPart::GetMemory() const
{
    return m_account->GetReport();
}

TensorList
TorchPart::ExportGradients() const
{
    if (m_tie.HasBoth())
    {
        Watch(); // what follows is the sum
    }
    return CopyGradients(m_parameters);
}

void
TorchPart::ReplaceGradients(const TensorList& gradients)
{
    const auto isAlike = [](const at::Tensor& parameter, const TensorData& gradient) {
        return gradient.dtype == DType::FLOAT32 && std::equal(parameter.sizes().begin(),
                                                              parameter.sizes().end(),
                                                              gradient.shape.begin(),
                                                              gradient.shape.end());
    };
    NS_ABORT_MSG_IF(!std::equal(m_parameters.begin(),
                                m_parameters.end(),
                                gradients.begin(),
                                gradients.end(),
                                isAlike),
                    "Gradients came to a part whose parameters are others");
    Watch();
    const MemoryScope scope(m_account, MemoryKind::GRADIENTS);
    for (std::size_t i = 0; i < gradients.size(); ++i)
    {
        m_parameters[i].mutable_grad() = ToTorch(gradients[i]).clone();
    }
    m_account->Settle();
}

TensorList
TorchPart::ExportParameters(bool withOptimizer) const
{
    auto list = CopyValues(m_parameters);
    if (withOptimizer)
    {
        auto state = m_optimizer.ExportState();
        std::move(state.begin(), state.end(), std::back_inserter(list));
    }
    return list;
}

} // namespace collapipe
} // namespace ns3
