/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-part.h"

#include "collapipe-torch-support.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

TorchPart::TorchPart(const ModelConfig& config,
                     const PartRange& part,
                     const OptimizerConfig& optimizer,
                     const TensorList& parameters,
                     const TensorList& state,
                     const TrainingPosition& start)
    : m_part(part),
      m_skipPadding(config.skipPadding),
      m_stream(start.stream),
      m_shapes(config, part, optimizer),
      m_parameters(ToParameters(parameters)),
      m_layers(config, part, m_parameters),
      m_optimizer(optimizer, m_parameters, start.step)
{
    m_optimizer.ImportState(state);
}

at::Tensor
TorchPart::RunEncoder(Pass& pass,
                      const at::Tensor& first,
                      const at::Tensor& padding,
                      const TorchRows& layout,
                      const TorchDropout& dropout) const
{
    if (m_part.embedding)
    {
        return m_layers.Encode(m_layers.Embed(first, layout, dropout), layout, padding, dropout);
    }
    pass.input = first.detach().requires_grad_();
    return m_layers.Encode(layout.Pack(pass.input), layout, padding, dropout);
}

TensorList
TorchPart::Forward(uint32_t microBatch, TensorList input)
{
    Pass pass;
    pass.samples = m_shapes.CheckForward(input);
    NS_ABORT_MSG_IF(m_passes.count(microBatch),
                    "Micro-batch " << microBatch << " goes forward twice");
    const at::AutoGradMode recording(true);
    const auto first = ToTorch(input[0]);
    const auto padding = m_part.embedding ? MakePadding(first) : ToTorch(input[1]);
    // Micro-batches of an iteration are of equal size
    const TorchRows layout(padding, m_skipPadding, microBatch * pass.samples);
    const auto dropout = m_layers.GetDropout({m_stream, m_optimizer.GetSteps()});
    const auto rows = RunEncoder(pass, first, padding, layout, dropout);
    if (m_part.decoder)
    {
        const auto targets = ToTorch(input[input.size() - 2]);
        const auto normaliser = ToTorch(input.back()).to(at::kDouble);
        pass.output = m_layers.Decode(rows, layout, padding, targets, dropout) / normaliser;
    }
    else
    {
        pass.output = layout.Unpack(rows);
    }
    const auto output = FromTorch(pass.output);
    m_passes.emplace(microBatch, std::move(pass));
    if (m_part.decoder)
    {
        return {output};
    }
    return {output, m_part.embedding ? FromTorch(padding) : input[1]};
}

TensorList
TorchPart::Backward(uint32_t microBatch, TensorList gradient)
{
    const auto found = m_passes.find(microBatch);
    NS_ABORT_MSG_IF(found == m_passes.end(),
                    "Micro-batch " << microBatch << " goes backward without having gone forward");
    const Pass pass = std::move(found->second);
    m_passes.erase(found);
    m_shapes.CheckBackward(gradient, pass.samples);
    // Held until the pass is over: what is shared is not written to by automatic differentiation
    const auto start = m_part.decoder ? at::ones_like(pass.output) : ToTorch(gradient[0]);
    pass.output.backward(start);
    if (m_part.embedding)
    {
        return {};
    }
    return {FromTorch(pass.input.grad())};
}

void
TorchPart::Step()
{
    m_optimizer.Step();
}

TensorList
TorchPart::ExportGradients() const
{
    return CopyGradients(m_parameters);
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
