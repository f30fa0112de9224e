/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-ue-energy-model.h"

#include "collapipe-decibel.h"

#include "ns3/abort.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/lte-spectrum-phy.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/simulator.h"

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLteUeEnergyModel");
NS_OBJECT_ENSURE_REGISTERED(LteUeEnergyModel);

namespace
{

// Of a subframe of 14 symbols: as long as ns-3 makes them
const Time SUBFRAME = MilliSeconds(1);
const Time SRS_DURATION = NanoSeconds(71429 - 1);
const Time PUSCH_DURATION = SUBFRAME - NanoSeconds(71429 + 1);
const Time PDSCH_DURATION = NanoSeconds(1000000 - 214286 - 1);

} // namespace

TypeId
LteUeEnergyModel::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::LteUeEnergyModel")
            .SetParent<energy::DeviceEnergyModel>()
            .SetGroupName("CollaPipe")
            .AddConstructor<LteUeEnergyModel>()
            .AddAttribute("IdlePower",
                          "Power in W of a connected UE that neither sends nor receives",
                          DoubleValue(1.53),
                          MakeDoubleAccessor(&LteUeEnergyModel::m_idlePowerW),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("RxPower",
                          "Power in W that receiving adds",
                          DoubleValue(0.42),
                          MakeDoubleAccessor(&LteUeEnergyModel::m_rxPowerW),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("TxCircuitPower",
                          "Power in W that sending adds beside the power amplifier's",
                          DoubleValue(0.55),
                          MakeDoubleAccessor(&LteUeEnergyModel::m_txCircuitPowerW),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("PaEfficiency",
                          "Radiated power over the power that the amplifier takes, 0..1",
                          DoubleValue(0.125),
                          MakeDoubleAccessor(&LteUeEnergyModel::m_paEfficiency),
                          MakeDoubleChecker<double>(1e-6, 1))
            .AddTraceSource("Energy",
                            "Energy in J of sending, receiving and being connected so far, "
                            "whenever the power changes",
                            MakeTraceSourceAccessor(&LteUeEnergyModel::m_energyTrace),
                            "ns3::collapipe::LteUeEnergyModel::EnergyTracedCallback");
    return tid;
}

void
LteUeEnergyModel::DoDispose()
{
    m_stopSending.Cancel();
    m_stopReceiving.Cancel();
    m_device = nullptr;
    m_source = nullptr;
    m_depletion = MakeNullCallback<void, bool>();
    energy::DeviceEnergyModel::DoDispose();
}

void
LteUeEnergyModel::SetDevice(Ptr<LteUeNetDevice> device)
{
    NS_ABORT_MSG_IF(m_device, "An LteUeEnergyModel follows one device");
    if (m_source)
    {
        m_source->UpdateEnergySource(); // until now the radio drew nothing
    }
    m_device = device;
    m_updated = Simulator::Now();
    Ptr<LteUePhy> phy = device->GetPhy();
    phy->GetUlSpectrumPhy()->TraceConnectWithoutContext(
        "TxStart",
        MakeCallback(&LteUeEnergyModel::SendData, this));
    phy->TraceConnectWithoutContext("ReportPowerSpectralDensity",
                                    MakeCallback(&LteUeEnergyModel::Sound, this));
    phy->GetDlSpectrumPhy()->TraceConnectWithoutContext(
        "DlPhyReception",
        MakeCallback(&LteUeEnergyModel::Receive, this));
}

void
LteUeEnergyModel::SetEnergySource(Ptr<energy::EnergySource> source)
{
    m_source = source;
}

void
LteUeEnergyModel::SetDepletionCallback(Callback<void, bool> callback)
{
    m_depletion = callback;
}

double
LteUeEnergyModel::GetSinceUpdateS() const
{
    return m_device && !m_isEmpty ? (Simulator::Now() - m_updated).GetSeconds() : 0;
}

double
LteUeEnergyModel::GetTxEnergyJ() const
{
    return m_txJ + m_txNowW * GetSinceUpdateS();
}

double
LteUeEnergyModel::GetRxEnergyJ() const
{
    return m_rxJ + m_rxNowW * GetSinceUpdateS();
}

double
LteUeEnergyModel::GetIdleEnergyJ() const
{
    return m_idleJ + m_idlePowerW * GetSinceUpdateS();
}

double
LteUeEnergyModel::GetTotalEnergyConsumption() const
{
    return GetTxEnergyJ() + GetRxEnergyJ() + GetIdleEnergyJ();
}

double
LteUeEnergyModel::DoGetCurrentA() const
{
    return m_source && m_device && !m_isEmpty
               ? (m_idlePowerW + m_txNowW + m_rxNowW) / m_source->GetSupplyVoltage()
               : 0;
}

void
LteUeEnergyModel::Update()
{
    m_txJ = GetTxEnergyJ();
    m_rxJ = GetRxEnergyJ();
    m_idleJ = GetIdleEnergyJ();
    m_updated = Simulator::Now();
    m_energyTrace(m_txJ, m_rxJ, m_idleJ);
    if (m_source)
    {
        // Reads the current as it has been until now
        m_source->UpdateEnergySource();
    }
}

void
LteUeEnergyModel::SendData(Ptr<const PacketBurst> burst)
{
    // Control channels come as frames without data
    if (burst && burst->GetNPackets() > 0)
    {
        Send(PUSCH_DURATION);
    }
}

void
LteUeEnergyModel::Sound(uint16_t /* rnti */, Ptr<SpectrumValue> /* psd */)
{
    // The PHY reports a spectrum at the start of each subframe, and within one only to sound
    if (!(Simulator::Now() % SUBFRAME).IsZero())
    {
        Send(SRS_DURATION);
    }
}

void
LteUeEnergyModel::Send(Time duration)
{
    Update();
    const double radiatedW = DbmToW(m_device->GetPhy()->GetTxPower());
    m_txNowW = radiatedW / m_paEfficiency + m_txCircuitPowerW;
    m_stopSending.Cancel();
    m_stopSending = Simulator::Schedule(duration, &LteUeEnergyModel::StopSending, this);
}

void
LteUeEnergyModel::StopSending()
{
    Update();
    m_txNowW = 0;
}

void
LteUeEnergyModel::Receive(PhyReceptionStatParameters /* params */)
{
    Update();
    m_rxNowW = m_rxPowerW;
    m_stopReceiving.Cancel();
    m_stopReceiving = Simulator::Schedule(PDSCH_DURATION, &LteUeEnergyModel::StopReceiving, this);
}

void
LteUeEnergyModel::StopReceiving()
{
    Update();
    m_rxNowW = 0;
}

void
LteUeEnergyModel::ChangeState(int /* newState */)
{
    // The radio's activity is the state
}

void
LteUeEnergyModel::HandleEnergyDepletion()
{
    m_txJ = GetTxEnergyJ();
    m_rxJ = GetRxEnergyJ();
    m_idleJ = GetIdleEnergyJ();
    m_isEmpty = true;
    if (!m_depletion.IsNull())
    {
        m_depletion(true);
    }
}

void
LteUeEnergyModel::HandleEnergyRecharged()
{
    m_updated = Simulator::Now();
    m_isEmpty = false;
    if (!m_depletion.IsNull())
    {
        m_depletion(false);
    }
}

void
LteUeEnergyModel::HandleEnergyChanged()
{
}

} // namespace collapipe
} // namespace ns3
