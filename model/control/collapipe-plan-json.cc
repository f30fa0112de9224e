/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-plan-json.h"

#include "collapipe-controller.h"
#include "collapipe-json-error.h"
#include "collapipe-json-field.h"
#include "collapipe-latency-model.h"
#include "collapipe-pipeline-plan.h"
#include "collapipe-transfers.h"

#include "ns3/collapipe-bounded-json.h"

#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

Json
NodeToJson(NodeIndex node)
{
    if (node == EDGE_SERVER)
    {
        return "edgeServer";
    }
    return node == CONTROL_UNIT ? Json("controlUnit") : Json(node - 1);
}

std::string
PhaseName(Phase phase)
{
    switch (phase)
    {
    case Phase::DISTRIBUTION:
        return "distribution";
    case Phase::TRAINING:
        return "training";
    case Phase::UPLOAD:
        break;
    }
    return "upload";
}

Json
ChainToJson(const ChainPlan& chain)
{
    Json stages = Json::array();
    for (const auto& stage : chain.stages)
    {
        stages.push_back({{"node", NodeToJson(stage.node)},
                          {"embedding", stage.embedding},
                          {"firstBlock", stage.firstBlock},
                          {"lastBlock", stage.lastBlock},
                          {"decoder", stage.decoder}});
        if (stage.clock != 1)
        {
            stages.back()["clock"] = stage.clock;
        }
    }
    return {{"microBatches", chain.microBatches},
            {"microBatchSize", chain.microBatchSize},
            {"dataShare", chain.dataShare},
            {"stages", stages}};
}

Json
LinkToJson(const LinkEvaluation& link, const ClusterPlan& plan)
{
    Json json = {{"phase", PhaseName(link.phase)},
                 {"from", NodeToJson(link.from)},
                 {"to", NodeToJson(link.to)}};
    for (const auto& decision : plan.links)
    {
        if (decision.phase == link.phase && decision.from == link.from && decision.to == link.to)
        {
            json["share"] = decision.share;
            json["powerW"] = decision.powerW;
            json["priority"] = decision.priority;
        }
    }
    json["bits"] = link.bits;
    if (link.messages != 1)
    {
        json["messages"] = link.messages;
    }
    json["rateBps"] = link.rateBps;
    json["occupationS"] = link.occupationS;
    json["latencyS"] = link.latencyS;
    json["airS"] = link.airS;
    json["energyJ"] = link.energyJ;
    json["receiverEnergyJ"] = link.receiverEnergyJ;
    return json;
}

Json
NodesToJson(const Instance& instance, std::size_t m, const ClusterEvaluation& evaluation)
{
    Json nodes = Json::array();
    for (std::size_t k = 0; k < evaluation.nodes.size(); ++k)
    {
        const auto& node = evaluation.nodes[k];
        const auto index = static_cast<NodeIndex>(k);
        const auto& state = GetNode(instance.state.clusters[m], index);
        nodes.push_back({{"node", NodeToJson(index)},
                         {"name", state.name},
                         {"blocks", node.blocks},
                         {"forwardS", node.forwardS},
                         {"backwardS", node.backwardS},
                         {"memoryBytes", node.memoryBytes},
                         {"computeEnergyJ", node.computeEnergyJ},
                         {"radioEnergyJ", node.radioEnergyJ},
                         {"energyJ", node.energyJ},
                         {"energyBudgetJ", state.energyBudgetJ},
                         {"energyQueueJ", instance.GetEnergyPrice(m, k)}});
    }
    return nodes;
}

Json
ClusterToJson(const Instance& instance,
              const RoundPlan& plan,
              std::size_t m,
              const ClusterEvaluation& evaluation)
{
    Json chains = Json::array();
    for (const auto& chain : plan.clusters[m].chains)
    {
        chains.push_back(ChainToJson(chain));
    }
    Json links = Json::array();
    for (const auto& link : evaluation.links)
    {
        links.push_back(LinkToJson(link, plan.clusters[m]));
    }
    Json json = {{"chains", chains},
                 {"uploadPath", ToString(plan.clusters[m].path)},
                 {"samples", evaluation.samples},
                 {"distributionS", evaluation.distributionS},
                 {"iterationS", evaluation.iterationS},
                 {"uploadS", evaluation.uploadS},
                 {"totalS", evaluation.totalS},
                 {"nodes", NodesToJson(instance, m, evaluation)},
                 {"links", links}};
    if (plan.clusters[m].synchronous)
    {
        json["synchronous"] = true;
    }
    return json;
}

NodeIndex
ReadNode(const Field& field, const ClusterState& cluster)
{
    if (field.IsText())
    {
        const auto name = field.Text();
        if (name != "controlUnit" && name != "edgeServer")
        {
            field.Fail("must be \"controlUnit\", \"edgeServer\" or the number of a device");
        }
        return name == "controlUnit" ? CONTROL_UNIT : EDGE_SERVER;
    }
    const uint32_t device = field.Count(Range::ANY_COUNT);
    if (device >= cluster.devices.size())
    {
        field.Fail("is device " + std::to_string(device) + "; the cluster has " +
                   std::to_string(cluster.devices.size()) + ", counted from 0");
    }
    return static_cast<NodeIndex>(device + 1);
}

Phase
ReadPhase(const Field& field)
{
    const auto name = field.Text();
    for (const Phase phase : {Phase::DISTRIBUTION, Phase::TRAINING, Phase::UPLOAD})
    {
        if (name == PhaseName(phase))
        {
            return phase;
        }
    }
    field.Fail("must be \"distribution\", \"training\" or \"upload\"");
}

StagePlan
ReadStage(const Field& field, const ClusterState& cluster)
{
    StagePlan stage;
    stage.node = ReadNode(field.Get("node"), cluster);
    stage.embedding = field.Has("embedding") && field.Get("embedding").Flag();
    stage.decoder = field.Has("decoder") && field.Get("decoder").Flag();
    stage.firstBlock = field.Get("firstBlock").Count(Range::ANY_COUNT);
    stage.lastBlock = field.Get("lastBlock").Count(Range::ANY_COUNT);
    stage.clock = field.Has("clock") ? field.Get("clock").Number(Range::POSITIVE) : 1;
    if (stage.lastBlock < stage.firstBlock)
    {
        field.Fail("must not end (lastBlock) before it begins (firstBlock)");
    }
    return stage;
}

ChainPlan
ReadChain(const Field& field, const ClusterState& cluster)
{
    ChainPlan chain;
    chain.microBatches = field.Get("microBatches").Count(Range::COUNT);
    chain.microBatchSize = field.Get("microBatchSize").Count(Range::COUNT);
    chain.dataShare =
        field.Has("dataShare") ? field.Get("dataShare").Number(Range::POSITIVE) : chain.dataShare;
    const Field stages = field.Get("stages");
    for (std::size_t s = 0; s < stages.Size(); ++s)
    {
        chain.stages.push_back(ReadStage(stages.At(s), cluster));
    }
    return chain;
}

/// Reads a link's share and power, where they were decided.
void
ReadLink(const Field& field, const ClusterState& cluster, ClusterPlan& plan)
{
    if (!field.Has("share") && !field.Has("powerW"))
    {
        return; // of fixed rate
    }
    LinkPlan link;
    link.phase = ReadPhase(field.Get("phase"));
    link.from = ReadNode(field.Get("from"), cluster);
    link.to = ReadNode(field.Get("to"), cluster);
    link.share = field.Get("share").Number(Range::NON_NEGATIVE);
    link.powerW = field.Get("powerW").Number(Range::NON_NEGATIVE);
    if (field.Has("priority"))
    {
        const uint32_t priority = field.Get("priority").Count(Range::ANY_COUNT);
        if (priority > std::numeric_limits<uint8_t>::max())
        {
            field.Get("priority").Fail("must not be above 255");
        }
        link.priority = static_cast<uint8_t>(priority);
    }
    plan.links.push_back(link);
}

ClusterPlan
ReadCluster(const Field& field, const ClusterState& cluster)
{
    ClusterPlan plan;
    if (field.Has("uploadPath") && !ParseUploadPath(field.Get("uploadPath").Text(), plan.path))
    {
        field.Get("uploadPath").Fail("must be \"direct\" or \"collected\"");
    }
    plan.synchronous = field.Has("synchronous") && field.Get("synchronous").Flag();
    const Field chains = field.Get("chains");
    for (std::size_t c = 0; c < chains.Size(); ++c)
    {
        plan.chains.push_back(ReadChain(chains.At(c), cluster));
    }
    for (std::size_t i = 0; field.Has("links") && i < field.Get("links").Size(); ++i)
    {
        ReadLink(field.Get("links").At(i), cluster, plan);
    }
    return plan;
}

RoundPlan
ReadPlan(const Field& root, const SystemState& state)
{
    RoundPlan plan;
    plan.infeasible = root.Has("infeasible") ? root.Get("infeasible").Text() : "";
    if (!plan.infeasible.empty())
    {
        return plan;
    }
    plan.localIterations = root.Has("localIterations")
                               ? root.Get("localIterations").Count(Range::COUNT)
                               : state.training.localIterations;
    plan.schedule = root.Has("schedule") ? root.Get("schedule").Text() : state.training.schedule;
    const Field clusters = root.Get("clusters");
    if (clusters.Size() != state.clusters.size())
    {
        clusters.Fail("must have " + std::to_string(state.clusters.size()) +
                      " entries, one for each cluster");
    }
    for (std::size_t m = 0; m < clusters.Size(); ++m)
    {
        plan.clusters.push_back(ReadCluster(clusters.At(m), state.clusters[m]));
    }
    return plan;
}

/// @return whether the plan decides on links, be it that none has anything to decide
bool
HasLinks(const Field& root)
{
    const Field clusters = root.Get("clusters");
    bool has = false;
    for (std::size_t m = 0; m < clusters.Size(); ++m)
    {
        has |= clusters.At(m).Has("links");
    }
    return has;
}

/// Fills in what a plan may leave out, once it is known to make sense. @return as CheckPlan()
std::string
Complete(const Field& root, const SystemState& state, RoundPlan& plan)
{
    auto error = CheckPlan(state, plan);
    if (!error.empty())
    {
        return error;
    }
    if (!HasLinks(root))
    {
        SetEqualLinks(state, plan);
        error = CheckPlan(state, plan);
    }
    plan.plannedLatencyS = root.Has("latencyS") ? root.Get("latencyS").Number(Range::NON_NEGATIVE)
                           : error.empty()      ? PredictLatencyS(state, plan)
                                                : 0;
    return error;
}

} // namespace

std::string
ParsePlanJson(const std::string& text, const SystemState& state, RoundPlan& plan)
{
    try
    {
        const Json json = ParseBoundedJson<Json>(text);
        const Field root(json, "");
        plan = ReadPlan(root, state);
        return plan.infeasible.empty() ? Complete(root, state, plan) : "";
    }
    catch (const FieldError& error)
    {
        return error.what();
    }
    catch (const nlohmann::json::exception&)
    {
        return DescribeJsonError(text);
    }
}

std::string
FormatPlanJson(const Instance& instance,
               const RoundPlan& plan,
               const SolverReport& report,
               bool onOneLine)
{
    Json json = {{"controller", report.controller}, {"infeasible", plan.infeasible}};
    if (plan.infeasible.empty())
    {
        const Evaluation evaluation = EvaluatePlan(instance, plan);
        Json clusters = Json::array();
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            clusters.push_back(ClusterToJson(instance, plan, m, evaluation.clusters[m]));
        }
        json["objective"] = {{"total", evaluation.objective},
                             {"latency", evaluation.latencyTerm},
                             {"energy", evaluation.energyTerm},
                             {"convergence", evaluation.convergenceTerm}};
        json["latencyS"] = evaluation.latencyS;
        json["phi"] = evaluation.phi;
        json["localIterations"] = plan.localIterations;
        json["schedule"] = plan.schedule;
        json["clusters"] = clusters;
    }
    json["solver"] = {{"seconds", report.seconds},
                      {"steps", report.steps},
                      {"evaluations", report.evaluations},
                      {"newtonSteps", report.newtonSteps}};
    return json.dump(onOneLine ? -1 : 2) + "\n";
}

std::string
FormatErrorJson(const std::string& error)
{
    // An instance may quote what is no UTF-8.
    const Json json = {{"error", error}};
    return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace collapipe
} // namespace ns3
