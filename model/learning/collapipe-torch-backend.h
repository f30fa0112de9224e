/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_BACKEND_H
#define COLLAPIPE_TORCH_BACKEND_H

#include "collapipe-compute-backend.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Computes with LibTorch, in float32, each call on one thread: the calling one. Different parts may
 * compute on different threads at the same time; results do not depend on which. On first use sets
 * LibTorch and OpenBLAS to one thread per operation, in the whole process.
 */
class TorchBackend : public ComputeBackend
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    TorchBackend();

    /**
     * Debian's LibTorch takes whatever BLAS the system has; the reference BLAS is some 20 times
     * slower than OpenBLAS.
     * @return whether matrix products come from OpenBLAS (or MKL)
     */
    static bool HasFastBlas();

    /**
     * @return whether several threads may compute at once; not with OpenBLAS's serial build, which
     *         then gives results that differ from run to run
     */
    static bool HasThreadSafeBlas();

    bool IsComputing() const override;
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
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_BACKEND_H */
