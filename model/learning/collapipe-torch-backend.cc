/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-backend.h"

#include "collapipe-parameter-layout.h"
#include "collapipe-random-key.h"
#include "collapipe-torch-evaluation.h"
#include "collapipe-torch-memory.h"
#include "collapipe-torch-part.h"
#include "collapipe-torch-support.h"

#include <ATen/CPUGeneratorImpl.h>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param seed the user's seed
 * @param link index of the block; other numbers for embedding and decoder
 * @return a generator of its own (LibTorch's takes 32 bits of seed)
 */
at::Generator
MakeGenerator(uint64_t seed, uint64_t link)
{
    return at::make_generator<at::CPUGeneratorImpl>(Scramble(Scramble(seed) ^ link) >> 32);
}

/// Standard deviation of BERT's initial weights (Devlin et al. 2019)
constexpr double BERT_DEVIATION = 0.02;

/**
 * @param config the model
 * @param place of a weight or a table
 * @param generator where randomness comes from
 * @return its initial values. Of a BERT, normal. Of a Transformer, weights are Xavier uniform
 *         (Glorot and Bengio 2010), and tables normal, of unit variance after the scaling with
 *         sqrt(width).
 */
at::Tensor
MakeWeights(const ModelConfig& config, const ParameterPlace& place, const at::Generator& generator)
{
    const std::vector<int64_t> shape(place.shape.shape.begin(), place.shape.shape.end());
    const auto weights = at::empty(shape, at::kFloat);
    if (config.IsBert())
    {
        return weights.normal_(0, BERT_DEVIATION, generator);
    }
    if (place.kind == ParameterKind::TABLE)
    {
        return weights.normal_(0, 1 / std::sqrt(double(shape[1])), generator);
    }
    const double bound = std::sqrt(6.0 / double(shape[0] + shape[1]));
    return weights.uniform_(-bound, bound, generator);
}

/**
 * @param config the model
 * @param part one link of the chain: embedding, a block or decoder
 * @param generator where randomness comes from
 * @return its initial parameters
 */
TensorList
MakeInitial(const ModelConfig& config, const PartRange& part, const at::Generator& generator)
{
    TensorList list;
    for (const auto& place : GetParameterLayout(config, part))
    {
        if (place.kind == ParameterKind::TABLE || place.kind == ParameterKind::MATRIX)
        {
            list.push_back(FromTorch(MakeWeights(config, place, generator)));
            continue;
        }
        const double value = place.kind == ParameterKind::NORM_WEIGHT ? 1 : 0;
        list.push_back(FromTorch(at::full({place.shape.shape[0]}, value, at::kFloat)));
    }
    return list;
}

} // namespace

TypeId
TorchBackend::GetTypeId()
{
    // Registered by the module, which is there before this library is opened.
    static const TypeId tid = TypeId::LookupByName("ns3::collapipe::TorchBackend");
    return tid;
}

TorchBackend::TorchBackend()
{
    SetUpTorch();
    InstallMemoryAccounting();
}

bool
TorchBackend::HasThreadSafeBlas()
{
    return IsTorchBlasThreadSafe();
}

bool
TorchBackend::IsThreadSafe() const
{
    return HasThreadSafeBlas();
}

std::vector<std::string>
TorchBackend::GetWarnings() const
{
    std::vector<std::string> warnings;
    if (!HasFastBlas())
    {
        warnings.emplace_back("LibTorch runs on the reference BLAS, some 20 times slower than "
                              "OpenBLAS; install libopenblas0-pthread");
    }
    if (!HasThreadSafeBlas())
    {
        warnings.emplace_back(
            "OpenBLAS's serial build cannot be used from several threads at once, "
            "so training will not overlap the simulation; install "
            "libopenblas0-pthread");
    }
    return warnings;
}

bool
TorchBackend::HasFastBlas()
{
    return IsTorchBlasFast();
}

bool
TorchBackend::IsComputing() const
{
    return true;
}

ModelParameters
TorchBackend::CreateParameters(const ModelConfig& config, uint64_t seed) const
{
    const auto make = [&](const PartRange& part, uint64_t link) {
        return MakeInitial(config, part, MakeGenerator(seed, link));
    };
    ModelParameters parameters;
    parameters.embedding = make({true, 0, 0, false}, UINT64_MAX);
    for (uint32_t i = 0; i < config.encoderBlocks; i++)
    {
        parameters.blocks.push_back(make({false, i, i + 1, false}, i));
    }
    parameters.decoder = make({false, 0, 0, true}, UINT64_MAX - 1);
    return parameters;
}

std::unique_ptr<ModelPart>
TorchBackend::CreatePart(const ModelConfig& config,
                         const PartRange& part,
                         const OptimizerConfig& optimizer,
                         const TensorList& parameters,
                         const TrainingPosition& start) const
{
    const PartShapes shapes(config, part, optimizer);
    shapes.CheckParameters(parameters);
    const auto state = parameters.begin() + shapes.GetParameters().size();
    auto account = std::make_shared<MemoryAccount>();
    const MemoryScope scope(account, MemoryKind::PARAMETERS);
    return std::make_unique<TorchPart>(config,
                                       part,
                                       optimizer,
                                       TensorList(parameters.begin(), state),
                                       TensorList(state, parameters.end()),
                                       start,
                                       account);
}

EvaluationResult
TorchBackend::Evaluate(const ModelConfig& config,
                       const ModelParameters& parameters,
                       const std::vector<Sample>& samples) const
{
    return TorchEvaluation(config, parameters).Evaluate(samples);
}

std::vector<std::vector<int32_t>>
TorchBackend::Translate(const ModelConfig& config,
                        const ModelParameters& parameters,
                        const std::vector<Sample>& samples,
                        const DecodingOptions& options) const
{
    return TorchEvaluation(config, parameters).Translate(samples, options);
}

std::vector<int32_t>
TorchBackend::Classify(const ModelConfig& config,
                       const ModelParameters& parameters,
                       const std::vector<Sample>& samples) const
{
    return TorchEvaluation(config, parameters).Classify(samples);
}

} // namespace collapipe
} // namespace ns3
