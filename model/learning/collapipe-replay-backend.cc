/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-replay-backend.h"

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(ReplayBackend);

TypeId
ReplayBackend::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::ReplayBackend")
                            .SetParent<ComputeBackend>()
                            .SetGroupName("CollaPipe");
    return tid;
}

void
ReplayBackend::SetBackend(Ptr<ComputeBackend> backend)
{
    m_backend = backend;
}

Ptr<ComputeBackend>
ReplayBackend::GetBackend() const
{
    return m_backend;
}

void
ReplayBackend::EndReplay()
{
    m_isReplaying = false;
}

bool
ReplayBackend::IsComputing() const
{
    return m_backend->IsComputing();
}

std::vector<std::string>
ReplayBackend::GetWarnings() const
{
    return m_backend->GetWarnings();
}

bool
ReplayBackend::IsThreadSafe() const
{
    return m_backend->IsThreadSafe();
}

ModelParameters
ReplayBackend::CreateParameters(const ModelConfig& config, uint64_t seed) const
{
    return (m_isReplaying ? m_replay : m_backend)->CreateParameters(config, seed);
}

std::unique_ptr<ModelPart>
ReplayBackend::CreatePart(const ModelConfig& config,
                          const PartRange& part,
                          const OptimizerConfig& optimizer,
                          const TensorList& parameters,
                          const TrainingPosition& start) const
{
    return (m_isReplaying ? m_replay : m_backend)
        ->CreatePart(config, part, optimizer, parameters, start);
}

EvaluationResult
ReplayBackend::Evaluate(const ModelConfig& config,
                        const ModelParameters& parameters,
                        const std::vector<Sample>& samples) const
{
    return m_backend->Evaluate(config, parameters, samples);
}

std::vector<std::vector<int32_t>>
ReplayBackend::Translate(const ModelConfig& config,
                         const ModelParameters& parameters,
                         const std::vector<Sample>& samples,
                         const DecodingOptions& options) const
{
    return m_backend->Translate(config, parameters, samples, options);
}

std::vector<std::vector<int32_t>>
ReplayBackend::Generate(const ModelConfig& config,
                        const ModelParameters& parameters,
                        const std::vector<std::vector<int32_t>>& prompts,
                        const GenerationOptions& options) const
{
    return m_backend->Generate(config, parameters, prompts, options);
}

std::vector<std::vector<float>>
ReplayBackend::GetLogits(const ModelConfig& config,
                         const ModelParameters& parameters,
                         const std::vector<Sample>& samples) const
{
    return m_backend->GetLogits(config, parameters, samples);
}

std::vector<int32_t>
ReplayBackend::Classify(const ModelConfig& config,
                        const ModelParameters& parameters,
                        const std::vector<Sample>& samples) const
{
    return m_backend->Classify(config, parameters, samples);
}

} // namespace collapipe
} // namespace ns3
