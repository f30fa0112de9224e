/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COMPUTE_BACKEND_H
#define COLLAPIPE_COMPUTE_BACKEND_H

#include "collapipe-dataset.h"
#include "collapipe-model-part.h"
#include "collapipe-quality-score.h"

#include "ns3/object.h"

#include <memory>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What an evaluation found.
 */
struct EvaluationResult
{
    double loss{0};          //!< mean cross-entropy per label token that is not padding, nats
    uint64_t labelTokens{0}; //!< number of those tokens
    QualityScore quality;    //!< where somebody has scored the model
};

/**
 * @ingroup collapipe
 * How translations are searched for.
 */
struct DecodingOptions
{
    uint32_t beam{1};          //!< hypotheses kept at every position; 1: greedy
    double lengthPenalty{0.6}; //!< alpha of Wu et al. 2016; 0: none, longer ones lose
};

/**
 * @ingroup collapipe
 * How texts are continued.
 */
struct GenerationOptions
{
    uint32_t tokens{50};         //!< at most, per text
    uint32_t beam{1};            //!< texts kept at every position; 1: greedy, or at random
    double lengthPenalty{1};     //!< exponent of the length that hypotheses are divided by
    double temperature{0};       //!< of random continuations; 0: the most probable token
    uint64_t seed{1};            //!< of random continuations
    std::vector<int32_t> ends{}; //!< tokens that end a text
};

/**
 * @ingroup collapipe
 * Makes the parts that compute. Chosen by TypeId: `ns3::collapipe::TorchBackend` computes,
 * `ns3::collapipe::AnalyticBackend` gives results of the same shapes and computes nothing.
 */
class ComputeBackend : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @return whether results carry bytes and jobs are worth a worker thread
    virtual bool IsComputing() const = 0;

    /**
     * @return what the user should know about how fast and on how many threads this computes: a
     *         sentence each; none where all is well
     */
    virtual std::vector<std::string> GetWarnings() const;

    /// @return whether several parts may compute on different threads at the same time
    virtual bool IsThreadSafe() const;

    /**
     * @param config the model
     * @param seed every (seed, block) gives the same values wherever it is created
     * @return initial parameters of the whole model (virtual where nothing is computed)
     */
    virtual ModelParameters CreateParameters(const ModelConfig& config, uint64_t seed) const = 0;

    /**
     * @param config the model
     * @param part the run of the model that the stage holds
     * @param optimizer its optimizer
     * @param parameters in chain order, as in ModelParameters::Gather(); optionally followed by the
     *        optimizer state as ModelPart::ExportParameters(true) gave it
     * @param start where in the training the part begins
     * @return the part
     */
    virtual std::unique_ptr<ModelPart> CreatePart(const ModelConfig& config,
                                                  const PartRange& part,
                                                  const OptimizerConfig& optimizer,
                                                  const TensorList& parameters,
                                                  const TrainingPosition& start = {}) const = 0;

    /**
     * Mean loss over samples, without dropout, label smoothing and gradients. Takes long: run it as
     * a job.
     * @param config the model
     * @param parameters of the whole model
     * @param samples what to evaluate on
     * @return the result; NaN loss where nothing is computed
     */
    virtual EvaluationResult Evaluate(const ModelConfig& config,
                                      const ModelParameters& parameters,
                                      const std::vector<Sample>& samples) const = 0;

    /**
     * Translates samples. Takes long: run it as a job.
     * @param config the model; it must end in a decoder
     * @param parameters of the whole model
     * @param samples whose source is translated
     * @param options how
     * @return target tokens of each, at most as many as the model's target length, without
     *         BEGIN_TOKEN; nothing where nothing is computed
     */
    virtual std::vector<std::vector<int32_t>> Translate(const ModelConfig& config,
                                                        const ModelParameters& parameters,
                                                        const std::vector<Sample>& samples,
                                                        const DecodingOptions& options) const;

    /**
     * Continues texts. Takes long: run it as a job.
     * @param config the model; it must be a language model
     * @param parameters of the whole model
     * @param prompts token ids, one at least of each
     * @param options how
     * @return what follows each, the token that ends it included; no text gets longer than the
     *         model has positions. Nothing where nothing is computed
     */
    virtual std::vector<std::vector<int32_t>> Generate(
        const ModelConfig& config,
        const ModelParameters& parameters,
        const std::vector<std::vector<int32_t>>& prompts,
        const GenerationOptions& options) const;

    /**
     * What a model thinks of texts: of a language model logits of what comes next, of a classifier
     * those of the classes, of a model that predicts masked tokens those of what GetMaskToken()
     * stands for. Run it as a job.
     * @param config the model; any but a translator
     * @param parameters of the whole model
     * @param samples whose source is read
     * @return logits of each, [V], [classes] or [masks V], one mask after the other; nothing where
     *         nothing is computed
     */
    virtual std::vector<std::vector<float>> GetLogits(const ModelConfig& config,
                                                      const ModelParameters& parameters,
                                                      const std::vector<Sample>& samples) const;

    /**
     * Classifies samples. Run it as a job.
     * @param config the model; it must end in a classifier
     * @param parameters of the whole model
     * @param samples whose source is classified
     * @return the most probable class of each; nothing where nothing is computed
     */
    virtual std::vector<int32_t> Classify(const ModelConfig& config,
                                          const ModelParameters& parameters,
                                          const std::vector<Sample>& samples) const;

    /**
     * Weighted mean of several parameter sets: FedAvg (McMahan et al. 2017).
     * @param sets tensors of equal shapes
     * @param weights one per set; they sum to 1
     * @return sum of weight times tensor, accumulated in float64 in the order given
     */
    static TensorList Average(const std::vector<TensorList>& sets,
                              const std::vector<double>& weights);
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_COMPUTE_BACKEND_H */
