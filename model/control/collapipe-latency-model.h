/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LATENCY_MODEL_H
#define COLLAPIPE_LATENCY_MODEL_H

#include "collapipe-instance.h"
#include "collapipe-plan.h"

#include "ns3/collapipe-iteration-time.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What the model predicts for one link in one phase
struct LinkEvaluation
{
    Phase phase{Phase::TRAINING}; //!< when
    NodeIndex from{CONTROL_UNIT}; //!< transmitter
    NodeIndex to{CONTROL_UNIT};   //!< receiver
    double bits{0};               //!< payload; in TRAINING per micro-batch
    double times{1};              //!< so often in the whole round
    uint32_t messages{1};         //!< that the payload is sent as
    double rateBps{0};            //!< (5), (6)
    double occupationS{0};        //!< a / r, with the overhead of a message
    double latencyS{0};           //!< d
    double airS{0};               //!< time on the air in the whole round
    double energyJ{0};            //!< of the sender in the whole round; 0 for the edge server
    double receiverEnergyJ{0};    //!< of the receiver, likewise
};

/// What the model predicts for a control unit or a device
struct NodeEvaluation
{
    uint32_t blocks{0};       //!< l_k
    double forwardS{0};       //!< t^f per micro-batch (1)
    double backwardS{0};      //!< t^b per micro-batch (1)
    double memoryBytes{0};    //!< (8)
    double computeEnergyJ{0}; //!< of the round
    double radioEnergyJ{0};   //!< of the round
    double energyJ{0};        //!< (7)
};

/// What the model predicts for a cluster
struct ClusterEvaluation
{
    double distributionS{0}; //!< tau_dist
    double iterationS{0};    //!< tau_iter of the slowest chain
    double uploadS{0};       //!< last term of (4)
    /// FluidCluster::edgePeriodS, or an iteration where the edge server has no stage; 0 where (3)
    /// holds and there is one iteration: it does not say when the edge server's stage ends
    double edgePeriodS{0};
    double totalS{0};                  //!< tau_m
    double samples{0};                 //!< n_m
    std::vector<NodeEvaluation> nodes; //!< [0] control unit, [k + 1] device k
    std::vector<LinkEvaluation> links; //!< as in ListTransfers(), then ListSums()
};

/**
 * @ingroup collapipe
 * The model (1) to (8), (10) and (13) evaluated for a plan.
 */
struct Evaluation
{
    double latencyS{0};                      //!< tau (4)
    double phi{0};                           //!< (10)
    double latencyTerm{0};                   //!< V tau
    double energyTerm{0};                    //!< sum_k Q_k (E_k - Ebar_k)
    double convergenceTerm{0};               //!< Z (phi - phibar)
    double objective{0};                     //!< (13), the sum of the three terms
    std::vector<ClusterEvaluation> clusters; //!< one per cluster
};

/**
 * How much longer the edge server's decoder takes because it serves more pipelines than it has
 * workers: every pipeline gets an equal part of the workers, at most one.
 *
 * @param edge the edge server
 * @param pipelines number of chains that end at the edge server, over all clusters
 * @return max(1, pipelines / workers)
 */
double GetEdgeSlowdown(const EdgeState& edge, std::size_t pipelines);

/**
 * Times of formula (1), o included; those of the edge server with its slowdown.
 *
 * @param state the system
 * @param cluster the cluster
 * @param chain the chain
 * @param stage one of its stages
 * @param edgeSlowdown of GetEdgeSlowdown()
 * @return the stage's compute times; the links' fields are 0
 */
HopTimes GetStageTimes(const SystemState& state,
                       std::size_t cluster,
                       const ChainPlan& chain,
                       const StagePlan& stage,
                       double edgeSlowdown);

/**
 * What clipping by the global norm adds to an iteration: the first stage is the last to end its
 * backward passes; its norm goes to the edge server and the factor comes back. Messages that short
 * take the links' latency.
 *
 * @param cluster the cluster
 * @param chain one of its chains
 * @return seconds; 0 for a chain of one stage
 */
double GetClippingTimeS(const ClusterState& cluster, const ChainPlan& chain);

/**
 * What an iteration takes beside the passes of its micro-batches: clipping, and the gradients of a
 * table that the chain's first and last stage share, of which the slower way counts. That is the
 * most these can take: either way lies beside passes of others. They go at full power, with the
 * part of a shared medium that is left if all clusters have as much.
 *
 * @param state the system
 * @param m the chain's cluster
 * @param chain one of its chains
 * @return seconds; 0 for a chain of one stage
 */
double GetExchangeTimeS(const SystemState& state, std::size_t m, const ChainPlan& chain);

/**
 * Evaluates a plan: by (3), (4), or where a pool is work-conserving by (16), the fluid model; then
 * iterationS is the mean of an iteration and a link's rate and occupation are means over its
 * transfers. Clusters with several chains run them side by side: the slowest counts. A link
 * which the plan does not name counts with the whole pool and full power.
 *
 * @param instance the round's problem
 * @param plan a plan whose chains and nodes pass CheckPlan()
 * @return every part of (13)
 */
Evaluation EvaluatePlan(const Instance& instance, const RoundPlan& plan);

class FluidModel;

/**
 * The same, with memory that is kept from one plan to the next.
 *
 * @param instance the round's problem
 * @param plan a plan whose chains and nodes pass CheckPlan()
 * @param fluid plays work-conserving media
 * @return every part of (13)
 */
Evaluation EvaluatePlan(const Instance& instance, const RoundPlan& plan, FluidModel& fluid);

/**
 * @param state the system
 * @param plan a plan as EvaluatePlan() takes it
 * @return tau of (4) in seconds
 */
double PredictLatencyS(const SystemState& state, const RoundPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LATENCY_MODEL_H */
