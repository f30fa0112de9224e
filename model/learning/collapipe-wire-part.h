/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIRE_PART_H
#define COLLAPIPE_WIRE_PART_H

#include "collapipe-compute-backend.h"
#include "collapipe-wire-precision.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A part that takes and gives tensors as they travel: see WirePrecision. The conversions are part
 * of its passes, so they run on the worker threads like these.
 *
 * Activations, gradients and parameters that come in may be of any precision; those that go out
 * have the stated one.
 */
class WirePart : public ModelPart
{
  public:
    /**
     * @param backend what makes the part that computes
     * @param config the model
     * @param part the run of it
     * @param optimizer the part's optimizer
     * @param parameters as received
     * @param start where in the training the part begins
     * @param precision of what goes out
     */
    WirePart(const ComputeBackend& backend,
             const ModelConfig& config,
             const PartRange& part,
             const OptimizerConfig& optimizer,
             const TensorList& parameters,
             const TrainingPosition& start,
             const WirePrecision& precision);

    void SetRecompute(bool recompute) override;
    TensorList Forward(uint32_t microBatch, TensorList input) override;
    TensorList Backward(uint32_t microBatch, TensorList gradient) override;
    void Step() override;
    double GetSquaredGradientNorm() const override;
    TensorList ExportTiedGradient() const override;
    void JoinTiedGradients(const TensorList& own, const TensorList& other) override;
    void ScaleGradients(double factor) override;
    TensorList ExportStatistics() const override;
    TensorList ExportGradients() const override;
    void ReplaceGradients(const TensorList& gradients) override;
    TensorList ExportParameters(bool withOptimizer) const override;
    MemoryReport GetMemory() const override;

    /// @return parameters in float32 and the optimizer's state: what the part can be made again of
    TensorList ExportSnapshot() const;

  private:
    PartRange m_part;                   //!< the run of the model
    WirePrecision m_precision;          //!< of what goes out
    std::size_t m_parameters;           //!< number of parameters
    std::unique_ptr<ModelPart> m_inner; //!< computes
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIRE_PART_H */
