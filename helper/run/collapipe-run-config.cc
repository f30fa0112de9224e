/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-config.h"

#include "collapipe-checkpoint.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-recomputation.h"
#include "ns3/collapipe-schedule.h"
#include "ns3/config.h"
#include "ns3/global-value.h"
#include "ns3/string.h"
#include "ns3/type-id.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param text decimal digits
 * @param maximum largest number allowed
 * @param value filled in
 * @return whether text is such a number
 */
bool
ParseUnsigned(const std::string& text, uint64_t maximum, uint64_t& value)
{
    if (text.empty() || text.size() > 19 || text.find_first_not_of("0123456789") != text.npos)
    {
        return false;
    }
    value = std::stoull(text);
    return value <= maximum;
}

/**
 * @param name a TypeId's name
 * @param parent name of the class that it must derive from
 * @return whether there is such a class that can be created
 */
bool
IsCreatable(const std::string& name, const std::string& parent)
{
    TypeId tid;
    return TypeId::LookupByNameFailSafe(name, &tid) && tid.HasConstructor() &&
           tid.IsChildOf(TypeId::LookupByName(parent));
}

/// @return our option for what ns-3 calls otherwise; else the name as it is
std::string
ToOwnName(const std::string& name)
{
    return name == "--RngRun" ? "--run" : name == "--RngSeed" ? "--seed" : name;
}

/**
 * Sets an attribute's default (`--ns3::Class::Attribute=value`) or a global value
 * (`--ChecksumEnabled=true`), as ns-3's own CommandLine does.
 * @param name of the option
 * @param argument the option with its value
 * @return whether it is one
 * @throws UserError where it takes no such value
 */
bool
SetNs3s(const std::string& name, const std::string& argument)
{
    StringValue known;
    const bool isGlobal =
        name.rfind("--", 0) == 0 && GlobalValue::GetValueByNameFailSafe(name.substr(2), known);
    if (!isGlobal && name.rfind("--ns3::", 0) != 0)
    {
        return false;
    }
    RequireOption(argument.size() > name.size(), name + " needs a value: " + name + "=VALUE");
    const StringValue value(argument.substr(name.size() + 1));
    if (isGlobal)
    {
        RequireOption(Config::SetGlobalFailSafe(name.substr(2), value),
                      argument + ": this global value takes no such value");
    }
    else
    {
        RequireOption(Config::SetDefaultFailSafe(name.substr(2), value),
                      argument + ": there is no such attribute, or it takes no such value");
    }
    return true;
}

} // namespace

std::vector<RunOption>
RunConfig::GetOptions()
{
    std::vector<RunOption> options{
        {"topology",
         "network: p2p, wifi, lte or hybrid (Wi-Fi between devices, LTE to the edge)",
         &topology},
        {"actuator",
         "which radios obey the controller: auto (all), none, lte, wifi, hybrid, or a TypeId",
         &actuator},
        {"controller", "who decides each round: a short name or a TypeId", &controller},
        {"compare",
         "controller of a second run beside the first, for comparison; none: no second run",
         &compare},
        {"clusters", "number of clusters", &clusters},
        {"devices", "devices per cluster, control unit not counted", &devices},
        {"cells",
         "number of cells, each with a base station and an edge server; clusters are dealt out in "
         "turn, a lead server averages the edge servers",
         &cells},
        {"cellDistance", "base station to the next one, m", &cellDistanceM},
        {"deviceProfiles",
         "device profiles, separated by commas, dealt out in turn; or mixed",
         &deviceProfiles},
        {"memoryShare",
         "memory that a device gives to training, as a share of what the whole encoder would need "
         "there; 0: all that its profile has",
         &memoryShare},
        {"battery",
         "energy in the battery of each device at the start, J; an empty one takes the device out; "
         "0: "
         "from the mains",
         &batteryJ},
        {"convergenceTarget",
         "what phi(n), the part of the convergence bound that samples per iteration lower, may be "
         "on "
         "average over the rounds (squared gradient norm); dssda then chooses a quarter to four "
         "times the configured samples by its estimates; 0: as configured",
         &convergenceTarget},
        {"energyBudget",
         "energy that a device may spend per round on average, J; dssda keeps to it; 0: no limit",
         &energyBudgetJ},
        {"blocks",
         "encoder blocks of the model; if not given, as many as its name stands for",
         &blocks},
        {"microBatches",
         "micro-batches per iteration; dssda splits the same samples as it sees fit",
         &microBatches},
        {"microBatchSize", "samples per micro-batch; dssda, as above", &microBatchSize},
        {"localIterations", "optimizer steps per round", &localIterations},
        {"rounds", "training rounds", &rounds},
        {"schedule", "pipeline schedule: gpipe, 1f1b or a TypeId", &schedule},
        {"compute", "torch computes; analytic only spends the time and sends the bytes", &compute},
        {"task",
         "what is learnt: translation, classification (of languages, or as --train says), or mlm, "
         "BERT's pre-training",
         &task},
        {"model",
         "size: nano, tiny, mini, small, base, big (translation), medium (others), or "
         "WIDTHxHEADSxFEEDFORWARD",
         &model},
        {"decoderBlocks", "decoder blocks on the edge server", &decoderBlocks},
        {"sequenceLength", "tokens per sentence; longer ones are cut", &sequenceLength},
        {"vocabulary", "pieces of the tokenizer", &vocabulary},
        {"optimizer", "adam or sgd", &optimizer},
        {"learningRate", "the optimizer's step size", &learningRate},
        {"momentum", "momentum of sgd", &momentum},
        {"recompute",
         "whether devices compute activations again in the backward pass instead of keeping them, "
         "for the time of one more forward pass: never, always, or auto (where they do not fit)",
         &recompute},
        {"activationPrecision",
         "in which hidden states travel: fp32, fp16, bf16 or int8 (one scale per tensor)",
         &activationPrecision},
        {"gradientPrecision", "in which their gradients travel, likewise", &gradientPrecision},
        {"parameterPrecision", "in which weights travel, likewise", &parameterPrecision},
        {"clipNorm",
         "gradients are scaled down to this norm, taken over the whole model: every stage tells "
         "the "
         "edge server its own part, at the price of a message each way per iteration; 0: never",
         &clipNorm},
        {"keepOptimizerState",
         "average optimizer state over rounds instead of starting afresh",
         &keepOptimizerState},
        {"dirichletAlpha",
         "how alike the clusters' data are (Dirichlet); small: unlike, 0: IID",
         &dirichletAlpha},
        {"language", "language of the gettext catalogs that are the default data", &language},
        {"trainSource", "file with source sentences, one a line", &trainSource},
        {"trainTarget", "file with their translations, line by line", &trainTarget},
        {"valSource", "source sentences for validation", &valSource},
        {"valTarget", "their translations", &valTarget},
        {"maxPairs", "use at most so many sentence pairs; 0: all", &maxPairs},
        {"maxValidation", "evaluate on at most so many pairs; 0: all", &maxValidation},
        {"shadowing", "log-normal shadowing on radio links", &shadowing},
        {"fading", "Rayleigh fading on radio links", &fading},
        {"mobility",
         "how nodes move within their cluster's disc: none, waypoint or gauss-markov",
         &mobility},
        {"speed", "mean speed of nodes that move, m/s", &speedMps},
        {"backgroundPrograms",
         "programs that come and go beside training on every device and control unit, on average; "
         "k "
         "of them leave 1/(k+1) of its speed",
         &backgroundPrograms},
        {"clusterDistance", "base station to cluster centre, m", &clusterDistanceM},
        {"clusterRadius", "control unit to its devices, m", &clusterRadiusM},
        {"lteResourceBlocks",
         "LTE bandwidth: 6, 15, 25, 50, 75 or 100 resource blocks",
         &lteResourceBlocks},
        {"packetErrorRate", "share of packets lost on wired links, 0 to 1", &packetErrorRate},
        {"segmentSize",
         "TCP segment size, bytes; above 1400 the wired links of p2p carry jumbo frames",
         &segmentSize},
        {"tcpBuffer",
         "TCP send and receive buffers, MiB; 0: what keeps the scenario's links full, 4 or more",
         &tcpBufferMib},
        {"outputDir", "folder for rounds.csv, devices.csv, summary.json; empty: none", &outputDir},
        {"timelineSize",
         "MB that timeline.json may take; beyond, it shows rounds and phases only; 0: none",
         &timelineSizeMb},
        {"flowMonitor", "write ns-3's FlowMonitor's flows.xml into outputDir", &flowMonitor},
        {"netAnim",
         "write netanim.xml into outputDir for NetAnim: about 150 bytes for every packet",
         &netAnim},
        {"pcap", "write packet captures into outputDir", &pcap},
        {"seed", "seed of data split, initial weights and simulator", &seed},
        {"run", "run number: another channel realisation of the same seed", &run},
        {"threads", "worker threads for computation; 0: as the machine has cores", &threads},
        {"progress", "auto, bar, lines or none", &progress},
        {"save", "folder for a checkpoint of the run as it ends; empty: none", &save},
        {"saveEvery",
         "rounds after which a checkpoint is written too; 0: at the end only",
         &saveEvery},
        {"load",
         "folder of a checkpoint: the run goes on with its options as if it had never ended, up to "
         "--rounds in all; with other options, a new run starts from the saved model",
         &load},
    };
    learning.AppendOptions(options);
    return options;
}

void
RunConfig::Set(const RunOption& option, const std::string& text)
{
    const std::string wrong = "--" + option.name + "=" + text + ": ";
    uint64_t number = 0;
    if (auto* const* target = std::get_if<std::string*>(&option.target))
    {
        **target = text;
    }
    else if (auto* const* target = std::get_if<uint32_t*>(&option.target))
    {
        const bool isNumber = ParseUnsigned(text, std::numeric_limits<uint32_t>::max(), number);
        RequireOption(isNumber, wrong + "this must be a whole number");
        **target = static_cast<uint32_t>(number);
    }
    else if (auto* const* target = std::get_if<uint64_t*>(&option.target))
    {
        RequireOption(ParseUnsigned(text, std::numeric_limits<int64_t>::max(), number),
                      wrong + "this must be a whole number");
        **target = number;
    }
    else if (auto* const* target = std::get_if<double*>(&option.target))
    {
        char* end = nullptr;
        const double value = std::strtod(text.c_str(), &end);
        RequireOption(!text.empty() && *end == '\0' && std::isfinite(value),
                      wrong + "this must be a number");
        **target = value;
    }
    else
    {
        const bool isTrue = text == "true" || text == "1" || text == "t";
        const bool isFalse = text == "false" || text == "0" || text == "f";
        RequireOption(isTrue || isFalse, wrong + "this must be true or false");
        *std::get<bool*>(option.target) = isTrue;
    }
}

void
RunConfig::Parse(int argc, char** argv)
{
    CommandLine cmd;
    cmd.Usage("Trains a Transformer across simulated devices: pipelined over the devices of each\n"
              "cluster, the decoder at the edge server, federated averaging between clusters.\n");
    const auto options = GetOptions();
    for (const auto& option : options)
    {
        std::visit([&](auto* target) { cmd.AddValue(option.name, option.help, *target); },
                   option.target);
    }
    std::vector<std::string> given;
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        load = argument.rfind("--load=", 0) == 0 ? argument.substr(7) : load;
    }
    if (!load.empty())
    {
        TakeOptions(options);
        for (const auto& option : options)
        {
            given.push_back(option.name);
        }
    }
    // Options of ours are read here, so that a mistake gets one sentence and not the whole help.
    std::vector<char*> others{argv[0]};
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        const std::string name = ToOwnName(argument.substr(0, equals));
        const auto option =
            std::find_if(options.begin(), options.end(), [&name](const auto& candidate) {
                return name == "--" + candidate.name;
            });
        if (option == options.end())
        {
            if (SetNs3s(name, argument))
            {
                m_attributes.emplace_back(name.substr(2), argument.substr(equals + 1));
                continue;
            }
            const bool isNs3s = name == "--help" || name == "-h" || name.rfind("--Print", 0) == 0;
            RequireOption(isNs3s, "there is no option " + name + "; --help lists them all");
            others.push_back(argv[i]);
            continue;
        }
        const bool isSwitch = std::holds_alternative<bool*>(option->target);
        RequireOption(equals != argument.npos || isSwitch,
                      name + " needs a value: " + name + "=VALUE");
        Set(*option, equals == argument.npos ? "true" : argument.substr(equals + 1));
        given.push_back(option->name);
    }
    cmd.Parse(static_cast<int>(others.size()), others.data());
    SetTaskDefaults(given);
}

void
RunConfig::SetTaskDefaults(const std::vector<std::string>& given)
{
    const auto isFree = [&given](const char* name) {
        return std::find(given.begin(), given.end(), name) == given.end();
    };
    if (task != "translation")
    {
        // A BERT learns from scratch: more steps, which start gently
        const RunConfig usual;
        const auto prefer =
            [&isFree](const char* name, auto& value, const auto& usualValue, auto preferred) {
                value = isFree(name) && value == usualValue ? preferred : value;
            };
        prefer("model", model, usual.model, "tiny");
        prefer("sequenceLength", sequenceLength, usual.sequenceLength, 32U);
        prefer("vocabulary", vocabulary, usual.vocabulary, 4000U);
        prefer("learningRate", learningRate, usual.learningRate, 2e-3);
        prefer("rounds", rounds, usual.rounds, 12U);
        prefer("localIterations", localIterations, usual.localIterations, 60U);
        prefer("keepOptimizerState", keepOptimizerState, usual.keepOptimizerState, true);
        prefer("warmup", learning.warmup, usual.learning.warmup, 50U);
        prefer("decay", learning.decay, usual.learning.decay, "linear");
        prefer("dropout", learning.dropout, usual.learning.dropout, 0.1);
        prefer("skipPadding", learning.skipPadding, usual.learning.skipPadding, true);
    }
    ModelConfig named;
    named.encoderBlocks = blocks;
    if (isFree("blocks") && blocks == RunConfig().blocks && ParseModelSize(model, task, named))
    {
        blocks = named.encoderBlocks;
    }
}

void
RunConfig::TakeOptions(const std::vector<RunOption>& options)
{
    compare = "none"; // the other run would not go on from where it was
    const auto checkpoint = Checkpoint::Read(load);
    for (const auto& [name, value] : checkpoint->options)
    {
        const auto found =
            std::find_if(options.begin(), options.end(), [&name = name](const auto& candidate) {
                return candidate.name == name;
            });
        if (found == options.end() && SetNs3s("--" + name, "--" + name + "=" + value))
        {
            m_attributes.emplace_back(name, value);
        }
        else if (!Checkpoint::IsLocal(name))
        {
            RequireOption(found != options.end(),
                          "--load=" + load + ": it was saved with an option --" + name +
                              ", which this program does not have");
            Set(*found, value);
        }
    }
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
    for (const auto& option : copy.GetOptions())
    {
        std::ostringstream text;
        text.precision(12);
        std::visit([&text](auto* target) { text << std::boolalpha << *target; }, option.target);
        values.emplace_back(option.name, text.str());
    }
    return values;
}

void
RunConfig::Validate() const
{
    const auto names = TopologyHelper::GetNames();
    RequireOption(std::find(names.begin(), names.end(), topology) != names.end(),
                  "--topology=" + topology +
                      ": there is no such topology; take p2p, wifi, lte or hybrid");
    RequireOption(IsCreatable(ControllerTypeName(controller), "ns3::collapipe::Controller"),
                  "--controller=" + controller + ": there is no such controller");
    RequireOption(compare == "none" || compare.empty() ||
                      IsCreatable(ControllerTypeName(compare), "ns3::collapipe::Controller"),
                  "--compare=" + compare + ": there is no such controller; none switches it off");
    RequireOption(batteryJ >= 0, "--battery: this must be 0 or more");
    RequireOption(energyBudgetJ >= 0, "--energyBudget: this must be 0 or more");
    RequireOption(memoryShare >= 0, "--memoryShare: this must be 0 or more");
    RequireOption(IsCreatable(ScheduleTypeName(schedule), "ns3::collapipe::Schedule"),
                  "--schedule=" + schedule + ": there is no such schedule; take gpipe or 1f1b");
    RequireOption(compute == "torch" || compute == "analytic",
                  "--compute=" + compute + ": take torch or analytic");
    RequireOption(compute == "analytic" ||
                      IsCreatable("ns3::collapipe::TorchBackend", "ns3::collapipe::ComputeBackend"),
                  "this build has no LibTorch; take --compute=analytic");
    learning.Validate(task);
    RequireOption(segmentSize >= 100 && segmentSize <= 60000,
                  "--segmentSize: this must be 100 to 60000 bytes");
    RequireOption(tcpBufferMib < 1024, "--tcpBuffer: this must be 0 to 1023 MiB");
    RequireOption(segmentSize <= 1400 || topology == "p2p",
                  "--segmentSize: radios take no more than 1400 bytes; only p2p can");
    RequireOption(optimizer == "adam" || optimizer == "sgd",
                  "--optimizer=" + optimizer + ": take adam or sgd");
    RequireOption(progress == "auto" || progress == "bar" || progress == "lines" ||
                      progress == "none",
                  "--progress=" + progress + ": take auto, bar, lines or none");
    RequireOption(convergenceTarget >= 0, "--convergenceTarget: this must be 0 or more");
    const std::pair<const char*, uint64_t> counts[] = {{"clusters", clusters},
                                                       {"devices", devices},
                                                       {"cells", cells},
                                                       {"blocks", blocks},
                                                       {"decoderBlocks", decoderBlocks},
                                                       {"microBatches", microBatches},
                                                       {"microBatchSize", microBatchSize},
                                                       {"localIterations", localIterations},
                                                       {"rounds", rounds},
                                                       {"seed", seed}};
    for (const auto& [name, value] : counts)
    {
        RequireOption(value > 0, std::string("--") + name + "=0: this must be at least 1");
    }
    RequireOption(clusters <= 1000 && devices <= 1000,
                  "at most 1000 clusters of 1000 devices can be run");
    RequireOption(seed <= std::numeric_limits<uint32_t>::max(),
                  "--seed: ns-3 takes seeds up to 4294967295");
    RequireOption(learningRate > 0, "--learningRate: this must be positive");
    RequireOption(momentum >= 0 && momentum < 1,
                  "--momentum: this must be at least 0 and less than 1");
    RequireOption(backgroundPrograms >= 0 && backgroundPrograms <= 100,
                  "--backgroundPrograms: this must be from 0 to 100");
    RequireOption(packetErrorRate >= 0 && packetErrorRate < 1,
                  "--packetErrorRate: this must be at least 0 and less than 1");
    RequireOption(trainSource.empty() == trainTarget.empty(),
                  "--trainSource and --trainTarget are given together or not at all");
    RequireOption(valSource.empty() == valTarget.empty(),
                  "--valSource and --valTarget are given together or not at all");
    RequireOption(valSource.empty() || !trainSource.empty(),
                  "--valSource and --valTarget go with --trainSource and --trainTarget");
    const std::pair<const char*, const std::string&> precisions[] = {
        {"activationPrecision", activationPrecision},
        {"gradientPrecision", gradientPrecision},
        {"parameterPrecision", parameterPrecision}};
    DType dtype = DType::FLOAT32;
    for (const auto& [name, value] : precisions)
    {
        RequireOption(ParsePrecision(value, dtype),
                      std::string("--") + name + "=" + value + ": take fp32, fp16, bf16 or int8");
    }
    Recomputation recomputation = Recomputation::NEVER;
    RequireOption(ParseRecomputation(recompute, recomputation),
                  "--recompute=" + recompute + ": take never, always or auto");
    RequireOption(clipNorm >= 0, "--clipNorm: this must be 0 or more");
    ModelConfig dimensions;
    RequireOption(ParseModelSize(model, task, dimensions),
                  "--model=" + model +
                      ": take nano, tiny, mini, small, base, big (translation), medium (others) "
                      "or, for example, 128x4x512");
    const auto problem = GetModelConfig().Check();
    RequireOption(problem.empty(), problem);
    RequireOption(saveEvery == 0 || !save.empty(), "--saveEvery goes with --save");
    const auto topologyProblem = GetTopologyConfig().Validate();
    RequireOption(topologyProblem.empty(), topologyProblem);
}

ModelConfig
RunConfig::GetModelConfig() const
{
    ModelConfig config;
    ParseModelSize(model, task, config);
    learning.Complete(task, config);
    config.vocabulary = vocabulary;
    config.encoderBlocks = blocks;
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
    config.totalSteps = uint64_t{rounds} * localIterations;
    config.clipNorm = clipNorm;
    return config;
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
    config.clusterRadiusM = clusterRadiusM;
    config.ltePathLoss.shadowing = shadowing;
    config.wifiPathLoss.shadowing = shadowing;
    config.ltePathLoss.fading = fading;
    config.wifiPathLoss.fading = fading;
    config.lteBandwidthRb = lteResourceBlocks;
    config.packetErrorRate = packetErrorRate;
    config.segmentBytes = segmentSize;
    return config;
}

} // namespace collapipe
} // namespace ns3
