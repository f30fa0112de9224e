/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-cluster-costs.h"

#include "collapipe-convergence-bound.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Parts of the full power that are tried where energy has a price
constexpr std::array<double, 7> POWERS{1, 0.5, 0.25, 0.12, 0.06, 0.03, 0.01};

/// `hasWire`: a wire behind the medium carries it, too
RadioLink
MakeLink(const LinkState& state, const PoolState& pool, double bits, double price, bool hasWire)
{
    RadioLink link;
    link.mode = pool.mode;
    link.price = price / state.amplifierEfficiency;
    link.airPrice = price * state.circuitPowerW;
    link.maxPowerW = state.maxPowerW;
    link.minPowerW = state.minPowerW;
    if (pool.mode == SharingMode::DEDICATED)
    {
        link.fixedS = bits / state.fixedRateBps + state.overheadS;
        return link;
    }
    link.fixedS = hasWire ? bits / state.fixedRateBps : 0;
    const double freeHz = pool.GetFreePart() * pool.bandwidthHz;
    const double noiseHz = pool.mode == SharingMode::FREQUENCY ? freeHz : pool.bandwidthHz;
    link.overheadS = pool.mode == SharingMode::AIRTIME ? state.overheadS / pool.GetFreePart() : 0;
    link.kappaS = bits * std::log(2.0) / (state.efficiency * freeHz);
    link.cap = state.maxSpectralEfficiency * std::log(2.0);
    link.snr = state.maxPowerW * state.gain / (state.snrGap * state.noiseDensityWPerHz * noiseHz);
    return link;
}

/// A link with the medium and the wire that it really takes
RadioLink
MakeParameterLink(const SystemState& state,
                  std::size_t cluster,
                  NodeIndex from,
                  NodeIndex to,
                  double bits,
                  double price)
{
    return MakeLink(*FindLinkState(state.clusters[cluster], from, to),
                    GetLinkPool(state, cluster, from, to),
                    bits,
                    price,
                    GetPool(from, to) != Pool::D2D &&
                        GetBudget(state, cluster, from, to) == Pool::D2D);
}

/// Who sends a device its parameters and gets them back
NodeIndex
GetCarrier(const SystemState& state, std::size_t cluster)
{
    return GetUploadPath(state, cluster) == UploadPath::COLLECTED ? CONTROL_UNIT : EDGE_SERVER;
}

/// Energy times its price, at a part of the full power, with a load in seconds of the whole pool
double
GetEnergyCost(const RadioLink& link, double fraction, double loadS, double share)
{
    const double onAirS = link.mode == SharingMode::AIRTIME ? loadS : loadS / share;
    return (link.price * fraction * link.maxPowerW + link.airPrice) * onAirS;
}

NodeIndex
ToNode(std::size_t index, std::size_t devices)
{
    return index > devices ? EDGE_SERVER : static_cast<NodeIndex>(index);
}

} // namespace

ClusterCosts::ClusterCosts(const Instance& instance,
                           std::size_t cluster,
                           const MicroBatchPair& pair,
                           const ClusterPrices& prices,
                           double edgeSlowdown)
    : m_instance(instance),
      m_cluster(cluster),
      m_pair(pair),
      m_prices(prices),
      m_devices(instance.state.clusters[cluster].devices.size()),
      m_blocks(instance.state.model.blocks)
{
    const auto& training = instance.state.training;
    m_iterationPrice = prices.latency * training.localIterations;
    m_bottleneckPrice = m_iterationPrice * (pair.count - 1);
    m_forwardPart = 1 / (1 + instance.state.model.backwardRatio);
    m_schedule = GetSchedule(training.schedule);
    m_positions = CountMemoryPositions(*m_schedule, pair.count, m_devices);
    m_firsts = std::min(instance.state.model.firstTrainedBlock, m_blocks) + 1;
    SetDevices(instance, edgeSlowdown);
    SetBaseCosts();
    SetConstant(instance, edgeSlowdown);
    m_links.resize(2 * (m_devices + 2) * (m_devices + 2));
}

void
ClusterCosts::SetDevices(const Instance& instance, double /* edgeSlowdown */)
{
    const SystemState& state = instance.state;
    const ModelProfile& model = state.model;
    const double transfers = static_cast<double>(state.training.localIterations) * m_pair.count;
    for (std::size_t k = 0; k < m_devices; ++k)
    {
        const DeviceState& device = state.clusters[m_cluster].devices[k];
        const double queue = instance.GetEnergyPrice(m_cluster, k + 1);
        const double second = m_iterationPrice + queue * transfers * device.computePowerW;
        m_stageFixedS.push_back(2 * device.overheadS);
        m_stagePerBlockS.push_back((1 + model.backwardRatio) * m_pair.size *
                                   model.blockForwardFlops / device.flops);
        const double parameters = GetParameterCost(instance, static_cast<NodeIndex>(k + 1));
        m_deviceFixed.push_back(second * m_stageFixedS[k]);
        m_devicePerBlock.push_back(second * m_stagePerBlockS[k] + parameters);
        // Where devices differ by their place in the chain, that with the most alive counts.
        const uint32_t most = GetMostLive();
        const bool never = state.training.recomputation == Recomputation::NEVER;
        const bool always = state.training.recomputation == Recomputation::ALWAYS;
        m_keptBlocks.push_back(never    ? m_blocks
                               : always ? 0
                                        : GetMaxBlocks(model,
                                                       device,
                                                       model.firstTrainedBlock,
                                                       m_pair.size,
                                                       most,
                                                       Recomputation::NEVER));
        m_againPerBlockS.push_back(m_pair.size * model.blockForwardFlops / device.flops);
        m_againCostPerBlock.push_back(second * m_againPerBlockS[k]);
        for (std::size_t j = 1; j <= m_positions; ++j)
        {
            for (uint32_t first = 0; first < m_firsts; ++first)
            {
                const Limits limits = GetLimits(k, j, first);
                m_memoryBlocks.push_back(limits.most);
                m_safeBlocks.push_back(limits.safe);
            }
        }
    }
}

/// What frozen weights cost on the downlink, by bits as parameters there
void
ClusterCosts::SetBaseCosts()
{
    if (!HasBase())
    {
        return;
    }
    const SystemState& state = m_instance.state;
    const double share = m_prices.parameterShare;
    const NodeIndex carrier = GetCarrier(state, m_cluster);
    for (std::size_t k = 0; k < m_devices; ++k)
    {
        const DeviceState& device = state.clusters[m_cluster].devices[k];
        const auto node = static_cast<NodeIndex>(k + 1);
        const RadioLink down = MakeParameterLink(state, m_cluster, carrier, node, 1, 0);
        const double bitCost =
            m_prices.distribution * share * GetOccupationS(down, share, 1) + GetWholeBitCost();
        for (uint32_t blocks = 0; blocks <= m_blocks; ++blocks)
        {
            const StagePlan stage{CONTROL_UNIT, false, 0, blocks, false};
            m_baseCosts.push_back(bitCost *
                                  GetMissingBaseBits(state.model, device.heldBase, stage));
        }
    }
}

/// What a bit more in the whole costs, which the control unit gets before its devices do
double
ClusterCosts::GetWholeBitCost() const
{
    if (GetUploadPath(m_instance.state, m_cluster) == UploadPath::DIRECT)
    {
        return 0;
    }
    const RadioLink down =
        MakeParameterLink(m_instance.state, m_cluster, EDGE_SERVER, CONTROL_UNIT, 1, 0);
    return m_prices.latency * GetOccupationS(down, m_prices.edgeShare, 1);
}

/// The most micro-batches alive at once on any device of any chain
uint32_t
ClusterCosts::GetMostLive() const
{
    if (m_schedule->IsLiveFromEnd())
    {
        return GetDeviceLive(*m_schedule, m_pair.count, m_devices, m_devices);
    }
    uint32_t most = 1;
    for (std::size_t n = 1; n <= m_devices; ++n)
    {
        for (std::size_t j = 1; j <= n && CanRun(*m_schedule, m_pair.count, n); ++j)
        {
            most = std::max(most, GetDeviceLive(*m_schedule, m_pair.count, n, j));
        }
    }
    return most;
}

/// Blocks that a device's memory holds at a position from the end
ClusterCosts::Limits
ClusterCosts::GetLimits(std::size_t device, std::size_t fromEnd, uint32_t firstBlock) const
{
    Limits limits{0, m_blocks};
    if (m_schedule->IsLiveFromEnd())
    {
        limits.most = limits.safe = GetBlocksThatFit(device, fromEnd, m_devices, firstBlock);
        return limits;
    }
    for (std::size_t n = fromEnd; n <= m_devices; ++n)
    {
        if (CanRun(*m_schedule, m_pair.count, n))
        {
            const uint32_t blocks = GetBlocksThatFit(device, fromEnd, n, firstBlock);
            limits = {std::max(limits.most, blocks), std::min(limits.safe, blocks)};
        }
    }
    limits.safe = std::min(limits.safe, limits.most);
    return limits;
}

uint32_t
ClusterCosts::GetBlocksThatFit(std::size_t device,
                               std::size_t fromEnd,
                               std::size_t length,
                               uint32_t firstBlock) const
{
    const SystemState& state = m_instance.state;
    return GetMaxBlocks(state.model,
                        state.clusters[m_cluster].devices[device],
                        firstBlock,
                        m_pair.size,
                        GetDeviceLive(*m_schedule, m_pair.count, length, fromEnd),
                        state.training.recomputation);
}

bool
ClusterCosts::Fits(const std::vector<Segment>& segments) const
{
    const std::size_t count = segments.size();
    const bool byPosition = m_schedule->IsLiveFromEnd();
    if (!byPosition && !CanRun(*m_schedule, m_pair.count, count))
    {
        return false;
    }
    uint32_t first = 0;
    for (std::size_t s = 0; s < count; ++s)
    {
        const std::size_t k = segments[s].node - 1;
        const uint32_t most = byPosition ? GetMemoryBlocks(k, count - s, first)
                                         : GetBlocksThatFit(k, count - s, count, first);
        if (segments[s].blocks > most)
        {
            return false;
        }
        first += segments[s].blocks;
    }
    return true;
}

bool
ClusterCosts::HasSafeLimits() const
{
    return !m_schedule->IsLiveFromEnd();
}

void
ClusterCosts::UseSafeLimits()
{
    m_memoryBlocks = m_safeBlocks;
}

/// Distribution and upload of a block. The whole that a control unit collects is the same for all
/// cuts
double
ClusterCosts::GetParameterCost(const Instance& instance, NodeIndex node) const
{
    const SystemState& state = instance.state;
    const double bits = state.model.blockParameterBits;
    if (bits <= 0)
    {
        return 0;
    }
    const double queue = instance.GetEnergyPrice(m_cluster, node);
    const NodeIndex carrier = GetCarrier(state, m_cluster);
    const double less = state.model.distributedPart * bits;
    const RadioLink down = MakeParameterLink(state, m_cluster, carrier, node, less, 0);
    const RadioLink up = MakeParameterLink(state, m_cluster, node, carrier, bits, queue);
    const double share = m_prices.parameterShare;
    double best = NO_LIMIT;
    for (const double fraction : POWERS)
    {
        const double load = share * GetOccupationS(up, share, fraction);
        best = std::min(best, m_prices.upload * load + GetEnergyCost(up, fraction, load, share));
        if (up.price <= 0 || up.mode == SharingMode::DEDICATED)
        {
            break;
        }
    }
    return best + m_prices.distribution * share * GetOccupationS(down, share, 1);
}

void
ClusterCosts::SetConstant(const Instance& instance, double edgeSlowdown)
{
    const SystemState& state = instance.state;
    const auto& model = state.model;
    const auto& unit = state.clusters[m_cluster].controlUnit;
    const double transfers = static_cast<double>(state.training.localIterations) * m_pair.count;
    const double passes = model.trainsEmbedding ? 2 : 1;
    const double embedding = passes * unit.overheadS + (1 + model.GetEmbeddingBackwardRatio()) *
                                                           m_pair.size *
                                                           model.embeddingForwardFlops / unit.flops;
    const double decoder = edgeSlowdown * (2 * state.edge.overheadS +
                                           (1 + model.GetDecoderBackwardRatio()) * m_pair.size *
                                               model.decoderForwardFlops / state.edge.flops);
    const double queue = instance.GetEnergyPrice(m_cluster, 0);
    m_leastBottleneckS = std::max(embedding, decoder);
    m_constant = m_iterationPrice * (embedding + decoder) +
                 queue * transfers * unit.computePowerW * embedding;
    if (instance.convergenceTarget > 0 && instance.convergencePrice > 0)
    {
        const double samples = static_cast<double>(m_pair.count) * m_pair.size;
        m_constant += instance.convergencePrice * ConvergencePhi(state.learning,
                                                                 state.training.localIterations,
                                                                 {state.clusters[m_cluster].weight},
                                                                 {samples});
    }
}

const ClusterCosts::Link&
ClusterCosts::GetLink(std::size_t from, std::size_t to, bool forward) const
{
    Link& link = m_links[2 * (from * (m_devices + 2) + to) + (forward ? 0 : 1)];
    if (!link.known)
    {
        const ModelProfile& model = m_instance.state.model;
        const NodeIndex here = ToNode(from, m_devices);
        const NodeIndex next = ToNode(to, m_devices);
        if (forward)
        {
            link = MakeHop(here, next, m_pair.size * model.activationBits);
        }
        else if (model.trainsEmbedding || here != CONTROL_UNIT)
        {
            link = MakeHop(next, here, m_pair.size * model.GetGradientBits());
        }
        link.known = true;
    }
    return link;
}

ClusterCosts::Link
ClusterCosts::MakeHop(NodeIndex from, NodeIndex to, double bits) const
{
    const SystemState& state = m_instance.state;
    Link result;
    const LinkState* link = FindLinkState(state.clusters[m_cluster], from, to);
    if (bits <= 0 || !link)
    {
        result.works = link != nullptr || bits <= 0;
        SetBest(result);
        return result;
    }
    const Pool pool = GetPool(from, to);
    const bool d2d = pool == Pool::D2D;
    const Pool budget = GetBudget(state, m_cluster, from, to);
    const bool pooled = IsPooled(state, m_cluster, from, to);
    const bool ofNode = pooled && budget == Pool::UPLINK;
    const double share = ofNode                       ? m_prices.uplinkShare
                         : d2d || budget == Pool::D2D ? m_prices.d2dShare
                                                      : m_prices.edgeShare;
    const double queue = from == EDGE_SERVER ? 0 : m_instance.GetEnergyPrice(m_cluster, from);
    const double transfers = static_cast<double>(state.training.localIterations) * m_pair.count;
    const RadioLink radio = MakeLink(*link,
                                     GetLinkPool(state, m_cluster, from, to),
                                     bits + link->overheadBits,
                                     queue * transfers,
                                     !d2d && budget == Pool::D2D);
    const bool dedicated = radio.mode == SharingMode::DEDICATED;
    result.price = dedicated                ? 0
                   : budget == Pool::D2D    ? m_prices.d2d
                   : budget == Pool::UPLINK ? m_prices.uplink
                                            : m_prices.downlink;
    // A device's reservation is that of its activations and of its gradients
    result.price *= ofNode && from != CONTROL_UNIT ? 0.5 : 1;
    double best = NO_LIMIT;
    for (const double fraction : POWERS)
    {
        if (fraction < 1 && fraction * radio.maxPowerW < radio.minPowerW)
        {
            break; // they fall
        }
        Link candidate = result;
        const double poolS =
            dedicated ? radio.fixedS : share * GetOccupationS(radio, share, fraction);
        candidate.loadS = poolS / (m_prices.sharesFixed && !dedicated ? share : 1);
        candidate.fixed = GetEnergyCost(radio, fraction, poolS, dedicated ? 1 : share) +
                          m_iterationPrice * link->latencyS;
        SetBest(candidate);
        // Time grows and energy falls with less power: past the least cost there is no lower one
        if (candidate.bestCost >= best)
        {
            break;
        }
        best = candidate.bestCost;
        result = candidate;
        if (radio.price <= 0 || dedicated)
        {
            break;
        }
    }
    result.works = std::isfinite(best);
    return result;
}

/// The time that is cheapest without a limit, and its cost
void
ClusterCosts::SetBest(Link& link) const
{
    const double free =
        m_iterationPrice > 0 ? std::sqrt(link.price * link.loadS / m_iterationPrice) : NO_LIMIT;
    link.bestS = std::max(link.loadS, free);
    link.bestCost = link.loadS > 0 ? link.fixed + m_iterationPrice * link.bestS +
                                         link.price * link.loadS / link.bestS
                                   : link.fixed;
}

double
ClusterCosts::GetLinkS(const Link& link, double limitS) const
{
    return std::max(link.loadS, std::min(link.bestS, limitS));
}

double
ClusterCosts::GetLinkCost(const Link& link, double limitS) const
{
    if (!link.works || link.loadS > limitS)
    {
        return NO_LIMIT;
    }
    if (link.loadS <= 0 || link.bestS <= limitS)
    {
        return link.bestCost;
    }
    return link.fixed + m_iterationPrice * limitS + link.price * link.loadS / limitS;
}

uint32_t
ClusterCosts::GetMemoryBlocks(std::size_t device, std::size_t fromEnd, uint32_t firstBlock) const
{
    const std::size_t place = device * m_positions + std::min(fromEnd, m_positions) - 1;
    return m_memoryBlocks[place * m_firsts + std::min(firstBlock, m_firsts - 1)];
}

double
ClusterCosts::GetHopCost(std::size_t from, std::size_t to, double bottleneckS) const
{
    return GetLinkCost(GetLink(from, to, true), m_forwardPart * bottleneckS) +
           GetLinkCost(GetLink(from, to, false), (1 - m_forwardPart) * bottleneckS);
}

double
ClusterCosts::GetChainCost(const std::vector<Segment>& segments) const
{
    double bottleneck = m_leastBottleneckS;
    double cost = m_constant;
    uint32_t first = 0;
    for (const auto& segment : segments)
    {
        const std::size_t k = segment.node - 1;
        bottleneck = std::max(bottleneck, GetStageS(k, segment.blocks));
        cost += GetDeviceCost(k, segment.blocks) + GetBaseCost(k, first + segment.blocks) -
                GetBaseCost(k, first);
        first += segment.blocks;
    }
    // A link is faster than the longest computation, where that counts and the pool allows it
    double forward = m_forwardPart * bottleneck;
    double backward = (1 - m_forwardPart) * bottleneck;
    std::size_t from = 0;
    for (std::size_t s = 0; s <= segments.size(); ++s)
    {
        const std::size_t to = s < segments.size() ? segments[s].node : m_devices + 1;
        forward = std::max(forward, GetLink(from, to, true).loadS);
        backward = std::max(backward, GetLink(from, to, false).loadS);
        from = to;
    }
    from = 0;
    const bool limited = m_bottleneckPrice > 0;
    for (std::size_t s = 0; s <= segments.size(); ++s)
    {
        const std::size_t to = s < segments.size() ? segments[s].node : m_devices + 1;
        cost += GetLinkCost(GetLink(from, to, true), limited ? forward : NO_LIMIT);
        cost += GetLinkCost(GetLink(from, to, false), limited ? backward : NO_LIMIT);
        from = to;
    }
    return cost + m_bottleneckPrice * (forward + backward);
}

double
ClusterCosts::GetBottleneckS(const std::vector<Segment>& segments) const
{
    double bottleneck = m_leastBottleneckS;
    std::size_t from = 0;
    for (std::size_t s = 0; s <= segments.size(); ++s)
    {
        const std::size_t to = s < segments.size() ? segments[s].node : m_devices + 1;
        const double stage =
            s < segments.size() ? GetStageS(to - 1, segments[s].blocks) : m_leastBottleneckS;
        const double forward = GetLinkS(GetLink(from, to, true), NO_LIMIT) / m_forwardPart;
        const double backward = GetLinkS(GetLink(from, to, false), NO_LIMIT) / (1 - m_forwardPart);
        bottleneck = std::max({bottleneck, stage, forward, backward});
        from = to;
    }
    return bottleneck;
}

} // namespace collapipe
} // namespace ns3
