/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wire-part.h"

#include "collapipe-model-family.h"

namespace ns3
{
namespace collapipe
{

WirePart::WirePart(const ComputeBackend& backend,
                   const ModelConfig& config,
                   const PartRange& part,
                   const OptimizerConfig& optimizer,
                   const TensorList& parameters,
                   const TrainingPosition& start,
                   const WirePrecision& precision)
    : m_part(part),
      m_precision(precision),
      m_parameters(GetParameterShapes(config, part).size()),
      m_inner(backend.CreatePart(config,
                                 part,
                                 optimizer,
                                 DecodeParameters(parameters, m_parameters),
                                 start))
{
}

void
WirePart::SetRecompute(bool recompute)
{
    m_inner->SetRecompute(recompute);
}

TensorList
WirePart::Forward(uint32_t microBatch, TensorList input)
{
    if (!m_part.embedding)
    {
        std::size_t position = 0;
        TensorList decoded{TakeDecoded(input, position)};
        decoded.insert(decoded.end(), input.begin() + position, input.end());
        input = std::move(decoded);
    }
    auto output = m_inner->Forward(microBatch, std::move(input));
    if (m_part.decoder)
    {
        return output;
    }
    TensorList encoded;
    AppendEncoded(encoded, output.front(), m_precision.activations);
    encoded.insert(encoded.end(), output.begin() + 1, output.end());
    return encoded;
}

TensorList
WirePart::Backward(uint32_t microBatch, TensorList gradient)
{
    if (!m_part.decoder)
    {
        std::size_t position = 0;
        gradient = {TakeDecoded(gradient, position)};
    }
    auto output = m_inner->Backward(microBatch, std::move(gradient));
    if (output.empty())
    {
        return output;
    }
    TensorList encoded;
    AppendEncoded(encoded, output.front(), m_precision.gradients);
    return encoded;
}

void
WirePart::Step()
{
    m_inner->Step();
}

double
WirePart::GetSquaredGradientNorm() const
{
    return m_inner->GetSquaredGradientNorm();
}

TensorList
WirePart::ExportTiedGradient() const
{
    TensorList encoded;
    for (const auto& tensor : m_inner->ExportTiedGradient())
    {
        AppendEncoded(encoded, tensor, m_precision.gradients);
    }
    return encoded;
}

void
WirePart::JoinTiedGradients(const TensorList& own, const TensorList& other)
{
    m_inner->JoinTiedGradients(DecodeParameters(own, 1), DecodeParameters(other, 1));
}

void
WirePart::ScaleGradients(double factor)
{
    m_inner->ScaleGradients(factor);
}

TensorList
WirePart::ExportStatistics() const
{
    return m_inner->ExportStatistics();
}

TensorList
WirePart::ExportGradients() const
{
    return m_inner->ExportGradients();
}

void
WirePart::ReplaceGradients(const TensorList& gradients)
{
    m_inner->ReplaceGradients(DecodeParameters(gradients, m_parameters));
}

TensorList
WirePart::ExportParameters(bool withOptimizer) const
{
    return EncodeParameters(m_inner->ExportParameters(withOptimizer),
                            m_parameters,
                            m_precision.parameters);
}

TensorList
WirePart::ExportSnapshot() const
{
    return m_inner->ExportParameters(true);
}

MemoryReport
WirePart::GetMemory() const
{
    return m_inner->GetMemory();
}

} // namespace collapipe
} // namespace ns3
