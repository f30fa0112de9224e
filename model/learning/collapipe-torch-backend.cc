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
#include <algorithm>
#include <cmath>
#include <map>

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

/// Sets the random stream of adapters apart from that of what they adapt
constexpr uint64_t ADAPTER_STREAM = 0x6c6f7261;

/// Links of the chain that are no blocks, for random streams
constexpr uint64_t EMBEDDING_LINK = UINT64_MAX;
constexpr uint64_t HEAD_LINK = UINT64_MAX - 1; //!< likewise

/**
 * @param values how they are distributed
 * @param shape their shape
 * @param generator where randomness comes from
 * @return the values
 */
at::Tensor
Draw(const InitialValues& values, const TensorData& shape, const at::Generator& generator)
{
    const std::vector<int64_t> sizes(shape.shape.begin(), shape.shape.end());
    switch (values.kind)
    {
    case InitialValues::NORMAL:
        return at::empty(sizes, at::kFloat).normal_(0, values.scale, generator);
    case InitialValues::UNIFORM:
        return at::empty(sizes, at::kFloat).uniform_(-values.scale, values.scale, generator);
    case InitialValues::CONSTANT:
        break;
    }
    return at::full(sizes, values.scale, at::kFloat);
}

/**
 * Makes the initial parameters of a link. Every block has a random stream of its own, whoever
 * holds it; adapters have others, so that they leave the rest as it is without them.
 */
class LinkMaker
{
  public:
    /**
     * @param config the model
     * @param seed the user's seed
     */
    LinkMaker(const ModelConfig& config, uint64_t seed)
        : m_config(config),
          m_seed(seed)
    {
    }

    /**
     * @param part one link of the chain: embedding, a block or head
     * @return its initial parameters, whether trained or not
     */
    TensorList Make(const PartRange& part)
    {
        TensorList list;
        for (const auto& place : GetParameterLayout(m_config, part))
        {
            const uint64_t own = part.embedding ? EMBEDDING_LINK : HEAD_LINK;
            list.push_back(FromTorch(MakeTensor(place, place.isInBlock ? place.block : own)));
        }
        return list;
    }

  private:
    at::Tensor MakeTensor(const ParameterPlace& place, uint64_t link)
    {
        if (place.kind == ParameterKind::ADAPTER_UP)
        {
            return Draw({InitialValues::CONSTANT, 0}, place.shape, {});
        }
        if (place.kind == ParameterKind::ADAPTER_DOWN)
        {
            const double bound = 1 / std::sqrt(double(place.shape.shape[1])); // as PEFT's
            return Draw({InitialValues::UNIFORM, bound},
                        place.shape,
                        Find(m_adapters, m_seed ^ ADAPTER_STREAM, link));
        }
        const auto values = GetModelFamily(m_config).GetInitialValues(m_config, place);
        return Draw(values, place.shape, Find(m_generators, m_seed, link));
    }

    /// @return the generator of a link, made where there is none
    static at::Generator& Find(std::map<uint64_t, at::Generator>& generators,
                               uint64_t seed,
                               uint64_t link)
    {
        auto& generator = generators[link];
        if (!generator.defined())
        {
            generator = MakeGenerator(seed, link);
        }
        return generator;
    }

    const ModelConfig& m_config;                    //!< the model
    uint64_t m_seed;                                //!< the user's
    std::map<uint64_t, at::Generator> m_generators; //!< by link
    std::map<uint64_t, at::Generator> m_adapters;   //!< likewise
};

/// Gives the projection to the vocabulary the values of the embedding's table where they are one.
void
Tie(const ModelConfig& config, ModelParameters& parameters)
{
    const auto find = [&config](const PartRange& part) {
        const auto layout = GetParameterLayout(config, part);
        return std::find_if(layout.begin(),
                            layout.end(),
                            [](const ParameterPlace& place) { return place.isTied; }) -
               layout.begin();
    };
    const auto from = static_cast<std::size_t>(find({true, 0, 0, false}));
    const auto to = static_cast<std::size_t>(find({false, 0, 0, true}));
    if (from < parameters.embedding.size() && to < parameters.decoder.size())
    {
        parameters.decoder[to] = parameters.embedding[from];
    }
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
    LinkMaker maker(config, seed);
    ModelParameters parameters;
    parameters.embedding = maker.Make({true, 0, 0, false});
    for (uint32_t i = 0; i < config.encoderBlocks; i++)
    {
        parameters.blocks.push_back(maker.Make({false, i, i + 1, false}));
    }
    parameters.decoder = maker.Make({false, 0, 0, true});
    Tie(config, parameters);
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

std::vector<std::vector<int32_t>>
TorchBackend::Generate(const ModelConfig& config,
                       const ModelParameters& parameters,
                       const std::vector<std::vector<int32_t>>& prompts,
                       const GenerationOptions& options) const
{
    return TorchEvaluation(config, parameters).Generate(prompts, options);
}

std::vector<std::vector<float>>
TorchBackend::GetLogits(const ModelConfig& config,
                        const ModelParameters& parameters,
                        const std::vector<Sample>& samples) const
{
    return TorchEvaluation(config, parameters).GetLogits(samples);
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
