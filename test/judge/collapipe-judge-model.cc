/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-judge-model.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{
namespace judge
{

namespace
{

constexpr double TOLERANCE = 1e-9; //!< of shares, powers and memory

enum PoolIndex : std::size_t
{
    UPLINK_POOL = 0,
    DOWNLINK_POOL = 1,
    D2D_POOL = 2,
};

const DeviceState&
NodeOf(const ClusterState& cluster, NodeIndex node)
{
    return node == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[node - 1];
}

/// Formula (8): bytes of a device at position s = 2 .. P - 1 of P compute stages
double
MemoryBytes(const Instance& instance,
            const MicroBatchPair& pair,
            uint32_t blocks,
            std::size_t s,
            std::size_t stages)
{
    const ModelProfile& model = instance.state.model;
    double alive = pair.count;
    if (instance.state.training.schedule == "1f1b")
    {
        alive = std::min<double>(alive, static_cast<double>(stages - s + 1));
    }
    return blocks * (model.weightCopies * model.blockParameterBits / 8 + model.frozenBlockBytes +
                     alive * pair.size * model.activationBytesPerBlock);
}

/// Bits of frozen weights that a node has not had, of the embedding or of blocks [first, last)
double
MissingBits(const ModelProfile& model, const HeldBase& held, uint32_t first, uint32_t last)
{
    double bits = 0;
    for (uint32_t block = first; block < last; ++block)
    {
        const bool isThere =
            std::any_of(held.blocks.begin(), held.blocks.end(), [block](const BlockRun& run) {
                return run.first <= block && block < run.last;
            });
        bits += isThere ? 0 : 8 * model.frozenBlockBytes;
    }
    if (first == last && !held.embedding)
    {
        bits = 8 * model.frozenEmbeddingBytes;
    }
    return model.sendsBase ? bits : 0;
}

Transmission
MakeTransmission(const Instance& instance, std::size_t m, Phase phase, NodeIndex from, NodeIndex to)
{
    const ClusterState& cluster = instance.state.clusters[m];
    Transmission t;
    t.phase = phase;
    t.from = from;
    t.to = to;
    const PoolState* pool = &cluster.d2d;
    if (to == EDGE_SERVER)
    {
        t.link = NodeOf(cluster, from).uplink;
        pool = &instance.state.uplink;
        t.pool = UPLINK_POOL;
    }
    else if (from == EDGE_SERVER)
    {
        t.link = NodeOf(cluster, to).downlink;
        pool = &instance.state.downlink;
        t.pool = DOWNLINK_POOL;
    }
    else
    {
        t.link = cluster.d2dLinks[from][to];
        t.pool = D2D_POOL;
        t.pooled = t.link.relay == Relay::BASE_STATION &&
                   instance.state.uplink.sharing == Sharing::RESERVED;
    }
    t.pool = t.pooled ? UPLINK_POOL : t.pool;
    t.mode = pool->mode;
    t.bandwidthHz = pool->bandwidthHz;
    t.queue = from == EDGE_SERVER ? 0 : instance.GetEnergyPrice(m, from);
    return t;
}

/// Whether every link of a candidate works
bool
AreLinksUsable(const ClusterProblem& problem)
{
    return std::all_of(problem.transmissions.begin(),
                       problem.transmissions.end(),
                       [](const Transmission& t) { return t.IsUsable(); });
}

bool
FitsMemory(const Instance& instance, std::size_t m, const Candidate& candidate)
{
    const std::size_t stages = candidate.chain.size() + 2;
    for (std::size_t i = 0; i < candidate.chain.size(); ++i)
    {
        const Placement& p = candidate.chain[i];
        const double bytes = MemoryBytes(instance, candidate.pair, p.blocks, i + 2, stages);
        const double memory = instance.state.clusters[m].devices[p.device].memoryBytes;
        if (bytes > memory * (1 + TOLERANCE))
        {
            return false;
        }
    }
    return true;
}

/// Extends a chain by every unused device and every number of blocks
void
Extend(const Instance& instance,
       std::size_t m,
       uint32_t left,
       Candidate& candidate,
       std::vector<Candidate>& found)
{
    if (left == 0)
    {
        if (FitsMemory(instance, m, candidate) &&
            AreLinksUsable(MakeClusterProblem(instance, m, candidate)))
        {
            found.push_back(candidate);
        }
        return;
    }
    for (std::size_t k = 0; k < instance.state.clusters[m].devices.size(); ++k)
    {
        const bool used = std::any_of(candidate.chain.begin(),
                                      candidate.chain.end(),
                                      [k](const Placement& p) { return p.device == k; });
        for (uint32_t blocks = 1; !used && blocks <= left; ++blocks)
        {
            candidate.chain.push_back({k, blocks});
            Extend(instance, m, left - blocks, candidate, found);
            candidate.chain.pop_back();
        }
    }
}

} // namespace

double
Transmission::AirtimeS(double share, double powerW) const
{
    if (bits <= 0)
    {
        return 0;
    }
    if (mode == SharingMode::DEDICATED)
    {
        return bits / link.fixedRateBps + overheadS;
    }
    const double noise = link.snrGap * link.noiseDensityWPerHz;
    const double width = mode == SharingMode::FREQUENCY ? share * bandwidthHz : bandwidthHz;
    const double spectral =
        std::min(link.maxSpectralEfficiency,
                 std::log1p(powerW * link.gain / (noise * width)) / std::log(2.0));
    return bits / (link.efficiency * share * bandwidthHz * spectral) + overheadS / share;
}

double
Transmission::EnergyJ(double share, double powerW) const
{
    if (bits <= 0)
    {
        return 0;
    }
    switch (mode)
    {
    case SharingMode::DEDICATED:
        return link.maxPowerW * AirtimeS(1, 0);
    case SharingMode::AIRTIME:
        return powerW * share * AirtimeS(share, powerW);
    case SharingMode::FREQUENCY:
        break;
    }
    return powerW * AirtimeS(share, powerW);
}

bool
Transmission::IsUsable() const
{
    if (mode == SharingMode::DEDICATED)
    {
        return link.fixedRateBps > 0;
    }
    return link.gain > 0 && link.maxPowerW > 0 && link.efficiency > 0 && bandwidthHz > 0;
}

std::vector<Candidate>
EnumerateCandidates(const Instance& instance, std::size_t cluster)
{
    std::vector<Candidate> found;
    for (const MicroBatchPair& pair : instance.state.training.allowedPairs)
    {
        Candidate candidate;
        candidate.pair = pair;
        Extend(instance, cluster, instance.state.model.blocks, candidate, found);
    }
    return found;
}

namespace
{

/// Fills a ClusterProblem, step by step
class Builder
{
  public:
    Builder(const Instance& instance, std::size_t m, const Candidate& candidate)
        : m_instance(instance),
          m_state(instance.state),
          m_cluster(instance.state.clusters[m]),
          m_index(m),
          m_candidate(candidate)
    {
    }

    ClusterProblem Build()
    {
        m_problem.microBatches = m_candidate.pair.count;
        m_problem.iterations = m_state.training.localIterations;
        m_problem.oneForwardOneBackward = m_state.training.schedule == "1f1b";
        m_problem.computeEnergyJ.assign(m_cluster.devices.size() + 1, 0);
        AddTrainingStages();
        AddTarget();
        AddParameters();
        AddPhi();
        for (std::size_t node = 0; node < m_problem.computeEnergyJ.size(); ++node)
        {
            m_problem.computeCost +=
                m_instance.GetEnergyPrice(m_index, node) * m_problem.computeEnergyJ[node];
        }
        return m_problem;
    }

  private:
    double PerRound() const
    {
        return m_problem.iterations * m_problem.microBatches;
    }

    int AddTransmission(Phase phase, NodeIndex from, NodeIndex to, double bits)
    {
        Transmission t = MakeTransmission(m_instance, m_index, phase, from, to);
        t.bits = bits + t.link.overheadBits;
        t.overheadS = t.mode == SharingMode::FREQUENCY ? 0 : t.link.overheadS;
        t.count = phase == Phase::TRAINING ? PerRound() : 1;
        m_problem.transmissions.push_back(t);
        return static_cast<int>(m_problem.transmissions.size()) - 1;
    }

    /// A link with no payload takes no time
    Stage LinkStage(NodeIndex from, NodeIndex to, double bits)
    {
        const int index = bits > 0 ? AddTransmission(Phase::TRAINING, from, to, bits) : -1;
        return {0, index, StageKind::LINK};
    }

    double LatencyOf(const Stage& link) const
    {
        return link.transmission < 0 ? 0 : m_problem.transmissions[link.transmission].link.latencyS;
    }

    /// A compute stage, forward and backward
    void AddCompute(const DeviceState& device, NodeIndex node, double flopsPerSample, double factor)
    {
        const double work = m_candidate.pair.size * flopsPerSample / device.flops;
        const double forward = factor * (device.overheadS + work);
        const double backward = factor * (device.overheadS + m_state.model.backwardRatio * work);
        m_problem.forward.push_back({forward, -1, StageKind::COMPUTE});
        m_problem.backward.insert(m_problem.backward.begin(), {backward, -1, StageKind::COMPUTE});
        if (node != EDGE_SERVER)
        {
            m_problem.computeEnergyJ[node] =
                PerRound() * (forward + backward) * device.computePowerW;
        }
    }

    void AddHop(NodeIndex here, NodeIndex next)
    {
        const double bits = m_candidate.pair.size * m_state.model.activationBits;
        const Stage there = LinkStage(here, next, bits);
        const Stage back = LinkStage(next, here, bits);
        m_problem.forward.push_back(there);
        m_problem.forward.push_back({LatencyOf(there), -1, StageKind::LATENCY});
        m_problem.backward.insert(m_problem.backward.begin(),
                                  {LatencyOf(back), -1, StageKind::LATENCY});
        m_problem.backward.insert(m_problem.backward.begin(), back);
    }

    void AddTrainingStages()
    {
        const ModelProfile& model = m_state.model;
        NodeIndex here = CONTROL_UNIT;
        AddCompute(m_cluster.controlUnit, here, model.embeddingForwardFlops, 1);
        for (const Placement& p : m_candidate.chain)
        {
            const auto node = static_cast<NodeIndex>(p.device + 1);
            AddHop(here, node);
            AddCompute(m_cluster.devices[p.device], node, p.blocks * model.blockForwardFlops, 1);
            here = node;
        }
        AddHop(here, EDGE_SERVER);
        DeviceState edge;
        edge.flops = m_state.edge.flops;
        edge.overheadS = m_state.edge.overheadS;
        const double crowd = static_cast<double>(m_state.clusters.size()) / m_state.edge.workers;
        AddCompute(edge, EDGE_SERVER, model.decoderForwardFlops, std::max(1.0, crowd));
    }

    void AddTarget()
    {
        const double bits = m_candidate.pair.size * m_state.model.targetBits;
        m_problem.hasTarget = bits > 0;
        m_problem.target = LinkStage(CONTROL_UNIT, EDGE_SERVER, bits);
        m_problem.targetLatencyS = LatencyOf(m_problem.target);
    }

    /// Trained parameters both ways, and frozen ones, of blocks [first, last), to the node
    void AddParameters(NodeIndex node, double bits, uint32_t first, uint32_t last)
    {
        const double frozen =
            MissingBits(m_state.model, NodeOf(m_cluster, node).heldBase, first, last);
        const bool collected = m_state.training.uploadRule == UploadRule::COLLECTED;
        const bool inWhole = collected && node == CONTROL_UNIT;
        const NodeIndex other = collected ? CONTROL_UNIT : EDGE_SERVER;
        const double down = m_state.model.distributedPart * bits + frozen;
        m_wholeDown.push_back(down);
        m_wholeUp.push_back(bits);
        if (down > 0 && !inWhole)
        {
            m_problem.legs[0].push_back(AddTransmission(Phase::DISTRIBUTION, other, node, down));
        }
        if (bits > 0 && !inWhole)
        {
            m_problem.legs[1].push_back(AddTransmission(Phase::UPLOAD, node, other, bits));
        }
    }

    /// What a control unit gets and gives for all: as many messages as there are parts
    void AddWhole(Phase phase, const std::vector<double>& parts)
    {
        double bits = 0;
        double messages = 0;
        for (const double part : parts)
        {
            bits += part;
            messages += part > 0 ? 1 : 0;
        }
        if (messages > 0)
        {
            const bool up = phase == Phase::UPLOAD;
            const int index = AddTransmission(phase,
                                              up ? CONTROL_UNIT : EDGE_SERVER,
                                              up ? EDGE_SERVER : CONTROL_UNIT,
                                              bits);
            Transmission& whole = m_problem.transmissions[index];
            whole.bits += (messages - 1) * whole.link.overheadBits;
            whole.overheadS *= messages;
            m_problem.legs.push_back({index});
        }
    }

    void AddParameters()
    {
        m_problem.legs.resize(2);
        AddParameters(CONTROL_UNIT, m_state.model.embeddingParameterBits, 0, 0);
        uint32_t first = 0;
        for (const Placement& p : m_candidate.chain)
        {
            AddParameters(static_cast<NodeIndex>(p.device + 1),
                          p.blocks * m_state.model.blockParameterBits,
                          first,
                          first + p.blocks);
            first += p.blocks;
        }
        if (m_state.training.uploadRule == UploadRule::COLLECTED)
        {
            AddWhole(Phase::DISTRIBUTION, m_wholeDown);
            AddWhole(Phase::UPLOAD, m_wholeUp);
        }
    }

    /// Formula (10), term m of its sums
    void AddPhi()
    {
        if (!(m_instance.convergenceTarget > 0))
        {
            return;
        }
        const LearningState& learning = m_state.learning;
        const double etaL = learning.stepSize * learning.smoothness;
        const double rho = m_cluster.weight;
        const double n = static_cast<double>(m_candidate.pair.count) * m_candidate.pair.size;
        const double phi =
            4 * etaL * learning.gradientVariance * rho * rho / n +
            10 * etaL * etaL * m_problem.iterations * learning.gradientVariance * rho / n;
        m_problem.phiCost = m_instance.convergencePrice * phi;
    }

    const Instance& m_instance;      //!< the problem
    const SystemState& m_state;      //!< the system
    const ClusterState& m_cluster;   //!< the cluster
    std::size_t m_index;             //!< m
    const Candidate& m_candidate;    //!< the decisions
    std::vector<double> m_wholeDown; //!< bits of all parts in distribution
    std::vector<double> m_wholeUp;   //!< the same in upload
    ClusterProblem m_problem;        //!< the result
};

} // namespace

ClusterProblem
MakeClusterProblem(const Instance& instance, std::size_t cluster, const Candidate& candidate)
{
    return Builder(instance, cluster, candidate).Build();
}

double
ConstantPart(const Instance& instance)
{
    double sum = 0;
    for (std::size_t m = 0; m < instance.state.clusters.size(); ++m)
    {
        const ClusterState& cluster = instance.state.clusters[m];
        for (std::size_t node = 0; node <= cluster.devices.size(); ++node)
        {
            sum += instance.GetEnergyPrice(m, node) *
                   NodeOf(cluster, static_cast<NodeIndex>(node)).energyBudgetJ;
        }
    }
    const bool required = instance.convergenceTarget > 0;
    return sum + (required ? instance.convergencePrice * instance.convergenceTarget : 0);
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
