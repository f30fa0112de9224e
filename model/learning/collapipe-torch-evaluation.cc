/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-evaluation.h"

#include "collapipe-batch.h"
#include "collapipe-model-family.h"
#include "collapipe-part-shapes.h"
#include "collapipe-sample-form.h"
#include "collapipe-torch-beam-search.h"
#include "collapipe-torch-causal.h"
#include "collapipe-torch-compat.h"
#include "collapipe-torch-generation.h"
#include "collapipe-torch-layers.h"
#include "collapipe-torch-support.h"

#include "ns3/abort.h"

#include <algorithm>
#include <iterator>
#include <numeric>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Samples evaluated at once: enough for fast matrix products, few enough for the caches
constexpr size_t EVALUATION_BATCH = 32;

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
        source = std::max(source, GetModelFamily(config).CountInput(*sample));
        target = std::max(target, sample->target.size());
    }
    source = std::max<size_t>(source, GetModelFamily(config).GetLeastInput());
    // Tables of positions keep their size
    config.positions = config.GetPositions();
    config.sourceLength = std::min<size_t>(config.sourceLength, source);
    config.targetLength = std::min<size_t>(config.targetLength, target);
    return config;
}

/**
 * A batch on its way through the model.
 */
struct EncodedBatch
{
    /**
     * @param config the model, lengths fitted
     * @param parameters of the whole model
     * @param samples the batch
     */
    EncodedBatch(const ModelConfig& config,
                 const std::vector<at::Tensor>& parameters,
                 Batch samples)
        : layers(config, {true, 0, config.encoderBlocks, true}, parameters),
          batch(std::move(samples)),
          tokens(ToTorch(batch.source)),
          padding(MakePadding(tokens, config.special.pad)),
          layout(padding, true, 0),
          memory(layers.Encode(layers.Embed(tokens, layout), layout, padding))
    {
    }

    TorchLayers layers; //!< the modules
    Batch batch;        //!< the samples
    at::Tensor tokens;  //!< of the source [b,T]
    at::Tensor padding; //!< of the source [b,T]
    TorchRows layout;   //!< its words
    at::Tensor memory;  //!< what the encoder gives: rows
};

/**
 * @param run a batch on its way through a classifier or a language model
 * @return what its head says of each text [b,C] or [b,V]
 */
at::Tensor
GetHeadLogits(const EncodedBatch& run)
{
    const auto& head = static_cast<const TorchClassifyingHead&>(run.layers.GetHead());
    return head.Classify(run.memory, run.layout, run.padding, {});
}

/**
 * @param config the model; it predicts masked tokens
 * @param run a batch on its way through it
 * @return of each text, what may stand where a token is masked: [masks,V]
 */
std::vector<at::Tensor>
PredictMasked(const ModelConfig& config, const EncodedBatch& run)
{
    const auto isMasked = run.tokens.eq(GetMaskToken(config));
    const auto masked = run.layout.Pack(isMasked).nonzero().flatten();
    const auto& head = static_cast<const TorchMaskedLanguageHead&>(run.layers.GetHead());
    const auto logits = head.Predict(run.memory, run.layout, masked, {});
    const auto counts = isMasked.sum(1).to(at::kLong);
    return logits.split_with_sizes(
        at::IntArrayRef(counts.data_ptr<int64_t>(), static_cast<size_t>(counts.numel())));
}

} // namespace

TorchEvaluation::TorchEvaluation(const ModelConfig& config, const ModelParameters& parameters)
    : m_config(config)
{
    m_config.skipPadding = true;
    const PartRange whole{true, 0, config.encoderBlocks, true};
    const auto list = parameters.Gather(whole);
    PartShapes(config, whole, {}).CheckParameters(list);
    std::transform(list.begin(), list.end(), std::back_inserter(m_parameters), ToTorch);
}

std::vector<TorchEvaluation::Group>
TorchEvaluation::MakeGroups(const std::vector<Sample>& samples)
{
    std::vector<size_t> order(samples.size());
    std::iota(order.begin(), order.end(), 0);
    const auto length = [&](size_t i) {
        return samples[i].source.size() + samples[i].target.size();
    };
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return length(a) > length(b);
    });
    std::vector<Group> groups;
    for (size_t i = 0; i < order.size(); i++)
    {
        if (i % EVALUATION_BATCH == 0)
        {
            groups.emplace_back();
        }
        groups.back().samples.push_back(&samples[order[i]]);
        groups.back().places.push_back(order[i]);
    }
    return groups;
}

EvaluationResult
TorchEvaluation::Evaluate(const std::vector<Sample>& samples) const
{
    const torch::NoGradGuard withoutGradients;
    EvaluationResult result;
    for (const auto& group : MakeGroups(samples))
    {
        const auto config = FitLengths(m_config, group.samples);
        const EncodedBatch run(config, m_parameters, MakeBatch(config, group.samples));
        result.loss += run.layers.GetHead()
                           .Forward(run.memory,
                                    run.layout,
                                    run.padding,
                                    ToTorch(run.batch.target),
                                    0,
                                    TorchDropout())
                           .item<double>();
        result.labelTokens += run.batch.labelTokens;
    }
    result.loss /= std::max<uint64_t>(result.labelTokens, 1);
    return result;
}

std::vector<std::vector<int32_t>>
TorchEvaluation::Translate(const std::vector<Sample>& samples, const DecodingOptions& options) const
{
    NS_ABORT_MSG_IF(!IsTranslator(m_config), "Only a decoder can translate");
    const torch::NoGradGuard withoutGradients;
    std::vector<std::vector<int32_t>> translations(samples.size());
    for (const auto& group : MakeGroups(samples))
    {
        auto config = FitLengths(m_config, group.samples);
        config.targetLength = m_config.targetLength;
        const EncodedBatch run(config, m_parameters, ReadBatch(config, group.samples));
        const auto& decoder = static_cast<const TorchDecoder&>(run.layers.GetHead());
        TorchBeamSearch search(decoder, options, config.targetLength);
        auto results = search.Run(run.memory, run.layout, run.padding);
        for (size_t i = 0; i < results.size(); i++)
        {
            translations[group.places[i]] = std::move(results[i]);
        }
    }
    return translations;
}

std::vector<std::vector<int32_t>>
TorchEvaluation::Generate(const std::vector<std::vector<int32_t>>& prompts,
                          const GenerationOptions& options) const
{
    NS_ABORT_MSG_IF(!IsLanguageModel(m_config), "Only a language model can continue texts");
    const torch::NoGradGuard withoutGradients;
    auto config = m_config;
    config.sourceLength = config.GetPositions(); // texts may be longer than those of the training
    config.positions = config.sourceLength;
    const auto next = [&](const std::vector<std::vector<int32_t>>& texts) {
        std::vector<Sample> samples(texts.size());
        std::vector<const Sample*> pointers;
        for (size_t i = 0; i < texts.size(); i++)
        {
            samples[i].source = texts[i];
            pointers.push_back(&samples[i]);
        }
        const auto own = FitLengths(config, pointers);
        const EncodedBatch run(own, m_parameters, ReadBatch(own, pointers));
        return GetHeadLogits(run); // what the last row says
    };
    const TorchGeneration generation(options, config.sourceLength, next);
    std::vector<std::vector<int32_t>> results;
    for (size_t first = 0; first < prompts.size();)
    {
        const size_t count =
            options.beam > 1 ? 1 : std::min(EVALUATION_BATCH, prompts.size() - first);
        const auto begin = prompts.begin() + static_cast<std::ptrdiff_t>(first);
        const std::vector<std::vector<int32_t>> some(begin,
                                                     begin + static_cast<std::ptrdiff_t>(count));
        auto own = options.beam > 1
                       ? std::vector<std::vector<int32_t>>{generation.Search(some.front())}
                       : generation.Continue(some, first);
        std::move(own.begin(), own.end(), std::back_inserter(results));
        first += count;
    }
    return results;
}

std::vector<std::vector<float>>
TorchEvaluation::GetLogits(const std::vector<Sample>& samples) const
{
    NS_ABORT_MSG_IF(IsTranslator(m_config), "A translator gives no logits of a text alone");
    const torch::NoGradGuard withoutGradients;
    std::vector<std::vector<float>> results(samples.size());
    for (const auto& group : MakeGroups(samples))
    {
        const auto config = FitLengths(m_config, group.samples);
        const EncodedBatch run(config, m_parameters, ReadBatch(config, group.samples));
        const auto logits = config.head == ModelHead::MASKED_LANGUAGE
                                ? PredictMasked(config, run)
                                : GetHeadLogits(run).unbind(0);
        for (size_t i = 0; i < group.places.size(); i++)
        {
            const auto values = logits[i].contiguous();
            results[group.places[i]].assign(values.data_ptr<float>(),
                                            values.data_ptr<float>() + values.numel());
        }
    }
    return results;
}

std::vector<int32_t>
TorchEvaluation::Classify(const std::vector<Sample>& samples) const
{
    NS_ABORT_MSG_IF(!IsClassifier(m_config), "Only a classifier can classify");
    const torch::NoGradGuard withoutGradients;
    std::vector<int32_t> classes(samples.size());
    for (const auto& group : MakeGroups(samples))
    {
        const auto config = FitLengths(m_config, group.samples);
        const EncodedBatch run(config, m_parameters, ReadBatch(config, group.samples));
        const auto best = GetHeadLogits(run).argmax(1);
        for (size_t i = 0; i < group.places.size(); i++)
        {
            classes[group.places[i]] = static_cast<int32_t>(best[i].item<int64_t>());
        }
    }
    return classes;
}

} // namespace collapipe
} // namespace ns3
