/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PART_SHAPES_H
#define COLLAPIPE_PART_SHAPES_H

#include "collapipe-model-part.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What goes into and comes out of a ModelPart, as shapes without bytes, and the checks on it: the
 * one place that all backends share, so that they agree in every byte that is sent.
 */
class PartShapes
{
  public:
    /**
     * @param config the model
     * @param part a run of it; the program is aborted where it is none
     * @param optimizer the part's optimizer
     */
    PartShapes(const ModelConfig& config, const PartRange& part, const OptimizerConfig& optimizer);

    /// @return the parameters that are trained, in chain order
    const TensorList& GetParameters() const;

    /// @return whether the part has a backward pass: something in it or before it is trained
    bool HasBackward() const;

    /// @return whether the backward pass gives a gradient: something before the part is trained
    bool GivesGradient() const;

    /**
     * @return where the part trains one of the two copies of a table that embedding and projection
     *         share, and the other lies elsewhere: its gradient [V,D]; else nothing
     */
    const TensorList& GetTiedGradient() const;

    /**
     * Fixed order: of adam all first moments, all second moments, both in chain order, and the
     * number of steps as a float32 [1]; of sgd all momentum buffers, or nothing without momentum.
     * Before the first step all of it is zero.
     * @return the optimizer's state
     */
    const TensorList& GetOptimizerState() const;

    /**
     * @param withOptimizer whether the optimizer's state follows
     * @return what ModelPart::ExportParameters() gives
     */
    TensorList GetExport(bool withOptimizer) const;

    /**
     * Aborts where tensors are neither the parameters nor parameters and optimizer state.
     * @param tensors what a part is to be created from
     * @return whether the optimizer's state follows the parameters
     */
    bool CheckParameters(const TensorList& tensors) const;

    /**
     * Aborts where the input is not one that the part takes.
     * @param input of ModelPart::Forward()
     * @return the micro-batch size b
     */
    uint32_t CheckForward(const TensorList& input) const;

    /**
     * @param samples the micro-batch size b
     * @return what ModelPart::Forward() gives
     */
    TensorList GetForwardOutput(uint32_t samples) const;

    /**
     * Aborts where the gradient is not one that the part takes.
     * @param gradient of ModelPart::Backward()
     * @param samples the micro-batch size b
     */
    void CheckBackward(const TensorList& gradient, uint32_t samples) const;

    /**
     * @param samples the micro-batch size b
     * @return what ModelPart::Backward() gives
     */
    TensorList GetBackwardOutput(uint32_t samples) const;

  private:
    /**
     * @param samples the micro-batch size b
     * @return what ModelPart::Forward() takes
     */
    TensorList GetForwardInput(uint32_t samples) const;

    /**
     * @param samples the micro-batch size b
     * @return the activation between two parts, without its padding
     */
    TensorData GetHidden(uint32_t samples) const;

    ModelConfig m_config;    //!< the model
    PartRange m_part;        //!< the run of the model
    bool m_hasBackward;      //!< something in the part or before it is trained
    bool m_givesGradient;    //!< something before the part is trained
    TensorList m_parameters; //!< shapes of the parameters
    TensorList m_state;      //!< shapes of the optimizer's state
    TensorList m_tied;       //!< shape of the lone copy of a table, or nothing
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PART_SHAPES_H */
