/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_SCHEDULER_H
#define COLLAPIPE_LTE_SCHEDULER_H

#include "collapipe-lte-link-adaptation.h"
#include "collapipe-lte-scheduler-ue.h"
#include "collapipe-lte-share-divider.h"

#include "ns3/ff-mac-csched-sap.h"
#include "ns3/ff-mac-scheduler.h"
#include "ns3/lte-ffr-sap.h"

#include <array>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * LTE scheduler that gives every UE a share of the resource blocks, by a weight that can be set per
 * UE and direction at any time and holds from the next TTI on.
 *
 * Uplink: each UE gets contiguous resource blocks (SC-FDMA), repeated blocks first, and the highest
 * modulation that its power, spread over just these, carries. A UE is granted no more blocks than
 * it reaches the base station on. Downlink: groups of resource blocks (allocation type 0), which
 * UEs fill in turns, since there a block's power does not depend on how many a UE has. HARQ in both
 * directions. Single-stream transmission; channel reports are P10 and SRS, subband and
 * frequency-reuse information is not used.
 */
class WeightedFfMacScheduler : public FfMacScheduler
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    WeightedFfMacScheduler();
    ~WeightedFfMacScheduler() override;

    /**
     * @param rnti a UE of the cell; aborts where it is none
     * @param direction which way
     * @param weight from now on. Work-conserving, only the proportion of weights matters; else it
     * is the share of the band, 0..1. 0: back to the DefaultWeight.
     */
    void SetWeight(uint16_t rnti, LteDirection direction, double weight);

    /**
     * @param rnti a UE
     * @param direction which way
     * @return the weight that was set; 0 where none was, or there is no such UE
     */
    double GetWeight(uint16_t rnti, LteDirection direction) const;

    /**
     * Who goes first (15). Of what the band carries UEs of lower priorities get together no more
     * than the PriorityFloor while one of a higher priority has something to send, beside what
     * that one cannot fill. UEs without a weight, and those with at most SmallBytes to send, wait
     * for nobody. Without a meaning where shares are reserved.
     * @param rnti a UE of the cell; aborts where it is none
     * @param direction which way
     * @param priority from now on; the highest goes first
     */
    void SetPriority(uint16_t rnti, LteDirection direction, uint8_t priority);

    /**
     * @param rnti a UE
     * @param direction which way
     * @return its priority; 0 where none was set, or there is no such UE
     */
    uint8_t GetPriority(uint16_t rnti, LteDirection direction) const;

    /**
     * @param direction which way
     * @return the part of the band, 0..1, that UEs which never had a weight were given since the
     * last call, in those TTIs in which others had something to send; NaN where there was none
     */
    double TakeOthersPart(LteDirection direction);

    /**
     * @param rnti of a UE
     * @return whether it is in the cell
     */
    bool HasUe(uint16_t rnti) const;

    void SetFfMacCschedSapUser(FfMacCschedSapUser* user) override;
    void SetFfMacSchedSapUser(FfMacSchedSapUser* user) override;
    FfMacCschedSapProvider* GetFfMacCschedSapProvider() override;
    FfMacSchedSapProvider* GetFfMacSchedSapProvider() override;
    void SetLteFfrSapProvider(LteFfrSapProvider* provider) override;
    LteFfrSapUser* GetLteFfrSapUser() override;

  protected:
    void DoDispose() override;

  private:
    friend class MemberCschedSapProvider<WeightedFfMacScheduler>;
    friend class MemberSchedSapProvider<WeightedFfMacScheduler>;

    using Csched = FfMacCschedSapProvider;
    using Sched = FfMacSchedSapProvider;
    using DlConfig = FfMacSchedSapUser::SchedDlConfigIndParameters;
    using UlConfig = FfMacSchedSapUser::SchedUlConfigIndParameters;

    // What the MAC configures
    void DoCschedCellConfigReq(const Csched::CschedCellConfigReqParameters& params);
    void DoCschedUeConfigReq(const Csched::CschedUeConfigReqParameters& params);
    void DoCschedLcConfigReq(const Csched::CschedLcConfigReqParameters& params);
    void DoCschedLcReleaseReq(const Csched::CschedLcReleaseReqParameters& params);
    void DoCschedUeReleaseReq(const Csched::CschedUeReleaseReqParameters& params);

    // What the MAC reports and asks for
    void DoSchedDlRlcBufferReq(const Sched::SchedDlRlcBufferReqParameters& params);
    void DoSchedDlPagingBufferReq(const Sched::SchedDlPagingBufferReqParameters& params);
    void DoSchedDlMacBufferReq(const Sched::SchedDlMacBufferReqParameters& params);
    void DoSchedDlTriggerReq(const Sched::SchedDlTriggerReqParameters& params);
    void DoSchedDlRachInfoReq(const Sched::SchedDlRachInfoReqParameters& params);
    void DoSchedDlCqiInfoReq(const Sched::SchedDlCqiInfoReqParameters& params);
    void DoSchedUlTriggerReq(const Sched::SchedUlTriggerReqParameters& params);
    void DoSchedUlNoiseInterferenceReq(const Sched::SchedUlNoiseInterferenceReqParameters& params);
    void DoSchedUlSrInfoReq(const Sched::SchedUlSrInfoReqParameters& params);
    void DoSchedUlMacCtrlInfoReq(const Sched::SchedUlMacCtrlInfoReqParameters& params);
    void DoSchedUlCqiInfoReq(const Sched::SchedUlCqiInfoReqParameters& params);

    /// Units of the band, in TTIs in which the training had something to send
    struct Usage
    {
        double others{0}; //!< given to UEs that never had a weight
        double all{0};    //!< of the band
    };

    /// A downlink block that waits to be sent again
    struct Repeat
    {
        uint16_t rnti;
        uint8_t process;
    };

    LteSchedulerUe* Find(uint16_t rnti);
    const LteSchedulerUe* Find(uint16_t rnti) const;

    // Steps of a TTI; `next` is the first free unit of the band
    void AnswerRandomAccess(DlConfig& config);
    void TakeDownlinkFeedback(const std::vector<DlInfoListElement_s>& feedback);
    void RepeatDownlink(DlConfig& config, uint32_t& next);
    void SendDownlink(DlConfig& config, uint32_t& next);
    void TakeUplinkFeedback(const std::vector<UlInfoListElement_s>& feedback);
    void RepeatUplink(UlConfig& config, uint32_t& next);
    void GrantUplink(UlConfig& config, uint32_t& next);

    void AddClaim(LteSchedulerUe& ue,
                  LteDirection direction,
                  uint32_t bytes,
                  uint32_t demand,
                  uint32_t minimum,
                  uint32_t used);
    void DivideClaims(LteDirection direction, uint32_t available);
    BuildDataListElement_s MakeBlock(LteSchedulerUe& ue, uint32_t first, uint32_t groups);

    FfMacCschedSapUser* m_cschedUser{nullptr}; //!< the MAC
    FfMacSchedSapUser* m_schedUser{nullptr};   //!< the MAC
    std::unique_ptr<FfMacCschedSapProvider> m_cschedProvider;
    std::unique_ptr<FfMacSchedSapProvider> m_schedProvider;
    std::unique_ptr<LteFfrSapUser> m_ffrUser;

    bool m_workConserving{true}; //!< attribute
    double m_defaultWeight{0};   //!< attribute
    uint32_t m_minUplinkRbs{1};  //!< attribute
    uint32_t m_smallBytes{0};    //!< attribute
    double m_priorityFloor{0};   //!< attribute

    LteLinkAdaptation m_link; //!< of the cell
    std::array<ShareDivider, 2> m_dividers{ShareDivider(ShareManner::TOGETHER),
                                           ShareDivider(ShareManner::IN_TURNS)}; //!< by direction
    std::array<Usage, 2> m_usage;                                                //!< by direction
    std::vector<LteSchedulerUe> m_ues;      //!< by RNTI, ascending
    std::vector<RachListElement_s> m_rach;  //!< UEs that asked for access
    std::vector<Repeat> m_repeats;          //!< on the downlink, oldest first
    uint32_t m_uplinkNext{0};               //!< first uplink block not taken by random access
    std::vector<ShareClaim> m_claims;       //!< of this TTI and direction
    std::vector<LteSchedulerUe*> m_claimed; //!< whose they are
    std::vector<uint32_t> m_usedGroups;     //!< by UE: for repeats in this TTI
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_SCHEDULER_H */
