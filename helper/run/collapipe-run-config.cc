/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-config.h"

#include "collapipe-checkpoint.h"
#include "collapipe-ns3-options.h"
#include "collapipe-option-help.h"
#include "collapipe-plugin.h"
#include "collapipe-run-options.h"
#include "collapipe-scenario.h"
#include "collapipe-suggestion.h"

#include "ns3/collapipe-compute-library.h"
#include "ns3/collapipe-device-profile.h"
#include "ns3/collapipe-fluid-model.h"
#include "ns3/collapipe-node-placement.h"
#include "ns3/collapipe-recomputation.h"
#include "ns3/collapipe-topology-error.h"
#include "ns3/collapipe-version.h"
#include "ns3/command-line.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
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

/// @return our option for what ns-3 calls otherwise; else the name as it is
std::string
ToOwnName(const std::string& name)
{
    return name == "--RngRun"      ? "--run"
           : name == "--RngSeed"   ? "--seed"
           : name == "-h"          ? "--help"
           : name == "--PrintHelp" ? "--help"
                                   : name;
}

/// @return a sentence for an option that there is not
std::string
DescribeUnknown(const std::string& name, const std::vector<RunOption>& options)
{
    auto known = GetGlobalNames();
    for (const auto& option : options)
    {
        known.push_back(option.name);
    }
    const auto first = name.find_first_not_of('-');
    const auto bare = first == name.npos ? name : name.substr(first);
    return "there is no option " + name + Suggest(bare, known, "--") + "; --help lists them";
}

/// @return the number that a text holds
double
ToNumber(const std::string& text)
{
    return std::strtod(text.c_str(), nullptr);
}

/// @return a program's name without its folders
std::string
GetProgramName(const std::string& path)
{
    const auto slash = path.rfind('/');
    return slash == path.npos ? path : path.substr(slash + 1);
}

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

/// What else the program can be asked for than a run
struct Questions
{
    bool wantsHelp{false};          //!< --help
    std::string help;               //!< which part of it
    bool wantsVersion{false};       //!< --version
    bool wantsProfiles{false};      //!< --deviceProfiles=list, --edge=list
    std::vector<std::string> ofNs3; //!< --PrintTypeIds and the like
};

/// @return whether the argument is such a question, which is noted
bool
TakeQuestion(const std::string& name, const std::string& argument, Questions& questions)
{
    if (name == "--help")
    {
        const auto equals = argument.find('=');
        questions.wantsHelp = true;
        questions.help = equals == argument.npos ? "" : argument.substr(equals + 1);
        return true;
    }
    if (argument == "--version")
    {
        return questions.wantsVersion = true;
    }
    if (argument == "--deviceProfiles=list" || argument == "--edge=list")
    {
        return questions.wantsProfiles = true;
    }
    if (name.rfind("--Print", 0) == 0)
    {
        questions.ofNs3.push_back(argument);
        return true;
    }
    return false;
}

/// Answers questions and ends the program, where there are any.
void
Answer(const Questions& questions, const std::string& path, const std::vector<RunOption>& options)
{
    if (questions.wantsHelp)
    {
        PrintOptionHelp(std::cout, GetProgramName(path), options, questions.help);
    }
    else if (questions.wantsVersion)
    {
        const bool hasTorch =
            IsCreatable("ns3::collapipe::TorchBackend", "ns3::collapipe::ComputeBackend");
        std::cout << "CollaPipe " << GetVersion() << ", with ns-3 " << GetNs3Version()
                  << (hasTorch ? " and LibTorch" : ", without LibTorch") << '\n';
    }
    else if (questions.wantsProfiles)
    {
        PrintProfiles(std::cout);
    }
    else if (questions.ofNs3.empty())
    {
        return;
    }
    else
    {
        CommandLine cmd;
        std::vector<std::string> arguments{path};
        arguments.insert(arguments.end(), questions.ofNs3.begin(), questions.ofNs3.end());
        std::vector<char*> pointers;
        for (auto& argument : arguments)
        {
            pointers.push_back(argument.data());
        }
        cmd.Parse(static_cast<int>(pointers.size()), pointers.data()); // prints and exits
    }
    std::cout.flush();
    std::exit(std::cout ? 0 : 2);
}

} // namespace

void
RunConfig::Parse(int argc, char** argv)
{
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        load = argument.rfind("--load=", 0) == 0 ? argument.substr(7) : load;
        plugin = argument.rfind("--plugin=", 0) == 0 ? argument.substr(9) : plugin;
        scenario = argument.rfind("--scenario=", 0) == 0 ? argument.substr(11) : scenario;
    }
    LoadPlugins(plugin); // what follows may name their classes
    const auto options = MakeOptions(*this);
    std::set<std::string> fixed;
    Questions questions;
    if (!load.empty())
    {
        TakeOptions(options);
        for (const auto& option : options)
        {
            fixed.insert(option.name);
        }
    }
    if (!scenario.empty())
    {
        TakeScenario(options, fixed);
    }
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        std::string name = ToOwnName(argument.substr(0, equals));
        if (name == "--train" && equals != argument.npos &&
            IsTrainedPart(argument.substr(equals + 1)))
        {
            name = "--trained"; // not a file's name
        }
        const auto* option =
            name.rfind("--", 0) == 0 ? FindOption(options, name.substr(2)) : nullptr;
        if (TakeQuestion(name, argument, questions))
        {
            continue;
        }
        if (option)
        {
            const bool isSwitch = std::holds_alternative<bool*>(option->target);
            RequireOption(equals != argument.npos || isSwitch,
                          name + " needs a value: " + name + "=VALUE");
            option->Set(equals == argument.npos ? "true" : argument.substr(equals + 1));
            m_given.insert(option->name);
        }
        else if (SetNs3Option(name, argument))
        {
            m_attributes.emplace_back(name.substr(2), argument.substr(equals + 1));
        }
        else
        {
            throw UserError(DescribeUnknown(name, options));
        }
    }
    fixed.insert(m_given.begin(), m_given.end());
    SetTaskDefaults(fixed);
    Answer(questions, argc > 0 ? argv[0] : "", options);
}

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
    const auto foreign = learning.GetForeignConfig();
    const auto& saved = foreign.architectures;
    const bool classifies = std::any_of(saved.begin(), saved.end(), [](const auto& name) {
        return name.find("ForSequenceClassification") != name.npos;
    });
    return classifies ? "classification" : foreign.IsCausal() ? "lm" : "mlm";
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

void
void
RunConfig::TakeScenario(const std::vector<RunOption>& options, std::set<std::string>& fixed)
{
    RequireOption(load.empty(),
                  "--scenario=" + scenario +
                      ": --load brings all options of the run that it goes on with");
    const auto where = "--scenario=" + scenario + ": ";
    const auto read = Scenario::Load(scenario);
    for (const auto& [name, value] : read.options)
    {
        LoadPlugins(name == "plugin" ? value : "");
    }
    for (const auto& [name, value] : read.options)
    {
        RequireOption(name != "scenario" && name != "load",
                      where + name + " cannot stand in a scenario");
        const auto* option = FindOption(options, name);
        try
        {
            if (option)
            {
                option->Set(value);
                fixed.insert(name);
            }
            else if (SetNs3Option("--" + name, "--" + name + "=" + value))
            {
                m_attributes.emplace_back(name, value);
            }
            else
            {
                throw UserError(DescribeUnknown("--" + name, options));
            }
        }
        catch (const UserError& error)
        {
            throw UserError(where + error.what());
        }
    }
}

void
RunConfig::TakeOptions(const std::vector<RunOption>& options)
{
    compare = "none"; // the other run would not go on from where it was
    const auto checkpoint = Checkpoint::Read(load);
    for (const auto& [name, value] : checkpoint->options)
    {
        LoadPlugins(name == "plugin" ? value : "");
    }
    for (const auto& [name, value] : checkpoint->options)
    {
        const auto* option = FindOption(options, name);
        if (!option && SetNs3Option("--" + name, "--" + name + "=" + value))
        {
            m_attributes.emplace_back(name, value);
            continue;
        }
        RequireOption(option,
                      "--load=" + load + ": it was saved with an option --" + name +
                          ", which this program does not have");
        // A run that was interrupted is to have as many rounds as it should have had.
        const bool isRest = name == "rounds" && ToNumber(value) > checkpoint->history.GetRounds();
        if (!option->isLocal || isRest)
        {
            option->Set(value);
        }
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
    learning.Validate(task);
    try
    {
        ParseDeviceProfiles(deviceProfiles);
    }
    catch (const std::invalid_argument& error)
    {
        throw UserError("--deviceProfiles=" + deviceProfiles + ": " + error.what());
    }
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
