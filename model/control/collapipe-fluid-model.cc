/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-model.h"

#include "collapipe-latency-model.h"
#include "collapipe-link-model.h"

#include "ns3/collapipe-schedule.h"
#include "ns3/collapipe-task-graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <tuple>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double NEVER = std::numeric_limits<double>::infinity();
constexpr double LEAST_CAPACITY = 0.05; //!< of a medium, that acknowledgements leave
constexpr int NO_POOL = -1;             //!< a flow with a rate of its own
constexpr int NO_FLOW = -1;             //!< a link without payload

/// The users of one priority; `capacity` is what is left of the medium
double
DivideAmong(std::vector<MediumUser*>& users, double capacity)
{
    bool again = true;
    while (again && !users.empty())
    {
        again = false;
        double weights = 0;
        for (const MediumUser* user : users)
        {
            weights += user->weight;
        }
        const double unit = capacity / weights;
        double capped = 0;
        for (auto user = users.begin(); user != users.end();)
        {
            (*user)->share = unit * (*user)->weight;
            if ((*user)->share > (*user)->cap)
            {
                (*user)->share = (*user)->cap;
                capped += (*user)->cap;
                user = users.erase(user);
                again = true;
            }
            else
            {
                ++user;
            }
        }
        capacity = again ? std::max(0.0, capacity - capped) : 0;
    }
    return capacity;
}

/// A task with what waits for it
struct PlayedTask
{
    Task::Kind kind{Task::FORWARD}; //!< what
    uint16_t stage{0};              //!< where
    int32_t after{Task::NONE};      //!< next on the same stage or link
    int32_t output{Task::NONE};     //!< what needs its result
    uint8_t waits{0};               //!< for how many others it waits
};

/// A task graph in the form in which it is played
struct PlayedGraph
{
    std::vector<PlayedTask> tasks;         //!< all tasks
    std::vector<int32_t> roots;            //!< those that wait for nothing
    std::vector<int32_t> targets;          //!< by micro-batch: the task that needs its targets
    std::vector<uint8_t> waits;            //!< of all tasks
    std::vector<uint8_t> waitsWithTargets; //!< the same, with targets
    uint32_t computations{0};              //!< how many tasks are computations
};

PlayedGraph
MakeGraph(const Schedule& schedule, uint32_t stages, uint32_t microBatches)
{
    std::vector<ActionList> actions;
    for (uint32_t s = 0; s < stages; ++s)
    {
        actions.push_back(schedule.Generate(stages, s, microBatches));
    }
    const TaskGraph graph(actions);
    PlayedGraph played;
    played.targets.assign(microBatches, Task::NONE);
    for (const Task& task : graph.GetTasks())
    {
        const auto own = static_cast<int32_t>(played.tasks.size());
        played.tasks.push_back({task.kind, task.stage, Task::NONE, Task::NONE, 0});
        const bool computes = task.kind == Task::FORWARD || task.kind == Task::BACKWARD;
        played.computations += computes ? 1 : 0;
        if (task.before != Task::NONE)
        {
            played.tasks[task.before].after = own;
            ++played.tasks[own].waits;
        }
        if (task.input != Task::NONE)
        {
            played.tasks[task.input].output = own;
            ++played.tasks[own].waits;
        }
        if (played.tasks[own].waits == 0)
        {
            played.roots.push_back(own);
        }
        played.waits.push_back(played.tasks[own].waits);
        if (task.kind == Task::FORWARD && task.stage + 1U == stages)
        {
            played.targets[task.microBatch] = own;
        }
    }
    played.waitsWithTargets = played.waits;
    for (const int32_t task : played.targets)
    {
        ++played.waitsWithTargets[task];
    }
    return played;
}

/// A directed link in one phase: one transfer at a time
struct Flow
{
    int pool{NO_POOL};            //!< where it competes
    double weight{1};             //!< w
    uint8_t priority{0};          //!< class
    double scaleBps{0};           //!< e B / ln 2
    double snr{0};                //!< p g / (Gamma N0 B)
    bool frequency{false};        //!< (5), else (6)
    double fixedS{0};             //!< time of a transfer where it does not compete
    double duty{1};               //!< part of that time on the air
    double bits{0};               //!< of a transfer, overhead included
    double latencyS{0};           //!< d
    int ackPool{NO_POOL};         //!< of the way back
    double ackPart{0};            //!< ratio over the rate there with the whole medium
    std::size_t chain{0};         //!< index among all chains
    Phase phase{Phase::TRAINING}; //!< when

    int32_t task{Task::NONE}; //!< of the present transfer; negative: targets
    double leftBits{0};       //!< of it
    double nominal{0};        //!< share without acknowledgements
    double share{0};          //!< now
    double rateBps{0};        //!< now
    double begunS{0};         //!< the present transfer
    double busyS{0};          //!< sum of times from start to end
    double airS{0};           //!< sum of times on the air
    double count{0};          //!< transfers

    /// @return (5), (6) at a share
    double GetRateBps(double x) const
    {
        return x <= 0 ? 0 : scaleBps * x * std::log1p(frequency ? snr / x : snr);
    }
};

/// A work-conserving medium
struct Medium
{
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
    double begunS{0};                     //!< the present iteration
    double clippingS{0};                  //!< after each
    bool alone{false};                    //!< nobody else touches its media: iterations are alike
};

/// A cluster's way through the round
struct PlayedCluster
{
    std::size_t firstChain{0}; //!< its chains are in a row
    std::size_t chains{0};     //!< how many
    std::size_t waiting{0};    //!< transfers, or chains, that its phase waits for
    double distributionS{0};   //!< end of the distribution
    double trainingS{0};       //!< end of the last iteration
    double endS{0};            //!< end of the upload
    bool trained{false};       //!< the last iteration is over
};

/// Something that happens at a time known in advance
struct Event
{
    /// What happens
    enum Kind : uint8_t
    {
        COMPUTED,  //!< a computation ends
        CARRIED,   //!< a transfer with a rate of its own ends
        ARRIVED,   //!< the result of a transfer is there
        TARGETED,  //!< a micro-batch's targets are there
        DELIVERED, //!< parameters are there
        ITERATE,   //!< a chain begins an iteration
    };

    double timeS{0};      //!< when
    uint64_t order{0};    //!< breaks ties: first come, first served
    Kind kind{COMPUTED};  //!< what
    std::size_t index{0}; //!< chain or flow
    int32_t task{0};      //!< task or micro-batch

    /// @return whether this comes after the other
    bool operator<(const Event& other) const
    {
        return timeS != other.timeS ? timeS > other.timeS : order > other.order;
    }
};

} // namespace

void
DivideMedium(std::vector<MediumUser>& users, double capacity)
{
    std::vector<uint8_t> priorities;
    for (const auto& user : users)
    {
        priorities.push_back(user.priority);
    }
    std::sort(priorities.rbegin(), priorities.rend());
    priorities.erase(std::unique(priorities.begin(), priorities.end()), priorities.end());
    for (const uint8_t priority : priorities)
    {
        std::vector<MediumUser*> own;
        for (auto& user : users)
        {
            if (user.priority == priority)
            {
                own.push_back(&user);
            }
        }
        capacity = DivideAmong(own, capacity);
    }
}

std::string
ToString(Sharing sharing)
{
    return sharing == Sharing::RESERVED ? "reserved" : "work-conserving";
}

bool
IsWorkConserving(const SystemState& state)
{
    const auto works = [](const PoolState& pool) {
        return pool.mode != SharingMode::DEDICATED && pool.sharing == Sharing::WORK_CONSERVING;
    };
    return works(state.uplink) || works(state.downlink) ||
           std::any_of(state.clusters.begin(), state.clusters.end(), [&](const auto& cluster) {
               return works(cluster.d2d);
           });
}

/// Plays one round
class FluidModel::Player
{
  public:
    FluidRound Play(const SystemState& state, const RoundPlan& plan)
    {
        m_state = &state;
        m_plan = &plan;
        SetUp();
        for (std::size_t m = 0; m < m_clusters.size(); ++m)
        {
            BeginDistribution(m);
        }
        Run();
        return GetResult();
    }

  private:
    // Preparation
    void SetUp()
    {
        m_flows.clear();
        m_chains.clear();
        m_clusters.assign(m_plan->clusters.size(), PlayedCluster());
        m_events.clear();
        m_order = 0;
        m_now = 0;
        m_media.assign(2 + m_clusters.size(), Medium());
        for (std::size_t p = 0; p < m_media.size(); ++p)
        {
            m_media[p].free = GetPool(p).GetFreePart();
            m_media[p].acks.assign(m_media.size(), 0);
        }
        m_schedule = GetSchedule(m_plan->schedule);
        if (PeekPointer(m_schedule) != m_graphsOf)
        {
            m_graphs.clear();
            m_kept = m_schedule;
            m_graphsOf = PeekPointer(m_schedule);
        }
        std::size_t pipelines = 0;
        for (const auto& cluster : m_plan->clusters)
        {
            for (const auto& chain : cluster.chains)
            {
                pipelines += chain.stages.back().node == EDGE_SERVER ? 1 : 0;
            }
        }
        m_slowdown = GetEdgeSlowdown(m_state->edge, pipelines);
        for (std::size_t m = 0; m < m_clusters.size(); ++m)
        {
            m_clusters[m].firstChain = m_chains.size();
            m_clusters[m].chains = m_plan->clusters[m].chains.size();
            for (const auto& chain : m_plan->clusters[m].chains)
            {
                AddChain(m, chain);
            }
        }
    }

    const PoolState& GetPool(std::size_t pool) const
    {
        return pool == 0   ? m_state->uplink
               : pool == 1 ? m_state->downlink
                           : m_state->clusters[pool - 2].d2d;
    }

    static std::size_t GetPoolIndex(std::size_t cluster, NodeIndex from, NodeIndex to)
    {
        switch (collapipe::GetPool(from, to))
        {
        case Pool::UPLINK:
            return 0;
        case Pool::DOWNLINK:
            return 1;
        case Pool::D2D:
            break;
        }
        return 2 + cluster;
    }

    void AddChain(std::size_t m, const ChainPlan& chain)
    {
        PlayedChain played;
        played.cluster = m;
        const auto stages = static_cast<uint32_t>(chain.stages.size());
        auto& graph = m_graphs[{stages, chain.microBatches}];
        if (!graph)
        {
            graph =
                std::make_unique<PlayedGraph>(MakeGraph(*m_schedule, stages, chain.microBatches));
        }
        played.graph = graph.get();
        for (const auto& stage : chain.stages)
        {
            played.stages.push_back(GetStageTimes(*m_state, m, chain, stage, m_slowdown));
        }
        played.iterations = m_plan->localIterations;
        played.clippingS =
            m_state->training.clipping ? GetClippingTimeS(m_state->clusters[m], chain) : 0;
        played.firstFlow = m_flows.size();
        m_transfers = ListTransfers(m_state->model, ClusterPlan{{chain}, {}});
        for (const auto& transfer : m_transfers)
        {
            AddFlow(m, transfer);
        }
        played.flows = m_flows.size() - played.firstFlow;
        SetHops(played, chain);
        played.alone = IsAlone(played);
        m_chains.push_back(std::move(played));
    }

    void AddFlow(std::size_t m, const Transfer& t)
    {
        const LinkState& link = *FindLinkState(m_state->clusters[m], t.from, t.to);
        const std::size_t index = GetPoolIndex(m, t.from, t.to);
        const PoolState& pool = GetPool(index);
        double share = 1;
        double power = link.maxPowerW;
        Flow flow;
        for (const auto& own : m_plan->clusters[m].links)
        {
            if (own.phase == t.phase && own.from == t.from && own.to == t.to)
            {
                share = own.share;
                power = own.powerW;
                flow.priority = pool.priorities ? own.priority : 0;
                break;
            }
        }
        flow.chain = m_chains.size();
        flow.phase = t.phase;
        flow.bits = t.bits + link.overheadBits;
        flow.latencyS = link.latencyS;
        flow.weight = share;
        if (pool.mode == SharingMode::DEDICATED || pool.sharing == Sharing::RESERVED)
        {
            flow.fixedS = flow.bits / GetRateBps(link, pool, share, power);
            flow.duty = pool.mode == SharingMode::AIRTIME ? share * pool.GetFreePart() : 1;
            m_flows.push_back(flow);
            return;
        }
        flow.pool = static_cast<int>(index);
        flow.frequency = pool.mode == SharingMode::FREQUENCY;
        flow.scaleBps = link.efficiency * pool.bandwidthHz / std::log(2.0);
        flow.snr = power * link.gain / (link.snrGap * link.noiseDensityWPerHz * pool.bandwidthHz);
        SetAcknowledgements(m, t, link, flow);
        m_flows.push_back(flow);
    }

    void SetAcknowledgements(std::size_t m, const Transfer& t, const LinkState& link, Flow& flow)
    {
        const LinkState* back = FindLinkState(m_state->clusters[m], t.to, t.from);
        const std::size_t index = GetPoolIndex(m, t.to, t.from);
        const PoolState& pool = GetPool(index);
        if (link.acknowledgementRatio <= 0 || !back || pool.mode == SharingMode::DEDICATED ||
            pool.sharing == Sharing::RESERVED)
        {
            return;
        }
        PoolState whole = pool;
        whole.background = 0;
        flow.ackPool = static_cast<int>(index);
        flow.ackPart = link.acknowledgementRatio / GetRateBps(*back, whole, 1, back->maxPowerW);
    }

    int FindFlow(const PlayedChain& chain, NodeIndex from, NodeIndex to) const
    {
        for (std::size_t i = 0; i < m_transfers.size(); ++i)
        {
            const Transfer& t = m_transfers[i];
            if (t.phase == Phase::TRAINING && t.from == from && t.to == to)
            {
                return static_cast<int>(chain.firstFlow + i);
            }
        }
        return NO_FLOW;
    }

    void SetHops(PlayedChain& played, const ChainPlan& chain) const
    {
        const auto& stages = chain.stages;
        for (std::size_t s = 0; s + 1 < stages.size(); ++s)
        {
            const NodeIndex here = stages[s].node;
            const NodeIndex next = stages[s + 1].node;
            played.hops.push_back({FindFlow(played, here, next), FindFlow(played, next, here)});
        }
        if (stages.size() > 2 && stages.back().node == EDGE_SERVER)
        {
            played.target = FindFlow(played, stages.front().node, EDGE_SERVER);
        }
    }

    /// Whether no other chain sends in the media of the chain's training
    bool IsAlone(const PlayedChain& chain) const
    {
        const bool single = m_plan->clusters.size() == 1;
        bool alone = m_plan->clusters[chain.cluster].chains.size() == 1;
        for (std::size_t f = chain.firstFlow; f < chain.firstFlow + chain.flows; ++f)
        {
            const Flow& flow = m_flows[f];
            const bool shared =
                flow.pool == 0 || flow.pool == 1 || flow.ackPool == 0 || flow.ackPool == 1;
            alone = alone && (single || !shared || flow.phase != Phase::TRAINING);
        }
        return alone;
    }

    // Events
    void Push(double timeS, Event::Kind kind, std::size_t index, int32_t task)
    {
        m_events.push_back({timeS, m_order++, kind, index, task});
        std::push_heap(m_events.begin(), m_events.end());
    }

    void Run()
    {
        while (true)
        {
            Refresh();
            std::size_t pool = m_media.size();
            double first = NEVER;
            for (std::size_t p = 0; p < m_media.size(); ++p)
            {
                if (m_media[p].nextS < first)
                {
                    first = m_media[p].nextS;
                    pool = p;
                }
            }
            if (!m_events.empty() && m_events.front().timeS <= first)
            {
                std::pop_heap(m_events.begin(), m_events.end());
                const Event event = m_events.back();
                m_events.pop_back();
                m_now = event.timeS;
                Handle(event);
            }
            else if (pool < m_media.size())
            {
                m_now = first;
                EndShared(pool);
            }
            else
            {
                return;
            }
        }
    }

    void Handle(const Event& event)
    {
        switch (event.kind)
        {
        case Event::COMPUTED:
            EndComputation(event.index, event.task);
            break;
        case Event::CARRIED:
            m_flows[event.index].airS += m_flows[event.index].fixedS * m_flows[event.index].duty;
            EndTransfer(event.index);
            break;
        case Event::ARRIVED:
            Release(event.index, m_chains[event.index].graph->tasks[event.task].output);
            break;
        case Event::TARGETED:
            Release(event.index, m_chains[event.index].graph->targets[event.task]);
            break;
        case Event::DELIVERED:
            EndDelivery(m_chains[event.index].cluster);
            break;
        case Event::ITERATE:
            BeginIteration(event.index);
            break;
        }
    }

    // Phases
    void BeginDistribution(std::size_t m)
    {
        if (!BeginTransfers(m, Phase::DISTRIBUTION))
        {
            BeginTraining(m);
        }
    }

    /// @return whether there are any
    bool BeginTransfers(std::size_t m, Phase phase)
    {
        PlayedCluster& cluster = m_clusters[m];
        cluster.waiting = 0;
        for (std::size_t c = cluster.firstChain; c < cluster.firstChain + cluster.chains; ++c)
        {
            for (std::size_t f = m_chains[c].firstFlow;
                 f < m_chains[c].firstFlow + m_chains[c].flows;
                 ++f)
            {
                if (m_flows[f].phase == phase)
                {
                    ++cluster.waiting;
                    BeginTransfer(f, 0);
                }
            }
        }
        return cluster.waiting > 0;
    }

    void BeginTraining(std::size_t m)
    {
        PlayedCluster& cluster = m_clusters[m];
        cluster.distributionS = m_now;
        cluster.waiting = cluster.chains;
        for (std::size_t c = cluster.firstChain; c < cluster.firstChain + cluster.chains; ++c)
        {
            Push(m_now, Event::ITERATE, c, 0);
        }
    }

    void EndDelivery(std::size_t m)
    {
        PlayedCluster& cluster = m_clusters[m];
        if (--cluster.waiting > 0)
        {
            return;
        }
        if (cluster.trained)
        {
            cluster.endS = m_now;
            return;
        }
        BeginTraining(m);
    }

    void EndTraining(std::size_t m)
    {
        PlayedCluster& cluster = m_clusters[m];
        if (--cluster.waiting > 0)
        {
            return;
        }
        cluster.trained = true;
        cluster.trainingS = m_now;
        cluster.endS = m_now;
        BeginTransfers(m, Phase::UPLOAD);
    }

    // A chain's iterations
    void BeginIteration(std::size_t c)
    {
        PlayedChain& chain = m_chains[c];
        if (chain.iterations == 0)
        {
            EndTraining(chain.cluster);
            return;
        }
        --chain.iterations;
        chain.begunS = m_now;
        chain.left = chain.graph->computations;
        const bool targets = chain.target != NO_FLOW;
        chain.waits = targets ? chain.graph->waitsWithTargets : chain.graph->waits;
        if (targets)
        {
            BeginTransfer(chain.target, -1);
        }
        for (const int32_t root : chain.graph->roots)
        {
            if (chain.waits[root] == 0)
            {
                BeginTask(c, root);
            }
        }
    }

    void EndIteration(std::size_t c)
    {
        PlayedChain& chain = m_chains[c];
        double next = m_now + chain.clippingS;
        if (chain.alone && chain.iterations > 0)
        {
            // All are alike: what this one took, the others take too
            const double times = chain.iterations;
            next += times * (next - chain.begunS);
            for (std::size_t f = chain.firstFlow; f < chain.firstFlow + chain.flows; ++f)
            {
                Flow& flow = m_flows[f];
                const double factor = flow.phase == Phase::TRAINING ? 1 + times : 1;
                flow.busyS *= factor;
                flow.airS *= factor;
                flow.count *= factor;
            }
            chain.iterations = 0;
        }
        Push(next, Event::ITERATE, c, 0);
    }

    void Release(std::size_t c, int32_t task)
    {
        if (task != Task::NONE && --m_chains[c].waits[task] == 0)
        {
            BeginTask(c, task);
        }
    }

    void BeginTask(std::size_t c, int32_t index)
    {
        const PlayedChain& chain = m_chains[c];
        const PlayedTask& task = chain.graph->tasks[index];
        switch (task.kind)
        {
        case Task::FORWARD:
            Push(m_now + chain.stages[task.stage].forwardS, Event::COMPUTED, c, index);
            return;
        case Task::BACKWARD:
            Push(m_now + chain.stages[task.stage].backwardS, Event::COMPUTED, c, index);
            return;
        case Task::LINK_FORWARD:
        case Task::LINK_BACKWARD:
            break;
        }
        const int flow = chain.hops[task.stage][task.kind == Task::LINK_FORWARD ? 0 : 1];
        if (flow == NO_FLOW)
        {
            Release(c, task.after);
            Release(c, task.output);
            return;
        }
        BeginTransfer(static_cast<std::size_t>(flow), index);
    }

    void EndComputation(std::size_t c, int32_t index)
    {
        PlayedChain& chain = m_chains[c];
        const PlayedTask& task = chain.graph->tasks[index];
        Release(c, task.after);
        Release(c, task.output);
        if (--chain.left == 0)
        {
            EndIteration(c);
        }
    }

    // Transfers
    void BeginTransfer(std::size_t f, int32_t task)
    {
        Flow& flow = m_flows[f];
        flow.task = task;
        flow.begunS = m_now;
        if (flow.pool == NO_POOL)
        {
            Push(m_now + flow.fixedS, Event::CARRIED, f, 0);
            return;
        }
        Medium& medium = m_media[flow.pool];
        Advance(medium);
        flow.leftBits = flow.bits;
        flow.rateBps = 0;
        medium.active.push_back(f);
        medium.dirty = true;
    }

    /// The transfer that ends next in a medium does so now.
    void EndShared(std::size_t pool)
    {
        Medium& medium = m_media[pool];
        Advance(medium);
        const std::size_t f = medium.nextFlow;
        m_flows[f].leftBits = 0;
        medium.active.erase(std::find(medium.active.begin(), medium.active.end(), f));
        medium.dirty = true;
        EndTransfer(f);
    }

    void EndTransfer(std::size_t f)
    {
        Flow& flow = m_flows[f];
        flow.busyS += m_now - flow.begunS;
        flow.count += 1;
        const double arrival = m_now + flow.latencyS;
        const std::size_t c = flow.chain;
        if (flow.phase != Phase::TRAINING)
        {
            Push(arrival, Event::DELIVERED, c, 0);
            return;
        }
        if (flow.task < 0)
        {
            const int32_t i = -1 - flow.task;
            Push(arrival, Event::TARGETED, c, i);
            if (static_cast<std::size_t>(i) + 1 < m_chains[c].graph->targets.size())
            {
                BeginTransfer(f, flow.task - 1);
            }
            return;
        }
        const int32_t index = flow.task;
        Push(arrival, Event::ARRIVED, c, index);
        Release(c, m_chains[c].graph->tasks[index].after);
    }

    // Media
    void Advance(Medium& medium)
    {
        const double passed = m_now - medium.sinceS;
        medium.sinceS = m_now;
        for (std::size_t i = 0; i < medium.active.size() && passed > 0; ++i)
        {
            Flow& flow = m_flows[medium.active[i]];
            flow.leftBits = std::max(0.0, flow.leftBits - flow.rateBps * passed);
            flow.airS += (flow.frequency ? (flow.rateBps > 0 ? 1 : 0) : flow.share) * passed;
        }
    }

    void Refresh()
    {
        for (auto& medium : m_media)
        {
            if (medium.dirty)
            {
                SetNominal(medium);
            }
        }
        for (std::size_t p = 0; p < m_media.size(); ++p)
        {
            if (m_media[p].dirty || m_media[p].stale)
            {
                SetRates(m_media[p]);
            }
        }
    }

    /// (14), (15) among those that send; and the acknowledgements which that causes
    void SetNominal(Medium& medium)
    {
        const std::size_t own = static_cast<std::size_t>(&medium - m_media.data());
        uint8_t highest = 0;
        for (const std::size_t f : medium.active)
        {
            highest = std::max(highest, m_flows[f].priority);
        }
        double weights = 0;
        for (const std::size_t f : medium.active)
        {
            weights += m_flows[f].priority == highest ? m_flows[f].weight : 0;
        }
        m_load.assign(m_media.size(), 0);
        for (const std::size_t f : medium.active)
        {
            Flow& flow = m_flows[f];
            flow.nominal = flow.priority == highest ? medium.free * flow.weight / weights : 0;
            if (flow.ackPool != NO_POOL)
            {
                m_load[flow.ackPool] += flow.ackPart * flow.GetRateBps(flow.nominal);
            }
        }
        for (std::size_t p = 0; p < m_media.size(); ++p)
        {
            double& acks = m_media[p].acks[own];
            m_media[p].stale = m_media[p].stale || acks != m_load[p];
            acks = m_load[p];
        }
    }

    void SetRates(Medium& medium)
    {
        Advance(medium);
        medium.dirty = medium.stale = false;
        double acks = 0;
        for (const double part : medium.acks)
        {
            acks += part;
        }
        const double capacity = std::max(LEAST_CAPACITY * medium.free, medium.free - acks);
        const double scale = medium.free > 0 ? capacity / medium.free : 0;
        medium.nextS = NEVER;
        for (const std::size_t f : medium.active)
        {
            Flow& flow = m_flows[f];
            flow.share = scale * flow.nominal;
            flow.rateBps = flow.GetRateBps(flow.share);
            const double end =
                flow.rateBps > 0 ? medium.sinceS + flow.leftBits / flow.rateBps : NEVER;
            if (end < medium.nextS)
            {
                medium.nextS = end;
                medium.nextFlow = f;
            }
        }
    }

    FluidRound GetResult() const
    {
        FluidRound round;
        for (std::size_t m = 0; m < m_clusters.size(); ++m)
        {
            const PlayedCluster& own = m_clusters[m];
            FluidCluster cluster;
            cluster.distributionS = own.distributionS;
            cluster.trainingS = own.trainingS - own.distributionS;
            cluster.uploadS = own.endS - own.trainingS;
            cluster.totalS = own.endS;
            for (std::size_t c = own.firstChain; c < own.firstChain + own.chains; ++c)
            {
                AddLinks(m_chains[c], m_plan->clusters[m].chains[c - own.firstChain], cluster);
            }
            round.latencyS = std::max(round.latencyS, cluster.totalS);
            round.clusters.push_back(std::move(cluster));
        }
        return round;
    }

    void AddLinks(const PlayedChain& chain, const ChainPlan& plan, FluidCluster& cluster) const
    {
        const auto transfers = ListTransfers(m_state->model, ClusterPlan{{plan}, {}});
        for (std::size_t i = 0; i < transfers.size(); ++i)
        {
            const Flow& flow = m_flows[chain.firstFlow + i];
            const double mean = flow.count > 0 ? flow.busyS / flow.count : 0;
            cluster.links.push_back({transfers[i], flow.count, mean, flow.airS});
        }
    }

    const SystemState* m_state{nullptr}; //!< the system
    const RoundPlan* m_plan{nullptr};    //!< the plan
    Ptr<const Schedule> m_schedule;      //!< the plan's
    Ptr<const Schedule> m_kept;          //!< that of the graphs, kept so that it stays itself
    const Schedule* m_graphsOf{nullptr}; //!< whose graphs these are
    std::map<std::pair<uint32_t, uint32_t>, std::unique_ptr<PlayedGraph>> m_graphs; //!< by P, N
    double m_slowdown{1};                  //!< of the edge server
    std::vector<Transfer> m_transfers;     //!< of the chain that is added
    std::vector<Flow> m_flows;             //!< of all chains
    std::vector<PlayedChain> m_chains;     //!< of all clusters
    std::vector<PlayedCluster> m_clusters; //!< all
    std::vector<Medium> m_media;           //!< uplink, downlink, D2D by cluster
    std::vector<Event> m_events;           //!< a heap, the next one first
    std::vector<double> m_load;            //!< acknowledgements, by pool
    uint64_t m_order{0};                   //!< of the next event
    double m_now{0};                       //!< seconds from the round's start
};

FluidModel::FluidModel()
    : m_player(std::make_unique<Player>())
{
}

FluidModel::~FluidModel() = default;

FluidRound
FluidModel::Play(const SystemState& state, const RoundPlan& plan)
{
    return m_player->Play(state, plan);
}

} // namespace collapipe
} // namespace ns3
