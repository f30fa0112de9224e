/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-problem.h"

#include "collapipe-convergence-bound.h"
#include "collapipe-latency-model.h"
#include "collapipe-link-model.h"
#include "collapipe-reservation.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Builds the problem cluster by cluster
class RadioBuilder
{
  public:
    RadioBuilder(const Instance& instance, const RoundChoice& choice, RadioProblem& problem)
        : m_instance(instance),
          m_state(instance.state),
          m_choice(choice),
          m_problem(problem),
          m_slowdown(GetEdgeSlowdown(m_state.edge, choice.size()))
    {
    }

    void Run()
    {
        m_problem.links.clear();
        m_problem.clusters.clear();
        m_problem.penaltyWeight = m_instance.penaltyWeight;
        m_problem.constant = GetConvergenceTerm();
        m_problem.ownPools = HasParameters() ? 3 : 1;
        m_problem.pools = RadioProblem::SHARED_POOLS + m_problem.ownPools * m_choice.size();
        m_problem.schedule = GetSchedule(m_state.training.schedule);
        m_problem.isFlowShop = m_problem.schedule->IsFlowShop();
        for (std::size_t m = 0; m < m_choice.size(); ++m)
        {
            m_problem.clusters.emplace_back();
            AddBudgets(m);
            AddCompute(m);
            AddLinks(m);
        }
    }

  private:
    /// Whether a cluster's D2D medium carries parameters, too
    bool HasParameters() const
    {
        for (std::size_t m = 0; m < m_choice.size(); ++m)
        {
            if (IsCollected(m))
            {
                return true;
            }
            for (NodeIndex node = 1; node <= m_state.clusters[m].devices.size(); ++node)
            {
                if (GetBudget(m_state, m, node, EDGE_SERVER) == Pool::D2D ||
                    GetBudget(m_state, m, EDGE_SERVER, node) == Pool::D2D)
                {
                    return true;
                }
            }
        }
        return false;
    }

    bool IsCollected(std::size_t m) const
    {
        return GetUploadPath(m_state, m) == UploadPath::COLLECTED;
    }

    double GetConvergenceTerm() const
    {
        if (m_instance.convergenceTarget <= 0 || m_instance.convergencePrice <= 0)
        {
            return 0;
        }
        std::vector<double> rho;
        std::vector<double> samples;
        for (std::size_t m = 0; m < m_choice.size(); ++m)
        {
            rho.push_back(m_state.clusters[m].weight);
            samples.push_back(static_cast<double>(m_choice[m].pair.count) * m_choice[m].pair.size);
        }
        const uint32_t iterations = m_state.training.localIterations;
        const double phi = ConvergencePhi(m_state.learning, iterations, rho, samples);
        return m_instance.convergencePrice * (phi - m_instance.convergenceTarget);
    }

    void AddBudgets(std::size_t m)
    {
        const auto& cluster = m_state.clusters[m];
        for (std::size_t k = 0; k <= cluster.devices.size(); ++k)
        {
            m_problem.constant -= m_instance.GetEnergyPrice(m, k) *
                                  GetNode(cluster, static_cast<NodeIndex>(k)).energyBudgetJ;
        }
    }

    void AddStage(std::size_t m, NodeIndex node, const HopTimes& times)
    {
        RadioCluster& c = m_problem.clusters[m];
        const double both = times.forwardS + times.backwardS;
        c.sumS += both;
        c.forwardS = std::max(c.forwardS, times.forwardS);
        c.backwardS = std::max(c.backwardS, times.backwardS);
        c.stages.push_back(times);
        if (node != EDGE_SERVER)
        {
            m_problem.constant += m_instance.GetEnergyPrice(m, node) * GetTransfers(m) * both *
                                  GetNode(m_state.clusters[m], node).computePowerW;
        }
    }

    double GetTransfers(std::size_t m) const
    {
        return static_cast<double>(m_state.training.localIterations) * m_choice[m].pair.count;
    }

    void AddCompute(std::size_t m)
    {
        RadioCluster& c = m_problem.clusters[m];
        c.iterations = m_state.training.localIterations;
        c.bubble = m_choice[m].pair.count - 1.0;
        const ChainPlan chain = MakePipelineChain(m_choice[m].segments, m_choice[m].pair);
        c.exchangeS = GetExchangeTimeS(m_state, m, chain);
        for (const auto& stage : chain.stages)
        {
            AddStage(m, stage.node, GetStageTimes(m_state, m, chain, stage, m_slowdown));
        }
    }

    void AddLinks(std::size_t m)
    {
        const ModelProfile& model = m_state.model;
        const auto& segments = m_choice[m].segments;
        const double size = m_choice[m].pair.size;
        m_hop = 0;
        AddParameters(m, {CONTROL_UNIT, true, 0, 0, false});
        NodeIndex previous = CONTROL_UNIT;
        uint32_t first = 0;
        for (const auto& segment : segments)
        {
            AddParameters(m, {segment.node, false, first, first + segment.blocks, false});
            AddHop(m, previous, segment.node, size, model.GivesGradient(first));
            previous = segment.node;
            first += segment.blocks;
            ++m_hop;
        }
        AddHop(m, previous, EDGE_SERVER, size, model.GivesGradient(first));
        AddLink(m, LinkRole::TARGET, CONTROL_UNIT, EDGE_SERVER, size * model.targetBits);
        if (IsCollected(m))
        {
            AddWhole(m);
        }
    }

    /// What the control unit gets and gives for itself and for its devices
    void AddWhole(std::size_t m)
    {
        const ClusterPlan plan{{MakePipelineChain(m_choice[m].segments, m_choice[m].pair)},
                               {},
                               UploadPath::COLLECTED};
        for (const auto& t : ListTransfers(m_state, m, plan))
        {
            if (t.phase != Phase::TRAINING && GetPool(t.from, t.to) != Pool::D2D)
            {
                const bool up = t.phase == Phase::UPLOAD;
                AddLink(m,
                        up ? LinkRole::UPLOAD : LinkRole::DISTRIBUTION,
                        t.from,
                        t.to,
                        t.bits,
                        t.messages);
            }
        }
    }

    void AddParameters(std::size_t m, const StagePlan& stage)
    {
        const NodeIndex node = stage.node;
        const double down = GetParameterBits(m_state.model, stage, Phase::DISTRIBUTION);
        const double up = GetParameterBits(m_state.model, stage, Phase::UPLOAD);
        const auto& held = GetNode(m_state.clusters[m], node).heldBase;
        const double base = GetMissingBaseBits(m_state.model, held, stage);
        const bool collected = IsCollected(m);
        if (collected && node == CONTROL_UNIT)
        {
            return;
        }
        const NodeIndex other = collected ? CONTROL_UNIT : EDGE_SERVER;
        AddLink(m, LinkRole::DISTRIBUTION, other, node, down + base);
        AddLink(m, LinkRole::UPLOAD, node, other, up);
    }

    void AddHop(std::size_t m, NodeIndex here, NodeIndex next, double size, bool hasGradient)
    {
        const auto& model = m_state.model;
        AddLink(m, LinkRole::FORWARD, here, next, size * model.activationBits);
        if (hasGradient)
        {
            AddLink(m, LinkRole::BACKWARD, next, here, size * model.GetGradientBits());
        }
    }

    std::size_t GetPoolIndex(std::size_t m, LinkRole role, Pool pool) const
    {
        if (pool == Pool::D2D)
        {
            return m_problem.GetOwnPool(m, GetPhase(role));
        }
        if (pool == Pool::UPLINK && role == LinkRole::DISTRIBUTION)
        {
            return 4;
        }
        return (pool == Pool::UPLINK ? 0 : 2) + (GetPhase(role) == Phase::TRAINING ? 1 : 0);
    }

    static Phase GetPhase(LinkRole role)
    {
        return role == LinkRole::UPLOAD         ? Phase::UPLOAD
               : role == LinkRole::DISTRIBUTION ? Phase::DISTRIBUTION
                                                : Phase::TRAINING;
    }

    void AddLink(std::size_t m,
                 LinkRole role,
                 NodeIndex from,
                 NodeIndex to,
                 double payloadBits,
                 double messages = 0)
    {
        if (payloadBits <= 0)
        {
            return;
        }
        const PoolState& pool = GetLinkPool(m_state, m, from, to);
        const LinkState& state = *FindLinkState(m_state.clusters[m], from, to);
        const bool whole = messages > 0;
        messages = std::max(messages, 1.0);
        const double bits = payloadBits + messages * state.overheadBits;
        RadioLink link;
        link.phase = GetPhase(role);
        const bool training = link.phase == Phase::TRAINING;
        link.from = from;
        link.to = to;
        link.cluster = m;
        link.role = role;
        link.whole = whole;
        link.hop = m_hop;
        link.mode = pool.mode;
        link.pool = GetPoolIndex(m, role, GetBudget(m_state, m, from, to));
        link.maxPowerW = state.maxPowerW;
        link.minPowerW = state.minPowerW;
        link.latencyS = state.latencyS;
        const double queue = from == EDGE_SERVER ? 0 : m_instance.GetEnergyPrice(m, from);
        const double times = training ? GetTransfers(m) : 1;
        const double receiver = to == EDGE_SERVER ? 0 : m_instance.GetEnergyPrice(m, to);
        link.price = queue * times / state.amplifierEfficiency;
        link.airPrice = times * (queue * state.circuitPowerW + receiver * state.receivePowerW);
        m_problem.constant += receiver * times * state.receiveJPerBit * bits;
        SetRate(link, state, pool, bits, messages);
        link.lead = FindLead(link);
        link.pooled = link.lead < m_problem.links.size();
        if (link.pooled)
        {
            m_problem.links[link.lead].pooled = true;
        }
        m_problem.links.push_back(link);
    }

    /// @return the first link with the reservation of a link that is to be added, or that link
    std::size_t FindLead(const RadioLink& link) const
    {
        const auto& links = m_problem.links;
        const std::size_t own = links.size();
        if (!IsPooled(m_state, link.cluster, link.from, link.to))
        {
            return own;
        }
        const Reservation reservation = GetReservation(m_state, link.cluster, link.from, link.to);
        for (std::size_t i = 0; i < own; ++i)
        {
            const RadioLink& other = links[i];
            if (other.cluster == link.cluster && other.phase == link.phase &&
                GetReservation(m_state, other.cluster, other.from, other.to) == reservation)
            {
                return i;
            }
        }
        return own;
    }

    /// Where the latency of a transfer counts; only hops have a stage before them
    void SetLatency(const RadioLink& link)
    {
        RadioCluster& cluster = m_problem.clusters[link.cluster];
        switch (link.role)
        {
        case LinkRole::FORWARD:
            cluster.sumS += link.latencyS;
            cluster.stages[link.hop].latencyForwardS = link.latencyS;
            break;
        case LinkRole::BACKWARD:
            cluster.sumS += link.latencyS;
            cluster.stages[link.hop].latencyBackwardS = link.latencyS;
            break;
        case LinkRole::TARGET:
            cluster.targetLatencyS = link.latencyS;
            break;
        case LinkRole::DISTRIBUTION:
        case LinkRole::UPLOAD:
            break;
        }
    }

    void SetRate(RadioLink& link,
                 const LinkState& state,
                 const PoolState& pool,
                 double bits,
                 double messages)
    {
        SetLatency(link);
        if (link.mode == SharingMode::DEDICATED)
        {
            link.fixedS = bits / state.fixedRateBps + messages * state.overheadS;
            m_problem.constant += (link.price * link.maxPowerW + link.airPrice) * link.fixedS;
            return;
        }
        const Pool kind = GetPool(link.from, link.to);
        const bool hasWire = kind != Pool::D2D && &pool == &m_state.clusters[link.cluster].d2d;
        const double radioBits =
            messages * (GetMessageOverheadBits(state, pool, state.maxPowerW) - state.overheadBits);
        link.fixedS = hasWire ? (bits + radioBits) / state.fixedRateBps : 0;
        const double freeHz = pool.GetFreePart() * pool.bandwidthHz;
        const double noiseHz = link.mode == SharingMode::FREQUENCY ? freeHz : pool.bandwidthHz;
        link.freePart = link.mode == SharingMode::FREQUENCY ? 1 : pool.GetFreePart();
        link.overheadS =
            link.mode == SharingMode::AIRTIME ? messages * state.overheadS / link.freePart : 0;
        link.kappaS = bits * std::log(2.0) / (state.efficiency * freeHz);
        link.cap = state.maxSpectralEfficiency * std::log(2.0);
        link.snr =
            state.maxPowerW * state.gain / (state.snrGap * state.noiseDensityWPerHz * noiseHz);
    }

    const Instance& m_instance;  //!< the round's problem
    const SystemState& m_state;  //!< its system
    const RoundChoice& m_choice; //!< the discrete decisions
    RadioProblem& m_problem;     //!< the result
    double m_slowdown;           //!< of the edge server
    std::size_t m_hop{0};        //!< compute stage before the links that are added
};

} // namespace

void
BuildRadioProblem(const Instance& instance,
                  const RoundChoice& choice,
                  const RadioFreedom& freedom,
                  RadioProblem& problem)
{
    problem.freedom = freedom;
    RadioBuilder(instance, choice, problem).Run();
}

double
GetMediumS(const RadioLink& link, double share, double powerFraction)
{
    const double occupied = link.mode == SharingMode::FREQUENCY ? share : 1;
    const double bitsPerHz = std::min(link.cap, std::log1p(powerFraction * link.snr / occupied));
    return (link.kappaS / bitsPerHz + link.overheadS) / share;
}

double
GetOccupationS(const RadioLink& link, double share, double powerFraction)
{
    const bool dedicated = link.mode == SharingMode::DEDICATED;
    return dedicated ? link.fixedS : std::max(link.fixedS, GetMediumS(link, share, powerFraction));
}

IterationTimes
GetIterationTimes(const RadioProblem& problem,
                  std::size_t cluster,
                  const std::vector<double>& occupationS)
{
    const RadioCluster& constants = problem.clusters[cluster];
    IterationTimes times;
    times.hops = constants.stages;
    times.targetLatencyS = constants.targetLatencyS;
    times.microBatches = static_cast<uint32_t>(constants.bubble) + 1;
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        const RadioLink& link = problem.links[i];
        if (link.cluster != cluster || link.phase != Phase::TRAINING)
        {
            continue;
        }
        double& time = link.role == LinkRole::FORWARD    ? times.hops[link.hop].linkForwardS
                       : link.role == LinkRole::BACKWARD ? times.hops[link.hop].linkBackwardS
                                                         : times.targetS;
        time = occupationS[i];
    }
    return times;
}

double
EvaluateRadio(const RadioProblem& problem,
              const std::vector<double>& shares,
              const std::vector<double>& powersW)
{
    double objective = problem.constant;
    std::vector<double> distributionS(problem.clusters.size(), 0);
    std::vector<double> uploadS(problem.clusters.size(), 0);
    std::vector<double> wholeS(problem.clusters.size(), 0); // of both, as the control unit has it
    std::vector<double> occupationS;
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        const RadioLink& link = problem.links[i];
        const bool dedicated = link.mode == SharingMode::DEDICATED;
        const double fraction = dedicated ? 1 : powersW[i] / link.maxPowerW;
        const double x = GetOccupationS(link, shares[i], fraction);
        occupationS.push_back(x);
        if (link.whole)
        {
            wholeS[link.cluster] += x + link.latencyS;
        }
        else if (link.phase != Phase::TRAINING)
        {
            const bool up = link.phase == Phase::UPLOAD;
            double& slowest = (up ? uploadS : distributionS)[link.cluster];
            slowest = std::max(slowest, x + link.latencyS);
        }
        if (!dedicated)
        {
            const double duty = link.mode == SharingMode::AIRTIME ? shares[i] * link.freePart : 1;
            objective += (link.price * powersW[i] + link.airPrice) * duty *
                         GetMediumS(link, shares[i], fraction);
        }
    }
    double tau = 0;
    for (std::size_t m = 0; m < problem.clusters.size(); ++m)
    {
        const double iteration =
            problem.schedule->GetIterationTimeS(GetIterationTimes(problem, m, occupationS));
        const RadioCluster& cluster = problem.clusters[m];
        tau = std::max(tau,
                       distributionS[m] + cluster.iterations * (iteration + cluster.exchangeS) +
                           uploadS[m] + wholeS[m]);
    }
    return objective + problem.penaltyWeight * tau;
}

} // namespace collapipe
} // namespace ns3
