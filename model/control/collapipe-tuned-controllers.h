/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TUNED_CONTROLLERS_H
#define COLLAPIPE_TUNED_CONTROLLERS_H

#include "collapipe-baseline-controllers.h"
#include "collapipe-controller.h"
#include "collapipe-radio-problem.h"

#include <cstdint>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The uniform pipeline at its best: even cuts, but over the best number of the fastest devices of
 * each cluster and with the best of the allowed micro-batches, by the latency that is planned for
 * the first round's state. Equal shares, full power.
 */
class TunedUniformPipelineController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;

  protected:
    /**
     * @param state the system
     * @return a plan of the tuned choice, which is made where there is none that can be used
     */
    RoundPlan DecideTuned(const SystemState& state);

  private:
    /// @return why there is no choice; empty where there is one
    std::string Choose(const SystemState& state);

    RoundChoice m_choice;     //!< decided in the first round
    uint32_t m_edgeBlocks{0}; //!< likewise: on the edge server
};

/**
 * @ingroup collapipe
 * The tuned uniform pipeline with the one decision that a scheduler alone could add: the cluster
 * that is planned to be the last to end goes first wherever it shares a medium.
 */
class SlowestFirstPipelineController : public TunedUniformPipelineController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;
};

/**
 * @ingroup collapipe
 * The static pipeline with tuned micro-batches.
 */
class TunedStaticPipelineController : public StaticPipelineController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    TunedStaticPipelineController();
};

/**
 * @ingroup collapipe
 * The fastest device of every cluster holds all blocks, whether they fit or not: what a device
 * alone would need and take.
 */
class SingleDeviceController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TUNED_CONTROLLERS_H */
