/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ANALYTIC_BACKEND_H
#define COLLAPIPE_ANALYTIC_BACKEND_H

#include "collapipe-compute-backend.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Computes nothing: every tensor is virtual, of the type and shape that TorchBackend gives, so
 * messages have the same sizes and packets the same times. For sweeps, and for models larger than
 * the machine. Losses are NaN (that of a decoder's forward pass is a virtual tensor).
 */
class AnalyticBackend : public ComputeBackend
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    bool IsComputing() const override;
    ModelParameters CreateParameters(const ModelConfig& config, uint64_t seed) const override;
    std::unique_ptr<ModelPart> CreatePart(const ModelConfig& config,
                                          const PartRange& part,
                                          const OptimizerConfig& optimizer,
                                          const TensorList& parameters,
                                          const TrainingPosition& start = {}) const override;
    EvaluationResult Evaluate(const ModelConfig& config,
                              const ModelParameters& parameters,
                              const std::vector<Sample>& samples) const override;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ANALYTIC_BACKEND_H */
