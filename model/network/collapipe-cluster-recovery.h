/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLUSTER_RECOVERY_H
#define COLLAPIPE_CLUSTER_RECOVERY_H

#include "collapipe-cluster-run.h"
#include "collapipe-recovery-policy.h"

#include "ns3/collapipe-cluster-id.h"
#include "ns3/event-id.h"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Brings one cluster's round to its end though nodes fail: ends the attempt, and begins another
 * one, by the recovery policy, from the newest consistent point.
 *
 * That is the largest number h of local iterations after which the state of every stage is known to
 * survive: each stage sends its snapshot to a neighbour on the chain, which tells the edge server
 * when it has it. The edge server asks for the states after h iterations, from the stages
 * themselves or where these are gone from their neighbours, puts them together and hands them out
 * with the new cut. Where there is none, h is where the last attempt began, whose state the edge
 * server has.
 */
class ClusterRecovery
{
  public:
    /// What it needs of the edge server
    struct Services
    {
        const TrainingContext* context;               //!< of the run
        Ptr<RecoveryPolicy> policy;                   //!< decides
        ClusterId id;                                 //!< the cluster's
        uint32_t round{0};                            //!< the round
        std::function<bool(NodeIndex)> isPresent;     //!< has a connection
        std::function<void(NodeIndex, Message)> send; //!< to a node of the cluster
        /// Cuts the chain anew without some nodes; gives a sentence where that cannot be
        std::function<std::string(const std::set<NodeIndex>&, ClusterPlan&)> replan;
        std::function<void(const RecoveryRecord&)> onRecovery; //!< an attempt begins, or none
    };

    /**
     * @param run of the cluster
     * @param services of the edge server
     */
    ClusterRecovery(ClusterRun& run, Services services);
    ~ClusterRecovery();

    ClusterRecovery(const ClusterRecovery&) = delete;
    ClusterRecovery& operator=(const ClusterRecovery&) = delete;

    /// @param failure of a node of the cluster
    void HandleFailure(const NodeFailure& failure);

    /// A node is back and knows the round.
    void HandleReturn();

    /**
     * @param header of a message that recovery is about
     * @param shapes of its tensors
     * @return what becomes of it
     */
    MessageVerdict Check(const MessageHeader& header, const TensorList& shapes) const;

    /// @param message that Check() has taken
    void HandleMessage(Message message);

    /// @return whether an attempt was ended and the next one has not begun
    bool IsRecovering() const;

    /// @return for what the cluster waits; the rest of a sentence
    std::string DescribeWait() const;

  private:
    /// Begins the next attempt, where all is there that it takes.
    void TryRestart();

    /// Has a plan for the next attempt. @return whether there is one
    bool ChoosePlan(ClusterPlan& plan);

    /// @return the largest h below a limit at which every stage's state survives; 0: none
    uint32_t FindConsistentPoint(uint32_t limit) const;

    /// @return whether a stage has any state: not where nothing of it is trained
    bool HasState(uint32_t stage) const;

    /// @return a node that has a stage's state after so many iterations; EDGE_SERVER: here; nothing
    bool FindHolder(uint32_t stage, uint32_t iterations, NodeIndex& holder) const;

    /// Asks for the states after so many iterations.
    void Collect(uint32_t iterations);

    /// All states are there: begins the next attempt with them.
    void EndCollection();

    /// Begins the next attempt.
    void Begin(ClusterRun::Start start);

    /// Leaves the cluster out of the round.
    void GiveUp();

    ClusterRun& m_run;                       //!< of the cluster
    Services m_services;                     //!< of the edge server
    EventId m_deadline;                      //!< the cluster is left out
    EventId m_retry;                         //!< of TryRestart()
    bool m_hasDeadline{false};               //!< it may not wait for ever
    std::set<NodeIndex> m_lost;              //!< have no states any more
    bool m_recovering{false};                //!< between two attempts
    RecoveryStep m_step{RecoveryStep::WAIT}; //!< latest decision
    std::set<NodeIndex> m_excluded;          //!< present, but said to be out of order
    std::string m_waitsFor;                  //!< a sentence's rest
    Time m_since;                            //!< the attempt was ended
    uint32_t m_reached{0};                 //!< local iterations begun by the attempt that was ended
    ClusterPlan m_next;                    //!< of the next attempt
    uint32_t m_wanted{0};                  //!< iterations of the states that are asked for; 0: none
    uint32_t m_limit{0};                   //!< states are asked for below so many iterations
    std::map<uint32_t, NodeIndex> m_asked; //!< by stage: who was asked
    std::map<uint32_t, TensorList> m_states; //!< by stage: what came
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLUSTER_RECOVERY_H */
