/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ACTUATOR_CHOICE_H
#define COLLAPIPE_ACTUATOR_CHOICE_H

#include "ns3/collapipe-radio-actuator.h"
#include "ns3/collapipe-topology.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Chooses which of a network's radios obey the controller.
 * @param topology that was built
 * @param name auto: all radios there are; none: nobody; lte, wifi: that radio alone; hybrid: LTE
 *        and Wi-Fi; or the TypeId of a RadioActuator, which has to find its radios by itself
 * @return the actuator; null where the network has no such radio or there is no such TypeId
 */
Ptr<RadioActuator> ChooseActuator(const TopologyHelper& topology, const std::string& name);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ACTUATOR_CHOICE_H */
