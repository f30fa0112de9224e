/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-flow-radio.h"

#include "ns3/node.h"
#include "ns3/packet.h"

#include <cmath>
#include <cstdint>
#include <utility>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(FlowRadio);

namespace
{

constexpr double ROUNDING = 1e-9; //!< of sums that links are added to and taken from

/// A sum to which something is added; never less than nothing
void
Add(double& sum, double more)
{
    sum += more;
    sum = sum < ROUNDING ? 0 : sum;
}

} // namespace

TypeId
FlowRadio::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::FlowRadio")
                            .SetParent<SimpleNetDevice>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<FlowRadio>();
    return tid;
}

void
FlowRadio::DoDispose()
{
    m_change = nullptr;
    SimpleNetDevice::DoDispose();
}

void
FlowRadio::SetKind(FlowRadioKind kind)
{
    m_kind = kind;
}

FlowRadioKind
FlowRadio::GetKind() const
{
    return m_kind;
}

void
FlowRadio::Change(double sending, double radiatedW, double receiving)
{
    if (m_change)
    {
        m_change();
    }
    Add(m_use.sending, sending);
    Add(m_use.radiatedW, radiatedW);
    Add(m_use.receiving, receiving);
}

const FlowUse&
FlowRadio::GetUse() const
{
    return m_use;
}

void
FlowRadio::SetChangeCallback(std::function<void()> callback)
{
    m_change = std::move(callback);
}

bool
FlowRadio::Send(Ptr<Packet> /* packet */, const Address& /* dest */, uint16_t /* protocolNumber */)
{
    return false;
}

Ptr<FlowRadio>
FindFlowRadio(Ptr<Node> node, FlowRadioKind kind)
{
    for (uint32_t i = 0; i < node->GetNDevices(); ++i)
    {
        const auto radio = DynamicCast<FlowRadio>(node->GetDevice(i));
        if (radio && radio->GetKind() == kind)
        {
            return radio;
        }
    }
    return nullptr;
}

} // namespace collapipe
} // namespace ns3
