/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-reference.h"

#include "collapipe-fluid-reference-air.h"
#include "collapipe-fluid-reference-links.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace ns3
{
namespace collapipe
{
namespace judge
{

namespace
{

constexpr double FAR = std::numeric_limits<double>::infinity();

/// A pass of a micro-batch
struct Pass
{
    bool forward{true};
    uint32_t number{0};
};

/// The actions of a stage, from the schedules' definitions
std::deque<Pass>
ListPasses(const std::string& schedule, uint32_t stages, uint32_t stage, uint32_t n)
{
    std::deque<Pass> list;
    const uint32_t first = schedule == "1f1b" ? std::min(n, stages - stage) : n;
    uint32_t forwards = 0;
    uint32_t backwards = 0;
    while (forwards < first)
    {
        list.push_back({true, forwards++});
    }
    while (backwards < n)
    {
        list.push_back({false, backwards++});
        if (forwards < n)
        {
            list.push_back({true, forwards++});
        }
    }
    return list;
}

/// A cluster's state
struct Runner
{
    int phase{0}; //!< 0 distribution, 1 training, 2 upload, 3 over
    uint32_t iteration{0};
    double resumeAt{-1};
    int parametersLeft{0};
    bool secondLeg{false}; //!< of parameters that the control unit carries
    std::vector<std::deque<Pass>> passes;
    std::vector<double> busyUntil;
    std::vector<Pass> doing;
    std::vector<bool> busy;
    std::vector<std::map<uint32_t, double>> activations; //!< arrival at a stage
    std::vector<std::map<uint32_t, double>> gradients;
    std::map<uint32_t, double> targets;
    std::vector<std::deque<uint32_t>> up;   //!< waiting for the link behind a stage
    std::vector<std::deque<uint32_t>> down; //!< waiting for the link before a stage, by hop
    std::vector<bool> upBusy;
    std::vector<bool> downBusy;
    std::vector<double> arrivals; //!< of parameters
};

/// The world
class World
{
  public:
    World(const SystemState& state, const RoundPlan& plan)
        : m_state(state),
          m_plan(plan),
          m_runners(plan.clusters.size()),
          m_links(state, plan),
          m_air(m_links, plan.clusters.size())
    {
        m_times.distributionS.assign(m_runners.size(), 0);
        m_times.trainingS.assign(m_runners.size(), 0);
        m_times.totalS.assign(m_runners.size(), 0);
        m_times.edgeEndsS.assign(m_runners.size(), {});
        m_times.radioJ.assign(m_runners.size(), 0);
    }

    FluidTimes Run()
    {
        for (std::size_t m = 0; m < m_runners.size(); ++m)
        {
            SendParameters(m, true);
        }
        while (true)
        {
            while (Settle())
            {
            }
            m_air.SetRates();
            const double next = FindNext();
            if (next == FAR)
            {
                break;
            }
            for (auto& sending : m_air.sendings)
            {
                const double passed = next - m_now;
                sending.left -= sending.rate * passed;
                m_times.radioJ[sending.radio.cluster] += passed * m_air.GetPowerW(sending);
            }
            m_now = next;
            EndSendings();
        }
        for (const double total : m_times.totalS)
        {
            m_times.latencyS = std::max(m_times.latencyS, total);
        }
        return m_times;
    }

  private:
    const ChainPlan& Chain(std::size_t m) const
    {
        return m_plan.clusters[m].chains[0];
    }

    double Size(std::size_t m) const
    {
        return Chain(m).microBatchSize;
    }

    void Send(std::size_t m,
              Phase phase,
              NodeIndex from,
              NodeIndex to,
              double bits,
              Sending sending)
    {
        sending.radio = m_links.Make(m, phase, from, to);
        const LinkState& link = sending.radio.link;
        const double overheadBits = link.overheadBits + link.overheadS * sending.radio.WholeBps();
        sending.left = bits + sending.messages * overheadBits;
        m_air.sendings.push_back(sending);
    }

    void SendParameters(std::size_t m, bool down)
    {
        if (m_plan.clusters[m].path == UploadPath::COLLECTED)
        {
            SendLeg(m, down, false);
            return;
        }
        m_runners[m].parametersLeft = 0;
        for (const auto& [node, bits] : ListParts(m, down))
        {
            SendPart(m, down, node, EDGE_SERVER, bits, 1);
        }
    }

    /// With a control unit that collects: down the whole first, up the whole last
    void SendLeg(std::size_t m, bool down, bool second)
    {
        m_runners[m].parametersLeft = 0;
        m_runners[m].secondLeg = second;
        double whole = 0;
        double messages = 0;
        for (const auto& [node, bits] : ListParts(m, down))
        {
            whole += bits;
            messages += 1;
            if (second == down && node != CONTROL_UNIT)
            {
                SendPart(m, down, node, CONTROL_UNIT, bits, 1);
            }
        }
        if (second != down && messages > 0)
        {
            SendPart(m, down, CONTROL_UNIT, EDGE_SERVER, whole, messages);
        }
    }

    void SendPart(std::size_t m,
                  bool down,
                  NodeIndex node,
                  NodeIndex other,
                  double bits,
                  double messages)
    {
        Sending sending;
        sending.kind = 3;
        sending.messages = messages;
        ++m_runners[m].parametersLeft;
        Send(m,
             down ? Phase::DISTRIBUTION : Phase::UPLOAD,
             down ? other : node,
             down ? node : other,
             bits,
             sending);
    }

    /// Nodes that get or give parameters, and how many bits
    std::vector<std::pair<NodeIndex, double>> ListParts(std::size_t m, bool down) const
    {
        const auto& model = m_state.model;
        std::vector<std::pair<NodeIndex, double>> parts;
        for (const auto& stage : Chain(m).stages)
        {
            double bits = (stage.lastBlock - stage.firstBlock) * model.blockParameterBits +
                          (stage.embedding ? model.embeddingParameterBits : 0);
            bits *= down ? model.distributedPart : 1;
            if (down && model.sendsBase && stage.node != EDGE_SERVER)
            {
                const auto& cluster = m_state.clusters[m];
                const auto& held = stage.node == CONTROL_UNIT
                                       ? cluster.controlUnit.heldBase
                                       : cluster.devices[stage.node - 1].heldBase;
                bits += stage.embedding && !held.embedding ? 8 * model.frozenEmbeddingBytes : 0;
                for (uint32_t block = stage.firstBlock; block < stage.lastBlock; ++block)
                {
                    bits += held.Count(block, block + 1) > 0 ? 0 : 8 * model.frozenBlockBytes;
                }
            }
            if (stage.node == EDGE_SERVER || bits <= 0)
            {
                continue;
            }
            parts.emplace_back(stage.node, bits);
        }
        return parts;
    }

    void StartIteration(std::size_t m)
    {
        Runner& r = m_runners[m];
        const auto stages = static_cast<uint32_t>(Chain(m).stages.size());
        r.passes.clear();
        for (uint32_t s = 0; s < stages; ++s)
        {
            r.passes.push_back(ListPasses(m_plan.schedule, stages, s, Chain(m).microBatches));
        }
        r.busyUntil.assign(stages, 0);
        r.busy.assign(stages, false);
        r.doing.assign(stages, {});
        r.activations.assign(stages, {});
        r.gradients.assign(stages, {});
        r.targets.clear();
        r.up.assign(stages, {});
        r.down.assign(stages, {});
        r.upBusy.assign(stages, false);
        r.downBusy.assign(stages, false);
        if (m_state.model.targetBits > 0)
        {
            SendTargets(m, 0);
        }
    }

    void SendTargets(std::size_t m, uint32_t number)
    {
        Sending sending;
        sending.kind = 2;
        sending.number = number;
        Send(m,
             Phase::TRAINING,
             CONTROL_UNIT,
             EDGE_SERVER,
             Size(m) * m_state.model.targetBits,
             sending);
    }

    double PassS(std::size_t m, std::size_t s, bool forward) const
    {
        const auto& model = m_state.model;
        const auto& stage = Chain(m).stages[s];
        const bool edge = stage.node == EDGE_SERVER;
        const auto& cluster = m_state.clusters[m];
        const DeviceState& node =
            stage.node == 0 || edge ? cluster.controlUnit : cluster.devices[stage.node - 1];
        const double work = (stage.lastBlock - stage.firstBlock) * model.blockForwardFlops +
                            (stage.embedding ? model.embeddingForwardFlops : 0) +
                            (stage.decoder ? model.decoderForwardFlops : 0);
        const double crowd = static_cast<double>(m_runners.size()) / m_state.edge.workers;
        const double slow = edge && !m_state.edge.queues ? std::max(1.0, crowd) : 1;
        return slow * ((edge ? m_state.edge.overheadS : node.overheadS) +
                       (forward ? 1 : model.backwardRatio) * Size(m) * work /
                           (edge ? m_state.edge.flops : node.flops));
    }

    /// Does one thing that can be done now. @return whether there was one
    bool Settle()
    {
        for (std::size_t m = 0; m < m_runners.size(); ++m)
        {
            Runner& r = m_runners[m];
            const bool waits = r.phase == 0 || r.phase == 2;
            if (waits && m_plan.clusters[m].path == UploadPath::COLLECTED && !r.secondLeg &&
                r.parametersLeft == 0 && AllArrived(r))
            {
                r.arrivals.clear();
                SendLeg(m, r.phase == 0, true);
                return true;
            }
            if (r.phase == 0 && r.parametersLeft == 0 && AllArrived(r))
            {
                r.phase = 1;
                m_times.distributionS[m] = m_now;
                r.arrivals.clear();
                StartIteration(m);
                return true;
            }
            if (r.phase == 2 && r.parametersLeft == 0 && AllArrived(r))
            {
                r.phase = 3;
                m_times.totalS[m] = m_now;
                return true;
            }
            if (r.phase == 1 && SettleTraining(m))
            {
                return true;
            }
        }
        return false;
    }

    bool AllArrived(const Runner& r) const
    {
        return std::all_of(r.arrivals.begin(), r.arrivals.end(), [&](double t) {
            return t <= m_now;
        });
    }

    bool There(const std::map<uint32_t, double>& arrivals, uint32_t number) const
    {
        const auto found = arrivals.find(number);
        return found != arrivals.end() && found->second <= m_now;
    }

    bool SettleTraining(std::size_t m)
    {
        Runner& r = m_runners[m];
        if (r.resumeAt >= 0)
        {
            if (r.resumeAt > m_now)
            {
                return false;
            }
            r.resumeAt = -1;
            if (++r.iteration == m_plan.localIterations)
            {
                r.phase = 2;
                m_times.trainingS[m] = m_now;
                SendParameters(m, false);
                return true;
            }
            StartIteration(m);
            return true;
        }
        const std::size_t stages = r.passes.size();
        bool over = true;
        for (std::size_t s = 0; s < stages; ++s)
        {
            over = over && r.passes[s].empty() && !r.busy[s];
            if (r.busy[s] && r.busyUntil[s] <= m_now)
            {
                r.busy[s] = false;
                m_atWork -= m_state.edge.queues && s + 1 == stages ? 1 : 0;
                if (s + 1 == stages && r.passes[s].empty())
                {
                    m_times.edgeEndsS[m].push_back(m_now);
                }
                if (r.doing[s].forward && s + 1 < stages)
                {
                    r.up[s].push_back(r.doing[s].number);
                }
                if (!r.doing[s].forward && s > 0)
                {
                    r.down[s - 1].push_back(r.doing[s].number);
                }
                return true;
            }
            if (!r.busy[s] && !r.passes[s].empty() && CanPass(m, s) && HasWorker(m, s))
            {
                r.doing[s] = r.passes[s].front();
                r.passes[s].pop_front();
                r.busy[s] = true;
                r.busyUntil[s] = m_now + PassS(m, s, r.doing[s].forward);
                return true;
            }
            if (s + 1 < stages && (Carry(m, s, true) || Carry(m, s, false)))
            {
                return true;
            }
        }
        if (over)
        {
            const auto& cu = m_state.clusters[m].controlUnit;
            r.resumeAt =
                m_now + (m_state.training.clipping ? cu.uplink.latencyS + cu.downlink.latencyS : 0);
            return true;
        }
        return false;
    }

    /// Whether somebody is there to do a pass that can be done: at the edge server, which may have
    /// passes wait for a worker, those that came first go first
    bool HasWorker(std::size_t m, std::size_t s)
    {
        if (s + 1 < m_runners[m].passes.size() || !m_state.edge.queues)
        {
            return true;
        }
        if (std::find(m_line.begin(), m_line.end(), m) == m_line.end())
        {
            m_line.push_back(m);
        }
        if (m_line.front() != m || m_atWork == m_state.edge.workers)
        {
            return false;
        }
        m_line.pop_front();
        ++m_atWork;
        return true;
    }

    bool CanPass(std::size_t m, std::size_t s) const
    {
        const Runner& r = m_runners[m];
        const Pass& pass = r.passes[s].front();
        const std::size_t last = r.passes.size() - 1;
        if (pass.forward)
        {
            return (s == 0 || There(r.activations[s], pass.number)) &&
                   (s < last || m_state.model.targetBits <= 0 || There(r.targets, pass.number));
        }
        return s == last || There(r.gradients[s], pass.number);
    }

    bool Carry(std::size_t m, std::size_t s, bool up)
    {
        Runner& r = m_runners[m];
        auto& waiting = up ? r.up[s] : r.down[s];
        if (waiting.empty() || (up ? r.upBusy[s] : r.downBusy[s]))
        {
            return false;
        }
        Sending sending;
        sending.kind = up ? 0 : 1;
        sending.stage = static_cast<int>(s);
        sending.number = waiting.front();
        waiting.pop_front();
        (up ? r.upBusy : r.downBusy)[s] = true;
        const NodeIndex here = Chain(m).stages[s].node;
        const NodeIndex next = Chain(m).stages[s + 1].node;
        const double bits =
            Size(m) * (up ? m_state.model.activationBits : m_state.model.GetGradientBits());
        Send(m, Phase::TRAINING, up ? here : next, up ? next : here, bits, sending);
        return true;
    }

    double FindNext() const
    {
        double next = FAR;
        const auto see = [&](double t) { next = t > m_now ? std::min(next, t) : next; };
        for (const auto& one : m_air.sendings)
        {
            if (one.rate > 0)
            {
                next = std::min(next, m_now + std::max(0.0, one.left) / one.rate);
            }
        }
        for (const auto& r : m_runners)
        {
            see(r.resumeAt);
            for (std::size_t s = 0; s < r.busy.size(); ++s)
            {
                see(r.busy[s] ? r.busyUntil[s] : -1);
                for (const auto& a : r.activations[s])
                {
                    see(a.second);
                }
                for (const auto& a : r.gradients[s])
                {
                    see(a.second);
                }
            }
            for (const auto& a : r.targets)
            {
                see(a.second);
            }
            for (const double a : r.arrivals)
            {
                see(a);
            }
        }
        return next;
    }

    void EndSendings()
    {
        auto& sendings = m_air.sendings;
        for (std::size_t i = 0; i < sendings.size();)
        {
            if (sendings[i].left > 1e-9 * sendings[i].rate)
            {
                ++i;
                continue;
            }
            const Sending done = sendings[i];
            sendings.erase(sendings.begin() + static_cast<std::ptrdiff_t>(i));
            End(done);
        }
    }

    void End(const Sending& done)
    {
        const std::size_t m = done.radio.cluster;
        Runner& r = m_runners[m];
        double arrival = m_now + done.radio.link.latencyS;
        if (m_opened.insert({m, done.radio.from, done.radio.to}).second)
        {
            arrival += done.radio.link.startupS;
        }
        switch (done.kind)
        {
        case 0:
            r.upBusy[done.stage] = false;
            r.activations[done.stage + 1][done.number] = arrival;
            break;
        case 1:
            r.downBusy[done.stage] = false;
            r.gradients[done.stage][done.number] = arrival;
            break;
        case 2:
            r.targets[done.number] = arrival;
            if (done.number + 1 < Chain(m).microBatches)
            {
                SendTargets(m, done.number + 1);
            }
            break;
        default:
            --r.parametersLeft;
            r.arrivals.push_back(arrival);
            break;
        }
    }

    const SystemState& m_state;
    const RoundPlan& m_plan;
    std::vector<Runner> m_runners;
    Links m_links;
    Air m_air;
    std::set<std::tuple<std::size_t, NodeIndex, NodeIndex>> m_opened; //!< links that have sent
    std::deque<std::size_t> m_line; //!< clusters whose pass waits at the edge server
    uint32_t m_atWork{0};           //!< its workers that do something, where they have a line
    double m_now{0};
    FluidTimes m_times;
};

} // namespace

FluidTimes
PlayByHand(const SystemState& state, const RoundPlan& plan)
{
    return World(state, plan).Run();
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
