/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-link-probe.h"

#include "collapipe-decibel.h"

#include "ns3/component-carrier-enb.h"
#include "ns3/log.h"
#include "ns3/lte-enb-phy.h"
#include "ns3/lte-ue-rrc.h"

#include <string>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLteLinkProbe");
NS_OBJECT_ENSURE_REGISTERED(LteLinkProbe);

TypeId
LteLinkProbe::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::LteLinkProbe")
                            .SetParent<Object>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<LteLinkProbe>();
    return tid;
}

void
LteLinkProbe::DoDispose()
{
    m_cells.clear();
    m_ues.clear();
    m_schedulers.clear();
    Object::DoDispose();
}

void
LteLinkProbe::AddBaseStation(Ptr<LteEnbNetDevice> device)
{
    for (const auto& [index, base] : device->GetCcMap())
    {
        const auto carrier = DynamicCast<ComponentCarrierEnb>(base);
        Cell* cell = &m_cells[carrier->GetCellId()];
        if (carrier->IsPrimary())
        {
            m_schedulers.push_back(
                DynamicCast<WeightedFfMacScheduler>(carrier->GetFfMacScheduler()));
        }
        const auto phy = carrier->GetPhy();
        m_downlinkPower[carrier->GetCellId()] = DbmToW(phy->GetTxPower());
        phy->TraceConnectWithoutContext(
            "ReportUeSinr",
            MakeCallback(&LteLinkProbe::HandleUplinkSinr, this).Bind(cell));
        const auto mac = carrier->GetMac();
        mac->TraceConnectWithoutContext(
            "UlScheduling",
            MakeCallback(&LteLinkProbe::HandleUplinkBlock, this).Bind(cell));
        mac->TraceConnectWithoutContext(
            "DlScheduling",
            MakeCallback(&LteLinkProbe::HandleDownlinkBlock, this).Bind(cell));
    }
}

void
LteLinkProbe::CountOthers(std::size_t cell, Ptr<LinkMonitor> monitor)
{
    const Ptr<WeightedFfMacScheduler> scheduler = m_schedulers.at(cell);
    if (!scheduler)
    {
        return;
    }
    monitor->AddOthers({Pool::UPLINK, 0},
                       [scheduler] { return scheduler->TakeOthersPart(LteDirection::UPLINK); });
    monitor->AddOthers({Pool::DOWNLINK, 0},
                       [scheduler] { return scheduler->TakeOthersPart(LteDirection::DOWNLINK); });
}

void
LteLinkProbe::AddNode(Ptr<LteUeNetDevice> device,
                      Ptr<LinkMonitor> monitor,
                      uint32_t cluster,
                      NodeIndex node,
                      double maxDownlinkSinr)
{
    Ue ue;
    ue.phy = device->GetPhy();
    ue.monitor = monitor;
    ue.uplink = monitor->AddMeter({cluster, node, EDGE_SERVER});
    ue.downlink = monitor->AddMeter({cluster, EDGE_SERVER, node}, maxDownlinkSinr);
    m_ues.push_back(ue);
    Ue* added = &m_ues.back();
    for (const std::string event : {"ConnectionEstablished", "HandoverEndOk"})
    {
        device->GetRrc()->TraceConnectWithoutContext(
            event,
            MakeCallback(&LteLinkProbe::HandleConnection, this).Bind(added));
    }
    ue.phy->TraceConnectWithoutContext(
        "ReportCurrentCellRsrpSinr",
        MakeCallback(&LteLinkProbe::HandleDownlinkSinr, this).Bind(added));
}

double
LteLinkProbe::Ue::GetPowerW()
{
    const double dbm = phy->GetTxPower();
    if (dbm != powerDbm || powerW == 0)
    {
        powerDbm = dbm;
        powerW = DbmToW(dbm);
    }
    return powerW;
}

LteLinkProbe::Ue*
LteLinkProbe::Find(const Cell& cell, uint16_t rnti)
{
    return rnti < cell.size() ? cell[rnti] : nullptr;
}

void
LteLinkProbe::HandleConnection(Ue* ue, uint64_t /* imsi */, uint16_t cell, uint16_t rnti)
{
    if (ue->cell && Find(*ue->cell, ue->rnti) == ue)
    {
        (*ue->cell)[ue->rnti] = nullptr;
    }
    ue->cell = &m_cells[cell];
    ue->rnti = rnti;
    if (ue->cell->size() <= rnti)
    {
        ue->cell->resize(rnti + 1, nullptr);
    }
    (*ue->cell)[rnti] = ue;
}

void
LteLinkProbe::HandleUplinkSinr(Cell* cell,
                               uint16_t /* cellId */,
                               uint16_t rnti,
                               double sinr,
                               uint8_t /* carrier */)
{
    if (Ue* ue = Find(*cell, rnti))
    {
        ue->monitor->ObserveSinr(ue->uplink, sinr, ue->GetPowerW());
    }
}

void
LteLinkProbe::HandleDownlinkSinr(Ue* ue,
                                 uint16_t cell,
                                 uint16_t /* rnti */,
                                 double /* rsrp */,
                                 double sinr,
                                 uint8_t /* carrier */)
{
    const auto power = m_downlinkPower.find(cell);
    if (power != m_downlinkPower.end())
    {
        ue->monitor->ObserveSinr(ue->downlink, sinr, power->second);
    }
}

void
LteLinkProbe::HandleUplinkBlock(Cell* cell,
                                uint32_t /* frame */,
                                uint32_t /* subframe */,
                                uint16_t rnti,
                                uint8_t mcs,
                                uint16_t /* bytes */,
                                uint8_t /* carrier */)
{
    if (const Ue* ue = Find(*cell, rnti))
    {
        ue->monitor->ObserveMcs(ue->uplink, mcs);
    }
}

void
LteLinkProbe::HandleDownlinkBlock(Cell* cell, DlSchedulingCallbackInfo info)
{
    if (const Ue* ue = Find(*cell, info.rnti))
    {
        ue->monitor->ObserveMcs(ue->downlink, info.mcsTb1);
    }
}

} // namespace collapipe
} // namespace ns3
