/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-backend.h"

#include "collapipe-batch.h"
#include "collapipe-torch-part.h"
#include "collapipe-torch-support.h"

#include <ATen/CPUGeneratorImpl.h>
#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(TorchBackend);

namespace
{

/// Samples evaluated at once: enough for fast matrix products, few enough for the caches
constexpr size_t EVALUATION_BATCH = 32;

/**
 * A bijection that scatters neighbouring values (Steele et al. 2014, SplitMix64).
 * @param value any
 * @return its image
 */
uint64_t
Scramble(uint64_t value)
{
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

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

/**
 * @param shape [outputs,inputs]
 * @param generator where randomness comes from
 * @return a weight, Xavier uniform (Glorot and Bengio 2010)
 */
at::Tensor
MakeMatrix(at::IntArrayRef shape, const at::Generator& generator)
{
    const double bound = std::sqrt(6.0 / double(shape[0] + shape[1]));
    return at::empty(shape, at::kFloat).uniform_(-bound, bound, generator);
}

/**
 * @param shape [vocabulary,width]
 * @param generator where randomness comes from
 * @return an embedding table, normal, of unit variance after the scaling with sqrt(width)
 */
at::Tensor
MakeTable(at::IntArrayRef shape, const at::Generator& generator)
{
    return at::empty(shape, at::kFloat).normal_(0, 1 / std::sqrt(double(shape[1])), generator);
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
    uint32_t vectors = 0; // since the last matrix
    for (const auto& wanted : GetParameterShapes(config, part))
    {
        const std::vector<int64_t> shape(wanted.shape.begin(), wanted.shape.end());
        const bool table = list.empty() && part.GetBlocks() == 0;
        const bool matrix = shape.size() == 2;
        vectors = matrix ? 0 : vectors + 1;
        if (matrix)
        {
            list.push_back(
                FromTorch(table ? MakeTable(shape, generator) : MakeMatrix(shape, generator)));
            continue;
        }
        // A matrix is followed by its bias; what comes then is weight and bias of each norm
        list.push_back(FromTorch(at::full(shape, vectors % 2 == 0 ? 1.0 : 0.0, at::kFloat)));
    }
    return list;
}

/**
 * Sorts by length, so that batches hold little padding.
 * @param samples the samples
 * @return pointers to them, longest first
 */
std::vector<const Sample*>
SortByLength(const std::vector<Sample>& samples)
{
    std::vector<const Sample*> sorted;
    for (const auto& sample : samples)
    {
        sorted.push_back(&sample);
    }
    std::stable_sort(sorted.begin(), sorted.end(), [](const Sample* a, const Sample* b) {
        return a->source.size() + a->target.size() > b->source.size() + b->target.size();
    });
    return sorted;
}

/**
 * @param config a model
 * @param samples what it is to read
 * @return the model with no longer sequences than the samples have
 */
ModelConfig
FitLengths(ModelConfig config, const std::vector<const Sample*>& samples)
{
    size_t source = 1;
    size_t target = 1;
    for (const Sample* sample : samples)
    {
        source = std::max(source, sample->source.size());
        target = std::max(target, sample->target.size());
    }
    config.sourceLength = std::min<size_t>(config.sourceLength, source);
    config.targetLength = std::min<size_t>(config.targetLength, target);
    return config;
}

/**
 * @param config the model
 * @param parameters of the whole model
 * @param samples one batch
 * @param result the sum of cross-entropies is added to its loss, and the labels to its number
 */
void
EvaluateBatch(const ModelConfig& config,
              const std::vector<at::Tensor>& parameters,
              const std::vector<const Sample*>& samples,
              EvaluationResult& result)
{
    const ModelConfig fitted = FitLengths(config, samples);
    const TorchLayers layers(fitted, {true, 0, config.encoderBlocks, true}, parameters);
    const Batch batch = MakeBatch(fitted, samples);
    const auto tokens = ToTorch(batch.source);
    const auto padding = MakePadding(tokens);
    const auto memory = layers.Encode(layers.Embed(tokens), padding);
    result.loss += layers.Decode(memory, padding, ToTorch(batch.target)).item<double>();
    result.labelTokens += batch.labelTokens;
}

} // namespace

TypeId
TorchBackend::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::TorchBackend")
                            .SetParent<ComputeBackend>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<TorchBackend>();
    return tid;
}

TorchBackend::TorchBackend()
{
    SetUpTorch();
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
                         const TensorList& parameters) const
{
    const PartShapes shapes(config, part, optimizer);
    shapes.CheckParameters(parameters);
    const auto state = parameters.begin() + shapes.GetParameters().size();
    return std::make_unique<TorchPart>(config,
                                       part,
                                       optimizer,
                                       TensorList(parameters.begin(), state),
                                       TensorList(state, parameters.end()));
}

EvaluationResult
TorchBackend::Evaluate(const ModelConfig& config,
                       const ModelParameters& parameters,
                       const std::vector<Sample>& samples) const
{
    const at::NoGradGuard withoutGradients;
    const PartRange whole{true, 0, config.encoderBlocks, true};
    const PartShapes shapes(config, whole, {});
    const auto list = parameters.Gather(whole);
    shapes.CheckParameters(list);
    std::vector<at::Tensor> tensors;
    std::transform(list.begin(), list.end(), std::back_inserter(tensors), ToTorch);
    const auto sorted = SortByLength(samples);
    EvaluationResult result;
    for (size_t i = 0; i < sorted.size(); i += EVALUATION_BATCH)
    {
        const auto end = std::min(i + EVALUATION_BATCH, sorted.size());
        EvaluateBatch(config, tensors, {sorted.begin() + i, sorted.begin() + end}, result);
    }
    result.loss /= std::max<uint64_t>(result.labelTokens, 1);
    return result;
}

} // namespace collapipe
} // namespace ns3
