/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-latency-model.h"

#include "collapipe-clock-states.h"
#include "collapipe-convergence-bound.h"
#include "collapipe-fluid-medium.h"
#include "collapipe-fluid-model.h"
#include "collapipe-link-model.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-recomputation.h"
#include "collapipe-reservation.h"
#include "collapipe-transfers.h"

#include "ns3/collapipe-schedule.h"

#include <algorithm>
#include <array>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

std::size_t
CountEdgePipelines(const RoundPlan& plan)
{
    std::size_t count = 0;
    for (const auto& cluster : plan.clusters)
    {
        for (const auto& chain : cluster.chains)
        {
            count += !chain.stages.empty() && chain.stages.back().node == EDGE_SERVER;
        }
    }
    return count;
}

/// One way of a shared table's gradient
struct TableTransfer
{
    double timeS{0};      //!< until it is there
    double airS{0};       //!< on the air
    double sendPowerW{0}; //!< of the sender, meanwhile
    double receivedJ{0};  //!< of the receiver
};

/// @return zeros where there is no such transfer
TableTransfer
GetTableTransfer(const SystemState& state,
                 std::size_t m,
                 const ChainPlan& chain,
                 NodeIndex from,
                 NodeIndex to)
{
    const LinkState* link = FindLinkState(state.clusters[m], from, to);
    if (state.model.tableGradientBits <= 0 || chain.stages.size() < 2 || !link)
    {
        return {};
    }
    const Pool kind = GetPool(from, to);
    const PoolState& pool = GetPoolState(state, m, kind);
    const bool isCommon = kind != Pool::D2D && pool.mode != SharingMode::DEDICATED;
    const double share = isCommon ? 1.0 / static_cast<double>(state.clusters.size()) : 1;
    const double bits =
        state.model.tableGradientBits + GetMessageOverheadBits(*link, pool, link->maxPowerW);
    const double airS = GetAirTimeS(*link, pool, share, link->maxPowerW, bits);
    return {link->latencyS + bits / GetRateBps(*link, pool, share, link->maxPowerW),
            airS,
            GetTransmitPowerW(*link, pool, link->maxPowerW),
            link->receivePowerW * airS + link->receiveJPerBit * bits};
}

/// The evaluation of one cluster
class ClusterEvaluator
{
  public:
    ClusterEvaluator(const Instance& instance, const RoundPlan& plan, std::size_t cluster)
        : m_state(instance.state),
          m_plan(plan),
          m_schedule(GetSchedule(plan.schedule)),
          m_cluster(cluster),
          m_slowdown(GetEdgeSlowdown(m_state.edge, CountEdgePipelines(plan)))
    {
    }

    /// @param fluid what the fluid model says; nullptr: (3), (4)
    ClusterEvaluation Run(const FluidCluster* fluid)
    {
        m_result.nodes.resize(m_state.clusters[m_cluster].devices.size() + 1);
        for (const auto& chain : m_plan.clusters[m_cluster].chains)
        {
            m_result.samples += static_cast<double>(chain.microBatches) * chain.microBatchSize;
            AddChain(chain);
        }
        for (const auto& t : ListSums(m_state, m_plan.clusters[m_cluster]))
        {
            m_result.links.push_back(EvaluateLink(t, m_plan.localIterations));
        }
        const double trainedS =
            m_result.distributionS + m_plan.localIterations * m_result.iterationS;
        if (m_plan.clusters[m_cluster].chains.size() > 1)
        {
            // A chain's parameters set out when it has ended, whatever the others do
            m_result.uploadS = m_result.distributionS + m_longestS - trainedS;
        }
        m_result.totalS = trainedS + m_result.uploadS;
        const bool isKnown = m_plan.localIterations > 1 || !EndsAtEdge();
        m_result.edgePeriodS = isKnown ? m_result.iterationS : 0;
        if (fluid)
        {
            Replace(*fluid);
        }
        AddRadioEnergy();
        for (auto& node : m_result.nodes)
        {
            node.energyJ = node.computeEnergyJ + node.radioEnergyJ;
        }
        return std::move(m_result);
    }

  private:
    /// The whole pool at full power where the plan does not name the link
    LinkPlan FindPlan(const Transfer& t) const
    {
        LinkPlan link;
        const ClusterState& cluster = m_state.clusters[m_cluster];
        link.powerW = FindLinkState(cluster, t.from, t.to)->maxPowerW;
        FindLinkPlan(m_state, m_cluster, m_plan.clusters[m_cluster], t.phase, t.from, t.to, link);
        return link;
    }

    /// The medium that a link takes up: that of its hop, where a relay shares one out as it comes
    const PoolState& GetTakenPool(const LinkState& link, const LinkEvaluation& result) const
    {
        const Pool own = GetPool(result.from, result.to);
        const PoolState& taken = GetPoolState(m_state, m_cluster, GetMedium(link, own));
        return IsWorkConserving(taken) ? taken
                                       : GetLinkPool(m_state, m_cluster, result.from, result.to);
    }

    /// (7') of both ends for a time on the air in the whole round
    void SetEnergy(LinkEvaluation& result, double powerW, double airS) const
    {
        const auto& cluster = m_state.clusters[m_cluster];
        const LinkState& link = *FindLinkState(cluster, result.from, result.to);
        const PoolState& pool = GetTakenPool(link, result);
        result.airS = airS;
        result.energyJ =
            result.from == EDGE_SERVER ? 0 : GetTransmitPowerW(link, pool, powerW) * airS;
        const double carriedBits =
            result.times * (result.bits + result.messages * link.overheadBits);
        result.receiverEnergyJ = result.to == EDGE_SERVER ? 0
                                                          : link.receivePowerW * airS +
                                                                link.receiveJPerBit * carriedBits;
    }

    /// Whether the edge server has a stage of the cluster's
    bool EndsAtEdge() const
    {
        const auto& chains = m_plan.clusters[m_cluster].chains;
        return std::any_of(chains.begin(), chains.end(), [](const ChainPlan& chain) {
            return chain.stages.back().node == EDGE_SERVER;
        });
    }

    /// (16) in place of (3), (4)
    void Replace(const FluidCluster& fluid)
    {
        m_result.distributionS = fluid.distributionS;
        m_result.uploadS = fluid.uploadS;
        m_result.iterationS = fluid.trainingS / m_plan.localIterations;
        m_result.totalS = fluid.totalS;
        m_result.edgePeriodS = EndsAtEdge() ? fluid.edgePeriodS : m_result.iterationS;
        for (std::size_t i = 0; i < m_result.links.size(); ++i)
        {
            LinkEvaluation& link = m_result.links[i];
            const LinkState& state =
                *FindLinkState(m_state.clusters[m_cluster], link.from, link.to);
            const LinkPlan plan = FindPlan(fluid.links[i].transfer);
            const PoolState& pool = GetTakenPool(state, link);
            const double overheadBits = GetMessageOverheadBits(state, pool, plan.powerW);
            link.occupationS = fluid.links[i].occupationS;
            link.rateBps = (link.bits + link.messages * overheadBits) / link.occupationS;
            SetEnergy(link, plan.powerW, fluid.links[i].airS);
        }
    }

    void AddRadioEnergy()
    {
        for (const auto& link : m_result.links)
        {
            if (link.from != EDGE_SERVER)
            {
                m_result.nodes[link.from].radioEnergyJ += link.energyJ;
            }
            if (link.to != EDGE_SERVER)
            {
                m_result.nodes[link.to].radioEnergyJ += link.receiverEnergyJ;
            }
        }
    }

    LinkEvaluation EvaluateLink(const Transfer& t, double times) const
    {
        const LinkState& link = *FindLinkState(m_state.clusters[m_cluster], t.from, t.to);
        const PoolState& pool = GetLinkPool(m_state, m_cluster, t.from, t.to);
        const LinkPlan plan = FindPlan(t);
        const double share = plan.share;
        const double power = plan.powerW;
        LinkEvaluation result;
        result.phase = t.phase;
        result.from = t.from;
        result.to = t.to;
        result.bits = t.bits;
        result.times = times;
        result.messages = t.messages;
        result.latencyS = link.latencyS;
        result.rateBps = GetLinkRateBps(m_state, m_cluster, t.from, t.to, share, power);
        const double bits = t.bits + t.messages * GetMessageOverheadBits(link, pool, power);
        result.occupationS = bits / result.rateBps;
        SetEnergy(result, power, times * GetAirTimeS(link, pool, share, power, bits));
        return result;
    }

    void AddChain(const ChainPlan& chain)
    {
        const ClusterPlan alone{{chain}, {}, m_plan.clusters[m_cluster].path};
        const double iterations = m_plan.localIterations;
        const std::size_t first = m_result.links.size();
        double uploadS = 0;
        for (const auto& t : ListTransfers(m_state, m_cluster, alone))
        {
            const bool training = t.phase == Phase::TRAINING;
            const double times = training ? iterations * chain.microBatches : 1;
            m_result.links.push_back(EvaluateLink(t, times));
            const auto& link = m_result.links.back();
            if (!training)
            {
                double& slowest = m_legsS[t.phase == Phase::UPLOAD ? 1 : 0][t.leg];
                slowest = std::max(slowest, link.latencyS + link.occupationS);
                uploadS = t.phase == Phase::UPLOAD
                              ? std::max(uploadS, link.latencyS + link.occupationS)
                              : uploadS;
            }
        }
        m_result.distributionS = m_legsS[0][0] + m_legsS[0][1];
        m_result.uploadS = m_legsS[1][0] + m_legsS[1][1];
        const IterationTimes times = GetIterationTimes(chain, first);
        const double tau =
            m_schedule->GetIterationTimeS(times) + GetExchangeTimeS(m_state, m_cluster, chain);
        m_result.iterationS = std::max(m_result.iterationS, tau);
        m_longestS = std::max(m_longestS, iterations * tau + uploadS);
        AddNodes(chain, times);
        AddTableEnergy(chain);
    }

    /// (7') of a shared table's gradients
    void AddTableEnergy(const ChainPlan& chain)
    {
        const NodeIndex first = chain.stages.front().node;
        const NodeIndex last = chain.stages.back().node;
        for (const auto& [from, to] : {std::pair{first, last}, std::pair{last, first}})
        {
            const TableTransfer transfer = GetTableTransfer(m_state, m_cluster, chain, from, to);
            if (transfer.airS > 0 && from != EDGE_SERVER)
            {
                m_result.nodes[from].radioEnergyJ +=
                    m_plan.localIterations * transfer.sendPowerW * transfer.airS;
            }
            if (transfer.airS > 0 && to != EDGE_SERVER)
            {
                m_result.nodes[to].radioEnergyJ += m_plan.localIterations * transfer.receivedJ;
            }
        }
    }

    /// The links of the chain begin at index `first` of the result's
    const LinkEvaluation* FindLink(std::size_t first, NodeIndex from, NodeIndex to) const
    {
        for (std::size_t i = first; i < m_result.links.size(); ++i)
        {
            const auto& link = m_result.links[i];
            if (link.phase == Phase::TRAINING && link.from == from && link.to == to)
            {
                return &link;
            }
        }
        return nullptr;
    }

    IterationTimes GetIterationTimes(const ChainPlan& chain, std::size_t first) const
    {
        IterationTimes times;
        times.microBatches = chain.microBatches;
        const auto& stages = chain.stages;
        for (std::size_t s = 0; s < stages.size(); ++s)
        {
            times.hops.push_back(GetStageTimes(m_state, m_cluster, chain, stages[s], m_slowdown));
            if (s + 1 < stages.size())
            {
                AddLinks(times.hops.back(), stages[s].node, stages[s + 1].node, first);
            }
        }
        const bool besides = stages.size() > 2 && stages.back().node == EDGE_SERVER;
        const auto* target = FindLink(first, stages.front().node, EDGE_SERVER);
        times.targetS = besides && target ? target->occupationS : 0;
        times.targetLatencyS = besides && target ? target->latencyS : 0;
        return times;
    }

    void AddLinks(HopTimes& hop, NodeIndex here, NodeIndex next, std::size_t first) const
    {
        if (const auto* forward = FindLink(first, here, next))
        {
            hop.linkForwardS = forward->occupationS;
            hop.latencyForwardS = forward->latencyS;
        }
        if (const auto* backward = FindLink(first, next, here))
        {
            hop.linkBackwardS = backward->occupationS;
            hop.latencyBackwardS = backward->latencyS;
        }
    }

    void AddNodes(const ChainPlan& chain, const IterationTimes& times)
    {
        const double count = static_cast<double>(m_plan.localIterations) * chain.microBatches;
        for (std::size_t s = 0; s < chain.stages.size(); ++s)
        {
            const auto& stage = chain.stages[s];
            if (stage.node == EDGE_SERVER)
            {
                continue;
            }
            NodeEvaluation& node = m_result.nodes[stage.node];
            node.blocks = stage.GetBlocks();
            node.forwardS = times.hops[s].forwardS;
            node.backwardS = times.hops[s].backwardS;
            node.memoryBytes = GetStageMemoryBytes(m_state.model,
                                                   m_plan.schedule,
                                                   chain,
                                                   s,
                                                   IsStageRecomputed(m_state, m_cluster, chain, s));
            node.computeEnergyJ =
                count * (node.forwardS + node.backwardS) *
                GetComputePowerW(GetNode(m_state.clusters[m_cluster], stage.node), stage.clock);
        }
    }

    const SystemState& m_state;     //!< the system
    const RoundPlan& m_plan;        //!< the plan
    Ptr<const Schedule> m_schedule; //!< the plan's
    std::size_t m_cluster;          //!< which cluster
    double m_slowdown;              //!< of the edge server
    ClusterEvaluation m_result;     //!< so far
    double m_longestS{0};           //!< iterations and upload of the slowest chain
    /// Slowest transfers of distribution and upload, by leg
    std::array<std::array<double, 2>, 2> m_legsS{};
};

double
GetEnergyTerm(const Instance& instance, std::size_t m, const ClusterEvaluation& evaluation)
{
    const auto& cluster = instance.state.clusters[m];
    double term = 0;
    for (std::size_t k = 0; k < evaluation.nodes.size(); ++k)
    {
        const double budget = GetNode(cluster, static_cast<NodeIndex>(k)).energyBudgetJ;
        term += instance.GetEnergyPrice(m, k) * (evaluation.nodes[k].energyJ - budget);
    }
    return term;
}

} // namespace

double
GetEdgeSlowdown(const EdgeState& edge, std::size_t pipelines)
{
    return std::max(1.0, static_cast<double>(pipelines) / std::max<uint32_t>(edge.workers, 1));
}

namespace
{

/**
 * @param model the model
 * @param stage a stage of a plan
 * @return FLOPs of a sample's backward pass through it, formula (1)
 */
double
GetBackwardFlops(const ModelProfile& model, const StagePlan& stage)
{
    const uint32_t blocks = model.CountBackward(stage.firstBlock, stage.lastBlock);
    return blocks * model.backwardRatio * model.blockForwardFlops +
           (stage.embedding ? model.GetEmbeddingBackwardRatio() * model.embeddingForwardFlops : 0) +
           (stage.decoder ? model.GetDecoderBackwardRatio() * model.decoderForwardFlops : 0);
}

/// @return whether all that a model has is trained
bool
IsWhole(const ModelProfile& model)
{
    return model.trainsEmbedding && model.firstTrainedBlock == 0 &&
           model.embeddingBackwardRatio < 0 && model.decoderBackwardRatio < 0;
}

} // namespace

HopTimes
GetStageTimes(const SystemState& state,
              std::size_t cluster,
              const ChainPlan& chain,
              const StagePlan& stage,
              double edgeSlowdown)
{
    const ModelProfile& model = state.model;
    const bool edge = stage.node == EDGE_SERVER;
    const double flops =
        edge ? state.edge.flops : GetNode(state.clusters[cluster], stage.node).flops;
    const double overhead =
        edge ? state.edge.overheadS : GetNode(state.clusters[cluster], stage.node).overheadS;
    const double blocks = stage.GetBlocks() * model.blockForwardFlops;
    const double work = blocks + (stage.embedding ? model.embeddingForwardFlops : 0) +
                        (stage.decoder ? model.decoderForwardFlops : 0);
    const double slowdown = edge ? edgeSlowdown : 1 / stage.clock;
    const double seconds = chain.microBatchSize * work / flops;
    HopTimes times;
    times.forwardS = slowdown * (overhead + seconds);
    const auto index = static_cast<std::size_t>(&stage - chain.stages.data());
    // Of a segment, its blocks are computed again, no embedding and no decoder beside them
    const bool isAgain = IsStageRecomputed(state, cluster, chain, index);
    const double again = isAgain && work > 0 ? blocks / work : 0;
    const double backward =
        IsWhole(model) || work <= 0 ? model.backwardRatio : GetBackwardFlops(model, stage) / work;
    if (backward > 0 || IsWhole(model)) // else there is no backward pass
    {
        times.backwardS = slowdown * (overhead + (backward + again) * seconds);
    }
    return times;
}

double
GetClippingTimeS(const ClusterState& cluster, const ChainPlan& chain)
{
    if (chain.stages.size() < 2)
    {
        return 0;
    }
    const auto& first = GetNode(cluster, chain.stages.front().node);
    return first.uplink.latencyS + first.downlink.latencyS;
}

double
GetExchangeTimeS(const SystemState& state, std::size_t m, const ChainPlan& chain)
{
    const NodeIndex first = chain.stages.front().node;
    const NodeIndex last = chain.stages.back().node;
    const double clippingS =
        state.training.clipping ? GetClippingTimeS(state.clusters[m], chain) : 0;
    return clippingS + std::max(GetTableTransfer(state, m, chain, first, last).timeS,
                                GetTableTransfer(state, m, chain, last, first).timeS);
}

Evaluation
EvaluatePlan(const Instance& instance, const RoundPlan& plan)
{
    FluidModel fluid;
    return EvaluatePlan(instance, plan, fluid);
}

Evaluation
EvaluatePlan(const Instance& instance, const RoundPlan& plan, FluidModel& fluid)
{
    const bool joins = std::any_of(plan.clusters.begin(), plan.clusters.end(), [](const auto& own) {
        return own.synchronous && own.chains.size() > 1;
    });
    const bool played = joins || IsWorkConserving(instance.state) || IsPooled(instance.state);
    const FluidRound round = played ? fluid.Play(instance.state, plan) : FluidRound();
    Evaluation result;
    std::vector<double> rho;
    std::vector<double> samples;
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        const FluidCluster* own = played ? &round.clusters[m] : nullptr;
        result.clusters.push_back(ClusterEvaluator(instance, plan, m).Run(own));
        result.latencyS = std::max(result.latencyS, result.clusters.back().totalS);
        result.energyTerm += GetEnergyTerm(instance, m, result.clusters.back());
        rho.push_back(instance.state.clusters[m].weight);
        samples.push_back(result.clusters.back().samples);
    }
    result.phi = ConvergencePhi(instance.state.learning, plan.localIterations, rho, samples);
    result.latencyTerm = instance.penaltyWeight * result.latencyS;
    if (instance.convergenceTarget > 0 && instance.convergencePrice > 0)
    {
        result.convergenceTerm =
            instance.convergencePrice * (result.phi - instance.convergenceTarget);
    }
    result.objective = result.latencyTerm + result.energyTerm + result.convergenceTerm;
    return result;
}

double
PredictLatencyS(const SystemState& state, const RoundPlan& plan)
{
    Instance instance;
    instance.state = state;
    return EvaluatePlan(instance, plan).latencyS;
}

} // namespace collapipe
} // namespace ns3
