/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TOPOLOGY_H
#define COLLAPIPE_TOPOLOGY_H

#include "collapipe-background-traffic.h"

#include "ns3/collapipe-cluster-id.h"
#include "ns3/collapipe-radio-actuator.h"
#include "ns3/collapipe-system-state.h"
#include "ns3/data-rate.h"
#include "ns3/error-model.h"
#include "ns3/ipv4-address.h"
#include "ns3/net-device-container.h"
#include "ns3/node-container.h"
#include "ns3/nstime.h"
#include "ns3/vector.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Log-distance path loss, PL(d) = PL(1 m) + 10 n log10(d / 1 m), with optional shadowing (one
 * normal draw in dB per pair of nodes and run, the same in both directions) and optional Rayleigh
 * fading that varies over time (Jakes' model).
 */
struct PathLossConfig
{
    double exponent{3.0};         //!< n
    double referenceLossDb{0};    //!< PL(1 m); 0: free space at the carrier frequency
    bool shadowing{true};         //!< switch for log-normal shadowing
    double shadowingSigmaDb{4.0}; //!< its standard deviation
    bool fading{false};           //!< switch for Rayleigh fading
};

/**
 * @ingroup collapipe
 * What a topology is built from. Every topology reads the parts that concern it.
 */
struct TopologyConfig
{
    uint32_t clusters{2};          //!< M
    uint32_t devicesPerCluster{4}; //!< K, control unit not counted
    uint32_t cells{1};             //!< each with an edge server; clusters are dealt out in turn

    /// First random stream; the realisation depends on it, on RngSeed and on RngRun
    int64_t firstStream{100000};

    // Positions. The first base station stands at the origin, others on a hexagonal grid around it,
    // each in the middle of its cell's clusters, control units at the centres of their clusters.
    bool randomPositions{false};  //!< draw positions; else clusters and devices stand on circles
    double cellDistanceM{500};    //!< base station to neighbouring base station
    double cellRadiusM{250};      //!< random cluster centres lie within, and no node beyond it
    double clusterDistanceM{100}; //!< base station to cluster centre, where not random
    std::vector<double> clusterDistancesM{}; //!< the same cluster by cluster, dealt out in turn
    /// Of nodes by name (es0, c0-cu, c0-d1), which wins over the circles and the drawing
    std::map<std::string, Vector> positions{};
    double clusterRadiusM{10}; //!< devices to control unit; at most, where random
    /// Of all nodes: none, waypoint, gauss-markov, or ns2:FILE for a trace in ns-2's form, in which
    /// nodes are numbered cluster by cluster, the control unit first
    std::string mobility{"none"};
    double speedMps{1};            //!< mean speed of nodes that move (1 m/s: a slow walk)
    double baseStationHeightM{10}; //!< antenna of the base station above those of the nodes

    // Links of the p2p topology, also the wired links of the others
    DataRate p2pD2dRate{"100Mbps"};      //!< each direction of each link inside a cluster
    Time p2pD2dDelay{MicroSeconds(500)}; //!< its propagation delay
    DataRate p2pD2eRate{"50Mbps"};       //!< each direction of a node's link to the edge server
    Time p2pD2eDelay{MilliSeconds(2)};   //!< its propagation delay
    DataRate backhaulRate{"1Gbps"};      //!< wifi: control unit to edge server; lte: PGW to it
    Time backhaulDelay{MilliSeconds(1)}; //!< its propagation delay
    // The wires between the edge servers of several cells and their lead are such links, too.
    double packetErrorRate{0}; //!< lost packets on each of these links, 0..1, for tests

    /// Maximum Doppler shift of Rayleigh fading in Hz, where it is on (5 Hz: 0.8 m/s at 1.9 GHz)
    double fadingDopplerHz{5.0};

    // LTE
    PathLossConfig ltePathLoss{3.0, 0, true, 4.0, false}; //!< node to base station
    uint16_t lteBandwidthRb{100};      //!< resource blocks up and down: 6, 15, 25, 50, 75 or 100
    double lteUePowerDbm{23};          //!< a node's maximum (3GPP power class 3)
    double lteEnbPowerDbm{43};         //!< base station, 20 W
    double lteUeNoiseFigureDb{9};      //!< of a node's receiver (3GPP TR 36.942)
    double lteEnbNoiseFigureDb{5};     //!< of the base station's receiver (3GPP TR 36.942)
    bool lteUplinkPowerControl{false}; //!< 3GPP closed loop; a controller's power needs it off
    double lteHandoverMarginDb{3};     //!< by which another cell's RSRP must be better (event A3)
    Time lteHandoverDelay{MilliSeconds(256)}; //!< for so long (its time to trigger)
    std::string lteScheduler{
        "ns3::collapipe::WeightedFfMacScheduler"}; //!< TypeId of the base station's scheduler

    // Wi-Fi (802.11ax, 5 GHz)
    PathLossConfig wifiPathLoss{3.0, 0, true, 3.0, false}; //!< node to node in a cluster
    uint16_t wifiChannelWidthMhz{80};                      //!< 20, 40 or 80
    double wifiPowerDbm{16};                               //!< a node's maximum
    double wifiNoiseFigureDb{7};                           //!< of a node's receiver
    double wifiFrameErrorRate{0}; //!< frames lost beside those the channel spoils, 0..1
    std::string wifiRateManager{
        "ns3::collapipe::PowerControlWifiManager"}; //!< TypeId of the station manager
    std::string wifiQueueDisc{
        "ns3::collapipe::AirtimeQueueDisc"}; //!< TypeId; another takes no shares

    /// TCP payload of a full segment, for the header overhead in FillLinks
    uint32_t segmentBytes{1400};

    /// What becomes of shares that a link does not use, in the radios and in the planner's state
    Sharing sharing{Sharing::WORK_CONSERVING};

    // Others who share the radios: with LTE in every cell, with Wi-Fi also on every cluster's
    // channel, where they send to one station more
    uint32_t backgroundUsers{0}; //!< of each cell and channel
    Time backgroundLead{0};      //!< that they are alone before the training begins

    static constexpr double MIN_DISTANCE_M = 1; //!< nodes stand no nearer to what they surround

    /**
     * Check everything that can be wrong.
     * @return empty, or one sentence: what is wrong and what to do
     */
    std::string Validate() const;

    /**
     * @param cluster an index
     * @return base station to the cluster's centre, where positions are not random, m
     */
    double GetClusterDistanceM(uint32_t cluster) const;

    /// @return path of the trace that nodes follow; empty where they follow none
    std::string GetTrace() const;

    /**
     * @return TCP send and receive buffer in bytes, each, that keeps every link full: twice the
     * product of rate and round-trip time of the wire where that is greatest, which a lost segment
     * halves; no less than 4 MiB, which radios need, and no more than TCP's largest window (1 GiB)
     */
    uint32_t GetTransportBufferBytes() const;
};

/// What goes over the links of a network
enum class Fidelity : uint8_t
{
    PACKETS, //!< packets, through the stacks and radios of ns-3
    FLOWS,   //!< flows, by the planner's formulas: see FlowNetwork
};

/// A cluster's nodes; in both address lists index 0 is the control unit, k + 1 is device k
struct ClusterNetwork
{
    uint32_t cell{0};                       //!< whose edge server serves it
    Ptr<Node> controlUnit;                  //!< its control unit
    std::vector<Ptr<Node>> devices;         //!< its devices
    std::vector<Ipv4Address> addresses;     //!< by which the cluster's other nodes reach a node
    std::vector<Ipv4Address> edgeAddresses; //!< by which the edge server reaches a node

    /**
     * @param index 0 is the control unit, k + 1 is device k
     * @return the node
     */
    Ptr<Node> GetNode(uint32_t index) const;

    /// @return how many nodes, control unit included
    uint32_t GetN() const;
};

/// A cell's servers
struct CellNetwork
{
    Vector position;         //!< of its middle
    Ptr<Node> edgeServer;    //!< serves the cell's clusters
    Ipv4Address edgeAddress; //!< by which their nodes reach it
    Ptr<Node> baseStation;   //!< LTE's; null where there is none
};

/**
 * @ingroup collapipe
 * What a topology built.
 */
struct Network
{
    Ptr<Node> edgeServer;                 //!< of the first cell
    Ipv4Address edgeAddress;              //!< of the first cell
    Ptr<Node> baseStation;                //!< of the first cell
    std::vector<CellNetwork> cells;       //!< the cells
    Ptr<Node> leadServer;                 //!< averages several cells; null where there is one
    Ipv4Address leadAddress;              //!< by which all edge servers reach it
    std::vector<ClusterNetwork> clusters; //!< the clusters
    std::vector<BackgroundUser> users;    //!< who else uses the radios
    Time usersStartAt;                    //!< attached, associated, warmed up: these may send
    Time readyAt;                         //!< the same for the training, which may come later

    /**
     * @param cell a cell
     * @return its clusters, ascending
     */
    std::vector<ClusterId> GetClusters(uint32_t cell) const;
};

/**
 * @ingroup collapipe
 * Builds a scenario's network and describes its links. One object builds one network, and must live
 * until Simulator::Destroy.
 *
 * All random variables get fixed streams at Build, starting with TopologyConfig::firstStream; so
 * two programs with equal seed and run see the same channel, whatever else they draw.
 */
class TopologyHelper
{
  public:
    /**
     * @param name one of GetNames
     * @param fidelity what goes over the links
     * @return the topology; null where there is none of that name in that fidelity
     */
    static std::unique_ptr<TopologyHelper> Create(const std::string& name,
                                                  Fidelity fidelity = Fidelity::PACKETS);

    /// Makes a topology
    using Factory = std::function<std::unique_ptr<TopologyHelper>()>;

    /**
     * Adds a topology of one's own, or replaces one.
     * @param name for Create, and for a program's --topology
     * @param factory makes it
     */
    static void Register(const std::string& name, Factory factory);

    /// @return the names Create knows
    static std::vector<std::string> GetNames();

    TopologyHelper();
    virtual ~TopologyHelper();
    TopologyHelper(const TopologyHelper&) = delete;
    TopologyHelper& operator=(const TopologyHelper&) = delete;

    /**
     * Build the network: nodes, positions, radios, addresses, routes. Aborts on a configuration
     * that TopologyConfig::Validate refuses, and where a node is out of reach.
     * @param config what to build
     * @return the network
     */
    Network Build(const TopologyConfig& config);

    /**
     * Describe the pools and links as they are before anything was measured: geometry, path loss
     * and shadowing, but not fading. Fills the parts of the state that concern links, and sizes its
     * clusters and devices where they are not yet sized.
     * @param state the state
     */
    void FillLinks(SystemState& state) const;

    /**
     * The same for the state that the edge server of one of several cells has.
     * @param state of some clusters
     * @param clusters which these are
     */
    void FillLinks(SystemState& state, const std::vector<ClusterId>& clusters) const;

    /**
     * @return a new actuator for the radios of the network built; one that acts on nothing where
     * there is no radio
     */
    virtual Ptr<RadioActuator> CreateActuator() const;

    /**
     * @param cluster index
     * @param node within it
     * @return the cell that serves the node's radio now; the cluster's cell where it has none
     */
    virtual uint32_t GetCell(uint32_t cluster, uint32_t node) const;

    /**
     * Hand a node's radio over to another cell, beside the handovers that the cells decide
     * themselves. Aborts where the topology has no such radios.
     * @param when from now
     * @param cluster index
     * @param node within it
     * @param cell where to
     */
    virtual void ScheduleHandover(Time when, uint32_t cluster, uint32_t node, uint32_t cell);

    /// @return handovers between cells that have ended so far
    virtual uint32_t GetHandovers() const;

    /**
     * Capture packets. Each node that hosts an application gets one file with all IPv4 packets
     * that it sends or receives as an end point (raw IP; relayed packets are not in it):
     * `prefix-es.pcap` (of several cells `prefix-esCELL.pcap` and `prefix-lead.pcap`),
     * `prefix-cCLUSTER-cu.pcap`, `prefix-cCLUSTER-dDEVICE.pcap`. Links and radios get their own,
     * `prefix-link-NODE-DEVICE.pcap` and the like, named as ns-3 does.
     * @param prefix path and beginning of the names
     */
    void EnablePcap(const std::string& prefix);

    /**
     * Assign fixed streams to every random variable of the network but the positions, which are
     * drawn by then. Build does so already.
     * @param stream the first stream
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

    /// @return the network built
    const Network& GetNetwork() const;

    /// @return all nodes with applications: edge servers, lead, then cluster by cluster
    NodeContainer GetNodes() const;

  protected:
    /// Links, radios, addresses and routes; nodes with Internet stack and position exist
    virtual void DoBuild() = 0;
    /// What depends on the channel: streams have been assigned
    virtual void DoAttach();
    /**
     * As FillLinks; the state has the network's size.
     * @param state the state
     */
    virtual void DoFillLinks(SystemState& state) const = 0;
    /**
     * Captures below IP.
     * @param prefix path and beginning of the names
     */
    virtual void DoEnablePcap(const std::string& prefix) = 0;
    /**
     * Check that every node can be reached, as far as that can be known before the simulation.
     * @return empty, or one sentence: what is wrong and what to do
     */
    virtual std::string DoCheckLinks() const;
    /**
     * Assign streams to what lies between the nodes: shadowing and fading. The same realisation of
     * them belongs to a seed whatever radios there are.
     * @param stream the first stream
     * @return number of streams used
     */
    virtual int64_t DoAssignChannelStreams(int64_t stream);

    /**
     * As AssignStreams, without the Internet stack and the channels.
     * @param stream the first stream
     * @return number of streams used
     */
    virtual int64_t DoAssignStreams(int64_t stream) = 0;

    /// @param users who share a radio with the training, beside those that are known
    void AddUsers(const std::vector<BackgroundUser>& users);

    /// @return share of the bytes on a link below IP that is TCP payload, for full segments
    double GetPayloadShare(uint32_t linkHeaderBytes) const;

    TopologyConfig m_config; //!< what was asked for
    Network m_network;       //!< what was built

  private:
    void CreateNodes();

    /// Wires the edge servers of several cells to the lead.
    void ConnectLead();

    NetDeviceContainer m_leadDevices;              //!< of the wires between edge servers and lead
    std::vector<Ptr<RateErrorModel>> m_leadErrors; //!< of these wires
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TOPOLOGY_H */
