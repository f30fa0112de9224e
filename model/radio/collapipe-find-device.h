/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FIND_DEVICE_H
#define COLLAPIPE_FIND_DEVICE_H

#include "ns3/node.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

/**
 * @tparam T a class of network devices
 * @param node a node
 * @return the first device of that class on it; null where there is none
 */
template <typename T>
Ptr<T>
FindDevice(Ptr<Node> node)
{
    for (uint32_t i = 0; i < node->GetNDevices(); ++i)
    {
        if (const auto device = DynamicCast<T>(node->GetDevice(i)))
        {
            return device;
        }
    }
    return nullptr;
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FIND_DEVICE_H */
