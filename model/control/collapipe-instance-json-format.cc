/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-medium.h"
#include "collapipe-held-base-json.h"
#include "collapipe-instance-json.h"
#include "collapipe-json-field.h"
#include "collapipe-recomputation.h"
#include "collapipe-upload-path.h"

#include <cmath>
#include <cstddef>

namespace ns3
{
namespace collapipe
{

namespace
{

Json
ToJson(const MicroBatchPair& pair)
{
    return {{"count", pair.count}, {"size", pair.size}};
}

Json
ToJson(const ModelProfile& model)
{
    Json json{{"blocks", model.blocks},
              {"blockForwardFlops", model.blockForwardFlops},
              {"backwardRatio", model.backwardRatio},
              {"embeddingForwardFlops", model.embeddingForwardFlops},
              {"decoderForwardFlops", model.decoderForwardFlops},
              {"activationBits", model.activationBits},
              {"gradientBits", model.GetGradientBits()},
              {"segmentInputBytes", model.segmentInputBytes},
              {"targetBits", model.targetBits},
              {"blockParameterBits", model.blockParameterBits},
              {"embeddingParameterBits", model.embeddingParameterBits},
              {"decoderParameterBits", model.decoderParameterBits},
              {"weightCopies", model.weightCopies},
              {"activationBytesPerBlock", model.activationBytesPerBlock}};
    if (model.distributedPart < 1)
    {
        json["distributedPart"] = model.distributedPart;
    }
    if (model.embeddingBackwardRatio >= 0)
    {
        json["embeddingBackwardRatio"] = model.embeddingBackwardRatio;
    }
    if (model.decoderBackwardRatio >= 0)
    {
        json["decoderBackwardRatio"] = model.decoderBackwardRatio;
    }
    if (model.frozenBlockBytes > 0 || !model.trainsEmbedding || model.firstTrainedBlock > 0)
    {
        json["frozenBlockBytes"] = model.frozenBlockBytes;
        json["untrainedBlockBytes"] = model.untrainedBlockBytes;
        json["trainsEmbedding"] = model.trainsEmbedding;
        json["firstTrainedBlock"] = model.firstTrainedBlock;
    }
    if (model.gradientPart != 1)
    {
        json["gradientPart"] = model.gradientPart;
    }
    if (model.tableGradientBits > 0)
    {
        json["tableGradientBits"] = model.tableGradientBits;
    }
    if (model.sendsBase)
    {
        json["sendsBase"] = true;
        json["frozenEmbeddingBytes"] = model.frozenEmbeddingBytes;
        json["frozenDecoderBytes"] = model.frozenDecoderBytes;
    }
    return json;
}

Json
ToJson(const TrainingProfile& training)
{
    Json pairs = Json::array();
    for (const auto& pair : training.allowedPairs)
    {
        pairs.push_back(ToJson(pair));
    }
    return {{"localIterations", training.localIterations},
            {"allowedPairs", pairs},
            {"fixedPair", ToJson(training.fixedPair)},
            {"clipping", training.clipping},
            {"recomputation", ToString(training.recomputation)},
            {"uploadPath", ToString(training.uploadRule)},
            {"mostEdgeBlocks", training.mostEdgeBlocks},
            {"dataOnDevices", training.dataOnDevices},
            {"schedule", training.schedule}};
}

Json
ToJson(const PoolState& pool)
{
    if (pool.mode == SharingMode::DEDICATED)
    {
        return {{"mode", "dedicated"}};
    }
    return {{"mode", pool.mode == SharingMode::FREQUENCY ? "frequency" : "airtime"},
            {"bandwidthHz", pool.bandwidthHz},
            {"sharing", ToString(pool.sharing)},
            {"priorities", pool.priorities},
            {"background", pool.background}};
}

Json
ToJson(const LinkState& link, const PoolState& pool)
{
    Json json = {{"maxPowerW", link.maxPowerW},
                 {"minPowerW", link.minPowerW},
                 {"circuitPowerW", link.circuitPowerW},
                 {"amplifierEfficiency", link.amplifierEfficiency},
                 {"receivePowerW", link.receivePowerW},
                 {"receiveJPerBit", link.receiveJPerBit},
                 {"latencyS", link.latencyS},
                 {"startupS", link.startupS},
                 {"overheadBits", link.overheadBits},
                 {"overheadS", link.overheadS}};
    if (pool.mode == SharingMode::DEDICATED)
    {
        json["fixedRateBps"] = link.fixedRateBps;
        if (link.relay == Relay::NONE)
        {
            return json;
        }
    }
    for (const auto& [name, relay] : GetRelayNames())
    {
        if (link.relay == relay && relay != Relay::NONE)
        {
            json["relay"] = name;
        }
    }
    json["gain"] = link.gain;
    json["efficiency"] = link.efficiency;
    json["snrGap"] = link.snrGap;
    json["noiseDensityWPerHz"] = link.noiseDensityWPerHz;
    json["acknowledgementRatio"] = link.acknowledgementRatio;
    if (std::isfinite(link.maxSpectralEfficiency))
    {
        json["maxSpectralEfficiency"] = link.maxSpectralEfficiency;
    }
    return json;
}

Json
ToJson(const DeviceState& device, const SystemState& state)
{
    Json json = {{"name", device.name},
                 {"flops", device.flops},
                 {"overheadS", device.overheadS},
                 {"memoryBytes", device.memoryBytes},
                 {"computePowerW", device.computePowerW},
                 {"energyBudgetJ", device.energyBudgetJ},
                 {"uplink", ToJson(device.uplink, state.uplink)},
                 {"downlink", ToJson(device.downlink, state.downlink)}};
    if (!device.clocks.empty())
    {
        json["clocks"] = device.clocks;
        json["staticPart"] = device.staticPart;
    }
    if (std::isfinite(device.batteryJ))
    {
        json["batteryJ"] = device.batteryJ;
    }
    if (state.model.sendsBase)
    {
        json["heldBase"] = FormatHeldBase(device.heldBase);
    }
    return json;
}

Json
ToJson(const ClusterState& cluster, const SystemState& state)
{
    Json devices = Json::array();
    for (const auto& device : cluster.devices)
    {
        devices.push_back(ToJson(device, state));
    }
    Json links = Json::array();
    for (std::size_t i = 0; i < cluster.d2dLinks.size(); ++i)
    {
        links.push_back(Json::array());
        for (std::size_t j = 0; j < cluster.d2dLinks[i].size(); ++j)
        {
            links.back().push_back(i == j ? Json() : ToJson(cluster.d2dLinks[i][j], cluster.d2d));
        }
    }
    return {{"weight", cluster.weight},
            {"controlUnit", ToJson(cluster.controlUnit, state)},
            {"devices", devices},
            {"d2d", ToJson(cluster.d2d)},
            {"d2dLinks", links}};
}

} // namespace

std::string
FormatInstanceJson(const Instance& instance)
{
    const SystemState& state = instance.state;
    Json clusters = Json::array();
    for (const auto& cluster : state.clusters)
    {
        clusters.push_back(ToJson(cluster, state));
    }
    Json json = {{"round", state.round},
                 {"model", ToJson(state.model)},
                 {"training", ToJson(state.training)},
                 {"learning",
                  {{"stepSize", state.learning.stepSize},
                   {"smoothness", state.learning.smoothness},
                   {"gradientVariance", state.learning.gradientVariance},
                   {"clusterDivergence", state.learning.clusterDivergence}}},
                 {"edge",
                  {{"flops", state.edge.flops},
                   {"overheadS", state.edge.overheadS},
                   {"workers", state.edge.workers},
                   {"queues", state.edge.queues}}},
                 {"uplink", ToJson(state.uplink)},
                 {"downlink", ToJson(state.downlink)},
                 {"clusters", clusters},
                 {"control",
                  {{"penaltyWeight", instance.penaltyWeight},
                   {"convergenceTarget", instance.convergenceTarget}}},
                 {"queues", {{"convergence", instance.convergencePrice}}}};
    if (!instance.energyPrices.empty())
    {
        json["queues"]["energyJ"] = instance.energyPrices;
    }
    return json.dump(2) + "\n";
}

} // namespace collapipe
} // namespace ns3
