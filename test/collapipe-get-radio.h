/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_GET_RADIO_H
#define COLLAPIPE_GET_RADIO_H

#include "ns3/node.h"

namespace ns3
{
namespace collapipe
{
namespace tests
{

/**
 * @param node a node
 * @return the first radio of a type on it; null where there is none
 */
template <typename T>
Ptr<T>
GetRadio(Ptr<Node> node)
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

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_GET_RADIO_H */
