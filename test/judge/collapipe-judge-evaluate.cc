/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-judge-model.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace ns3
{
namespace collapipe
{
namespace judge
{

namespace
{

constexpr double TOLERANCE = 1e-9; //!< of shares, powers and memory

/// A task of the 1F1B graph: a stage's work on a micro-batch
struct Task
{
    bool backward{false}; //!< direction
    std::size_t stage{0}; //!< index among the stages of its direction
    double duration{0};   //!< s
    double end{-1};       //!< completion; negative while not known
    int critical{-1};     //!< task that it waited for last
};

/// The 1F1B task graph, evaluated task by task
class TaskGraph
{
  public:
    TaskGraph(const ClusterProblem& problem,
              const std::vector<double>& forward,
              const std::vector<double>& backward,
              double target)
        : m_problem(problem),
          m_stages(forward.size()),
          m_count(static_cast<uint32_t>(problem.microBatches)),
          m_target(target)
    {
        for (const bool back : {false, true})
        {
            for (std::size_t s = 0; s < m_stages; ++s)
            {
                for (uint32_t j = 0; j < m_count; ++j)
                {
                    m_tasks.push_back({back, s, back ? backward[s] : forward[s], -1, -1});
                }
            }
        }
    }

    LongestPath Solve()
    {
        const std::vector<std::vector<int>> servers = Servers();
        std::vector<std::size_t> next(servers.size(), 0);
        for (bool progress = true; progress;)
        {
            progress = false;
            for (std::size_t i = 0; i < servers.size(); ++i)
            {
                while (next[i] < servers[i].size() &&
                       TryRun(servers[i][next[i]], next[i] > 0 ? servers[i][next[i] - 1] : -1))
                {
                    ++next[i];
                    progress = true;
                }
            }
        }
        return Trace();
    }

  private:
    int Id(bool back, std::size_t stage, uint32_t j) const
    {
        return static_cast<int>(((back ? m_stages : 0) + stage) * m_count + j);
    }

    /// The order of tasks on every server: compute stages, then links
    std::vector<std::vector<int>> Servers() const
    {
        std::vector<std::vector<int>> servers;
        const auto isCompute = [](const Stage& s) { return s.kind == StageKind::COMPUTE; };
        const auto computes = static_cast<std::size_t>(
            std::count_if(m_problem.forward.begin(), m_problem.forward.end(), isCompute));
        std::size_t number = 0;
        for (std::size_t s = 0; s < m_stages; ++s)
        {
            if (isCompute(m_problem.forward[s]))
            {
                servers.push_back(ComputeOrder(s, ++number, computes));
            }
            else
            {
                AddServers(servers, false, s);
            }
            if (!isCompute(m_problem.backward[s]))
            {
                AddServers(servers, true, s);
            }
        }
        return servers;
    }

    /// One server for a link, one per micro-batch for a latency
    void AddServers(std::vector<std::vector<int>>& servers, bool back, std::size_t stage) const
    {
        const Stage& own = (back ? m_problem.backward : m_problem.forward)[stage];
        for (uint32_t j = 0; j < m_count; ++j)
        {
            if (j == 0 || own.kind == StageKind::LATENCY)
            {
                servers.emplace_back();
            }
            servers.back().push_back(Id(back, stage, j));
        }
    }

    /// @return warm-up forwards, forward and backward in turn, remaining backwards
    std::vector<int> ComputeOrder(std::size_t stage, std::size_t s, std::size_t computes) const
    {
        const std::size_t mirrored = m_stages - 1 - stage;
        const auto warmUp = static_cast<uint32_t>(std::min<std::size_t>(m_count, computes - s));
        std::vector<int> order;
        for (uint32_t j = 0; j < warmUp; ++j)
        {
            order.push_back(Id(false, stage, j));
        }
        for (uint32_t j = 0; j < m_count; ++j)
        {
            if (j + warmUp < m_count)
            {
                order.push_back(Id(false, stage, j + warmUp));
            }
            order.push_back(Id(true, mirrored, j));
        }
        return order;
    }

    /// @return what a task waits for besides its server; -1 where nothing
    int Predecessor(int id) const
    {
        const Task& task = m_tasks[id];
        if (task.stage > 0)
        {
            return id - static_cast<int>(m_count);
        }
        return task.backward ? Id(false, m_stages - 1, id % m_count) : -1;
    }

    bool TryRun(int id, int before)
    {
        Task& task = m_tasks[id];
        double start = 0;
        for (const int wait : {before, Predecessor(id)})
        {
            if (wait >= 0 && m_tasks[wait].end < 0)
            {
                return false;
            }
            if (wait >= 0 && m_tasks[wait].end > start)
            {
                start = m_tasks[wait].end;
                task.critical = wait;
            }
        }
        const bool decoder = !task.backward && task.stage + 1 == m_stages;
        const double targets = m_target * (id % m_count + 1) + m_problem.targetLatencyS;
        if (decoder && m_target > 0 && targets > start)
        {
            start = targets;
            task.critical = -1;
        }
        task.end = start + task.duration;
        return true;
    }

    LongestPath Trace() const
    {
        LongestPath path;
        path.forward.assign(m_stages, 0);
        path.backward.assign(m_stages, 0);
        int id = 0;
        for (std::size_t i = 0; i < m_tasks.size(); ++i)
        {
            id = m_tasks[i].end > m_tasks[id].end ? static_cast<int>(i) : id;
        }
        path.lengthS = m_tasks[id].end;
        for (;; id = m_tasks[id].critical)
        {
            const Task& task = m_tasks[id];
            (task.backward ? path.backward : path.forward)[task.stage] += 1;
            if (task.critical < 0)
            {
                const bool waited = task.end > task.duration;
                path.target = waited ? id % m_count + 1 : 0;
                return path;
            }
        }
    }

    const ClusterProblem& m_problem; //!< kinds of stages
    std::size_t m_stages;            //!< forward stages, links and latencies included
    uint32_t m_count;                //!< N
    double m_target;                 //!< time of one target transfer
    std::vector<Task> m_tasks;       //!< all tasks, by Id()
};

/// One direction of (3)
double
FlowShop(const std::vector<Stage>& stages, const std::vector<double>& times, double microBatches)
{
    double longest = 0;
    for (std::size_t s = 0; s < stages.size(); ++s)
    {
        longest = stages[s].kind == StageKind::LATENCY ? longest : std::max(longest, times[s]);
    }
    return std::accumulate(times.begin(), times.end(), 0.0) + (microBatches - 1) * longest;
}

/// The two paths of the forward pass that begin with targets and end with the decoder
double
TargetPaths(double target, double decoder, double microBatches)
{
    return target + decoder + (microBatches - 1) * std::max(target, decoder);
}

/// Reads a plan and evaluates it
class Evaluator
{
  public:
    Evaluator(const Instance& instance, const RoundPlan& plan)
        : m_instance(instance),
          m_plan(plan)
    {
    }

    Evaluation Run()
    {
        if (m_plan.clusters.size() != m_instance.state.clusters.size())
        {
            m_result.error = "wrong number of clusters";
            return m_result;
        }
        m_shared.assign(2 * 3, 0);
        for (std::size_t m = 0; m < m_plan.clusters.size() && m_result.error.empty(); ++m)
        {
            AddCluster(m);
        }
        CheckPools(m_shared);
        if (m_result.error.empty())
        {
            m_result.latencyS =
                *std::max_element(m_result.clusterLatencyS.begin(), m_result.clusterLatencyS.end());
            m_result.cost += m_instance.penaltyWeight * m_result.latencyS;
            m_result.objective = m_result.cost - ConstantPart(m_instance);
        }
        return m_result;
    }

  private:
    void Fail(const std::string& what)
    {
        m_result.error = m_result.error.empty() ? what : m_result.error;
    }

    void CheckPools(const std::vector<double>& sums)
    {
        if (std::any_of(sums.begin(), sums.end(), [](double s) { return s > 1 + TOLERANCE; }))
        {
            Fail("shares of a pool sum to more than 1");
        }
    }

    /// The discrete decisions, read from the chain
    Candidate ReadCandidate(std::size_t m)
    {
        Candidate candidate;
        if (m_plan.clusters[m].chains.size() != 1)
        {
            Fail("a cluster does not have one chain");
            return candidate;
        }
        const ChainPlan& chain = m_plan.clusters[m].chains[0];
        candidate.pair = {chain.microBatches, chain.microBatchSize};
        uint32_t next = 0;
        for (std::size_t i = 0; i < chain.stages.size(); ++i)
        {
            const StagePlan& stage = chain.stages[i];
            const bool first = i == 0;
            const bool last = i + 1 == chain.stages.size();
            if (first != (stage.node == CONTROL_UNIT) || last != (stage.node == EDGE_SERVER) ||
                stage.firstBlock != next)
            {
                Fail("the chain is not control unit, devices, edge server in order");
                return candidate;
            }
            next = stage.lastBlock;
            if (!first && !last && stage.GetBlocks() > 0)
            {
                candidate.chain.push_back({std::size_t{stage.node} - 1u, stage.GetBlocks()});
            }
        }
        if (next != m_instance.state.model.blocks)
        {
            Fail("the chain does not hold the whole model");
        }
        return candidate;
    }

    /// Whether the candidate is among the admissible ones
    bool IsAdmissible(std::size_t m, const Candidate& candidate) const
    {
        const std::vector<Candidate> all = EnumerateCandidates(m_instance, m);
        return std::any_of(all.begin(), all.end(), [&](const Candidate& c) {
            return c.pair.count == candidate.pair.count && c.pair.size == candidate.pair.size &&
                   c.chain.size() == candidate.chain.size() &&
                   std::equal(c.chain.begin(),
                              c.chain.end(),
                              candidate.chain.begin(),
                              [](const Placement& a, const Placement& b) {
                                  return a.device == b.device && a.blocks == b.blocks;
                              });
        });
    }

    void AddCluster(std::size_t m)
    {
        const Candidate candidate = ReadCandidate(m);
        if (!m_result.error.empty())
        {
            return;
        }
        if (!IsAdmissible(m, candidate))
        {
            Fail("the chain breaks a memory limit, uses a dead link or a pair that is not allowed");
            return;
        }
        const ClusterProblem problem = MakeClusterProblem(m_instance, m, candidate);
        m_result.energyJ.push_back(problem.computeEnergyJ);
        std::vector<double> airtime;
        std::vector<double> d2d(3, 0);
        for (const Transmission& t : problem.transmissions)
        {
            airtime.push_back(ReadLink(m, t, d2d));
        }
        CheckPools(d2d);
        AddTimes(problem, airtime);
        m_result.cost += problem.phiCost;
        for (std::size_t node = 0; node < m_result.energyJ[m].size(); ++node)
        {
            m_result.cost += m_instance.GetEnergyPrice(m, node) * m_result.energyJ[m][node];
        }
    }

    /// Books share and energy of one link; @return its airtime
    double ReadLink(std::size_t m, const Transmission& t, std::vector<double>& d2d)
    {
        LinkPlan link{t.phase, t.from, t.to, 1, t.link.maxPowerW};
        const auto& links = m_plan.clusters[m].links;
        const auto found = std::find_if(links.begin(), links.end(), [&](const LinkPlan& l) {
            return l.phase == t.phase && l.from == t.from && l.to == t.to;
        });
        if (t.mode != SharingMode::DEDICATED)
        {
            if (found == links.end())
            {
                Fail("a link has no share");
                return 0;
            }
            link = *found;
            // the edge server's power is fixed
            link.powerW = t.from == EDGE_SERVER ? t.link.maxPowerW : link.powerW;
            const auto phase = static_cast<std::size_t>(t.phase);
            (t.pool == 2 ? d2d[phase] : m_shared[2 * phase + t.pool]) += link.share;
        }
        if (!(link.share > 0 && link.powerW <= t.link.maxPowerW * (1 + TOLERANCE)) ||
            (t.mode != SharingMode::DEDICATED && !(link.powerW > 0)))
        {
            Fail("a share or a power is out of range");
        }
        if (t.from != EDGE_SERVER)
        {
            m_result.energyJ[m][t.from] += t.count * t.EnergyJ(link.share, link.powerW);
        }
        return t.AirtimeS(link.share, link.powerW);
    }

    void AddTimes(const ClusterProblem& problem, const std::vector<double>& airtime)
    {
        const auto time = [&](const Stage& stage) {
            return stage.constantS + (stage.transmission >= 0 ? airtime[stage.transmission] : 0);
        };
        const auto times = [&](const std::vector<Stage>& stages) {
            std::vector<double> result;
            std::transform(stages.begin(), stages.end(), std::back_inserter(result), time);
            return result;
        };
        const auto slowest = [&](const std::vector<int>& which) {
            double most = 0;
            for (const int i : which)
            {
                most = std::max(most, problem.transmissions[i].link.latencyS + airtime[i]);
            }
            return most;
        };
        const double target = problem.hasTarget ? time(problem.target) : 0;
        const double iteration =
            IterationTimeS(problem, times(problem.forward), times(problem.backward), target);
        m_result.iterationS.push_back(iteration);
        double latency = problem.iterations * iteration;
        for (const std::vector<int>& leg : problem.legs)
        {
            latency += slowest(leg);
        }
        m_result.clusterLatencyS.push_back(latency);
    }

    const Instance& m_instance;   //!< the problem
    const RoundPlan& m_plan;      //!< the plan
    std::vector<double> m_shared; //!< sums of shares: [2 phase] uplink, [2 phase + 1] downlink
    Evaluation m_result;          //!< the result
};

} // namespace

LongestPath
OneForwardOneBackwardPath(const ClusterProblem& problem,
                          const std::vector<double>& forward,
                          const std::vector<double>& backward,
                          double target)
{
    return TaskGraph(problem, forward, backward, target).Solve();
}

double
IterationTimeS(const ClusterProblem& problem,
               const std::vector<double>& forward,
               const std::vector<double>& backward,
               double target)
{
    if (problem.oneForwardOneBackward)
    {
        return OneForwardOneBackwardPath(problem, forward, backward, target).lengthS;
    }
    const double chain = FlowShop(problem.forward, forward, problem.microBatches);
    const double targets =
        problem.targetLatencyS + TargetPaths(target, forward.back(), problem.microBatches);
    return std::max(chain, problem.hasTarget ? targets : 0) +
           FlowShop(problem.backward, backward, problem.microBatches);
}

Evaluation
EvaluatePlan(const Instance& instance, const RoundPlan& plan)
{
    return Evaluator(instance, plan).Run();
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
