/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TRANSFERS_H
#define COLLAPIPE_TRANSFERS_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include <set>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// The medium on which a link competes
enum class Pool : uint8_t
{
    D2D,      //!< the cluster's own
    UPLINK,   //!< D2E, of all clusters
    DOWNLINK, //!< E2D, of all clusters
};

/**
 * One row of the table of transfers (section 3 of the model): what a link carries in a phase.
 */
struct Transfer
{
    Phase phase{Phase::TRAINING}; //!< when
    NodeIndex from{CONTROL_UNIT}; //!< transmitter
    NodeIndex to{CONTROL_UNIT};   //!< receiver
    double bits{0};               //!< payload; in TRAINING per micro-batch
    uint8_t leg{0};               //!< begins when all of its phase with a lower one have ended
    uint32_t messages{1};         //!< that the payload is sent as
};

/**
 * @param from transmitter
 * @param to receiver
 * @return the pool of the link
 */
Pool GetPool(NodeIndex from, NodeIndex to);

/**
 * @param link a link
 * @param pool its pool by GetPool()
 * @return whose medium its transfers take: that of its pool, unless somebody relays them
 */
Pool GetMedium(const LinkState& link, Pool pool);

/**
 * @param state the system
 * @param cluster m
 * @param from transmitter
 * @param to receiver
 * @return the pool of whose reservations a link has one: its own; the uplink where both are
 *         reserved and a base station relays the link, whose resource blocks are the cell's; the
 *         cluster's D2D medium where that is reserved and the control unit relays the link between
 *         it and a wire
 */
Pool GetBudget(const SystemState& state, std::size_t cluster, NodeIndex from, NodeIndex to);

/**
 * @param state the system
 * @param cluster m
 * @param from transmitter
 * @param to receiver
 * @return the medium by whose bandwidth (5), (6) give the link's rate, where it is not one of a
 *         work-conserving medium that relays it: that of its pool, or of its GetBudget() where its
 *         pool is a wire
 */
const PoolState& GetLinkPool(const SystemState& state,
                             std::size_t cluster,
                             NodeIndex from,
                             NodeIndex to);

/**
 * @param state the system
 * @param cluster m
 * @param from transmitter
 * @param to receiver; the link is one of the state
 * @param share of GetLinkPool()
 * @param powerW in W
 * @return bit/s; where the control unit relays the link, no more than the wire behind it carries
 */
double GetLinkRateBps(const SystemState& state,
                      std::size_t cluster,
                      NodeIndex from,
                      NodeIndex to,
                      double share,
                      double powerW);

/**
 * @param state the system
 * @param cluster the cluster
 * @param pool which of its media
 * @return the medium's state
 */
const PoolState& GetPoolState(const SystemState& state, std::size_t cluster, Pool pool);

/**
 * @param cluster the cluster
 * @param node its control unit or a device
 * @return that node's state
 */
const DeviceState& GetNode(const ClusterState& cluster, NodeIndex node);

/**
 * @param cluster the cluster
 * @param from transmitter
 * @param to receiver
 * @return the link's state; nullptr where there is no such link
 */
const LinkState* FindLinkState(const ClusterState& cluster, NodeIndex from, NodeIndex to);

/**
 * @param model the model
 * @param stage a stage
 * @param phase DISTRIBUTION or UPLOAD
 * @return bits of the parameters which the stage's node receives, or uploads
 */
double GetParameterBits(const ModelProfile& model, const StagePlan& stage, Phase phase);

/**
 * Frozen weights that a node has to be sent before it can hold a stage: s_0 W_0 of the blocks that
 * it has not had, embedding and decoder likewise. They are what moving a cut costs.
 *
 * @param model the model
 * @param held what the node has
 * @param stage a stage
 * @return bits; 0 where frozen weights are not sent
 */
double GetMissingBaseBits(const ModelProfile& model, const HeldBase& held, const StagePlan& stage);

/**
 * @param state the system
 * @param cluster m
 * @return who carries the cluster's parameters in a plan by somebody who does not decide that
 */
UploadPath GetUploadPath(const SystemState& state, std::size_t cluster);

/**
 * Where chains go their own way, some upload while others train.
 *
 * @param plan the cluster's plan
 * @param uploading chains whose training is over, by index
 * @return the plan in whose upload the others' links keep what they have in training; the plan
 *         itself where all are over
 */
ClusterPlan KeepTraining(const ClusterPlan& plan, const std::set<uint32_t>& uploading);

/**
 * What a cluster's links are to be set to as a phase begins. The upload begins when the edge server
 * has done its part of the training, with the last gradients on their way to the chain and down it:
 * links that the upload does not name keep what the training gave them, but for those of the
 * uplink, whose shares the upload divides anew.
 *
 * @param cluster the cluster
 * @param phase that begins
 * @param plan of the cluster
 * @return the plan's links of the phase, and those that are kept, as of that phase
 */
std::vector<LinkPlan> ListSettings(const ClusterState& cluster,
                                   Phase phase,
                                   const ClusterPlan& plan);

/**
 * Every transfer of a cluster's round, in the order distribution, training, upload. Links that
 * carry nothing are left out. With UploadPath::COLLECTED parameters go in two legs: the whole
 * between edge server and control unit, a message for each node's part, and the parts between
 * control unit and devices; neither begins before all of the other has arrived. Targets travel from
 * the first stage's node to the edge server, where that holds the decoder; on a link that already
 * carries activations they are added to those.
 *
 * @param state the system
 * @param cluster index of the cluster
 * @param plan the cluster's chains
 * @return the transfers; no two of one phase use the same link
 */
std::vector<Transfer> ListTransfers(const SystemState& state,
                                    std::size_t cluster,
                                    const ClusterPlan& plan);

/**
 * Where a cluster's chains step together: what goes between them in every iteration. The stages of
 * the other chains send their gradients to that of the first one (leg 0), which sends all of them
 * the mean (leg 1). The edge server's own stages need no link for it.
 *
 * @param state the system
 * @param plan the cluster's chains, cut alike
 * @return the transfers, of the training phase: bits per iteration, stage by stage, first of both
 *         legs; none where the chains do not step together. No link is one of ListTransfers()
 */
std::vector<Transfer> ListSums(const SystemState& state, const ClusterPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TRANSFERS_H */
