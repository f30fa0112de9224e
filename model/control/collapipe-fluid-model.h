/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_MODEL_H
#define COLLAPIPE_FLUID_MODEL_H

#include "collapipe-fluid-medium.h"
#include "collapipe-plan.h"
#include "collapipe-system-state.h"
#include "collapipe-transfers.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What the fluid model says of one transfer of ListTransfers() or ListSums()
struct FluidLink
{
    Transfer transfer;     //!< which
    double count{0};       //!< how often it took place in the round
    double occupationS{0}; //!< mean time from its start to its end, without the latency
    double airS{0};        //!< time on the air in the whole round: that of the transmitter's power
};

/// What the fluid model says of one cluster
struct FluidCluster
{
    double distributionS{0}; //!< from the round's start until all parameters have come
    double trainingS{0};     //!< from there until the last iteration of all chains has ended
    double uploadS{0};       //!< from there until all parameters are at the edge server
    double totalS{0};        //!< their sum
    /// An iteration as the edge server sees it: from one end of its own stage to the next, on
    /// average; where there is but one, from the training's start to that
    double edgePeriodS{0};
    std::vector<FluidLink> links; //!< chain by chain as ListTransfers(), then as ListSums()
};

/// A round as the fluid model sees it
struct FluidRound
{
    double latencyS{0};                 //!< tau (16)
    std::vector<FluidCluster> clusters; //!< one per cluster
};

class FluidPlayer;

/**
 * @ingroup collapipe
 * (16): a round's task graph played over its media, event by event. A computation takes its time
 * (1); a transfer progresses at the rate (5), (6) of the share that it has at that instant. In a
 * pool that is RESERVED or DEDICATED that is the plan's own share, at all times; in one that is
 * WORK_CONSERVING it is (14), (15) among all that send there now, whatever their cluster and phase.
 *
 * - Where the edge server's passes queue (EdgeState::queues), each takes one of its workers for its
 *   time (1), first come, first served; else all of them take GetEdgeSlowdown() times as long.
 * - A cluster trains when all its parameters have come; a chain's parameters set out when its last
 *   iteration is over. An iteration begins when the first stage has flushed; with clipping, or a
 *   table that two nodes share, an exchange later.
 * - Where chains step together, a stage's gradients go to the first chain when its computations of
 *   the iteration are done, and the mean comes back when all have come; a chain's iteration is over
 *   when all of its stages have it.
 * - A direction of a link carries one transfer at a time, in the order in which its results are
 *   made; targets one after the other from the iteration's start.
 * - A transfer carries its payload and the link's overheadBits; its latency keeps no medium busy.
 * - While a transfer progresses at the rate r that it would have without any acknowledgements,
 * those that it causes take acknowledgementRatio r / r' of the medium of the way back, r' being the
 * rate there with the whole medium at full power. At least a twentieth of a medium stays for data.
 *   Where a medium is reserved, they do not count.
 * - What other users take of a medium (PoolState::background) is gone at all times.
 *
 * In reserved and dedicated media it equals (3), (4) and the schedule's longest path to rounding.
 */
class FluidModel
{
  public:
    FluidModel();
    ~FluidModel();
    FluidModel(const FluidModel&) = delete;
    FluidModel& operator=(const FluidModel&) = delete;

    /**
     * @param state the system
     * @param plan a plan that CheckPlan() accepts
     * @return times of the round
     */
    FluidRound Play(const SystemState& state, const RoundPlan& plan);

  private:
    std::unique_ptr<FluidPlayer> m_player; //!< memory that is kept from one plan to the next
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_MODEL_H */
