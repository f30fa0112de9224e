/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_TOPOLOGY_H
#define COLLAPIPE_FLOW_TOPOLOGY_H

#include "collapipe-cluster-monitor.h"
#include "collapipe-lte-channel.h"
#include "collapipe-topology.h"
#include "collapipe-wifi-channel.h"

#include "ns3/collapipe-connection.h"
#include "ns3/collapipe-flow-network.h"

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param fidelity what goes over the links
 * @return which sockets applications take there
 */
TransportConfig MakeTransport(Fidelity fidelity);

/**
 * @ingroup collapipe
 * The topologies lte, wifi and hybrid as networks of flows: the same nodes at the same places with
 * the same path loss, shadowing, fading and movement, and the same addresses; what nodes send is
 * carried by a FlowNetwork at the rates of the planner's formulas. Sockets are those of
 * FlowSocketFactory.
 *
 * LTE: an uplink and a downlink medium for each cell; nodes of a cluster that reach each other
 * through the cell take both. Wi-Fi: a medium for each cluster. Wires have a rate of their own.
 */
class FlowTopologyHelper : public TopologyHelper, public MonitoredRadios
{
  public:
    /**
     * @param name lte, wifi or hybrid
     * @return the topology; null where there is none of that name
     */
    static std::unique_ptr<TopologyHelper> Create(const std::string& name);

    /**
     * @param hasWifi whether nodes of a cluster reach each other over Wi-Fi
     * @param hasLte whether they reach the edge server over LTE
     */
    FlowTopologyHelper(bool hasWifi, bool hasLte);
    ~FlowTopologyHelper() override;

    /// @return what carries the flows
    Ptr<FlowNetwork> GetFlowNetwork() const;

    Ptr<RadioActuator> CreateActuator() const override;
    void ConnectMonitors(const std::vector<ClusterMonitor>& monitors) override;
    uint32_t GetCell(uint32_t cluster, uint32_t node) const override;
    void ScheduleHandover(Time when, uint32_t cluster, uint32_t node, uint32_t cell) override;
    uint32_t GetHandovers() const override;

  protected:
    void DoBuild() override;
    void DoAttach() override;
    void DoFillLinks(SystemState& state) const override;
    void DoEnablePcap(const std::string& prefix) override;
    std::string DoCheckLinks() const override;
    int64_t DoAssignChannelStreams(int64_t stream) override;
    int64_t DoAssignStreams(int64_t stream) override;

  private:
    /// Who a node is
    struct Role
    {
        uint32_t cluster{0};          //!< of a node; of a server, its cell
        NodeIndex index{EDGE_SERVER}; //!< within the cluster; EDGE_SERVER: a server
        bool isLead{false};           //!< the lead of several cells
    };

    /// Who is told what a link's radio sees
    struct Meter
    {
        Ptr<LinkMonitor> monitor; //!< the cell's
        uint32_t number{0};       //!< of the link
    };

    void BuildLte();
    void BuildWifi();
    void BuildBackhaul();

    /// @return a new interface of a node
    Ptr<FlowRadio> AddRadio(Ptr<Node> node, FlowRadioKind kind, Ipv4Address address, Ipv4Mask mask);

    FlowLinkConfig MakeLink(Ptr<Node> from, Ptr<Node> to);
    FlowLinkConfig MakeWifiLink(uint32_t cluster, uint32_t from, uint32_t to);
    FlowLinkConfig MakeBackhaulLink(uint32_t cluster, uint32_t node, bool isUp);
    FlowLinkConfig MakeUplink(uint32_t cluster, uint32_t node);
    FlowLinkConfig MakeDownlink(uint32_t cluster, uint32_t node);
    FlowLinkConfig MakeRelayedLink(uint32_t cluster, uint32_t from, uint32_t to);
    FlowLinkConfig MakeLeadLink(Ptr<Node> from, Ptr<Node> to);
    FlowLinkConfig MakeWire(double rateBps, Time delay) const;

    /// @return what LTE radios do for TCP's acknowledgements
    FlowAcknowledging GetAcknowledging() const;

    /// @return who hears of a link's SINR
    std::function<void(double, double)> MakeObserver(uint32_t cluster,
                                                     NodeIndex from,
                                                     NodeIndex to) const;

    /// Lets a node change to a cell that it has heard better for long enough (event A3).
    void UpdateCell(Ptr<Node> node);
    void HandOver(uint32_t ue, uint32_t cell);
    void HandleMove(Ptr<const MobilityModel> mobility);

    bool m_hasWifi;                                 //!< within clusters
    bool m_hasLte;                                  //!< to the edge server
    Ptr<FlowNetwork> m_flows;                       //!< carries
    LteChannel m_lte;                               //!< places and propagation, where there is LTE
    std::vector<WifiChannel> m_wifi;                //!< by cluster, where there is Wi-Fi
    std::vector<std::size_t> m_uplinks;             //!< media by cell
    std::vector<std::size_t> m_downlinks;           //!< media by cell
    std::vector<std::size_t> m_channels;            //!< media by cluster
    std::map<uint32_t, Role> m_roles;               //!< by node id
    std::map<uint32_t, Ptr<NetDevice>> m_edgeWires; //!< of edge servers, by node id
    std::map<uint32_t, Ptr<NetDevice>> m_nodeWires; //!< of control units, by node id
    std::map<uint32_t, std::pair<uint32_t, Time>> m_better; //!< cell, since when, by UE
    uint32_t m_handovers{0};                                //!< so far
    std::map<std::tuple<uint32_t, NodeIndex, NodeIndex>, Meter> m_meters; //!< by link
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_TOPOLOGY_H */
