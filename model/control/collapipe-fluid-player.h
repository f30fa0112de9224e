/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_PLAYER_H
#define COLLAPIPE_FLUID_PLAYER_H

#include "collapipe-fluid-model.h"
#include "collapipe-latency-model.h"
#include "collapipe-played-graph.h"
#include "collapipe-reservation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Later than all else, more than all else
constexpr double PLAYED_NEVER = std::numeric_limits<double>::infinity();

/// A directed link in one phase: one transfer at a time
struct PlayedFlow
{
    static constexpr int NO_POOL = -1; //!< it has a rate of its own
    static constexpr int NO_SUM = -1;  //!< no stage's

    int pool{NO_POOL};            //!< where it competes
    double weight{1};             //!< w
    uint8_t priority{0};          //!< class
    double scaleBps{0};           //!< e B / ln 2
    double snr{0};                //!< p g / (Gamma N0 B)
    double cap{PLAYED_NEVER};     //!< S ln 2
    double mostBps{PLAYED_NEVER}; //!< of the wire behind the medium
    double turnBps{0};            //!< with a whole reservation that it has in turn; 0: it has none
    bool frequency{false};        //!< (5), else (6)
    bool weighed{true};           //!< a scheduler keeps its weight and priority
    double fixedS{0};             //!< time of a transfer where it does not compete
    double duty{1};               //!< part of that time on the air
    double bits{0};               //!< of a transfer, overhead included
    double latencyS{0};           //!< d
    double startupS{0};           //!< more, of the next transfer
    int ackPool{NO_POOL};         //!< of the way back
    double ackPart{0};            //!< ratio over the rate there with the whole medium
    int relayPool{NO_POOL};       //!< of the second half of the way
    double relayPart{0};          //!< 1 over the rate there with the whole medium
    std::size_t chain{0};         //!< index among all chains
    int sumStage{NO_SUM};         //!< whose gradients it carries; NO_SUM: none
    Phase phase{Phase::TRAINING}; //!< when
    uint8_t leg{0};               //!< of the phase

    int32_t task{Task::NONE}; //!< of the present transfer; negative: targets
    double leftBits{0};       //!< of it
    double nominal{0};        //!< share without acknowledgements
    double share{0};          //!< now
    double rateBps{0};        //!< now
    double begunS{0};         //!< the present transfer
    double busyS{0};          //!< sum of times from start to end
    double airS{0};           //!< sum of times on the air
    double count{0};          //!< transfers

    /// @return (5), (6) at a share; where it has turns, at that part of the time
    double GetRateBps(double x) const
    {
        if (turnBps > 0)
        {
            return x * turnBps;
        }
        return x <= 0
                   ? 0
                   : std::min(mostBps,
                              scaleBps * x * std::min(cap, std::log1p(frequency ? snr / x : snr)));
    }
};

/// A work-conserving medium, or a reservation that several links use in turn: a medium of their own
struct PlayedMedium
{
    static constexpr double NEVER = std::numeric_limits<double>::infinity(); //!< a time

    std::vector<std::size_t> active; //!< flows that send
    double free{1};                  //!< part that background leaves
    double sinceS{0};                //!< the flows' leftBits are of this time
    double nextS{NEVER};             //!< when the next transfer ends
    std::size_t nextFlow{0};         //!< which
    bool dirty{false};               //!< the set has changed
    bool stale{false};               //!< acknowledgements have changed
    std::vector<double> acks;        //!< part taken by acknowledgements, by pool that causes them
};

/// A chain at work
struct PlayedChain
{
    static constexpr int NO_FLOW = -1;  //!< for what is not sent
    static constexpr int NO_STAGE = -1; //!< where no stage waits for a worker

    std::size_t cluster{0};               //!< whose
    const PlayedGraph* graph{nullptr};    //!< its tasks
    std::vector<HopTimes> stages;         //!< times of computations
    std::vector<std::array<int, 2>> hops; //!< flows to and from the next stage
    int target{NO_FLOW};                  //!< flow of the targets
    std::size_t firstFlow{0};             //!< its flows are in a row, as ListTransfers()
    std::size_t flows{0};                 //!< how many
    std::vector<uint8_t> waits;           //!< of each task, now
    uint32_t left{0};                     //!< computations of this iteration
    uint32_t iterations{0};               //!< still to do
    std::vector<uint32_t> stageLeft;      //!< of them, by stage
    uint32_t unstepped{0};                //!< stages without all chains' gradients
    uint32_t lastEnds{0};                 //!< iterations that it has ended
    double lastFirstS{0};                 //!< when it ended the first one
    double lastS{0};                      //!< when it ended the latest one
    double begunS{0};                     //!< the present iteration
    double exchangeS{0};                  //!< after each, see GetExchangeTimeS()
    bool alone{false};                    //!< nobody else touches its media: iterations are alike
    int queuedStage{NO_STAGE};            //!< whose passes wait for the edge server's workers
};

/// The edge server's workers: each does one pass at a time, first come, first served
struct PlayedWorkers
{
    uint32_t free{0}; //!< that do nothing
    /// Passes that wait: chain and task
    std::deque<std::pair<std::size_t, int32_t>> waiting;
};

/// How the gradients of one stage of all chains become one
struct PlayedSum
{
    std::vector<std::size_t> up;   //!< flows to the first chain's, from every other
    std::vector<std::size_t> down; //!< and back
    uint32_t waits{0};             //!< chains whose gradients are not there
};

/// A cluster's way through the round
struct PlayedCluster
{
    std::size_t firstChain{0};   //!< its chains are in a row
    std::size_t chains{0};       //!< how many
    std::size_t waiting{0};      //!< transfers that have not arrived
    std::size_t training{0};     //!< chains with iterations to do
    bool begun{false};           //!< all parameters have been distributed
    uint8_t leg{0};              //!< of its phase, the next one
    double distributionS{0};     //!< end of the distribution
    double trainingS{0};         //!< end of the last iteration
    double endS{0};              //!< end of the upload
    bool trained{false};         //!< the last iteration is over
    std::vector<PlayedSum> sums; //!< by stage; none where chains do not step together
    std::size_t firstSum{0};     //!< flows of the sums are in a row, as ListSums()
    std::size_t sumFlows{0};     //!< how many
};

/// Something that happens at a time known in advance
struct PlayedEvent
{
    /// What happens
    enum Kind : uint8_t
    {
        COMPUTED,  //!< a computation ends
        CARRIED,   //!< a transfer with a rate of its own ends
        ARRIVED,   //!< the result of a transfer is there
        TARGETED,  //!< a micro-batch's targets are there
        DELIVERED, //!< parameters are there
        SUMMED,    //!< gradients of another chain, or the mean, are there
        ITERATE,   //!< a chain begins an iteration
    };

    double timeS{0};      //!< when
    uint64_t order{0};    //!< breaks ties: first come, first served
    Kind kind{COMPUTED};  //!< what
    std::size_t index{0}; //!< chain or flow
    int32_t task{0};      //!< task or micro-batch

    /// @return whether this comes after the other
    bool operator<(const PlayedEvent& other) const
    {
        return timeS != other.timeS ? timeS > other.timeS : order > other.order;
    }
};

/**
 * Plays one round, for FluidModel. What it keeps from one round to the next is memory.
 */
class FluidPlayer
{
  public:
    /**
     * @param state the system
     * @param plan a plan that CheckPlan() accepts
     * @return times of the round
     */
    FluidRound Play(const SystemState& state, const RoundPlan& plan);

  private:
    // Preparation
    void SetUp();
    const PoolState& GetPool(std::size_t pool) const;
    static std::size_t GetPoolIndex(std::size_t cluster, NodeIndex from, NodeIndex to);
    /// As GetPoolIndex, but where a link is relayed, of the medium that it takes if that is shared
    std::size_t GetMediumIndex(std::size_t cluster,
                               const LinkState& link,
                               NodeIndex from,
                               NodeIndex to) const;
    void AddChain(std::size_t m, const ChainPlan& chain);
    void AddFlow(std::size_t m, const Transfer& t);
    void AddSums(std::size_t m);
    void SetAcknowledgements(std::size_t m,
                             const Transfer& t,
                             const LinkState& link,
                             PlayedFlow& flow);
    void SetRelay(std::size_t m, const Transfer& t, const LinkState& link, PlayedFlow& flow);
    void SetTurns(std::size_t m, const Transfer& t, double rateBps, PlayedFlow& flow);
    /// @return share of what no scheduler weighs: it takes turns with the medium's own links
    double GetTurnShare(std::size_t m, Phase phase) const;
    int FindFlow(const PlayedChain& chain, NodeIndex from, NodeIndex to) const;
    void SetHops(PlayedChain& played, const ChainPlan& chain) const;
    /// Whether no other chain sends in the media of the chain's training
    bool IsAlone(const PlayedChain& chain) const;

    // Events
    void Push(double timeS, PlayedEvent::Kind kind, std::size_t index, int32_t task);
    void Run();
    void Handle(const PlayedEvent& event);

    // Phases
    void BeginDistribution(std::size_t m);
    /// Begins a phase's transfers from a leg on. @return whether there are any
    bool BeginTransfers(std::size_t m, Phase phase, uint8_t leg);
    void BeginLeg(std::size_t m, Phase phase);
    /// The same for one chain
    void BeginLeg(PlayedCluster& cluster, const PlayedChain& chain, Phase phase);
    void BeginTraining(std::size_t m);
    void EndDelivery(std::size_t m);
    void EndTraining(std::size_t c);

    // A chain's iterations
    void BeginIteration(std::size_t c);
    void EndIteration(std::size_t c);
    void Release(std::size_t c, int32_t task);
    void BeginTask(std::size_t c, int32_t index);
    /// A worker of the edge server begins a pass, or it waits for one.
    void BeginComputation(std::size_t c, int32_t index);
    void Compute(std::size_t c, int32_t index);
    /// A worker has ended a pass.
    void FreeWorker();
    void EndComputation(std::size_t c, int32_t index);

    // Chains that step together
    void EndStage(std::size_t c, uint32_t stage);
    void AddShare(std::size_t m, uint32_t stage);
    void StepStage(std::size_t c);
    void EndSum(std::size_t f);

    // Transfers
    void BeginTransfer(std::size_t f, int32_t task);
    /// The transfer that ends next in a medium does so now.
    void EndShared(std::size_t pool);
    void EndTransfer(std::size_t f);

    // Media
    void Advance(PlayedMedium& medium);
    void Refresh();
    /// (14), (15) among those that send; and the acknowledgements which that causes
    void SetNominal(PlayedMedium& medium);
    void SetRates(PlayedMedium& medium);

    /// The last stage has ended an iteration.
    void EndLastStage(PlayedChain& chain) const;

    // Result
    FluidRound GetResult() const;
    double GetEdgePeriodS(const PlayedCluster& cluster) const;
    void AddLinks(const PlayedChain& chain, const ChainPlan& plan, FluidCluster& cluster) const;
    void AddLink(const Transfer& transfer, const PlayedFlow& flow, FluidCluster& cluster) const;

    const SystemState* m_state{nullptr}; //!< the system
    const RoundPlan* m_plan{nullptr};    //!< the plan
    Ptr<const Schedule> m_schedule;      //!< the plan's
    Ptr<const Schedule> m_kept;          //!< that of the graphs, kept so that it stays itself
    const Schedule* m_graphsOf{nullptr}; //!< whose graphs these are
    std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<PlayedGraph>> m_graphs; //!< by P, N
    double m_slowdown{1};                  //!< of the edge server
    bool m_queues{false};                  //!< whether its passes wait for workers instead
    PlayedWorkers m_workers;               //!< those
    std::vector<Transfer> m_transfers;     //!< of the chain that is added
    std::vector<PlayedFlow> m_flows;       //!< of all chains
    std::vector<PlayedChain> m_chains;     //!< of all clusters
    std::vector<PlayedCluster> m_clusters; //!< all
    /// Uplink, downlink, D2D by cluster, then reservations that are had in turn
    std::vector<PlayedMedium> m_media;
    std::map<Reservation, std::size_t> m_reservations; //!< those, by who has them
    std::vector<PlayedEvent> m_events;                 //!< a heap, the next one first
    std::vector<double> m_load;                        //!< acknowledgements, by pool
    uint64_t m_order{0};                               //!< of the next event
    double m_now{0};                                   //!< seconds from the round's start
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_PLAYER_H */
