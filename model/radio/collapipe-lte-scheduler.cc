/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-lte-scheduler.h"

#include "ns3/abort.h"
#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/lte-common.h"
#include "ns3/lte-vendor-specific-parameters.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeLteScheduler");
NS_OBJECT_ENSURE_REGISTERED(WeightedFfMacScheduler);

namespace
{

/// Mean over the band in dB
double
GetMeanSinrDb(const std::vector<uint16_t>& sinr)
{
    const double sum = std::accumulate(sinr.begin(), sinr.end(), 0.0, [](double s, uint16_t x) {
        return s + LteFfConverter::fpS11dot3toDouble(x);
    });
    return sum / sinr.size();
}

} // namespace

TypeId
WeightedFfMacScheduler::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::WeightedFfMacScheduler")
            .SetParent<FfMacScheduler>()
            .SetGroupName("CollaPipe")
            .AddConstructor<WeightedFfMacScheduler>()
            .AddAttribute("WorkConserving",
                          "Whether resource blocks that a UE does not need go to others. If not, a "
                          "UE's weight is the most it gets of the band.",
                          BooleanValue(true),
                          MakeBooleanAccessor(&WeightedFfMacScheduler::m_workConserving),
                          MakeBooleanChecker())
            .AddAttribute("DefaultWeight",
                          "Weight of a UE for which none was set: enough for control traffic",
                          DoubleValue(0.02),
                          MakeDoubleAccessor(&WeightedFfMacScheduler::m_defaultWeight),
                          MakeDoubleChecker<double>(1e-6, 1))
            .AddAttribute("MinUplinkRbs",
                          "Fewest uplink resource blocks of a grant, where the UE can fill them. "
                          "Where more UEs send than fit into a TTI, they take turns.",
                          UintegerValue(3),
                          MakeUintegerAccessor(&WeightedFfMacScheduler::m_minUplinkRbs),
                          MakeUintegerChecker<uint32_t>(1, 100))
            .AddAttribute("SmallBytes",
                          "A UE with at most so many bytes to send in a direction is not held to a "
                          "reserved share there and waits for no higher priority, so that "
                          "acknowledgements and other small messages come through",
                          UintegerValue(1500),
                          MakeUintegerAccessor(&WeightedFfMacScheduler::m_smallBytes),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("PriorityFloor",
                          "Work-conserving: what UEs of a priority get together while higher ones "
                          "fill the band, over what these get",
                          DoubleValue(0.02),
                          MakeDoubleAccessor(&WeightedFfMacScheduler::m_priorityFloor),
                          MakeDoubleChecker<double>(0.001, 1));
    return tid;
}

WeightedFfMacScheduler::WeightedFfMacScheduler()
    : m_cschedProvider(std::make_unique<MemberCschedSapProvider<WeightedFfMacScheduler>>(this)),
      m_schedProvider(std::make_unique<MemberSchedSapProvider<WeightedFfMacScheduler>>(this)),
      m_ffrUser(std::make_unique<MemberLteFfrSapUser<WeightedFfMacScheduler>>(this))
{
}

WeightedFfMacScheduler::~WeightedFfMacScheduler() = default;

void
WeightedFfMacScheduler::DoDispose()
{
    m_ues.clear();
    FfMacScheduler::DoDispose();
}

void
WeightedFfMacScheduler::SetWeight(uint16_t rnti, LteDirection direction, double weight)
{
    NS_LOG_FUNCTION(this << rnti << weight);
    NS_ABORT_MSG_IF(!(weight >= 0) || std::isinf(weight),
                    "A UE's weight must be a number that is not negative, not " << weight);
    LteSchedulerUe* ue = Find(rnti);
    NS_ABORT_MSG_IF(!ue, "There is no UE with RNTI " << rnti << " in the cell");
    ue->weight[static_cast<size_t>(direction)] = weight;
    ue->planned = ue->planned || weight > 0;
}

double
WeightedFfMacScheduler::GetWeight(uint16_t rnti, LteDirection direction) const
{
    const LteSchedulerUe* ue = Find(rnti);
    return ue ? ue->weight[static_cast<size_t>(direction)] : 0;
}

void
WeightedFfMacScheduler::SetPriority(uint16_t rnti, LteDirection direction, uint8_t priority)
{
    NS_LOG_FUNCTION(this << rnti << +priority);
    LteSchedulerUe* ue = Find(rnti);
    NS_ABORT_MSG_IF(!ue, "There is no UE with RNTI " << rnti << " in the cell");
    const auto index = static_cast<size_t>(direction);
    if (ue->priority[index] == priority)
    {
        return;
    }
    ue->priority[index] = priority;
    // What is owed was owed under another order
    for (auto& other : m_ues)
    {
        other.lag[index] = 0;
    }
}

uint8_t
WeightedFfMacScheduler::GetPriority(uint16_t rnti, LteDirection direction) const
{
    const LteSchedulerUe* ue = Find(rnti);
    return ue ? ue->priority[static_cast<size_t>(direction)] : 0;
}

double
WeightedFfMacScheduler::TakeOthersPart(LteDirection direction)
{
    const Usage usage = std::exchange(m_usage[static_cast<size_t>(direction)], Usage());
    return usage.all > 0 ? usage.others / usage.all : std::numeric_limits<double>::quiet_NaN();
}

bool
WeightedFfMacScheduler::HasUe(uint16_t rnti) const
{
    return Find(rnti);
}

void
WeightedFfMacScheduler::SetFfMacCschedSapUser(FfMacCschedSapUser* user)
{
    m_cschedUser = user;
}

void
WeightedFfMacScheduler::SetFfMacSchedSapUser(FfMacSchedSapUser* user)
{
    m_schedUser = user;
}

FfMacCschedSapProvider*
WeightedFfMacScheduler::GetFfMacCschedSapProvider()
{
    return m_cschedProvider.get();
}

FfMacSchedSapProvider*
WeightedFfMacScheduler::GetFfMacSchedSapProvider()
{
    return m_schedProvider.get();
}

void
WeightedFfMacScheduler::SetLteFfrSapProvider(LteFfrSapProvider* /* provider */)
{
}

LteFfrSapUser*
WeightedFfMacScheduler::GetLteFfrSapUser()
{
    return m_ffrUser.get();
}

const LteSchedulerUe*
WeightedFfMacScheduler::Find(uint16_t rnti) const
{
    const auto at =
        std::lower_bound(m_ues.begin(), m_ues.end(), rnti, [](const auto& ue, uint16_t r) {
            return ue.rnti < r;
        });
    return at != m_ues.end() && at->rnti == rnti ? &*at : nullptr;
}

LteSchedulerUe*
WeightedFfMacScheduler::Find(uint16_t rnti)
{
    return const_cast<LteSchedulerUe*>(std::as_const(*this).Find(rnti));
}

// ---------------------------------------------------------------- configuration

void
WeightedFfMacScheduler::DoCschedCellConfigReq(const Csched::CschedCellConfigReqParameters& params)
{
    NS_LOG_FUNCTION(this);
    NS_ABORT_MSG_IF(m_ulCqiFilter != SRS_UL_CQI,
                    "WeightedFfMacScheduler reads the uplink from sounding reference signals: set "
                    "UlCqiFilter to SRS_UL_CQI");
    m_link.Configure(params.m_ulBandwidth, params.m_dlBandwidth);
    FfMacCschedSapUser::CschedCellConfigCnfParameters confirmation;
    confirmation.m_result = SUCCESS;
    m_cschedUser->CschedCellConfigCnf(confirmation);
}

void
WeightedFfMacScheduler::DoCschedUeConfigReq(const Csched::CschedUeConfigReqParameters& params)
{
    NS_LOG_FUNCTION(this << params.m_rnti);
    if (!Find(params.m_rnti))
    {
        LteSchedulerUe ue;
        ue.rnti = params.m_rnti;
        const auto at =
            std::lower_bound(m_ues.begin(), m_ues.end(), ue.rnti, [](const auto& u, uint16_t r) {
                return u.rnti < r;
            });
        m_ues.insert(at, ue);
    }
    FfMacCschedSapUser::CschedUeConfigCnfParameters confirmation;
    confirmation.m_rnti = params.m_rnti;
    confirmation.m_result = SUCCESS;
    m_cschedUser->CschedUeConfigCnf(confirmation);
}

void
WeightedFfMacScheduler::DoCschedLcConfigReq(const Csched::CschedLcConfigReqParameters& /* params */)
{
}

void
WeightedFfMacScheduler::DoCschedLcReleaseReq(const Csched::CschedLcReleaseReqParameters& params)
{
    if (LteSchedulerUe* ue = Find(params.m_rnti))
    {
        for (const auto channel : params.m_logicalChannelIdentity)
        {
            ue->downlink.RemoveQueue(channel);
        }
    }
}

void
WeightedFfMacScheduler::DoCschedUeReleaseReq(const Csched::CschedUeReleaseReqParameters& params)
{
    NS_LOG_FUNCTION(this << params.m_rnti);
    m_ues.erase(std::remove_if(m_ues.begin(),
                               m_ues.end(),
                               [&](const auto& ue) { return ue.rnti == params.m_rnti; }),
                m_ues.end());
    m_rach.erase(std::remove_if(m_rach.begin(),
                                m_rach.end(),
                                [&](const auto& ue) { return ue.m_rnti == params.m_rnti; }),
                 m_rach.end());
}

// ---------------------------------------------------------------- reports

void
WeightedFfMacScheduler::DoSchedDlRlcBufferReq(const Sched::SchedDlRlcBufferReqParameters& params)
{
    if (LteSchedulerUe* ue = Find(params.m_rnti))
    {
        ue->downlink.SetQueue(params);
    }
}

void
WeightedFfMacScheduler::DoSchedDlPagingBufferReq(
    const Sched::SchedDlPagingBufferReqParameters& /* params */)
{
}

void
WeightedFfMacScheduler::DoSchedDlMacBufferReq(
    const Sched::SchedDlMacBufferReqParameters& /* params */)
{
}

void
WeightedFfMacScheduler::DoSchedDlRachInfoReq(const Sched::SchedDlRachInfoReqParameters& params)
{
    m_rach = params.m_rachList;
}

void
WeightedFfMacScheduler::DoSchedDlCqiInfoReq(const Sched::SchedDlCqiInfoReqParameters& params)
{
    for (const auto& report : params.m_cqiList)
    {
        LteSchedulerUe* ue = Find(report.m_rnti);
        if (ue && report.m_cqiType == CqiListElement_s::P10)
        {
            ue->downlink.cqi = report.m_wbCqi.at(0);
        }
    }
}

void
WeightedFfMacScheduler::DoSchedUlNoiseInterferenceReq(
    const Sched::SchedUlNoiseInterferenceReqParameters& /* params */)
{
}

void
WeightedFfMacScheduler::DoSchedUlSrInfoReq(const Sched::SchedUlSrInfoReqParameters& /* params */)
{
}

void
WeightedFfMacScheduler::DoSchedUlMacCtrlInfoReq(
    const Sched::SchedUlMacCtrlInfoReqParameters& params)
{
    for (const auto& element : params.m_macCeList)
    {
        LteSchedulerUe* ue = Find(element.m_rnti);
        if (ue && element.m_macCeType == MacCeListElement_s::BSR)
        {
            ue->uplink.SetStatus(element.m_macCeValue.m_bufferStatus);
        }
    }
}

void
WeightedFfMacScheduler::DoSchedUlCqiInfoReq(const Sched::SchedUlCqiInfoReqParameters& params)
{
    if (params.m_ulCqi.m_type != UlCqi_s::SRS)
    {
        return;
    }
    for (const auto& element : params.m_vendorSpecificList)
    {
        if (element.m_type != SRS_CQI_RNTI_VSP)
        {
            continue;
        }
        const auto sender = DynamicCast<SrsCqiRntiVsp>(element.m_value);
        if (LteSchedulerUe* ue = Find(sender->GetRnti()))
        {
            ue->uplink.sinrDb = GetMeanSinrDb(params.m_ulCqi.m_sinr);
        }
    }
}

} // namespace collapipe
} // namespace ns3
