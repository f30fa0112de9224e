/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_UNIFORM_PIPELINE_CONTROLLER_H
#define COLLAPIPE_UNIFORM_PIPELINE_CONTROLLER_H

#include "collapipe-controller.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * GPipe's plan: all devices in the order of the state, L/K blocks each (the remainder goes to the
 * first ones), the fixed pair of micro-batches, equal shares in every pool and phase, full power.
 */
class UniformPipelineController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_UNIFORM_PIPELINE_CONTROLLER_H */
