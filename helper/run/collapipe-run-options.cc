/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-options.h"

#include "collapipe-controller-choice.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-message-seal.h"
#include "ns3/collapipe-recovery-policy.h"
#include "ns3/collapipe-schedule.h"

namespace ns3
{
namespace collapipe
{

namespace
{

using Options = std::vector<RunOption>;
using Group = OptionGroup;

/// MRG32k3a's second modulus, less 1: ns-3 aborts on larger seeds
constexpr double LARGEST_SEED = 4294944442;
const std::vector<std::string> PRECISIONS{"fp32", "fp16", "bf16", "int8"};

void
AddDevices(RunConfig& config, Options& options)
{
    const Options own{
        RunOption(Group::DEVICES,
                  "deviceProfiles",
                  &config.deviceProfiles,
                  "device profiles, separated by commas, dealt out in turn; mixed; or list, which "
                  "prints them with their sources; also devices of your own, such as "
                  "flops=2e10:memory=1e9"),
        RunOption(Group::DEVICES,
                  "clocks",
                  &config.clocks,
                  "parts of its full clock at which a node can compute as well, separated by "
                  "commas, such as 0.5,0.75; dssda chooses for each node and round, others take "
                  "the full one; a device written out has clocks=0.5/0.75 of its own"),
        RunOption(Group::DEVICES,
                  "staticPart",
                  &config.staticPart,
                  "of a node's power while it computes, what does not depend on the clock; the "
                  "rest falls with its third power")
            .From(0)
            .To(1),
        RunOption(Group::DEVICES,
                  "edge",
                  &config.edge,
                  "what each edge server is: a profile of list, or one of your own, such as "
                  "flops=2e11:workers=4"),
        RunOption(Group::DEVICES,
                  "memoryShare",
                  &config.memoryShare,
                  "memory that a device gives to training, as a share of what the whole encoder "
                  "would need there; 0: all that its profile has")
            .From(0)
            .To(10)
            .Basic(),
        RunOption(Group::DEVICES,
                  "battery",
                  &config.batteryJ,
                  "energy in the battery of each device at the start; an empty one takes the "
                  "device out; 0: from the mains")
            .WithUnit("J")
            .From(0)
            .To(1e9),
        RunOption(Group::DEVICES,
                  "backgroundPrograms",
                  &config.backgroundPrograms,
                  "programs that come and go beside training on every device and control unit, on "
                  "average; k of them leave 1/(k+1) of its speed")
            .From(0)
            .To(100),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddControl(RunConfig& config, Options& options)
{
    auto compared = GetControllerNames();
    compared.insert(compared.begin(), {"", "none"});
    const Options own{
        RunOption(Group::CONTROL,
                  "controller",
                  &config.controller,
                  "who decides each round: a short name, a TypeId, or exec:COMMAND, a program that "
                  "reads states and writes plans")
            .OneOf(GetControllerNames())
            .DerivedFrom("ns3::collapipe::Controller", ControllerTypeName)
            .OrBeginningWith("exec:")
            .Basic(),
        RunOption(Group::CONTROL,
                  "compare",
                  &config.compare,
                  "controller of a second run beside the first, for comparison; none: no second "
                  "run")
            .OneOf(compared)
            .DerivedFrom("ns3::collapipe::Controller", ControllerTypeName)
            .OrBeginningWith("exec:")
            .Off("none")
            .Local()
            .Basic(),
        RunOption(Group::CONTROL,
                  "plugin",
                  &config.plugin,
                  "shared libraries with classes of your own, such as controllers and schedules, "
                  "to be chosen by TypeId; separated by commas"),
        RunOption(Group::CONTROL,
                  "energyBudget",
                  &config.energyBudgetJ,
                  "energy that a device may spend per round on average; dssda keeps to it, of "
                  "others the results tell by how much they miss it; 0: no limit")
            .WithUnit("J")
            .From(0)
            .To(1e9),
        RunOption(Group::CONTROL,
                  "convergenceTarget",
                  &config.convergenceTarget,
                  "what phi(n), the part of the convergence bound that samples per iteration "
                  "lower, may be on average over the rounds (squared gradient norm); dssda then "
                  "chooses a quarter to four times the configured samples by its estimates; 0: as "
                  "configured")
            .From(0)
            .To(1e12)
            .Off("0")
            .Where(HasAttribute(config.controller, "ConvergenceTarget"),
                   "the controller " + config.controller +
                       " knows no such requirement; it is for dssda and its variants"),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddTraining(RunConfig& config, Options& options)
{
    const bool isAuto = config.uploadPath == "auto";
    const Options own{
        RunOption(Group::TRAINING, "rounds", &config.rounds, "training rounds")
            .From(1)
            .To(1000000)
            .Usually(BERTS, "12")
            .Usually(FOREIGN, "5")
            .Local()
            .Basic(),
        RunOption(Group::TRAINING,
                  "localIterations",
                  &config.localIterations,
                  "optimizer steps per round")
            .From(1)
            .To(1000000)
            .Usually(BERTS, "60")
            .Usually({"languages"}, "50")
            .Usually(FOREIGN, "10")
            .Basic(),
        RunOption(Group::TRAINING,
                  "microBatches",
                  &config.microBatches,
                  "micro-batches per iteration; dssda splits the same samples as it sees fit")
            .From(1)
            .To(65536)
            .Basic(),
        RunOption(Group::TRAINING,
                  "microBatchSize",
                  &config.microBatchSize,
                  "samples per micro-batch; dssda, as above")
            .From(1)
            .To(65536)
            .Basic(),
        RunOption(Group::TRAINING,
                  "schedule",
                  &config.schedule,
                  "pipeline schedule: " + DescribeScheduleNames())
            .OneOf(ListScheduleNames())
            .DerivedFrom("ns3::collapipe::Schedule", ScheduleTypeName)
            .Basic(),
        RunOption(Group::TRAINING,
                  "compute",
                  &config.compute,
                  "torch computes; analytic only spends the time and sends the bytes")
            .OneOf({"torch", "analytic"})
            .Basic(),
        RunOption(Group::TRAINING,
                  "recompute",
                  &config.recompute,
                  "whether devices compute activations again in the backward pass instead of "
                  "keeping them, for the time of one more forward pass: never, always, or auto "
                  "(where they do not fit)")
            .OneOf({"never", "always", "auto"}),
        RunOption(Group::TRAINING,
                  "uploadPath",
                  &config.uploadPath,
                  "who carries parameters between edge server and devices: direct (every node its "
                  "own), collected (the control unit those of its cluster, which devices get and "
                  "give over D2D), or auto (the controller decides it for every cluster)")
            .OneOf({"direct", "collected", "auto"})
            .Off("direct")
            .Where(!IsSideBySide(config.controller),
                   "with the controller " + config.controller +
                       " devices train side by side, and no control unit collects their parameters")
            .Where(!isAuto || MayDecidePaths(config.controller),
                   "the controller " + config.controller +
                       " does not decide who carries parameters; say direct or collected, or take "
                       "dssda"),
        RunOption(
            Group::TRAINING,
            "offload",
            &config.offload,
            "how many of the encoder blocks, the last ones, the edge server may hold of every "
            "pipeline beside the decoder; the controller decides how many it does, and leaves "
            "at least one to the devices")
            .From(0)
            .To(999)
            .Off("0")
            .Where(MayOffload(config.controller),
                   "the controller " + config.controller +
                       " does not decide what the edge server holds; take dssda or a tuned "
                       "pipeline"),
        RunOption(
            Group::TRAINING,
            "dataAt",
            &config.dataAt,
            "where the data of a cluster are at hand: control-units (pipelines begin there, as "
            "in the paper) or devices (chains may begin at any of them; the controller decides "
            "how many there are). Where devices train side by side, they always have them")
            .OneOf({"control-units", "devices"})
            .Off("control-units")
            .Where(MayDecidePaths(config.controller),
                   "the controller " + config.controller +
                       " does not decide where chains begin; take dssda")
            .Where(config.uploadPath != "collected",
                   "no control unit collects the parameters of chains that begin at devices; say "
                   "--uploadPath=direct or auto"),
        RunOption(Group::TRAINING,
                  "activationPrecision",
                  &config.activationPrecision,
                  "in which hidden states travel: fp32, fp16, bf16 or int8 (one scale per tensor)")
            .OneOf(PRECISIONS),
        RunOption(Group::TRAINING,
                  "gradientPrecision",
                  &config.gradientPrecision,
                  "in which their gradients travel, likewise")
            .OneOf(PRECISIONS),
        RunOption(Group::TRAINING,
                  "parameterPrecision",
                  &config.parameterPrecision,
                  "in which weights travel, likewise")
            .OneOf(PRECISIONS),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddFaults(RunConfig& config, Options& options)
{
    const Options own{
        RunOption(Group::FAULTS,
                  "recovery",
                  &config.recovery,
                  "what is done when a node fails whose work a round needs: wait for it, drop the "
                  "cluster's work of the round, replan the cluster without it, or a TypeId")
            .OneOf({"wait", "drop", "replan"})
            .DerivedFrom("ns3::collapipe::RecoveryPolicy", RecoveryTypeName),
        RunOption(
            Group::FAULTS,
            "faults",
            &config.faults,
            "what goes wrong: a TOML file with a [[fault]] for each, or random:SEED,RATE with "
            "the faults per simulated minute; empty: nothing"),
        RunOption(Group::FAULTS,
                  "replicaPeriod",
                  &config.replicaPeriod,
                  "local iterations after which each stage sends its state to a neighbour, so that "
                  "less is done again after a failure; 0: none, a round begins anew")
            .To(1000000)
            .Off("0"),
        RunOption(Group::FAULTS,
                  "heartbeat",
                  &config.heartbeatS,
                  "time after which a node that has nothing to say to its edge server says that it "
                  "lives; 0: never, silence is not noticed")
            .WithUnit("s")
            .From(0)
            .To(1e6),
        RunOption(Group::FAULTS,
                  "patience",
                  &config.patienceS,
                  "silence of a node after which it counts as failed")
            .WithUnit("s")
            .Above(0)
            .To(1e6)
            .NotWith("heartbeat", {"0"}),
        RunOption(Group::FAULTS,
                  "authenticate",
                  &config.authenticate,
                  "whether every message carries an HMAC-SHA256 with a session key that the nodes "
                  "are dealt at the start, 16 bytes: on, off, or auto (where there are faults)")
            .OneOf({"auto", "on", "off"})
            .Where(config.authenticate != "on" || MessageSeal::IsAvailable(),
                   "this program was built without OpenSSL; install libssl-dev and build it again"),
        RunOption(Group::FAULTS,
                  "deadline",
                  &config.deadlineS,
                  "simulated time without any progress after which the run ends, with the rounds "
                  "that it has; at least three times what the shortest round was planned to "
                  "take, at most a hundred times what is given")
            .WithUnit("s")
            .Above(0)
            .To(1e9),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddResults(RunConfig& config, Options& options)
{
    const Options own{
        RunOption(Group::RESULTS,
                  "outputDir",
                  &config.outputDir,
                  "folder for rounds.csv, devices.csv, summary.json and so on; the results of an "
                  "earlier run in it are replaced as a whole; empty: none")
            .Local()
            .Basic(),
        RunOption(Group::RESULTS,
                  "timelineSize",
                  &config.timelineSizeMb,
                  "what timeline.json may take; beyond, it shows rounds and phases only; 0: none")
            .WithUnit("MB")
            .To(1000000)
            .Off("0")
            .With("outputDir")
            .Local(),
        RunOption(Group::RESULTS,
                  "timelineGzip",
                  &config.timelineGzip,
                  "write the timeline compressed, as timeline.json.gz, a tenth as large or less; "
                  "reports and "
                  "Perfetto read both")
            .With("timelineSize")
            .Local(),
        RunOption(Group::RESULTS,
                  "flowMonitor",
                  &config.flowMonitor,
                  "write ns-3's FlowMonitor's flows.xml into outputDir")
            .With("outputDir")
            .NotWith("fidelity", {"flow"})
            .Local(),
        RunOption(Group::RESULTS,
                  "netAnim",
                  &config.netAnim,
                  "write netanim.xml into outputDir for NetAnim: about 150 bytes for every packet")
            .With("outputDir")
            .NotWith("fidelity", {"flow"})
            .Local(),
        RunOption(Group::RESULTS, "pcap", &config.pcap, "write packet captures into outputDir")
            .With("outputDir")
            .NotWith("fidelity", {"flow"})
            .Local()
            .Basic(),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddExecution(RunConfig& config, Options& options)
{
    const Options own{
        RunOption(Group::EXECUTION,
                  "seed",
                  &config.seed,
                  "seed of data split, initial weights and simulator")
            .From(1)
            .To(LARGEST_SEED)
            .Basic(),
        RunOption(Group::EXECUTION,
                  "run",
                  &config.run,
                  "run number: another channel realisation of the same seed")
            .Basic(),
        RunOption(Group::EXECUTION,
                  "threads",
                  &config.threads,
                  "worker threads for computation; 0: as the machine has cores")
            .To(256)
            .Local()
            .Basic(),
        RunOption(Group::EXECUTION,
                  "progress",
                  &config.progress,
                  "what is shown of the run while it goes on: auto, bar, lines or none")
            .OneOf({"auto", "bar", "lines", "none"})
            .Local(),
        RunOption(Group::EXECUTION,
                  "save",
                  &config.save,
                  "folder for a checkpoint of the run as it ends; empty: none")
            .NotWith("compute", {"analytic"})
            .With("cells", {"1"})
            .Local()
            .Basic(),
        RunOption(Group::EXECUTION,
                  "saveEvery",
                  &config.saveEvery,
                  "rounds after which a checkpoint is written too; 0: at the end only")
            .To(1000000)
            .Off("0")
            .With("save")
            .Local(),
        RunOption(Group::EXECUTION,
                  "load",
                  &config.load,
                  "folder of a checkpoint: the run goes on with its options as if it had never "
                  "ended, up to --rounds in all; with other options, a new run starts from the "
                  "saved model")
            .NotWith("compute", {"analytic"})
            .With("cells", {"1"})
            .Local()
            .Basic(),
    };
    options.insert(options.end(), own.begin(), own.end());
}

} // namespace

std::vector<RunOption>
MakeOptions(RunConfig& config)
{
    std::vector<RunOption> options;
    AddNetworkOptions(config, options);
    AddDevices(config, options);
    AddControl(config, options);
    AddTraining(config, options);
    AddLearningOptions(config, options);
    AddFaults(config, options);
    AddResults(config, options);
    AddExecution(config, options);
    return options;
}

} // namespace collapipe
} // namespace ns3
