/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JUDGE_MODEL_H
#define COLLAPIPE_JUDGE_MODEL_H

#include "ns3/collapipe-instance.h"
#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-system-state.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// A device at work: its index in the cluster (from 0) and its number of blocks
struct Placement
{
    std::size_t device{0}; //!< k
    uint32_t blocks{1};    //!< l_k >= 1
};

/// Every discrete decision of one cluster
struct Candidate
{
    std::vector<Placement> chain; //!< devices in pipeline order
    MicroBatchPair pair;          //!< (N, b)
};

/// A radio link in one phase, as the table of transfers has it
struct Transmission
{
    Phase phase{Phase::TRAINING};             //!< when
    NodeIndex from{CONTROL_UNIT};             //!< transmitter
    NodeIndex to{CONTROL_UNIT};               //!< receiver
    LinkState link;                           //!< radio parameters
    SharingMode mode{SharingMode::DEDICATED}; //!< of its pool
    double bandwidthHz{0};                    //!< of its pool
    std::size_t pool{0};                      //!< 0 uplink, 1 downlink, 2 D2D; of its share
    double bits{0};                           //!< payload of one transfer
    double overheadS{0};                      //!< airtime beside that
    double count{1};                          //!< transfers per round: H N, or 1
    double queue{0};                          //!< Q of the payer; 0 where nobody pays
    bool pooled{false}; //!< its share is that of all that its node sends through a reserved cell

    /// @return time of one transfer without latency, at a share and a power (5), (6)
    double AirtimeS(double share, double powerW) const;

    /// @return energy of one transfer at a share and a power
    double EnergyJ(double share, double powerW) const;

    /// @return whether anything can be sent at all
    bool IsUsable() const;
};

/// What a pipeline stage is
enum class StageKind : uint8_t
{
    COMPUTE, //!< a computation; serves one micro-batch at a time
    LINK,    //!< a transmission; serves one micro-batch at a time
    LATENCY, //!< a delay after a transmission: as many micro-batches at once as come
};

/// A pipeline stage's time: a constant, or a transmission's airtime
struct Stage
{
    double constantS{0};                //!< compute time, or latency
    int transmission{-1};               //!< index, or -1
    StageKind kind{StageKind::COMPUTE}; //!< what it is
};

/// One cluster's part of the problem, all discrete decisions made
struct ClusterProblem
{
    std::vector<Transmission> transmissions; //!< all links of the round
    std::vector<Stage> forward;              //!< embedding, link, latency, ..., decoder
    std::vector<Stage> backward;             //!< decoder, link, latency, ..., embedding
    Stage target;                       //!< control unit to edge server; unused without targets
    double targetLatencyS{0};           //!< of that link
    bool hasTarget{false};              //!< whether targets are sent
    std::vector<std::vector<int>> legs; //!< transmissions of distribution and upload, by leg
    double microBatches{1};             //!< N
    double iterations{1};               //!< H
    bool oneForwardOneBackward{false};  //!< schedule
    double computeCost{0};              //!< sum of Q times compute energy
    double phiCost{0};                  //!< Z times the cluster's part of phi (10)
    std::vector<double> computeEnergyJ; //!< [0] control unit, [k + 1] device k
};

/// Everything that (13) is made of
struct Evaluation
{
    std::string error;                        //!< empty, or what is wrong with the plan
    double objective{0};                      //!< (13)
    double cost{0};                           //!< V tau + sum Q E + Z phi, without the constants
    double latencyS{0};                       //!< tau
    std::vector<double> clusterLatencyS;      //!< tau_m
    std::vector<double> iterationS;           //!< tau_iter of every cluster
    std::vector<std::vector<double>> energyJ; //!< [m][0] control unit, [m][k + 1] device k
};

/**
 * @param instance the problem
 * @param cluster m
 * @return every candidate of the cluster that meets memory (8) and uses only links that work
 */
std::vector<Candidate> EnumerateCandidates(const Instance& instance, std::size_t cluster);

/**
 * @param instance the problem
 * @param cluster m
 * @param candidate its discrete decisions
 * @return its part of the problem
 */
ClusterProblem MakeClusterProblem(const Instance& instance,
                                  std::size_t cluster,
                                  const Candidate& candidate);

/**
 * tau_iter. Under GPipe (3), its maxima over computations and transmissions, where the forward pass
 * takes at least as long as the two paths of its task graph that begin with targets: after the
 * latency N t_target + t_decoder or t_target + N t_decoder.
 *
 * @param problem a cluster's problem
 * @param forward times of the forward stages, in s
 * @param backward times of the backward stages, in s
 * @param target time of one target transfer; 0 where there is none
 * @return tau_iter: (3) under GPipe, the longest path under 1F1B
 */
double IterationTimeS(const ClusterProblem& problem,
                      const std::vector<double>& forward,
                      const std::vector<double>& backward,
                      double target);

/// A path of the task graph: how often it passes through every stage
struct LongestPath
{
    double lengthS{0};            //!< its length
    std::vector<double> forward;  //!< passes per forward stage
    std::vector<double> backward; //!< passes per backward stage
    double target{0};             //!< passes of the target link
};

/**
 * The longest path of the 1F1B task graph. Compute stage s of P does min(N, P - s) forwards, then
 * forward and backward in turn, then the backwards that remain; every directed link is a server of
 * its own, in order of the micro-batches; latencies serve all at once.
 *
 * @param problem a cluster's problem, for the kinds of its stages, N and the targets' latency
 * @param forward times of the forward stages, in s
 * @param backward times of the backward stages, in s
 * @param target time of one target transfer; 0 where there is none
 * @return the path
 */
LongestPath OneForwardOneBackwardPath(const ClusterProblem& problem,
                                      const std::vector<double>& forward,
                                      const std::vector<double>& backward,
                                      double target);

/**
 * The judge's own evaluation of a plan, from the formulas alone.
 *
 * @param instance the problem
 * @param plan a plan: one chain per cluster, control unit, devices, edge server
 * @return (13) and its parts, or what is wrong with the plan
 */
Evaluation EvaluatePlan(const Instance& instance, const RoundPlan& plan);

/// @return sum_k Q_k Ebar_k + Z phibar, what (13) subtracts whatever the plan
double ConstantPart(const Instance& instance);

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JUDGE_MODEL_H */
