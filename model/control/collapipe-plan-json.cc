/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-plan-json.h"

#include "collapipe-latency-model.h"
#include "collapipe-transfers.h"

#include <nlohmann/json.hpp>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::ordered_json;

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
                         {"energyQueueJ", instance.GetEnergyQueue(m, k)}});
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
    return {{"chains", chains},
            {"samples", evaluation.samples},
            {"distributionS", evaluation.distributionS},
            {"iterationS", evaluation.iterationS},
            {"uploadS", evaluation.uploadS},
            {"totalS", evaluation.totalS},
            {"nodes", NodesToJson(instance, m, evaluation)},
            {"links", links}};
}

} // namespace

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
