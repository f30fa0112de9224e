/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-quality.h"

#include "ns3/collapipe-bleu.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <ostream>
#include <sstream>

namespace ns3
{
namespace collapipe
{

QualityScorer::QualityScorer(const QualityPlan& plan,
                             const ModelConfig& model,
                             Ptr<ComputeBackend> backend,
                             const Corpus& corpus)
    : m_plan(plan),
      m_model(model),
      m_backend(backend),
      m_corpus(corpus)
{
    // Text is compared with text: tokens of one's own cannot be
    const bool isText = !corpus.tokenizer.GetModel().empty();
    m_kind = GetModelFamily(model).GetScore(model);
    if (m_kind == ScoreKind::NONE || !backend->IsComputing() ||
        (m_kind == ScoreKind::BLEU && !isText))
    {
        m_plan.when = "none";
    }
}

bool
QualityScorer::IsDue(uint32_t round) const
{
    return m_plan.when == "rounds" ||
           (m_plan.when == "end" && (round == 0 || round == m_plan.rounds));
}

double
QualityScorer::GetBleu(const std::vector<std::string>& translations,
                       const std::vector<SentencePair>& texts)
{
    std::vector<std::string> references;
    for (const auto& pair : texts)
    {
        references.push_back(pair.target);
    }
    return ComputeBleu(translations, references).score;
}

QualityScore
QualityScorer::Score(const std::vector<Sample>& samples,
                     const std::vector<SentencePair>& texts,
                     const ModelParameters& parameters) const
{
    if (m_kind == ScoreKind::CLASSES)
    {
        std::vector<int32_t> labels;
        for (const auto& sample : samples)
        {
            labels.push_back(sample.label);
        }
        return ScoreClassification(m_backend->Classify(m_model, parameters, samples),
                                   labels,
                                   m_model.classes);
    }
    if (m_kind == ScoreKind::MATCHES)
    {
        return ScoreCompletions(samples, parameters);
    }
    QualityScore score;
    if (!samples.empty())
    {
        const auto tokens = m_backend->Translate(m_model, parameters, samples, m_plan.decoding);
        score.bleu = GetBleu(m_corpus.tokenizer.Decode(tokens), texts);
    }
    return score;
}

QualityScore
QualityScorer::ScoreCompletions(const std::vector<Sample>& samples,
                                const ModelParameters& parameters) const
{
    std::vector<std::vector<int32_t>> prompts;
    std::vector<std::vector<int32_t>> completions;
    GenerationOptions options;
    options.tokens = 0;
    options.ends = {m_model.special.end};
    for (const auto& sample : samples)
    {
        const auto& labels = sample.target; // negative where nothing is predicted
        const auto first =
            std::find_if(labels.begin(), labels.end(), [](int32_t label) { return label >= 0; });
        if (first != labels.end())
        {
            prompts.emplace_back(sample.source.begin(),
                                 sample.source.begin() + (first - labels.begin()));
            completions.emplace_back(first, labels.end());
            options.tokens =
                std::max(options.tokens, static_cast<uint32_t>(completions.back().size()));
        }
    }
    QualityScore score;
    if (prompts.empty())
    {
        return score; // texts without completions are told by their perplexity
    }
    const auto results = m_backend->Generate(m_model, parameters, prompts, options);
    std::size_t right = 0;
    for (std::size_t i = 0; i < results.size(); ++i)
    {
        right += results[i] == completions[i];
    }
    score.exactMatch = double(right) / double(results.size());
    return score;
}

QualityScore
QualityScorer::ScoreValidation(const ModelParameters& parameters) const
{
    return Score(m_corpus.dataset.validation, m_corpus.validation, parameters);
}

void
QualityScorer::Complete(const ModelParameters& parameters, RunQuality& quality) const
{
    if (m_plan.when == "none")
    {
        return;
    }
    const auto& test = m_corpus.dataset.test;
    quality.test = Score(test, m_corpus.test, parameters);
    quality.testSamples = test.size();
    if (!test.empty())
    {
        quality.testLoss = m_backend->Evaluate(m_model, parameters, test).loss;
    }
    if (m_kind == ScoreKind::BLEU)
    {
        std::vector<std::string> sources;
        for (const auto& pair : m_corpus.validation)
        {
            sources.push_back(pair.source);
        }
        quality.copy.bleu = GetBleu(sources, m_corpus.validation);
    }
}

std::vector<std::pair<std::string, double>>
ListScores(const std::string& task, std::size_t classes, const QualityScore& score)
{
    if (task == "translation")
    {
        return {{"bleu", score.bleu}};
    }
    std::vector<std::pair<std::string, double>> scores;
    if (task == "lm")
    {
        scores = {{"exact_match", score.exactMatch}};
    }
    if (task == "classification")
    {
        scores = {{"accuracy", score.accuracy}, {"macro_f1", score.macroF1}};
        if (classes == 2)
        {
            scores.emplace_back("binary_f1", score.binaryF1);
        }
    }
    return scores;
}

void
PrintQuality(std::ostream& out, const RunQuality& quality)
{
    std::ostringstream text;
    text << std::fixed << std::setprecision(2);
    if (std::isfinite(quality.validation.bleu))
    {
        text << "BLEU of the validation part " << quality.validation.bleu << " (untrained "
             << quality.untrained.bleu << ", copying the source " << quality.copy.bleu << ')';
        if (std::isfinite(quality.test.bleu))
        {
            text << ", of the test part " << quality.test.bleu;
        }
        text << '\n';
    }
    if (std::isfinite(quality.validation.exactMatch))
    {
        text << "completions word for word: " << 100 * quality.validation.exactMatch
             << " % of the validation part (untrained " << 100 * quality.untrained.exactMatch
             << " %)";
        if (std::isfinite(quality.test.exactMatch))
        {
            text << ", " << 100 * quality.test.exactMatch << " % of the test part";
        }
        text << '\n';
    }
    const auto printClasses = [&text](const std::string& part, const QualityScore& score) {
        if (std::isfinite(score.accuracy))
        {
            text << part << ": accuracy " << 100 * score.accuracy << " %, macro F1 "
                 << 100 * score.macroF1 << " %";
            if (std::isfinite(score.binaryF1))
            {
                text << ", F1 of the second class " << 100 * score.binaryF1 << " %";
            }
            text << '\n';
        }
    };
    printClasses("validation part, untrained", quality.untrained);
    printClasses("validation part", quality.validation);
    printClasses("test part", quality.test);
    out << text.str();
}

} // namespace collapipe
} // namespace ns3
