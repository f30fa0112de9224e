/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-options.h"

#include "ns3/collapipe-topology.h"

namespace ns3
{
namespace collapipe
{

namespace
{

using Options = std::vector<RunOption>;
using Group = OptionGroup;

/// Networks without radio between nodes, for which distances and channels mean nothing
const std::vector<std::string> WIRES{"p2p"};
/// Networks without a base station
const std::vector<std::string> NO_CELL{"p2p", "wifi"};

void
AddNetwork(RunConfig& config, Options& options)
{
    const Options own{
        RunOption(Group::NETWORK,
                  "scenario",
                  &config.scenario,
                  "a TOML file with options of the run, or the name of one of examples/scenarios; "
                  "options beside it win; empty: none")
            .Local()
            .Basic(),
        RunOption(Group::NETWORK,
                  "topology",
                  &config.topology,
                  "network: p2p (wires), wifi, lte or hybrid (Wi-Fi between devices, LTE to the "
                  "edge)")
            .OneOf(TopologyHelper::GetNames())
            .Basic(),
        RunOption(Group::NETWORK,
                  "fidelity",
                  &config.fidelity,
                  "what goes over the links: packets, through ns-3's stacks and radios, or flow, "
                  "messages as flows that share the media by the planner's formulas, which is much "
                  "faster")
            .OneOf({"packets", "flow"})
            .Off("packets")
            .With("topology", {"wifi", "lte", "hybrid"}),
        RunOption(Group::NETWORK, "clusters", &config.clusters, "number of clusters")
            .From(1)
            .To(250)
            .Basic(),
        RunOption(Group::NETWORK,
                  "devices",
                  &config.devices,
                  "devices per cluster, control unit not counted")
            .From(1)
            .To(250)
            .Basic(),
        RunOption(Group::NETWORK,
                  "cells",
                  &config.cells,
                  "number of cells, each with a base station and an edge server; clusters are "
                  "dealt out in turn, a lead server averages the edge servers")
            .From(1)
            .To(37),
        RunOption(Group::NETWORK,
                  "packetErrorRate",
                  &config.packetErrorRate,
                  "share of packets lost on wired links; of half and more, TCP's tries are too few "
                  "to get anything through")
            .From(0)
            .Below(0.5)
            .Off("0")
            .NotWith("fidelity", {"flow"}),
        RunOption(Group::NETWORK,
                  "segmentSize",
                  &config.segmentSize,
                  "TCP segment size; above 1400 the wired links of p2p carry jumbo frames")
            .WithUnit("bytes")
            .From(100)
            .To(60000),
        RunOption(Group::NETWORK,
                  "tcpBuffer",
                  &config.tcpBufferMib,
                  "TCP send and receive buffers; 0: what keeps the scenario's links full, 4 or "
                  "more")
            .WithUnit("MiB")
            .To(1023),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddRadio(RunConfig& config, Options& options)
{
    const Options own{
        RunOption(Group::RADIO,
                  "clusterDistance",
                  &config.clusterDistanceM,
                  "base station to cluster centre")
            .WithUnit("m")
            .From(1)
            .To(100000)
            .NotWith("topology", NO_CELL)
            .NotWith("clusterDistances")
            .NotWith("placement", {"random"}),
        RunOption(Group::RADIO,
                  "clusterDistances",
                  &config.clusterDistances,
                  "the same cluster by cluster in m, separated by commas and dealt out in turn, "
                  "such as 50,400")
            .NotWith("topology", NO_CELL)
            .NotWith("placement", {"random"}),
        RunOption(Group::RADIO,
                  "placement",
                  &config.placement,
                  "where nodes stand: clusters and devices on circles, or at random within the "
                  "cell and the cluster")
            .OneOf({"circles", "random"})
            .NotWith("topology", WIRES),
        RunOption(Group::RADIO,
                  "positions",
                  &config.positions,
                  "a CSV file with the columns node, x and y in m (and z), for nodes that stand "
                  "elsewhere; nodes are es0, c0-cu, c0-d0 and so on")
            .NotWith("topology", WIRES),
        RunOption(Group::RADIO,
                  "cellRadius",
                  &config.cellRadiusM,
                  "base station to the farthest place where a node may be")
            .WithUnit("m")
            .From(2)
            .To(100000)
            .NotWith("topology", NO_CELL),
        RunOption(Group::RADIO,
                  "sharing",
                  &config.sharing,
                  "what becomes of a share of a radio medium that its link does not use: reserved "
                  "(it is lost) or work-conserving (others have it); radios and plans go by it")
            .OneOf({"reserved", "work-conserving"})
            .NotWith("topology", WIRES),
        RunOption(Group::RADIO,
                  "background",
                  &config.background,
                  "what other users of the radios do: voice (calls), video (films towards them) or "
                  "udp:RATE (datagrams both ways, such as udp:2Mbps); of several, such as "
                  "voice,video, each user has one, in turn")
            .OneOf({"none", "voice", "video"})
            .OrBeginningWith("udp:")
            .OrBeginningWith("voice,")
            .OrBeginningWith("video,")
            .Off("none")
            .NotWith("topology", WIRES)
            .NotWith("fidelity", {"flow"}),
        RunOption(Group::RADIO,
                  "backgroundUsers",
                  &config.backgroundUsers,
                  "how many there are in each cell and, with Wi-Fi, on each channel")
            .From(1)
            .To(100)
            .With("background"),
        RunOption(Group::RADIO,
                  "backgroundLead",
                  &config.backgroundLeadS,
                  "how long they are alone before the training begins")
            .WithUnit("s")
            .From(0)
            .To(3600)
            .With("background"),
        RunOption(Group::RADIO,
                  "clusterRadius",
                  &config.clusterRadiusM,
                  "control unit to its devices")
            .WithUnit("m")
            .From(1)
            .To(10000)
            .NotWith("topology", WIRES),
        RunOption(Group::RADIO,
                  "cellDistance",
                  &config.cellDistanceM,
                  "base station to the next one")
            .WithUnit("m")
            .From(1)
            .To(100000)
            .NotWith("topology", NO_CELL)
            .NotWith("cells", {"1"}),
        RunOption(Group::RADIO, "lteResourceBlocks", &config.lteResourceBlocks, "LTE bandwidth")
            .WithUnit("resource blocks")
            .OneOf({"6", "15", "25", "50", "75", "100"})
            .NotWith("topology", NO_CELL),
        RunOption(Group::RADIO,
                  "lteScheduler",
                  &config.lteScheduler,
                  "who divides LTE's resource blocks: weighted (this module's, which obeys the "
                  "controller), or ns-3's proportional-fair or round-robin, for which a plan's "
                  "shares mean nothing; or a TypeId")
            .OneOf({"weighted", "proportional-fair", "round-robin"})
            .DerivedFrom("ns3::FfMacScheduler", SchedulerTypeName)
            .NotWith("topology", NO_CELL)
            .NotWith("fidelity", {"flow"}),
        RunOption(Group::RADIO,
                  "shadowing",
                  &config.shadowing,
                  "log-normal shadowing on radio links")
            .NotWith("topology", WIRES),
        RunOption(Group::RADIO,
                  "lteShadowing",
                  &config.lteShadowingDb,
                  "standard deviation of LTE's shadowing (3GPP TR 38.901: 4 in sight of the base "
                  "station)")
            .WithUnit("dB")
            .From(0)
            .To(20)
            .NotWith("topology", NO_CELL)
            .NotWith("shadowing", {"false"}),
        RunOption(Group::RADIO, "fading", &config.fading, "Rayleigh fading on radio links")
            .NotWith("topology", WIRES),
        RunOption(Group::RADIO,
                  "mobility",
                  &config.mobility,
                  "how nodes move: none, by waypoint or gauss-markov within their cluster's "
                  "disc, or ns2:FILE by a trace in ns-2's form, nodes numbered cluster by cluster, "
                  "the control unit first")
            .OneOf({"none", "waypoint", "gauss-markov"})
            .OrBeginningWith("ns2:")
            .Off("none")
            .NotWith("topology", WIRES),
        RunOption(Group::RADIO, "speed", &config.speedMps, "mean speed of nodes that move")
            .WithUnit("m/s")
            .Above(0)
            .To(300)
            .NotWith("mobility", {"none"}),
        RunOption(Group::RADIO,
                  "actuator",
                  &config.actuator,
                  "which radios obey the controller: auto (all), none, lte, wifi, hybrid, or a "
                  "TypeId")
            .OneOf({"auto", "none", "lte", "wifi", "hybrid"})
            .DerivedFrom("ns3::collapipe::RadioActuator",
                         [](const std::string& name) { return name; })
            .Where(
                config.fidelity != "flow" || config.actuator == "auto" || config.actuator == "none",
                "with --fidelity=flow all links obey the controller, or none: take auto or none"),
    };
    options.insert(options.end(), own.begin(), own.end());
}

} // namespace

std::string
SchedulerTypeName(const std::string& name)
{
    return name == "weighted"            ? "ns3::collapipe::WeightedFfMacScheduler"
           : name == "proportional-fair" ? "ns3::PfFfMacScheduler"
           : name == "round-robin"       ? "ns3::RrFfMacScheduler"
                                         : name;
}

void
AddNetworkOptions(RunConfig& config, Options& options)
{
    AddNetwork(config, options);
    AddRadio(config, options);
}

} // namespace collapipe
} // namespace ns3
