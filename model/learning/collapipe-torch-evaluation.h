/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_EVALUATION_H
#define COLLAPIPE_TORCH_EVALUATION_H

#include "collapipe-compute-backend.h"

#include <ATen/ATen.h>
#include <functional>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Private: a whole model that is applied, not trained. Samples are taken in batches of similar
 * length, longest first; results are in the samples' own order.
 */
class TorchEvaluation
{
  public:
    /**
     * @param config the model
     * @param parameters of the whole model
     */
    TorchEvaluation(const ModelConfig& config, const ModelParameters& parameters);

    /**
     * @param samples what to evaluate on
     * @return of ComputeBackend::Evaluate()
     */
    EvaluationResult Evaluate(const std::vector<Sample>& samples) const;

    /**
     * @param samples what to translate
     * @param options how
     * @return of ComputeBackend::Translate()
     */
    std::vector<std::vector<int32_t>> Translate(const std::vector<Sample>& samples,
                                                const DecodingOptions& options) const;

    /**
     * @param prompts what to continue
     * @param options how
     * @return of ComputeBackend::Generate()
     */
    std::vector<std::vector<int32_t>> Generate(const std::vector<std::vector<int32_t>>& prompts,
                                               const GenerationOptions& options) const;

    /**
     * @param samples what to read
     * @return of ComputeBackend::GetLogits()
     */
    std::vector<std::vector<float>> GetLogits(const std::vector<Sample>& samples) const;

    /**
     * @param samples what to classify
     * @return of ComputeBackend::Classify()
     */
    std::vector<int32_t> Classify(const std::vector<Sample>& samples) const;

  private:
    /// Samples with their places in the caller's order
    struct Group
    {
        std::vector<const Sample*> samples; //!< of one batch
        std::vector<size_t> places;         //!< of each
    };

    /**
     * @param samples all of them
     * @return batches of similar length
     */
    static std::vector<Group> MakeGroups(const std::vector<Sample>& samples);

    ModelConfig m_config;                 //!< the model; skips padding
    std::vector<at::Tensor> m_parameters; //!< in chain order
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_EVALUATION_H */
