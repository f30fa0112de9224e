/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-transfers.h"

#include "collapipe-fluid-medium.h"
#include "collapipe-link-model.h"

#include <algorithm>
#include <iterator>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double BITS_PER_BYTE = 8;

void
Add(std::vector<Transfer>& list, Phase phase, NodeIndex from, NodeIndex to, double bits)
{
    if (bits <= 0 || from == to)
    {
        return;
    }
    auto same = std::find_if(list.begin(), list.end(), [&](const Transfer& t) {
        return t.phase == phase && t.from == from && t.to == to;
    });
    if (same == list.end())
    {
        list.push_back({phase, from, to, bits});
    }
    else
    {
        same->bits += bits;
    }
}

/// Bits that a stage's node gets or gives, frozen weights that it lacks included
double
GetPartBits(const ModelProfile& model,
            const ClusterState& cluster,
            const StagePlan& stage,
            Phase phase)
{
    const bool mayLack = phase == Phase::DISTRIBUTION && stage.node != EDGE_SERVER;
    const double base =
        mayLack ? GetMissingBaseBits(model, GetNode(cluster, stage.node).heldBase, stage) : 0;
    return GetParameterBits(model, stage, phase) + base;
}

void
AddParameters(std::vector<Transfer>& list,
              const SystemState& state,
              const ClusterState& cluster,
              const ClusterPlan& plan,
              Phase phase)
{
    for (const auto& chain : plan.chains)
    {
        for (const auto& stage : chain.stages)
        {
            const bool down = phase == Phase::DISTRIBUTION;
            const NodeIndex from = down ? EDGE_SERVER : stage.node;
            const NodeIndex to = down ? stage.node : EDGE_SERVER;
            Add(list, phase, from, to, GetPartBits(state.model, cluster, stage, phase));
        }
    }
}

/// The whole over the control unit's own link, and the devices' parts over D2D
void
AddCollected(std::vector<Transfer>& list,
             const SystemState& state,
             const ClusterState& cluster,
             const ClusterPlan& plan,
             Phase phase)
{
    const bool down = phase == Phase::DISTRIBUTION;
    Transfer whole;
    whole.phase = phase;
    (down ? whole.from : whole.to) = EDGE_SERVER;
    whole.leg = down ? 0 : 1;
    whole.messages = 0;
    std::vector<Transfer> parts;
    for (const auto& chain : plan.chains)
    {
        for (const auto& stage : chain.stages)
        {
            const double bits = GetPartBits(state.model, cluster, stage, phase);
            if (bits <= 0 || stage.node == EDGE_SERVER)
            {
                continue;
            }
            whole.bits += bits;
            ++whole.messages;
            if (stage.node != CONTROL_UNIT)
            {
                parts.push_back({phase, CONTROL_UNIT, CONTROL_UNIT, bits});
                (down ? parts.back().to : parts.back().from) = stage.node;
                parts.back().leg = down ? 1 : 0;
            }
        }
    }
    if (whole.messages > 0)
    {
        parts.insert(down ? parts.begin() : parts.end(), whole);
    }
    list.insert(list.end(), parts.begin(), parts.end());
}

void
AddTraining(std::vector<Transfer>& list, const ModelProfile& model, const ChainPlan& chain)
{
    const double activation = model.activationBits * chain.microBatchSize;
    const double gradient = model.GetGradientBits() * chain.microBatchSize;
    for (std::size_t s = 0; s + 1 < chain.stages.size(); ++s)
    {
        const NodeIndex here = chain.stages[s].node;
        const NodeIndex next = chain.stages[s + 1].node;
        Add(list, Phase::TRAINING, here, next, activation);
        if (model.GivesGradient(chain.stages[s + 1].firstBlock))
        {
            Add(list, Phase::TRAINING, next, here, gradient);
        }
    }
    if (!chain.stages.empty() && chain.stages.back().node == EDGE_SERVER)
    {
        Add(list,
            Phase::TRAINING,
            chain.stages.front().node,
            EDGE_SERVER,
            model.targetBits * chain.microBatchSize);
    }
}

} // namespace

Pool
GetPool(NodeIndex from, NodeIndex to)
{
    if (to == EDGE_SERVER)
    {
        return Pool::UPLINK;
    }
    return from == EDGE_SERVER ? Pool::DOWNLINK : Pool::D2D;
}

Pool
GetMedium(const LinkState& link, Pool pool)
{
    switch (link.relay)
    {
    case Relay::CONTROL_UNIT:
        return Pool::D2D;
    case Relay::BASE_STATION:
        return Pool::UPLINK;
    case Relay::NONE:
        break;
    }
    return pool;
}

Pool
GetBudget(const SystemState& state, std::size_t cluster, NodeIndex from, NodeIndex to)
{
    const Pool own = GetPool(from, to);
    const PoolState& d2d = state.clusters[cluster].d2d;
    const LinkState* link =
        IsReserved(d2d) ? FindLinkState(state.clusters[cluster], from, to) : nullptr;
    if (!link)
    {
        return own;
    }
    if (own == Pool::D2D)
    {
        const bool inCell = link->relay == Relay::BASE_STATION && IsReserved(state.uplink);
        return inCell ? Pool::UPLINK : own;
    }
    const bool isWire = GetPoolState(state, cluster, own).mode == SharingMode::DEDICATED;
    return isWire && link->relay == Relay::CONTROL_UNIT ? Pool::D2D : own;
}

const PoolState&
GetLinkPool(const SystemState& state, std::size_t cluster, NodeIndex from, NodeIndex to)
{
    const Pool own = GetPool(from, to);
    return GetPoolState(state,
                        cluster,
                        own == Pool::D2D ? own : GetBudget(state, cluster, from, to));
}

double
GetLinkRateBps(const SystemState& state,
               std::size_t cluster,
               NodeIndex from,
               NodeIndex to,
               double share,
               double powerW)
{
    const LinkState& link = *FindLinkState(state.clusters[cluster], from, to);
    const double rateBps = GetRateBps(link, GetLinkPool(state, cluster, from, to), share, powerW);
    const bool hasWire = GetPool(from, to) != GetBudget(state, cluster, from, to) &&
                         link.relay == Relay::CONTROL_UNIT;
    return hasWire ? std::min(rateBps, link.fixedRateBps) : rateBps;
}

const PoolState&
GetPoolState(const SystemState& state, std::size_t cluster, Pool pool)
{
    switch (pool)
    {
    case Pool::UPLINK:
        return state.uplink;
    case Pool::DOWNLINK:
        return state.downlink;
    case Pool::D2D:
        break;
    }
    return state.clusters[cluster].d2d;
}

const DeviceState&
GetNode(const ClusterState& cluster, NodeIndex node)
{
    return node == CONTROL_UNIT ? cluster.controlUnit : cluster.devices.at(node - 1);
}

const LinkState*
FindLinkState(const ClusterState& cluster, NodeIndex from, NodeIndex to)
{
    const auto known = [&](NodeIndex n) { return n <= cluster.devices.size(); };
    if (to == EDGE_SERVER)
    {
        return known(from) ? &GetNode(cluster, from).uplink : nullptr;
    }
    if (from == EDGE_SERVER)
    {
        return known(to) ? &GetNode(cluster, to).downlink : nullptr;
    }
    if (from >= cluster.d2dLinks.size() || to >= cluster.d2dLinks[from].size())
    {
        return nullptr;
    }
    return &cluster.d2dLinks[from][to];
}

double
GetParameterBits(const ModelProfile& model, const StagePlan& stage, Phase phase)
{
    const double whole =
        model.CountTrained(stage.firstBlock, stage.lastBlock) * model.blockParameterBits +
        (stage.embedding ? model.embeddingParameterBits : 0) +
        (stage.decoder ? model.decoderParameterBits : 0);
    return phase == Phase::DISTRIBUTION ? model.distributedPart * whole : whole;
}

double
GetMissingBaseBits(const ModelProfile& model, const HeldBase& held, const StagePlan& stage)
{
    if (!model.sendsBase)
    {
        return 0;
    }
    const uint32_t border = std::clamp(model.firstTrainedBlock, stage.firstBlock, stage.lastBlock);
    const uint32_t untrained = border - stage.firstBlock - held.Count(stage.firstBlock, border);
    const uint32_t trained = stage.lastBlock - border - held.Count(border, stage.lastBlock);
    const double bytes = untrained * model.untrainedBlockBytes + trained * model.frozenBlockBytes +
                         (stage.embedding && !held.embedding ? model.frozenEmbeddingBytes : 0) +
                         (stage.decoder && !held.decoder ? model.frozenDecoderBytes : 0);
    return BITS_PER_BYTE * bytes;
}

UploadPath
GetUploadPath(const SystemState& state, std::size_t cluster)
{
    switch (state.training.uploadRule)
    {
    case UploadRule::DIRECT:
        return UploadPath::DIRECT;
    case UploadRule::COLLECTED:
        return UploadPath::COLLECTED;
    case UploadRule::AUTO:
        break;
    }
    return state.clusters[cluster].path;
}

ClusterPlan
KeepTraining(const ClusterPlan& plan, const std::set<uint32_t>& uploading)
{
    const auto trains = [&](const LinkPlan& link) {
        const NodeIndex node = link.from == EDGE_SERVER ? link.to : link.from;
        for (std::size_t c = 0; c < plan.chains.size(); ++c)
        {
            const auto& stages = plan.chains[c].stages;
            if (std::any_of(stages.begin(), stages.end(), [node](const StagePlan& stage) {
                    return stage.node == node;
                }))
            {
                return uploading.count(static_cast<uint32_t>(c)) == 0;
            }
        }
        return false;
    };
    ClusterPlan mixed = plan;
    mixed.links.clear();
    for (LinkPlan link : plan.links)
    {
        if (link.phase == Phase::UPLOAD && trains(link))
        {
            continue;
        }
        mixed.links.push_back(link);
        if (link.phase == Phase::TRAINING && trains(link))
        {
            link.phase = Phase::UPLOAD;
            mixed.links.push_back(link);
        }
    }
    return mixed;
}

std::vector<LinkPlan>
ListSettings(const ClusterState& cluster, Phase phase, const ClusterPlan& plan)
{
    std::vector<LinkPlan> settings;
    std::copy_if(plan.links.begin(),
                 plan.links.end(),
                 std::back_inserter(settings),
                 [phase](const LinkPlan& link) { return link.phase == phase; });
    const auto isNamed = [named = settings](const LinkPlan& link) {
        return std::any_of(named.begin(), named.end(), [&link](const LinkPlan& other) {
            return other.from == link.from && other.to == link.to;
        });
    };
    for (LinkPlan link : plan.links)
    {
        const LinkState* state = FindLinkState(cluster, link.from, link.to);
        const Pool pool = GetPool(link.from, link.to);
        const bool isApart =
            pool != Pool::UPLINK && state && GetMedium(*state, pool) != Pool::UPLINK;
        if (phase == Phase::UPLOAD && link.phase == Phase::TRAINING && isApart && !isNamed(link))
        {
            link.phase = phase;
            settings.push_back(link);
        }
    }
    return settings;
}

std::vector<Transfer>
ListSums(const SystemState& state, const ClusterPlan& plan)
{
    std::vector<Transfer> list;
    const std::size_t stages = plan.synchronous ? plan.chains.front().stages.size() : 0;
    for (std::size_t s = 0; s < stages; ++s)
    {
        const StagePlan& first = plan.chains.front().stages[s];
        const double bits =
            state.model.gradientPart * GetParameterBits(state.model, first, Phase::UPLOAD);
        for (std::size_t c = 1; c < plan.chains.size(); ++c)
        {
            if (first.node != EDGE_SERVER && bits > 0)
            {
                const NodeIndex other = plan.chains[c].stages[s].node;
                list.push_back({Phase::TRAINING, other, first.node, bits, 0});
                list.push_back({Phase::TRAINING, first.node, other, bits, 1});
            }
        }
    }
    return list;
}

std::vector<Transfer>
ListTransfers(const SystemState& state, std::size_t cluster, const ClusterPlan& plan)
{
    std::vector<Transfer> list;
    const ClusterState& own = state.clusters[cluster];
    const auto add = plan.path == UploadPath::COLLECTED ? AddCollected : AddParameters;
    add(list, state, own, plan, Phase::DISTRIBUTION);
    for (const auto& chain : plan.chains)
    {
        AddTraining(list, state.model, chain);
    }
    add(list, state, own, plan, Phase::UPLOAD);
    return list;
}

} // namespace collapipe
} // namespace ns3
