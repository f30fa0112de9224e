/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-data.h"

#include "ns3/collapipe-language-data.h"
#include "ns3/collapipe-model-family.h"
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
    // A long document is several samples, and several short ones may be a single one.
    const bool isAlong = texts.size() == all;
    for (std::size_t i = 0; i < maximum; ++i)
    {
        const auto from = i * all / maximum; // at least i
        std::swap(samples[i], samples[from]);
        if (isAlong)
        {
            std::swap(texts[i], texts[from]);
        }
    }
    samples.resize(maximum);
    texts.resize(isAlong ? maximum : 0);
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
    cut.sequenceLength = isNamed || learning.IsForeign() ? config.sequenceLength : 0;
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

/// @return the data of a decoder-only language model
Corpus
LoadDocuments(const RunConfig& config, const CorpusOptions& options)
{
    const auto& learning = config.learning;
    LanguageModelSources sources;
    sources.training = learning.train;
    sources.validation = learning.validation;
    sources.language = config.language;
    ParseDocumentForm(learning.documents, sources.form);
    auto cut = options;
    cut.packs = learning.pack;
    cut.sequenceLength = config.sequenceLength;
    return BuildLanguageModelCorpus(sources, cut);
}

/// @return the data of the run's task
Corpus
LoadTask(const RunConfig& config, const CorpusOptions& options)
{
    if (config.ownCorpus)
    {
        return config.ownCorpus(config);
    }
    if (config.task == "classification")
    {
        return LoadClassification(config, options);
    }
    if (config.task == "lm")
    {
        return LoadDocuments(config, options);
    }
    return config.task == "mlm" ? LoadPlainText(config, options) : LoadTranslation(config, options);
}

} // namespace

Corpus
LoadCorpus(const RunConfig& config, const GivenTokenizer& tokenizer)
{
    CorpusOptions options;
    options.maximumPairs = config.maxPairs;
    options.vocabularySize = config.vocabulary;
    options.seed = config.seed;
    if (const auto pretrained = config.learning.GetPretrained())
    {
        const Tokenizer own(pretrained->GetTokenizer());
        options.tokenizer = own.GetModel();
        options.vocabularySize = own.GetVocabularySize();
        options.classOrder = pretrained->GetConfig().classes;
        options.sequenceLength = config.sequenceLength;
    }
    else if (!tokenizer.model.empty())
    {
        options.tokenizer = tokenizer.model;
        options.vocabularySize = tokenizer.vocabulary;
    }
    options.isCausal = GetModelFamily(config.GetModelConfig()).IsCausal();
    try
    {
        auto corpus = LoadTask(config, options);
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
    const auto rows = model.vocabulary;
    FitToData(model,
              corpus.dataset.vocabulary,
              static_cast<uint32_t>(corpus.dataset.classes.size()));
    if (!config.learning.IsForeign())
    {
        return model;
    }
    if (model.vocabulary > rows)
    {
        throw UserError("--config=" + config.learning.config + ": the model knows " +
                        std::to_string(rows) + " tokens, the data's tokenizer gives " +
                        std::to_string(model.vocabulary) + "; give a smaller --vocabulary");
    }
    model.vocabulary = rows; // of which the tokenizer may leave some unused
    if (const auto pretrained = config.learning.GetPretrained())
    {
        try
        {
            pretrained->Check(model);
        }
        catch (const DataError& error)
        {
            throw UserError("--pretrained=" + config.learning.pretrained + ": " + error.what());
        }
    }
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
