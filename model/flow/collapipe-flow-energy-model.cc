/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-flow-energy-model.h"

#include "ns3/abort.h"
#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(FlowEnergyModel);

TypeId
FlowEnergyModel::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::FlowEnergyModel")
                            .SetParent<energy::DeviceEnergyModel>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<FlowEnergyModel>();
    return tid;
}

void
FlowEnergyModel::DoDispose()
{
    if (m_radio)
    {
        m_radio->SetChangeCallback(nullptr);
    }
    m_radio = nullptr;
    m_source = nullptr;
    energy::DeviceEnergyModel::DoDispose();
}

void
FlowEnergyModel::SetRadio(Ptr<FlowRadio> radio, const FlowRadioPower& power)
{
    NS_ABORT_MSG_IF(m_radio, "A FlowEnergyModel follows one radio");
    if (m_source)
    {
        m_source->UpdateEnergySource(); // until now the radio drew nothing
    }
    m_radio = radio;
    m_power = power;
    m_updated = Simulator::Now();
    m_radio->SetChangeCallback([this] { Update(); });
}

void
FlowEnergyModel::SetEnergySource(Ptr<energy::EnergySource> source)
{
    m_source = source;
}

double
FlowEnergyModel::GetActiveW() const
{
    const FlowUse& use = m_radio->GetUse();
    // Several links of one radio are sent over at once, but its circuits are there once
    const double sending = std::min(1.0, use.sending) * m_power.sendingPart;
    const double radiatedW = use.sending > 0 ? use.radiatedW / use.sending : 0;
    return sending * (m_power.circuitW + radiatedW / m_power.paEfficiency) +
           std::min(1.0, use.receiving) * m_power.receivingPart * m_power.receiveW;
}

double
FlowEnergyModel::GetSinceUpdateS() const
{
    return m_radio && !m_isEmpty ? (Simulator::Now() - m_updated).GetSeconds() : 0;
}

double
FlowEnergyModel::GetIdleEnergyJ() const
{
    return m_idleJ + m_power.idleW * GetSinceUpdateS();
}

double
FlowEnergyModel::GetTotalEnergyConsumption() const
{
    return m_activeJ + (m_radio ? GetActiveW() * GetSinceUpdateS() : 0) + GetIdleEnergyJ();
}

double
FlowEnergyModel::DoGetCurrentA() const
{
    return m_source && m_radio && !m_isEmpty
               ? (m_power.idleW + GetActiveW()) / m_source->GetSupplyVoltage()
               : 0;
}

void
FlowEnergyModel::Update()
{
    if (Simulator::Now() == m_updated)
    {
        return;
    }
    m_activeJ += GetActiveW() * GetSinceUpdateS();
    m_idleJ = GetIdleEnergyJ();
    m_updated = Simulator::Now();
    if (m_source)
    {
        m_source->UpdateEnergySource(); // reads the current as it has been until now
    }
}

void
FlowEnergyModel::ChangeState(int /* newState */)
{
    // The radio's use is the state
}

void
FlowEnergyModel::HandleEnergyDepletion()
{
    m_activeJ += GetActiveW() * GetSinceUpdateS();
    m_idleJ = GetIdleEnergyJ();
    m_updated = Simulator::Now();
    m_isEmpty = true;
}

void
FlowEnergyModel::HandleEnergyRecharged()
{
    m_updated = Simulator::Now();
    m_isEmpty = false;
}

void
FlowEnergyModel::HandleEnergyChanged()
{
}

} // namespace collapipe
} // namespace ns3
