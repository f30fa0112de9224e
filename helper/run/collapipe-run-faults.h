/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_FAULTS_H
#define COLLAPIPE_RUN_FAULTS_H

#include "collapipe-fault-account.h"
#include "collapipe-fault-schedule.h"
#include "collapipe-helper.h"

#include "ns3/collapipe-interface-switch.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"
#include "ns3/random-variable-stream.h"
#include "ns3/vector.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Makes things go wrong in a run, as a script asks for, and keeps account of what became of each.
 *
 *     CollaPipeFaultHelper faults(applications, network);
 *     faults.Install(FaultSchedule::Load("faults.toml"));
 *
 * It also watches over the run as nobody within it can: where nothing goes on any more it says who
 * waits for whom.
 */
class CollaPipeFaultHelper
{
  public:
    /**
     * @param applications of the run
     * @param network on which they are
     */
    CollaPipeFaultHelper(const RunApplications& applications, const Network& network);
    ~CollaPipeFaultHelper();

    CollaPipeFaultHelper(const CollaPipeFaultHelper&) = delete;
    CollaPipeFaultHelper& operator=(const CollaPipeFaultHelper&) = delete;

    /**
     * @param schedule what shall go wrong
     * @throws std::invalid_argument where it names a node that is not there, in one sentence
     */
    void Install(const FaultSchedule& schedule);

    /// @param fault that happens now
    void Inject(const Fault& fault);

    /**
     * @param deadline of simulated time without any progress
     * @param callback called then, once, with a sentence that says who waits for whom
     */
    void SetDeadline(Time deadline, std::function<void(const std::string&)> callback);

    /// @return what became of the faults so far
    const FaultAccount& GetAccount() const;

    /// @return bytes of replicas that nodes have sent to neighbours so far
    uint64_t GetReplicaBytes() const;

    /// @return bytes of heartbeats sent so far
    uint64_t GetHeartbeatBytes() const;

    /// @return connections closed so far because of what came over them, and messages passed over
    std::pair<uint64_t, uint64_t> CountRefused() const;

  private:
    Ptr<MessageApplication> GetApplication(const FaultPlace& place) const;
    Ptr<Node> GetNode(const FaultPlace& place) const;
    Ipv4Address GetAddress(const FaultPlace& from, const FaultPlace& to) const;
    std::string Check(const Fault& fault) const;

    void LosePower(const FaultPlace& place);
    void RegainPower(const FaultPlace& place);
    void MoveAway(const Fault& fault);
    void InjectRandom();
    Fault DrawFault();
    void ScheduleRandom();

    void HandlePhase(uint32_t round, uint32_t cluster, Phase phase);
    void HandleFailure(const NodeFailure& failure);
    void HandleRecovery(const RecoveryRecord& record);
    void HandleReturn(uint32_t cluster, NodeIndex node);
    void HandleLeftOut(uint32_t round, uint32_t cell);
    void HandleRound(const RoundRecord& record);
    void HandleTx(const MessageHeader& header, uint64_t bytes);
    void Watch();
    bool IsHopeless(const EdgeServerApplication& edge, Time still) const;
    void NotePlan(double plannedS);
    Time GetDeadline(double plannedS) const;
    std::string DescribeWait() const;

    RunApplications m_applications; //!< of the run
    const Network& m_network;       //!< on which they are
    std::vector<Fault> m_waiting;   //!< for their round and phase
    FaultAccount m_account;         //!< what became of them
    std::map<std::string, std::unique_ptr<InterfaceSwitch>> m_switches; //!< by place
    Ptr<UniformRandomVariable> m_random;                                //!< of faults at random
    RandomFaults m_rate;                                                //!< likewise
    EventId m_next;                                                     //!< the next one at random
    EventId m_watch;                                                    //!< next look
    Time m_deadline;                                                    //!< without progress
    double m_leastPlannedS{0};                                          //!< of all rounds
    std::function<void(const std::string&)> m_onStuck;                  //!< whom to tell
    Time m_lastRound;                                                   //!< end of one
    uint32_t m_rounds{0};                                               //!< that have ended
    uint64_t m_replicaBytes{0};                                         //!< sent
    uint64_t m_heartbeatBytes{0};                                       //!< sent
    std::map<std::string, bool> m_isDown;                               //!< places without power
    std::set<std::string> m_gone;                                       //!< those that stay so
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_FAULTS_H */
