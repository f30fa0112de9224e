/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_PROBLEM_H
#define COLLAPIPE_RADIO_PROBLEM_H

#include "collapipe-instance.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-plan.h"
#include "collapipe-transfers.h"

#include "ns3/collapipe-iteration-time.h"
#include "ns3/collapipe-schedule.h"

#include <cstdint>
#include <limits>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// The discrete decisions of one cluster
struct ClusterChoice
{
    std::vector<Segment> segments; //!< devices in chain order with their blocks
    MicroBatchPair pair;           //!< (N, b)
};

/// The discrete decisions of a round, one per cluster
using RoundChoice = std::vector<ClusterChoice>;

/// What the radio allocator may decide
struct RadioFreedom
{
    bool shares{true}; //!< else equal shares in every pool and phase
    bool powers{true}; //!< else full power
};

/// What a link's transfer does to the time of its cluster
enum class LinkRole : uint8_t
{
    FORWARD,      //!< in the sum and the forward maximum of (3)
    BACKWARD,     //!< in the sum and the backward maximum of (3)
    TARGET,       //!< beside the forward pass of (3): the decoder waits for it
    DISTRIBUTION, //!< in tau_dist
    UPLOAD,       //!< in the last term of (4)
};

/**
 * A transfer with all its constants, see GetReservation() for what several may have together. With
 * the share w, the time x = a / r and y = w x, both ways of sharing have the energy (p_max / P) y
 * (exp(kappa / y) - 1), convex in log y; the power is that over x under FREQUENCY and over y under
 * AIRTIME. With an overhead o the time is x + o / w and the energy that of y + o at the same power:
 * sums of exponentials of log w and log x still, since log (exp(kappa / y) - 1) is convex in log y.
 */
struct RadioLink
{
    Phase phase{Phase::TRAINING};             //!< when
    NodeIndex from{CONTROL_UNIT};             //!< transmitter
    NodeIndex to{CONTROL_UNIT};               //!< receiver
    std::size_t cluster{0};                   //!< whose
    LinkRole role{LinkRole::FORWARD};         //!< in (3), (4)
    SharingMode mode{SharingMode::DEDICATED}; //!< of its pool
    /// Between control unit and edge server, of parameters that it collects: its time comes beside
    /// that of the slowest of the others in its phase
    bool whole{false};
    std::size_t hop{0};  //!< in training: compute stage before the link
    std::size_t pool{0}; //!< index among the problem's pools; if not dedicated
    double kappaS{0};    //!< a ln 2 / (e B) in seconds
    double snr{0};       //!< P = p_max g / (Gamma N0 B)
    double cap{std::numeric_limits<double>::infinity()}; //!< S ln 2, most of log(1 + P)
    double maxPowerW{0};                                 //!< p_max
    double minPowerW{0};                                 //!< with less the receiver detects nothing
    double price{0};     //!< per J radiated in a transfer; 0: it is free
    double airPrice{0};  //!< per second on the air: circuits, receiver (7')
    double latencyS{0};  //!< d
    double fixedS{0};    //!< a / r where dedicated; else the least, of the wire behind the medium
    double freePart{1};  //!< under AIRTIME: of the share that is on the air, background apart
    double overheadS{0}; //!< under AIRTIME: more than kappaS / log(1 + P), at whatever power

    /// Index among the problem's links of the first one that uses the same reservation in turn:
    /// they have one share and one power; the link itself where it has a share of its own
    std::size_t lead{0};
    bool pooled{false}; //!< whether there are others with that reservation
};

/// A cluster's constants in (3) and (4), dedicated links not yet included
struct RadioCluster
{
    double iterations{1};     //!< H
    double bubble{0};         //!< N - 1
    double sumS{0};           //!< compute times and latencies of one iteration
    double forwardS{0};       //!< longest forward computation
    double backwardS{0};      //!< longest backward computation
    double targetLatencyS{0}; //!< d of the targets
    double exchangeS{0};      //!< after each iteration, see GetExchangeTimeS()

    std::vector<HopTimes> stages; //!< computations and latencies; a / r not set
};

/**
 * The continuous part of (13): shares and powers of all links, all discrete decisions made. A
 * geometric programme (section 6).
 */
struct RadioProblem
{
    /// Pools that all clusters share: uplink in upload and in training, downlink in distribution
    /// and in training, uplink in distribution, where a base station relays what is collected
    static constexpr std::size_t SHARED_POOLS = 5;

    /// @return the budget of a cluster's D2D medium in a phase
    std::size_t GetOwnPool(std::size_t cluster, Phase phase) const
    {
        const std::size_t kind = phase == Phase::TRAINING       ? 0
                                 : phase == Phase::DISTRIBUTION ? 1
                                                                : 2;
        return SHARED_POOLS + ownPools * cluster + (kind < ownPools ? kind : 0);
    }

    double penaltyWeight{1};            //!< V
    double constant{0};                 //!< terms of (13) that do not depend on the radio
    std::size_t pools{0};               //!< number of pool-and-phase budgets
    std::size_t ownPools{1};            //!< of these, of each cluster: its D2D medium in training,
                                        //!< and where it carries parameters in distribution and
                                        //!< upload
    RadioFreedom freedom;               //!< what may be decided
    Ptr<const Schedule> schedule;       //!< gives tau_iter
    bool isFlowShop{true};              //!< tau_iter is (3), else the schedule's longest path
    std::vector<RadioLink> links;       //!< all transfers
    std::vector<RadioCluster> clusters; //!< one per cluster
};

/// Share and power of every link of a RadioProblem
struct RadioSolution
{
    std::vector<double> shares;  //!< by link
    std::vector<double> powersW; //!< by link
    double objective{0};         //!< (13)
    double gap{0};               //!< of duality, an estimate, in units of the objective
    uint32_t iterations{0};      //!< Newton steps
    bool converged{false};       //!< false where cut off

    std::vector<double> poolPrices;    //!< multipliers of the budgets, in units of (13)
    std::vector<double> latencyPrices; //!< multipliers of tau_m <= tau, in units of (13) per second
    std::vector<double> distributionS; //!< tau_dist by cluster, d included
    std::vector<double> uploadS;       //!< last term of (4) by cluster, d included
};

/**
 * Makes the radio problem of an instance for given discrete decisions.
 *
 * @param instance the round's problem
 * @param choice devices, blocks and pairs of every cluster
 * @param freedom what may be decided
 * @param problem is replaced; its memory is reused
 */
void BuildRadioProblem(const Instance& instance,
                       const RoundChoice& choice,
                       const RadioFreedom& freedom,
                       RadioProblem& problem);

/**
 * @param problem a radio problem
 * @param shares by link
 * @param powersW by link
 * @return (13)
 */
double EvaluateRadio(const RadioProblem& problem,
                     const std::vector<double>& shares,
                     const std::vector<double>& powersW);

/**
 * @param problem a radio problem
 * @param cluster m
 * @param occupationS a / r of every link of the problem, in seconds
 * @return the times of an iteration of the cluster
 */
IterationTimes GetIterationTimes(const RadioProblem& problem,
                                 std::size_t cluster,
                                 const std::vector<double>& occupationS);

/**
 * @param link a link that is not dedicated
 * @param share w
 * @param powerFraction p / p_max
 * @return a / r in seconds, of its medium alone
 */
double GetMediumS(const RadioLink& link, double share, double powerFraction);

/**
 * @param link a link
 * @param share w
 * @param powerFraction p / p_max
 * @return a / r in seconds; no less than the wire behind its medium takes
 */
double GetOccupationS(const RadioLink& link, double share, double powerFraction);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RADIO_PROBLEM_H */
