/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-instance-json.h"

#include "collapipe-clock-states.h"
#include "collapipe-fluid-model.h"
#include "collapipe-held-base-json.h"
#include "collapipe-json-error.h"
#include "collapipe-json-field.h"
#include "collapipe-recomputation.h"

#include "ns3/collapipe-bounded-json.h"
#include "ns3/collapipe-schedule.h"

#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

double
Number(const Field& field, const std::string& name, Range range)
{
    return field.Get(name).Number(range);
}

double
Optional(const Field& field, const std::string& name, double fallback)
{
    return field.Has(name) ? field.Get(name).Number(Range::NON_NEGATIVE) : fallback;
}

ModelProfile
ReadModel(const Field& field)
{
    ModelProfile model;
    model.blocks = field.Get("blocks").Count(Range::COUNT);
    model.blockForwardFlops = Number(field, "blockForwardFlops", Range::NON_NEGATIVE);
    model.backwardRatio = Number(field, "backwardRatio", Range::NON_NEGATIVE);
    model.embeddingForwardFlops = Number(field, "embeddingForwardFlops", Range::NON_NEGATIVE);
    model.decoderForwardFlops = Number(field, "decoderForwardFlops", Range::NON_NEGATIVE);
    model.activationBits = Number(field, "activationBits", Range::NON_NEGATIVE);
    model.targetBits = Optional(field, "targetBits", 0);
    model.blockParameterBits = Number(field, "blockParameterBits", Range::NON_NEGATIVE);
    model.embeddingParameterBits = Number(field, "embeddingParameterBits", Range::NON_NEGATIVE);
    model.decoderParameterBits = Optional(field, "decoderParameterBits", 0);
    model.distributedPart = Optional(field, "distributedPart", 1);
    if (model.distributedPart > 1)
    {
        field.Get("distributedPart").Fail("must not be above 1");
    }
    model.gradientBits = Optional(field, "gradientBits", 0);
    model.segmentInputBytes = Optional(field, "segmentInputBytes", 0);
    model.embeddingBackwardRatio = Optional(field, "embeddingBackwardRatio", -1);
    model.decoderBackwardRatio = Optional(field, "decoderBackwardRatio", -1);
    model.frozenBlockBytes = Optional(field, "frozenBlockBytes", 0);
    // Of a block that is not trained, all is frozen
    model.untrainedBlockBytes = Optional(field,
                                         "untrainedBlockBytes",
                                         model.frozenBlockBytes + model.blockParameterBits / 8);
    model.frozenEmbeddingBytes = Optional(field, "frozenEmbeddingBytes", 0);
    model.frozenDecoderBytes = Optional(field, "frozenDecoderBytes", 0);
    model.sendsBase = field.Has("sendsBase") && field.Get("sendsBase").Flag();
    model.trainsEmbedding = !field.Has("trainsEmbedding") || field.Get("trainsEmbedding").Flag();
    model.firstTrainedBlock =
        field.Has("firstTrainedBlock") ? field.Get("firstTrainedBlock").Count(Range::ANY_COUNT) : 0;
    if (model.firstTrainedBlock > model.blocks)
    {
        field.Get("firstTrainedBlock").Fail("must not be above model.blocks");
    }
    model.tableGradientBits = Optional(field, "tableGradientBits", 0);
    model.gradientPart = Optional(field, "gradientPart", 1);
    model.weightCopies = Number(field, "weightCopies", Range::NON_NEGATIVE);
    model.activationBytesPerBlock = Number(field, "activationBytesPerBlock", Range::NON_NEGATIVE);
    return model;
}

MicroBatchPair
ReadPair(const Field& field)
{
    return {field.Get("count").Count(Range::COUNT), field.Get("size").Count(Range::COUNT)};
}

TrainingProfile
ReadTraining(const Field& field)
{
    TrainingProfile training;
    training.localIterations = field.Get("localIterations").Count(Range::COUNT);
    const Field pairs = field.Get("allowedPairs");
    for (std::size_t i = 0; i < pairs.Size(); ++i)
    {
        training.allowedPairs.push_back(ReadPair(pairs.At(i)));
    }
    if (training.allowedPairs.empty())
    {
        pairs.Fail("must not be empty");
    }
    training.fixedPair =
        field.Has("fixedPair") ? ReadPair(field.Get("fixedPair")) : training.allowedPairs.front();
    training.clipping = field.Has("clipping") && field.Get("clipping").Flag();
    if (field.Has("recomputation") &&
        !ParseRecomputation(field.Get("recomputation").Text(), training.recomputation))
    {
        field.Get("recomputation").Fail("must be \"never\", \"always\" or \"auto\"");
    }
    if (field.Has("uploadPath") &&
        !ParseUploadRule(field.Get("uploadPath").Text(), training.uploadRule))
    {
        field.Get("uploadPath").Fail("must be \"direct\", \"collected\" or \"auto\"");
    }
    training.mostEdgeBlocks =
        field.Has("mostEdgeBlocks") ? field.Get("mostEdgeBlocks").Count(Range::ANY_COUNT) : 0;
    training.dataOnDevices = field.Has("dataOnDevices") && field.Get("dataOnDevices").Flag();
    training.schedule = field.Get("schedule").Text();
    if (!IsScheduleName(training.schedule))
    {
        field.Get("schedule").Fail("must be " + DescribeScheduleNames());
    }
    return training;
}

LearningState
ReadLearning(const Field& field)
{
    LearningState learning;
    learning.stepSize = Number(field, "stepSize", Range::POSITIVE);
    learning.smoothness = Number(field, "smoothness", Range::NON_NEGATIVE);
    learning.gradientVariance = Number(field, "gradientVariance", Range::NON_NEGATIVE);
    learning.clusterDivergence = Optional(field, "clusterDivergence", 0);
    return learning;
}

EdgeState
ReadEdge(const Field& field)
{
    EdgeState edge;
    edge.flops = Number(field, "flops", Range::POSITIVE);
    edge.overheadS = Optional(field, "overheadS", 0);
    edge.workers = field.Has("workers") ? field.Get("workers").Count(Range::COUNT) : 1;
    edge.queues = field.Has("queues") && field.Get("queues").Flag();
    return edge;
}

void
ReadSharing(const Field& field, PoolState& pool)
{
    const std::string sharing =
        field.Has("sharing") ? field.Get("sharing").Text() : ToString(Sharing::RESERVED);
    if (sharing != ToString(Sharing::RESERVED) && sharing != ToString(Sharing::WORK_CONSERVING))
    {
        field.Get("sharing").Fail("must be \"reserved\" or \"work-conserving\"");
    }
    pool.sharing =
        sharing == ToString(Sharing::RESERVED) ? Sharing::RESERVED : Sharing::WORK_CONSERVING;
    pool.priorities = field.Has("priorities") && field.Get("priorities").Flag();
    pool.background = Optional(field, "background", 0);
    if (pool.background >= 1)
    {
        field.Get("background").Fail("must be below 1");
    }
}

PoolState
ReadPool(const Field& field)
{
    PoolState pool;
    const std::string mode = field.Get("mode").Text();
    if (mode == "frequency" || mode == "airtime")
    {
        pool.mode = mode == "frequency" ? SharingMode::FREQUENCY : SharingMode::AIRTIME;
        pool.bandwidthHz = Number(field, "bandwidthHz", Range::POSITIVE);
    }
    else if (mode != "dedicated")
    {
        field.Get("mode").Fail("must be \"frequency\", \"airtime\" or \"dedicated\"");
    }
    ReadSharing(field, pool);
    return pool;
}

void
ReadEnergy(const Field& field, LinkState& link)
{
    link.circuitPowerW = Optional(field, "circuitPowerW", 0);
    link.receivePowerW = Optional(field, "receivePowerW", 0);
    link.receiveJPerBit = Optional(field, "receiveJPerBit", 0);
    if (field.Has("amplifierEfficiency"))
    {
        link.amplifierEfficiency = Number(field, "amplifierEfficiency", Range::POSITIVE);
    }
}

Relay
ReadRelay(const Field& field)
{
    const std::string name = field.Text();
    for (const auto& [known, relay] : GetRelayNames())
    {
        if (known == name)
        {
            return relay;
        }
    }
    field.Fail("must be \"none\", \"controlUnit\" or \"baseStation\"");
}

double
ReadOverheadS(const Field& field, const PoolState& pool)
{
    const double overheadS = Optional(field, "overheadS", 0);
    if (overheadS > 0 && pool.mode == SharingMode::FREQUENCY)
    {
        field.Get("overheadS")
            .Fail("is airtime, which a pool with \"mode\": \"frequency\" does "
                  "not share out: give overheadBits");
    }
    return overheadS;
}

LinkState
ReadLink(const Field& field, const PoolState& pool)
{
    LinkState link;
    link.latencyS = Optional(field, "latencyS", 0);
    link.overheadBits = Optional(field, "overheadBits", 0);
    link.overheadS = ReadOverheadS(field, pool);
    ReadEnergy(field, link);
    link.acknowledgementRatio = Optional(field, "acknowledgementRatio", 0);
    link.startupS = Optional(field, "startupS", 0);
    link.relay = field.Has("relay") ? ReadRelay(field.Get("relay")) : Relay::NONE;
    if (pool.mode == SharingMode::DEDICATED)
    {
        link.fixedRateBps = Number(field, "fixedRateBps", Range::POSITIVE);
        link.maxPowerW = Optional(field, "maxPowerW", 0);
        if (link.relay == Relay::NONE)
        {
            return link;
        }
    }
    if (field.Has("maxSpectralEfficiency"))
    {
        link.maxSpectralEfficiency = Number(field, "maxSpectralEfficiency", Range::POSITIVE);
    }
    link.gain = Number(field, "gain", Range::POSITIVE);
    link.efficiency = field.Has("efficiency") ? Number(field, "efficiency", Range::POSITIVE) : 1;
    link.snrGap = field.Has("snrGap") ? Number(field, "snrGap", Range::POSITIVE) : 1;
    link.noiseDensityWPerHz = Number(field, "noiseDensityWPerHz", Range::POSITIVE);
    link.maxPowerW = Number(field, "maxPowerW", Range::POSITIVE);
    link.minPowerW = Optional(field, "minPowerW", 0);
    if (link.minPowerW > link.maxPowerW)
    {
        field.Get("minPowerW").Fail("must be at most maxPowerW");
    }
    return link;
}

/// Reads at which parts of its clock a node computes beside the full one.
void
ReadClocks(const Field& field, DeviceState& device)
{
    device.staticPart = Optional(field, "staticPart", 0);
    for (std::size_t i = 0; field.Has("clocks") && i < field.Get("clocks").Size(); ++i)
    {
        device.clocks.push_back(field.Get("clocks").At(i).Number(Range::POSITIVE));
    }
    const std::string error = CheckClocks(device.clocks, device.staticPart);
    if (!error.empty())
    {
        field.Fail(error);
    }
}

DeviceState
ReadDevice(const Field& field, const SystemState& state, const std::string& name)
{
    DeviceState device;
    device.name = field.Has("name") ? field.Get("name").Text() : name;
    device.flops = Number(field, "flops", Range::POSITIVE);
    device.overheadS = Optional(field, "overheadS", 0);
    device.memoryBytes = Number(field, "memoryBytes", Range::NON_NEGATIVE);
    device.computePowerW = Optional(field, "computePowerW", 0);
    ReadClocks(field, device);
    device.energyBudgetJ = Optional(field, "energyBudgetJ", 0);
    device.batteryJ = Optional(field, "batteryJ", std::numeric_limits<double>::infinity());
    if (field.Has("heldBase"))
    {
        device.heldBase = ReadHeldBase(field.Get("heldBase"), state.model);
    }
    device.uplink = ReadLink(field.Get("uplink"), state.uplink);
    device.downlink = ReadLink(field.Get("downlink"), state.downlink);
    return device;
}

void
ReadD2dLinks(const Field& field, ClusterState& cluster)
{
    const std::size_t nodes = cluster.devices.size() + 1;
    if (field.Size() != nodes)
    {
        field.Fail("must have " + std::to_string(nodes) + " rows, one per node");
    }
    for (std::size_t i = 0; i < nodes; ++i)
    {
        const Field row = field.At(i);
        if (row.Size() != nodes)
        {
            row.Fail("must have " + std::to_string(nodes) + " entries, one per node");
        }
        cluster.d2dLinks.emplace_back();
        for (std::size_t j = 0; j < nodes; ++j)
        {
            cluster.d2dLinks.back().push_back(i == j ? LinkState{}
                                                     : ReadLink(row.At(j), cluster.d2d));
        }
    }
}

ClusterState
ReadCluster(const Field& field, const SystemState& state)
{
    ClusterState cluster;
    cluster.weight = Number(field, "weight", Range::POSITIVE);
    cluster.controlUnit = ReadDevice(field.Get("controlUnit"), state, "cu");
    const Field devices = field.Get("devices");
    for (std::size_t k = 0; k < devices.Size(); ++k)
    {
        cluster.devices.push_back(ReadDevice(devices.At(k), state, std::to_string(k)));
    }
    cluster.d2d = ReadPool(field.Get("d2d"));
    ReadD2dLinks(field.Get("d2dLinks"), cluster);
    return cluster;
}

void
ReadQueues(const Field& field, Instance& instance)
{
    instance.convergencePrice = Optional(field, "convergence", 0);
    if (!field.Has("energyJ"))
    {
        return;
    }
    const Field energy = field.Get("energyJ");
    if (energy.Size() != instance.state.clusters.size())
    {
        energy.Fail("must have one row per cluster");
    }
    for (std::size_t m = 0; m < energy.Size(); ++m)
    {
        const Field row = energy.At(m);
        if (row.Size() != instance.state.clusters[m].devices.size() + 1)
        {
            row.Fail("must have one entry per node: control unit, then devices");
        }
        instance.energyPrices.emplace_back();
        for (std::size_t k = 0; k < row.Size(); ++k)
        {
            instance.energyPrices.back().push_back(row.At(k).Number(Range::NON_NEGATIVE));
        }
    }
}

Instance
ReadInstance(const Field& root)
{
    Instance instance;
    SystemState& state = instance.state;
    state.round = root.Has("round") ? root.Get("round").Count(Range::ANY_COUNT) : 0;
    state.model = ReadModel(root.Get("model"));
    state.training = ReadTraining(root.Get("training"));
    state.learning = ReadLearning(root.Get("learning"));
    state.edge = ReadEdge(root.Get("edge"));
    state.uplink = ReadPool(root.Get("uplink"));
    state.downlink = ReadPool(root.Get("downlink"));
    const Field clusters = root.Get("clusters");
    for (std::size_t m = 0; m < clusters.Size(); ++m)
    {
        state.clusters.push_back(ReadCluster(clusters.At(m), state));
    }
    const Field control = root.Get("control");
    instance.penaltyWeight = Number(control, "penaltyWeight", Range::POSITIVE);
    instance.convergenceTarget = Optional(control, "convergenceTarget", 0);
    if (root.Has("queues"))
    {
        ReadQueues(root.Get("queues"), instance);
    }
    return instance;
}

} // namespace

const std::vector<std::pair<std::string, Relay>>&
GetRelayNames()
{
    static const std::vector<std::pair<std::string, Relay>> relays{
        {"none", Relay::NONE},
        {"controlUnit", Relay::CONTROL_UNIT},
        {"baseStation", Relay::BASE_STATION}};
    return relays;
}

std::string
ParseInstanceJson(const std::string& text, Instance& instance)
{
    try
    {
        const Json json = ParseBoundedJson<Json>(text);
        instance = ReadInstance(Field(json, ""));
    }
    catch (const FieldError& error)
    {
        return error.what();
    }
    catch (const nlohmann::json::exception&)
    {
        return DescribeJsonError(text);
    }
    return "";
}

} // namespace collapipe
} // namespace ns3
