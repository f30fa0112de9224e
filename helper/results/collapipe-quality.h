/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_QUALITY_H
#define COLLAPIPE_QUALITY_H

#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-corpus.h"
#include "ns3/collapipe-model-family.h"

#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * How good a run's model got, and what that is to be compared with.
 */
struct RunQuality
{
    QualityScore untrained;  //!< validation part, before the first round
    QualityScore validation; //!< validation part, after the last round
    QualityScore copy;       //!< translation: the validation part's sources taken for translations
    QualityScore test;       //!< test part, after the last round
    double testLoss{std::numeric_limits<double>::quiet_NaN()}; //!< likewise, nats per label
    std::size_t testSamples{0};                                //!< of the test part
};

/// When a model's quality is found out, and how
struct QualityPlan
{
    std::string when{"end"};  //!< none, end or rounds
    uint32_t rounds{1};       //!< of the run
    DecodingOptions decoding; //!< of translations
};

/**
 * @ingroup collapipe
 * Finds out how good a model is at its task: translates and compares with the references, or
 * classifies and compares with the labels. Takes long; may be called on any thread.
 */
class QualityScorer
{
  public:
    /**
     * @param plan of the run
     * @param model of the run
     * @param backend that computes
     * @param corpus of the run; must outlive the scorer
     */
    QualityScorer(const QualityPlan& plan,
                  const ModelConfig& model,
                  Ptr<ComputeBackend> backend,
                  const Corpus& corpus);

    /**
     * @param round of the run; 0 is before the first
     * @return whether the model is to be scored after that round
     */
    bool IsDue(uint32_t round) const;

    /**
     * @param parameters of the whole model
     * @return its score on the validation part
     */
    QualityScore ScoreValidation(const ModelParameters& parameters) const;

    /**
     * Scores the test part, where there is one and scores are wanted.
     * @param parameters of the whole model
     * @param quality gets the test part's and the copy's results
     */
    void Complete(const ModelParameters& parameters, RunQuality& quality) const;

  private:
    /**
     * @param samples to score on
     * @param texts theirs
     * @param parameters of the whole model
     * @return the score
     */
    QualityScore Score(const std::vector<Sample>& samples,
                       const std::vector<SentencePair>& texts,
                       const ModelParameters& parameters) const;

    /// @return of samples that are prompts with completions, how many the model completes so
    QualityScore ScoreCompletions(const std::vector<Sample>& samples,
                                  const ModelParameters& parameters) const;

    /// @return BLEU of translations of some pairs
    static double GetBleu(const std::vector<std::string>& translations,
                          const std::vector<SentencePair>& texts);

    QualityPlan m_plan;            //!< when and how
    ModelConfig m_model;           //!< the model
    ScoreKind m_kind{};            //!< how it is scored
    Ptr<ComputeBackend> m_backend; //!< computes
    const Corpus& m_corpus;        //!< of the run
};

/**
 * @param task of a run
 * @param classes of its classification
 * @param score of its model
 * @return names and values of what the score holds for that task; NaN: not scored
 */
std::vector<std::pair<std::string, double>> ListScores(const std::string& task,
                                                       std::size_t classes,
                                                       const QualityScore& score);

/**
 * @param out where to print what a run's model is worth, in sentences
 * @param quality of the run
 */
void PrintQuality(std::ostream& out, const RunQuality& quality);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_QUALITY_H */
