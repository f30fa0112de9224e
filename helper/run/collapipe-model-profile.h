/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MODEL_PROFILE_H
#define COLLAPIPE_MODEL_PROFILE_H

#include "ns3/collapipe-message-application.h"
#include "ns3/collapipe-model-config.h"
#include "ns3/collapipe-model-part.h"
#include "ns3/collapipe-system-state.h"
#include "ns3/collapipe-wire-precision.h"

namespace ns3
{
namespace collapipe
{

/**
 * @param model dimensions
 * @param optimizer its kind gives the number of copies of the weights
 * @param backwardRatio beta
 * @param precision in which tensors travel
 * @param keepOptimizerState whether the optimizer's state travels with the parameters
 * @return the model as the planner sees it
 */
ModelProfile MakeModelProfile(const ModelConfig& model,
                              const OptimizerConfig& optimizer,
                              double backwardRatio,
                              const WirePrecision& precision = {},
                              bool keepOptimizerState = false);

/**
 * @param context of a run
 * @return its model as the planner sees it
 */
ModelProfile MakeModelProfile(const TrainingContext& context);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MODEL_PROFILE_H */
