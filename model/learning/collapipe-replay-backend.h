/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_REPLAY_BACKEND_H
#define COLLAPIPE_REPLAY_BACKEND_H

#include "collapipe-analytic-backend.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Computes nothing at first, as AnalyticBackend, and from a moment on as another backend. The
 * simulation goes the same way whichever computes, so rounds whose outcome is known from a
 * checkpoint need not be computed again.
 */
class ReplayBackend : public ComputeBackend
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param backend that computes once the replay has ended
     */
    void SetBackend(Ptr<ComputeBackend> backend);

    /// @return what computes once the replay has ended
    Ptr<ComputeBackend> GetBackend() const;

    /// From now on parts compute.
    void EndReplay();

    bool IsComputing() const override;

    /// @return whether results have no bytes for now
    bool IsReplaying() const
    {
        return m_isReplaying;
    }

    std::vector<std::string> GetWarnings() const override;
    bool IsThreadSafe() const override;
    ModelParameters CreateParameters(const ModelConfig& config, uint64_t seed) const override;
    std::unique_ptr<ModelPart> CreatePart(const ModelConfig& config,
                                          const PartRange& part,
                                          const OptimizerConfig& optimizer,
                                          const TensorList& parameters,
                                          const TrainingPosition& start = {}) const override;
    EvaluationResult Evaluate(const ModelConfig& config,
                              const ModelParameters& parameters,
                              const std::vector<Sample>& samples) const override;
    std::vector<std::vector<int32_t>> Translate(const ModelConfig& config,
                                                const ModelParameters& parameters,
                                                const std::vector<Sample>& samples,
                                                const DecodingOptions& options) const override;
    std::vector<std::vector<int32_t>> Generate(const ModelConfig& config,
                                               const ModelParameters& parameters,
                                               const std::vector<std::vector<int32_t>>& prompts,
                                               const GenerationOptions& options) const override;
    std::vector<std::vector<float>> GetLogits(const ModelConfig& config,
                                              const ModelParameters& parameters,
                                              const std::vector<Sample>& samples) const override;
    std::vector<int32_t> Classify(const ModelConfig& config,
                                  const ModelParameters& parameters,
                                  const std::vector<Sample>& samples) const override;

  private:
    Ptr<ComputeBackend> m_backend;                                 //!< computes later
    Ptr<ComputeBackend> m_replay{CreateObject<AnalyticBackend>()}; //!< computes nothing
    bool m_isReplaying{true};                                      //!< which of them
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_REPLAY_BACKEND_H */
