/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-config.h"

#include "collapipe-run-options.h"
#include "collapipe-suggestion.h"

#include "ns3/collapipe-compute-library.h"
#include "ns3/collapipe-device-profile.h"
#include "ns3/collapipe-fluid-model.h"
#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-node-placement.h"
#include "ns3/collapipe-recomputation.h"
#include "ns3/collapipe-topology-error.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <variant>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double MAX_DISTANCE_M = 100000; //!< base station to cluster centre

/// Samples of an iteration that can still be split into micro-batches in sensible time
constexpr uint64_t MOST_SAMPLES = uint64_t{1} << 20;

/**
 * @param text distances in metres, separated by commas
 * @return them
 * @throws UserError where one is none
 */
std::vector<double>
ParseDistances(const std::string& text)
{
    std::vector<double> distances;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, ',');)
    {
        char* end = nullptr;
        const double value = std::strtod(part.c_str(), &end);
        RequireOption(!part.empty() && *end == '\0' && value >= 1 && value <= MAX_DISTANCE_M,
                      "--clusterDistances=" + text +
                          ": write a distance in metres from 1 to 100000 for each cluster, "
                          "separated by commas");
        distances.push_back(value);
    }
    return distances;
}

} // namespace

std::string
RunConfig::GetLearnt() const
{
    const bool isDefaultData = learning.train.empty() && !ownCorpus && !learning.IsForeign();
    return task == "classification" && isDefaultData ? "languages" : task;
}

void
RunConfig::Complete()
{
    if (!m_isComplete)
    {
        SetTaskDefaults({});
    }
}

std::string
RunConfig::GetUsualTask() const
{
    if (!learning.IsForeign())
    {
        // Translation alone has two files side by side
        return (trainSource + trainTarget).empty() ? "classification" : "translation";
    }
    // Decoder-only models continue texts; encoders do what they were saved for.
    const auto pretrained = learning.GetPretrained();
    const auto head =
        pretrained ? pretrained->GetHead() : GetUsualHead(learning.GetForeignConfig());
    return head == ModelHead::CLASSIFICATION    ? "classification"
           : head == ModelHead::CAUSAL_LANGUAGE ? "lm"
                                                : "mlm";
}

void
RunConfig::SetTaskDefaults(const std::set<std::string>& given)
{
    m_isComplete = true;
    RunConfig usual;
    const auto isFree = [&given](const std::string& name) { return given.count(name) == 0; };
    task = task.empty() ? GetUsualTask() : task;
    const bool isNamedSize = isFree("blocks") && blocks == usual.blocks;
    const auto learnt = GetLearnt();
    const auto usualOptions = MakeOptions(usual);
    for (const auto& option : MakeOptions(*this))
    {
        const bool isOfForeign = learning.IsForeign() && option.usual.count(FOREIGN.front()) > 0;
        const auto preferred = option.usual.find(isOfForeign ? FOREIGN.front() : learnt);
        if (preferred != option.usual.end() && isFree(option.name) &&
            option.GetText() == FindOption(usualOptions, option.name)->GetText())
        {
            option.Set(preferred->second());
        }
    }
    if (learning.IsForeign())
    {
        const auto own = learning.GetForeignConfig().blocks;
        RequireOption(isNamedSize || !isFree("blocks") || blocks == own,
                      std::to_string(blocks) + " blocks: the model that is taken has " +
                          std::to_string(own));
        blocks = own;
        return;
    }
    ModelConfig named;
    named.encoderBlocks = blocks;
    named.family = learning.GetFamily();
    if (isNamedSize && ParseModelSize(model, task, named))
    {
        blocks = named.encoderBlocks;
    }
}

const std::set<std::string>&
RunConfig::GetGiven() const
{
    return m_given;
}

std::vector<std::pair<std::string, std::string>>
RunConfig::ListAll() const
{
    auto all = List();
    all.insert(all.end(), m_attributes.begin(), m_attributes.end());
    return all;
}

std::vector<std::pair<std::string, std::string>>
RunConfig::List() const
{
    std::vector<std::pair<std::string, std::string>> values;
    RunConfig copy(*this);
    for (const auto& option : MakeOptions(copy))
    {
        values.emplace_back(option.name, option.GetText());
    }
    return values;
}

std::vector<std::pair<std::string, ParameterValue>>
RunConfig::ListTyped() const
{
    std::vector<std::pair<std::string, ParameterValue>> values;
    RunConfig copy(*this);
    for (const auto& option : MakeOptions(copy))
    {
        values.emplace_back(
            option.name,
            std::visit([](auto* value) { return ToParameter(*value); }, option.target));
    }
    values.insert(values.end(), m_attributes.begin(), m_attributes.end());
    return values;
}

void
RunConfig::Validate() const
{
    RunConfig copy(*this);
    if (!m_isComplete)
    {
        copy.Complete();
        copy.Validate();
        return;
    }
    const auto options = MakeOptions(copy);
    for (const auto& option : options)
    {
        option.Check();
    }
    RefuseIgnored(options, m_given);
    try
    {
        BackgroundConfig::Parse(background);
    }
    catch (const std::invalid_argument& error)
    {
        throw UserError(std::string("--background: ") + error.what());
    }
    CheckFiles();
    CheckSizes();
    CheckBase();
    learning.Validate(task);
    try
    {
        ParseDeviceProfiles(deviceProfiles);
    }
    catch (const std::invalid_argument& error)
    {
        throw UserError("--deviceProfiles=" + deviceProfiles + ": " + error.what());
    }
    CheckClockOptions();
    try
    {
        ParseEdgeProfile(edge);
    }
    catch (const std::invalid_argument& error)
    {
        throw UserError("--edge=" + edge + ": " + error.what());
    }
    RequireOption(segmentSize <= 1400 || topology == "p2p",
                  "--segmentSize=" + std::to_string(segmentSize) +
                      ": radios take no more than 1400 bytes; only --topology=p2p can");
    const auto topologyProblem = GetTopologyConfig().Validate();
    RequireOption(topologyProblem.empty(), topologyProblem);
    // Last, since opening LibTorch takes time.
    if (compute != "analytic")
    {
        RequireOption(GetComputeLibraryError().empty(), GetComputeLibraryError());
    }
}

void
RunConfig::CheckClockOptions() const
{
    RequireOption(!clocks.empty() || staticPart == 0,
                  "--staticPart goes with --clocks: without other clocks than the full one it "
                  "changes nothing");
    RequireOption(clocks.empty() || energyBudgetJ > 0 || controller.rfind("dssda", 0) != 0,
                  "--clocks=" + clocks +
                      ": slower clocks save energy and never time, and energy has a price only "
                      "with --energyBudget");
    try
    {
        if (!clocks.empty())
        {
            ParseClocks(clocks, ',');
        }
    }
    catch (const std::invalid_argument& error)
    {
        throw UserError("--clocks=" + clocks + ": " + error.what());
    }
}

void
RunConfig::CheckFiles() const
{
    RequireOption(trainSource.empty() == trainTarget.empty(),
                  "--trainSource and --trainTarget are given together or not at all");
    RequireOption(valSource.empty() == valTarget.empty(),
                  "--valSource and --valTarget are given together or not at all");
    RequireOption(valSource.empty() || !trainSource.empty(),
                  "--valSource and --valTarget go with --trainSource and --trainTarget");
    RequireOption(trainSource.empty() || task == "translation",
                  "--trainSource and --trainTarget go with --task=translation");
}

void
RunConfig::CheckSizes() const
{
    RequireOption(
        learning.decayRounds == 0 || learning.decayRounds >= rounds,
        "--decayRounds=" + std::to_string(learning.decayRounds) +
            ": the step size would be 0 for the rest of --rounds=" + std::to_string(rounds));
    const uint64_t samples = uint64_t{microBatches} * microBatchSize;
    RequireOption(samples <= MOST_SAMPLES,
                  "--microBatches=" + std::to_string(microBatches) +
                      " of --microBatchSize=" + std::to_string(microBatchSize) + " make " +
                      std::to_string(samples) + " samples an iteration; at most " +
                      std::to_string(MOST_SAMPLES) + " are possible");
    if (learning.IsForeign())
    {
        const auto model = GetModelConfig();
        const auto problem = model.Check();
        RequireOption(problem.empty(),
                      (learning.pretrained.empty() ? "--config=" + learning.config
                                                   : "--pretrained=" + learning.pretrained) +
                          ": " + problem);
        RequireOption(sequenceLength <= model.GetPositions(),
                      "--sequenceLength=" + std::to_string(sequenceLength) +
                          ": the model was made for texts of at most " +
                          std::to_string(model.GetPositions()) + " tokens");
        return;
    }
    ModelConfig dimensions;
    dimensions.family = learning.GetFamily();
    const auto sizes = GetModelNames(task, dimensions.family);
    RequireOption(ParseModelSize(model, task, dimensions),
                  "--model=" + model + ": there is no such size" + Suggest(model, sizes) +
                      "; take " + JoinWords(sizes) + ", or, for example, 128x4x512");
    const auto problem = GetModelConfig().Check();
    RequireOption(problem.empty(), "--model=" + model + ": " + problem);
}

void
RunConfig::CheckBase() const
{
    const auto model = GetModelConfig();
    const bool isFrozen = GetFrozenBytes(model, {true, 0, model.encoderBlocks, true}) > 0;
    RequireOption(isFrozen || learning.base == "installed",
                  "--base=" + learning.base +
                      ": nothing of the model is frozen that could be sent; give --lora, or "
                      "--trained=head or last:K, or leave it out");
    RequireOption(isFrozen || learning.basePrecision == "fp32",
                  "--basePrecision=" + learning.basePrecision +
                      ": nothing of the model is frozen that could be held so; give --lora, or "
                      "--trained=head or last:K, or leave it out");
}

ModelConfig
RunConfig::GetModelConfig() const
{
    if (learning.IsForeign())
    {
        auto config = learning.MakeForeignModel(task);
        config.encoderBlocks -= std::min(config.encoderBlocks - 1, config.edgeBlocks);
        config.sourceLength = sequenceLength;
        config.targetLength = sequenceLength;
        return config;
    }
    ModelConfig config;
    config.family = learning.GetFamily();
    ParseModelSize(model, task, config);
    learning.Complete(task, config);
    config.vocabulary = vocabulary;
    config.encoderBlocks = blocks - std::min(blocks - 1, config.edgeBlocks);
    config.decoderBlocks = decoderBlocks;
    config.sourceLength = sequenceLength;
    config.targetLength = sequenceLength;
    return config;
}

OptimizerConfig
RunConfig::GetOptimizerConfig() const
{
    OptimizerConfig config;
    config.name = optimizer;
    config.learningRate = learningRate;
    config.momentum = momentum;
    config.warmupSteps = learning.warmup;
    config.decay = learning.decay;
    const uint32_t all = learning.decayRounds > 0 ? learning.decayRounds : rounds;
    config.totalSteps = uint64_t{all} * localIterations;
    config.clipNorm = clipNorm;
    return config;
}

QualityPlan
RunConfig::GetQualityPlan() const
{
    return {learning.score, rounds, learning.GetDecodingOptions()};
}

WirePrecision
RunConfig::GetWirePrecision() const
{
    WirePrecision precision;
    ParsePrecision(activationPrecision, precision.activations);
    ParsePrecision(gradientPrecision, precision.gradients);
    ParsePrecision(parameterPrecision, precision.parameters);
    return precision;
}

Fidelity
RunConfig::GetFidelity() const
{
    return fidelity == "flow" ? Fidelity::FLOWS : Fidelity::PACKETS;
}

TopologyConfig
RunConfig::GetTopologyConfig() const
{
    TopologyConfig config;
    config.clusters = clusters;
    config.devicesPerCluster = devices;
    config.cells = cells;
    config.cellDistanceM = cellDistanceM;
    config.mobility = mobility;
    config.speedMps = speedMps;
    config.clusterDistanceM = clusterDistanceM;
    config.clusterDistancesM = ParseDistances(clusterDistances);
    config.cellRadiusM = cellRadiusM;
    config.randomPositions = placement == "random";
    if (!positions.empty())
    {
        try
        {
            config.positions = ReadPositions(positions);
        }
        catch (const TopologyError& error)
        {
            throw UserError(std::string("--positions: ") + error.what());
        }
    }
    config.lteScheduler = SchedulerTypeName(lteScheduler);
    config.clusterRadiusM = clusterRadiusM;
    config.ltePathLoss.shadowing = shadowing;
    config.ltePathLoss.shadowingSigmaDb = lteShadowingDb;
    config.wifiPathLoss.shadowing = shadowing;
    config.ltePathLoss.fading = fading;
    config.wifiPathLoss.fading = fading;
    config.lteBandwidthRb = lteResourceBlocks;
    config.packetErrorRate = packetErrorRate;
    config.segmentBytes = segmentSize;
    if (background != "none")
    {
        config.backgroundUsers = backgroundUsers;
        config.backgroundLead = Seconds(backgroundLeadS);
    }
    config.sharing =
        sharing == ToString(Sharing::RESERVED) ? Sharing::RESERVED : Sharing::WORK_CONSERVING;
    return config;
}

void
DescribeRun(const RunConfig& config, RunSummary& summary)
{
    summary.parameters = config.ListTyped();
    summary.seed = config.seed;
    summary.run = config.run;
    summary.topology = config.topology;
    summary.controller = config.controller;
    summary.task = config.task;
    summary.clusters = config.clusters;
    summary.devices = config.devices;
}

} // namespace collapipe
} // namespace ns3
