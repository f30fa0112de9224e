/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_GRADIENT_CLIPPER_H
#define COLLAPIPE_GRADIENT_CLIPPER_H

#include "ns3/collapipe-model-part.h"

#include <cstdint>
#include <map>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The reduction by which a chain's gradients are clipped together: every stage tells the squared
 * norm of its own, the sum decides the factor for all. The stages are added in their order, so that
 * the result does not depend on the order of arrival.
 */
class GradientClipper
{
  public:
    /**
     * @param optimizer with the largest norm allowed
     * @param stages of the chain
     * @param firstIteration the first local iteration that is told of
     */
    GradientClipper(const OptimizerConfig& optimizer, uint32_t stages, uint32_t firstIteration = 0);

    /**
     * @param iteration local iteration
     * @param stage that tells
     * @return whether the stage may tell its norm of that iteration now
     */
    bool Accepts(uint32_t iteration, uint32_t stage) const;

    /**
     * @param iteration local iteration
     * @param stage that tells; a stage tells once per iteration
     * @param squaredNorm of its gradients
     * @return whether the iteration's norm is known now
     */
    bool Add(uint32_t iteration, uint32_t stage, double squaredNorm);

    /// @return the factor of the iteration that was completed last
    double GetFactor() const;

  private:
    OptimizerConfig m_optimizer;        //!< with the largest norm allowed
    uint32_t m_stages;                  //!< of the chain
    uint32_t m_iteration{0};            //!< being collected
    std::map<uint32_t, double> m_norms; //!< by stage: what it told
    double m_factor{1};                 //!< of the last complete iteration
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_GRADIENT_CLIPPER_H */
