/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PARAMETER_LAYOUT_H
#define COLLAPIPE_PARAMETER_LAYOUT_H

#include "collapipe-model-family.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * The parameters of a part in chain order, frozen ones included; what they are is for the model's
 * family to say.
 *
 * @param config the model; the program is aborted where it does not pass its Check()
 * @param part the part; the program is aborted where it is none
 * @return its parameters
 */
std::vector<ParameterPlace> GetParameterLayout(const ModelConfig& config, const PartRange& part);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PARAMETER_LAYOUT_H */
