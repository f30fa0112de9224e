/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What WeightedFfMacScheduler does in a TTI

#include "collapipe-lte-scheduler.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/// The least bytes worth a transport block: an RLC status and a piece of data on two channels
constexpr uint32_t MIN_BYTES = 20;
constexpr uint8_t RANDOM_ACCESS_MCS = 0; //!< of the first message, when nothing is known of a UE

/// What all uplink grants have in common
UlDciListElement_s
MakeUplinkDci(uint16_t rnti, uint32_t first, uint32_t rbs, uint8_t mcs, uint32_t bytes)
{
    UlDciListElement_s dci;
    dci.m_rnti = rnti;
    dci.m_rbStart = first;
    dci.m_rbLen = rbs;
    dci.m_tbSize = bytes;
    dci.m_mcs = mcs;
    dci.m_ndi = 1;
    dci.m_cceIndex = 0;
    dci.m_aggrLevel = 1;
    dci.m_ueTxAntennaSelection = 3; // off
    dci.m_n2Dmrs = 0;
    dci.m_tpc = 0;
    dci.m_ulIndex = 0;
    dci.m_dai = 1;
    dci.m_freqHopping = 0;
    dci.m_pdcchPowerOffset = 0;
    return dci;
}

/// The bitmap of neighbouring groups of resource blocks
uint32_t
MakeBitmap(uint32_t first, uint32_t groups)
{
    return ((1U << groups) - 1) << first;
}

} // namespace

// ---------------------------------------------------------------- shares

void
WeightedFfMacScheduler::AddClaim(LteSchedulerUe& ue,
                                 LteDirection direction,
                                 uint32_t bytes,
                                 uint32_t demand,
                                 uint32_t minimum,
                                 uint32_t used)
{
    const auto index = static_cast<size_t>(direction);
    ShareClaim claim;
    claim.weight = ue.weight[index] > 0 ? ue.weight[index] : m_defaultWeight;
    claim.capped = !m_workConserving && ue.weight[index] > 0;
    if (claim.capped && used == 0 && bytes <= m_smallBytes)
    {
        // Acknowledgements and the like: those who hold a reservation cede them what they take
        const uint32_t band =
            direction == LteDirection::UPLINK ? m_link.GetUplinkRbs() : m_link.GetGroups();
        claim.capped = false;
        claim.weight = std::max(claim.weight, static_cast<double>(demand) / band);
    }
    claim.ranked =
        m_workConserving && ue.weight[index] > 0 && !(used == 0 && bytes <= m_smallBytes);
    claim.priority = ue.priority[index];
    claim.demand = demand;
    claim.minimum = std::min(minimum, demand);
    claim.used = used;
    claim.lag = ue.lag[index];
    m_claims.push_back(claim);
    m_claimed.push_back(&ue);
}

void
WeightedFfMacScheduler::DivideClaims(LteDirection direction, uint32_t available)
{
    if (m_claims.empty())
    {
        return;
    }
    WeighPriorities(m_claims, m_priorityFloor);
    m_dividers[static_cast<size_t>(direction)].Divide(m_claims, available, m_workConserving);
    Usage now{0, static_cast<double>(available)};
    bool isWanted = false; // by those of a plan
    for (std::size_t i = 0; i < m_claims.size(); ++i)
    {
        const ShareClaim& claim = m_claims[i];
        LteSchedulerUe& ue = *m_claimed[i];
        ue.lag[static_cast<size_t>(direction)] = claim.lag;
        now.all += claim.used;
        now.others += ue.planned ? 0 : claim.granted + claim.used;
        isWanted = isWanted || (ue.planned && claim.demand + claim.used > 0);
    }
    if (isWanted)
    {
        m_usage[static_cast<size_t>(direction)].others += now.others;
        m_usage[static_cast<size_t>(direction)].all += now.all;
    }
}

// ---------------------------------------------------------------- downlink

void
WeightedFfMacScheduler::DoSchedDlTriggerReq(const Sched::SchedDlTriggerReqParameters& params)
{
    for (auto& ue : m_ues)
    {
        ue.downlink.Age();
        ue.uplink.Advance();
    }
    DlConfig config;
    config.m_nrOfPdcchOfdmSymbols = 1;
    uint32_t next = 0;
    AnswerRandomAccess(config);
    TakeDownlinkFeedback(params.m_dlInfoList);
    RepeatDownlink(config, next);
    SendDownlink(config, next);
    if (!config.m_buildDataList.empty() || !config.m_buildRarList.empty())
    {
        m_schedUser->SchedDlConfigInd(config);
    }
}

void
WeightedFfMacScheduler::AnswerRandomAccess(DlConfig& config)
{
    m_uplinkNext = 0;
    for (const auto& request : m_rach)
    {
        LteSchedulerUe* ue = Find(request.m_rnti);
        const uint32_t rbs = m_link.FindRandomAccessRbs(RANDOM_ACCESS_MCS, request.m_estimatedSize);
        // A UE that finds no room hears nothing and asks again
        if (!ue || m_uplinkNext + rbs > m_link.GetUplinkRbs())
        {
            continue;
        }
        BuildRarListElement_s answer;
        answer.m_rnti = request.m_rnti;
        UlGrant_s& grant = answer.m_grant;
        grant.m_rnti = request.m_rnti;
        grant.m_rbStart = m_uplinkNext;
        grant.m_rbLen = rbs;
        grant.m_mcs = RANDOM_ACCESS_MCS;
        grant.m_tbSize = m_link.GetUplinkBytes(RANDOM_ACCESS_MCS, rbs);
        grant.m_tpc = 0;
        config.m_buildRarList.push_back(answer);
        ue->uplink.Start(
            MakeUplinkDci(request.m_rnti, m_uplinkNext, rbs, grant.m_mcs, grant.m_tbSize));
        m_uplinkNext += rbs;
    }
    m_rach.clear();
}

void
WeightedFfMacScheduler::TakeDownlinkFeedback(const std::vector<DlInfoListElement_s>& feedback)
{
    for (const auto& element : feedback)
    {
        LteSchedulerUe* ue = Find(element.m_rnti);
        const bool received = element.m_harqStatus.at(0) == DlInfoListElement_s::ACK;
        if (ue && ue->downlink.Acknowledge(element.m_harqProcessId, received))
        {
            m_repeats.push_back({element.m_rnti, element.m_harqProcessId});
        }
    }
}

void
WeightedFfMacScheduler::RepeatDownlink(DlConfig& config, uint32_t& next)
{
    m_usedGroups.assign(m_ues.size(), 0);
    std::vector<Repeat> later;
    for (const auto& repeat : m_repeats)
    {
        LteSchedulerUe* ue = Find(repeat.rnti);
        const uint32_t groups = ue ? ue->downlink.GetGroups(repeat.process) : 0;
        if (groups == 0)
        {
            continue;
        }
        // One block in a TTI for each UE
        uint32_t& used = m_usedGroups[ue - m_ues.data()];
        if (used > 0 || next + groups > m_link.GetGroups())
        {
            later.push_back(repeat);
            continue;
        }
        config.m_buildDataList.push_back(
            ue->downlink.Repeat(repeat.process, MakeBitmap(next, groups)));
        used = groups;
        next += groups;
    }
    m_repeats.swap(later);
}

void
WeightedFfMacScheduler::SendDownlink(DlConfig& config, uint32_t& next)
{
    m_claims.clear();
    m_claimed.clear();
    for (std::size_t i = 0; i < m_ues.size(); ++i)
    {
        LteSchedulerUe& ue = m_ues[i];
        const uint32_t bytes = ue.downlink.GetBytes();
        const uint32_t used = m_usedGroups[i];
        const uint8_t cqi = ue.downlink.cqi;
        const bool canSend =
            bytes > 0 && !used && ue.downlink.FindProcess() < ue.downlink.PROCESSES;
        if (canSend)
        {
            AddClaim(ue,
                     LteDirection::DOWNLINK,
                     bytes,
                     m_link.FindDownlinkGroups(cqi, std::max(bytes, MIN_BYTES)),
                     m_link.FindDownlinkGroups(cqi, MIN_BYTES),
                     0);
        }
        else if (used > 0)
        {
            AddClaim(ue, LteDirection::DOWNLINK, bytes, 0, 0, used);
        }
        else if (bytes == 0)
        {
            ue.lag[static_cast<size_t>(LteDirection::DOWNLINK)] = 0;
        }
    }
    DivideClaims(LteDirection::DOWNLINK, m_link.GetGroups() - next);
    for (std::size_t i = 0; i < m_claims.size(); ++i)
    {
        if (m_claims[i].granted > 0)
        {
            config.m_buildDataList.push_back(MakeBlock(*m_claimed[i], next, m_claims[i].granted));
            next += m_claims[i].granted;
        }
    }
}

BuildDataListElement_s
WeightedFfMacScheduler::MakeBlock(LteSchedulerUe& ue, uint32_t first, uint32_t groups)
{
    const uint32_t bytes = m_link.GetDownlinkBytes(ue.downlink.cqi, groups);
    BuildDataListElement_s block;
    block.m_rnti = ue.rnti;
    block.m_rlcPduList = ue.downlink.Fill(bytes);
    DlDciListElement_s& dci = block.m_dci;
    dci.m_rnti = ue.rnti;
    dci.m_resAlloc = 0;
    dci.m_rbBitmap = MakeBitmap(first, groups);
    dci.m_tbsSize = {static_cast<uint16_t>(bytes)};
    dci.m_mcs = {m_link.GetDownlinkMcs(ue.downlink.cqi)};
    dci.m_ndi = {1};
    dci.m_rv = {0};
    dci.m_tpc = 1; // no change
    dci.m_harqProcess = ue.downlink.FindProcess();
    ue.downlink.Start(block);
    return block;
}

// ---------------------------------------------------------------- uplink

void
WeightedFfMacScheduler::DoSchedUlTriggerReq(const Sched::SchedUlTriggerReqParameters& params)
{
    UlConfig config;
    uint32_t next = m_uplinkNext;
    TakeUplinkFeedback(params.m_ulInfoList);
    RepeatUplink(config, next);
    GrantUplink(config, next);
    if (!config.m_dciList.empty())
    {
        m_schedUser->SchedUlConfigInd(config);
    }
}

void
WeightedFfMacScheduler::TakeUplinkFeedback(const std::vector<UlInfoListElement_s>& feedback)
{
    for (const auto& element : feedback)
    {
        if (LteSchedulerUe* ue = Find(element.m_rnti))
        {
            ue->uplink.Acknowledge(element.m_receptionStatus == UlInfoListElement_s::Ok);
        }
    }
    for (auto& ue : m_ues)
    {
        ue.uplink.NoticeSilence();
    }
}

void
WeightedFfMacScheduler::RepeatUplink(UlConfig& config, uint32_t& next)
{
    for (auto& ue : m_ues)
    {
        const UlDciListElement_s* failed = ue.uplink.GetRepeat();
        // Repeats come when they are due or never; together they fit, except beside random access
        if (failed && next + failed->m_rbLen <= m_link.GetUplinkRbs())
        {
            UlDciListElement_s dci = *failed;
            dci.m_rbStart = next;
            dci.m_ndi = 0;
            ue.uplink.Repeat(dci);
            config.m_dciList.push_back(dci);
            next += dci.m_rbLen;
        }
    }
}

void
WeightedFfMacScheduler::GrantUplink(UlConfig& config, uint32_t& next)
{
    m_claims.clear();
    m_claimed.clear();
    for (auto& ue : m_ues)
    {
        const LteUplinkUe& uplink = ue.uplink;
        if (uplink.repeatedRbs > 0)
        {
            AddClaim(ue, LteDirection::UPLINK, uplink.GetBytes(), 0, 0, uplink.repeatedRbs);
        }
        else if (uplink.GetBytes() > 0)
        {
            const uint32_t least =
                m_link.FindUplinkRbs(uplink.sinrDb, MIN_BYTES, m_link.GetUplinkRbs());
            const uint32_t most = std::max(least, m_link.GetUplinkReach(uplink.sinrDb));
            AddClaim(
                ue,
                LteDirection::UPLINK,
                uplink.GetBytes(),
                m_link.FindUplinkRbs(uplink.sinrDb, std::max(uplink.GetBytes(), MIN_BYTES), most),
                std::max(least, m_minUplinkRbs),
                0);
        }
        else
        {
            ue.lag[static_cast<size_t>(LteDirection::UPLINK)] = 0;
        }
    }
    DivideClaims(LteDirection::UPLINK, m_link.GetUplinkRbs() - next);
    for (std::size_t i = 0; i < m_claims.size(); ++i)
    {
        const uint32_t rbs = m_claims[i].granted;
        if (rbs > 0)
        {
            LteUplinkUe& uplink = m_claimed[i]->uplink;
            const uint8_t mcs = m_link.GetUplinkMcs(uplink.sinrDb, rbs);
            const UlDciListElement_s dci =
                MakeUplinkDci(m_claimed[i]->rnti, next, rbs, mcs, m_link.GetUplinkBytes(mcs, rbs));
            uplink.Start(dci);
            config.m_dciList.push_back(dci);
            next += rbs;
        }
    }
}

} // namespace collapipe
} // namespace ns3
