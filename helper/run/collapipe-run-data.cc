/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-data.h"

#include "ns3/collapipe-partition.h"
#include "ns3/collapipe-sample-form.h"
#include "ns3/collapipe-text-corpora.h"

#include <algorithm>
#include <memory>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * Thins a part of a corpus out, evenly: it may be in order of topics.
 * @param texts of the part, or none
 * @param samples theirs
 * @param maximum how many may stay; 0: all
 */
void
ThinOut(std::vector<SentencePair>& texts, std::vector<Sample>& samples, std::size_t maximum)
{
    const auto all = samples.size();
    if (maximum == 0 || all <= maximum)
    {
        return;
    }
    for (std::size_t i = 0; i < maximum; ++i)
    {
        const auto from = i * all / maximum; // at least i
        std::swap(samples[i], samples[from]);
        if (!texts.empty())
        {
            std::swap(texts[i], texts[from]);
        }
    }
    samples.resize(maximum);
    texts.resize(texts.empty() ? 0 : maximum);
}

/// @return the data of a translation
Corpus
LoadTranslation(const RunConfig& config, const CorpusOptions& options)
{
    TranslationSources sources;
    sources.language = config.language;
    sources.trainSource = config.trainSource;
    sources.trainTarget = config.trainTarget;
    sources.validationSource = config.valSource;
    sources.validationTarget = config.valTarget;
    return BuildTranslationCorpus(sources, options);
}

/// @return the data of a classification
Corpus
LoadClassification(const RunConfig& config, const CorpusOptions& options)
{
    const auto& learning = config.learning;
    if (learning.train.empty())
    {
        LanguageSources sources;
        sources.languages = learning.GetLanguages();
        return BuildLanguageCorpus(sources, options);
    }
    ClassificationSources sources;
    sources.training = learning.train;
    sources.validation = learning.validation;
    sources.glue = learning.glue == "none" ? "" : learning.glue;
    sources.named = learning.columns;
    auto cut = options;
    // A pair's longer text is cut, not what comes last.
    const bool isNamed = !sources.glue.empty() || !sources.named.empty();
    cut.sequenceLength = isNamed ? config.sequenceLength : 0;
    return BuildClassificationCorpus(sources, cut);
}

/// @return the data of a language model
Corpus
LoadPlainText(const RunConfig& config, const CorpusOptions& options)
{
    PlainTextSources sources;
    sources.training = config.learning.train;
    sources.validation = config.learning.validation;
    sources.language = config.language;
    return BuildPlainTextCorpus(sources, options);
}

} // namespace

Corpus
LoadCorpus(const RunConfig& config, const GivenTokenizer& tokenizer)
{
    CorpusOptions options;
    options.maximumPairs = config.maxPairs;
    options.vocabularySize = config.vocabulary;
    options.seed = config.seed;
    if (!tokenizer.model.empty())
    {
        options.tokenizer = tokenizer.model;
        options.vocabularySize = tokenizer.vocabulary;
    }
    try
    {
        auto corpus = config.ownCorpus                  ? config.ownCorpus(config)
                      : config.task == "classification" ? LoadClassification(config, options)
                      : config.task == "mlm"            ? LoadPlainText(config, options)
                                                        : LoadTranslation(config, options);
        ThinOut(corpus.validation, corpus.dataset.validation, config.maxValidation);
        ThinOut(corpus.test, corpus.dataset.test, config.maxValidation);
        return corpus;
    }
    catch (const DataError& error)
    {
        throw UserError(error.what());
    }
}

ModelConfig
GetModelConfig(const RunConfig& config, const Corpus& corpus)
{
    auto model = config.GetModelConfig();
    FitToData(model,
              corpus.dataset.vocabulary,
              static_cast<uint32_t>(corpus.dataset.classes.size()));
    return model;
}

std::vector<std::vector<const Sample*>>
PartitionData(const RunConfig& config, const Dataset& dataset)
{
    const auto grouping =
        config.task == "classification" ? SampleGrouping::LABEL : SampleGrouping::LENGTH;
    const std::size_t minimum =
        std::min<std::size_t>(std::size_t{config.microBatches} * config.microBatchSize,
                              dataset.training.size() / config.clusters);
    try
    {
        const auto parts = PartitionSamples(GetSampleGroups(dataset.training, grouping),
                                            config.clusters,
                                            config.dirichletAlpha,
                                            config.seed,
                                            static_cast<uint32_t>(minimum));
        std::vector<std::vector<const Sample*>> clusters;
        for (const auto& part : parts)
        {
            clusters.emplace_back();
            for (const auto index : part)
            {
                clusters.back().push_back(&dataset.training[index]);
            }
        }
        return clusters;
    }
    catch (const DataError& error)
    {
        throw UserError(error.what());
    }
}

} // namespace collapipe
} // namespace ns3
