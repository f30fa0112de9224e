/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RECOVERY_POLICY_H
#define COLLAPIPE_RECOVERY_POLICY_H

#include "collapipe-connection.h"

#include "ns3/collapipe-plan.h"
#include "ns3/nstime.h"
#include "ns3/object.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A node that counts as failed, as the edge server sees it.
 */
struct NodeFailure
{
    uint32_t cluster{0};                     //!< number of the node's cluster
    NodeIndex node{CONTROL_UNIT};            //!< which; EDGE_SERVER: the edge server of a cell
    NodeIndex reporter{EDGE_SERVER};         //!< who says so: a neighbour, or the server itself
    CloseReason reason{CloseReason::CLOSED}; //!< how it came out
    std::string text;                        //!< one sentence
    Time lastHeard;                          //!< when something last came from it
    uint32_t round{0};                       //!< round under way
    uint16_t attempt{0};                     //!< attempt of the cluster at it
    bool isNeeded{false};                    //!< whether the attempt cannot end without the node
};

/// What is done about a node without which an attempt cannot end
enum class RecoveryStep : uint8_t
{
    WAIT,   //!< until it is back, or the deadline has passed; then as DROP
    DROP,   //!< the cluster's work of the round is left out of the average
    REPLAN, //!< the chain is cut anew over the nodes that are left; where it cannot: as WAIT
};

/**
 * @param step what is done
 * @return wait, drop or replan
 */
std::string ToString(RecoveryStep step);

/**
 * @ingroup collapipe
 * What an edge server has done about failures of a cluster.
 */
struct RecoveryRecord
{
    uint32_t cluster{0};                   //!< number of the cluster
    uint32_t round{0};                     //!< round under way
    uint16_t attempt{0};                   //!< the attempt that begins
    RecoveryStep step{RecoveryStep::WAIT}; //!< the policy's decision
    Time since;                            //!< when the attempt before was ended
    uint32_t firstIteration{0};            //!< local iterations that need not be done again
    uint32_t repeated{0};                  //!< local iterations that are done again
    bool isGivenUp{false};                 //!< the cluster is left out of the round
};

/**
 * @ingroup collapipe
 * Decides what is done when a node fails whose work a cluster's round needs. Chosen by TypeId; a
 * policy of one's own derives from this class and implements Decide().
 *
 * Whatever it decides, every sample of a round enters the weights once or not at all: an attempt
 * that is abandoned enters nothing, and the next one goes on from a state that all stages had after
 * the same optimizer step, with the samples that the abandoned one had drawn.
 */
class RecoveryPolicy : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param failure what has happened; its node is needed
     * @return what to do
     */
    virtual RecoveryStep Decide(const NodeFailure& failure) = 0;

    /// @return how long a cluster may wait for nodes before it is left out of the round
    Time GetDeadline() const;

    /// @return attempts at a round after which a cluster is left out of it
    uint16_t GetMaxAttempts() const;

  private:
    Time m_deadline;        //!< attribute
    uint16_t m_maxAttempts; //!< attribute
};

/**
 * @ingroup collapipe
 * Waits for the node; what it had done since the newest consistent state is done again.
 */
class WaitRecovery : public RecoveryPolicy
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    RecoveryStep Decide(const NodeFailure& failure) override;
};

/**
 * @ingroup collapipe
 * Leaves the cluster out of the round. The average is taken over the clusters that have ended, with
 * weights rho_m / sum of theirs: where failures come at random, and independently of the data, that
 * is unbiased over the rounds, with the variance of sampled clusters.
 */
class DropRecovery : public RecoveryPolicy
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    RecoveryStep Decide(const NodeFailure& failure) override;
};

/**
 * @ingroup collapipe
 * Cuts the chain anew over the devices that are left, in mid-round.
 */
class ReplanRecovery : public RecoveryPolicy
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    RecoveryStep Decide(const NodeFailure& failure) override;
};

/**
 * @param name a TypeId's name, or its short form: `replan` for `ns3::collapipe::ReplanRecovery`
 * @return the TypeId's name, whether or not there is such a TypeId
 */
std::string RecoveryTypeName(const std::string& name);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RECOVERY_POLICY_H */
