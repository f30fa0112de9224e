/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ADOPTED_TOPOLOGY_H
#define COLLAPIPE_ADOPTED_TOPOLOGY_H

#include "collapipe-cluster-monitor.h"
#include "collapipe-topology.h"

#include "ns3/collapipe-wifi-link-probe.h"
#include "ns3/data-rate.h"
#include "ns3/node-container.h"
#include "ns3/nstime.h"
#include "ns3/wifi-net-device.h"

#include <map>
#include <tuple>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A network that somebody else built: nodes with devices, addresses and routes, one cell. What its
 * links are worth is found out from that:
 *
 * - Where all nodes of a cluster share a Wi-Fi channel, their links are Wi-Fi links with shares and
 *   powers (6), whose gains the channel's propagation loss model gives.
 * - Any other way is followed hop by hop through the routing tables. Its rate is that of its
 *   slowest hop, its latency the sum of theirs; of a Wi-Fi hop the rate that it has alone.
 * - Of a hop that tells no rate (neither wire nor Wi-Fi), and where there is no route yet, a
 *   default holds until messages have gone that way, and their goodput from then on.
 *
 * The actuator acts on the Wi-Fi radios; powers per receiver need PowerControlWifiManager, shares
 * InstallAirtimeQueues().
 */
class AdoptedTopologyHelper : public TopologyHelper, public MonitoredRadios
{
  public:
    /**
     * @param edgeServer holds decoder and model
     * @param controlUnits one for each cluster
     * @param devices by cluster
     */
    AdoptedTopologyHelper(Ptr<Node> edgeServer,
                          const NodeContainer& controlUnits,
                          const std::vector<NodeContainer>& devices);

    /**
     * @param rate of links of which nothing is known
     * @param latency of these
     */
    void SetDefaultLink(DataRate rate, Time latency);

    Ptr<RadioActuator> CreateActuator() const override;
    void ConnectMonitors(const std::vector<ClusterMonitor>& monitors) override;

  protected:
    void DoBuild() override;
    void DoFillLinks(SystemState& state) const override;
    void DoEnablePcap(const std::string& prefix) override;
    int64_t DoAssignStreams(int64_t stream) override;

  private:
    /// A cluster's Wi-Fi
    struct Radios
    {
        std::vector<Ptr<WifiNetDevice>> devices; //!< by node; empty: no channel in common
        std::vector<double> powersDbm;           //!< of these, as installed
    };

    /// What a link has carried: cluster, transmitter, receiver
    using LinkKey = std::tuple<uint32_t, uint32_t, uint32_t>;

    /// Payload and time of the messages of a link
    struct Goodput
    {
        double bits{0};
        double seconds{0};
    };

    /// Finds the Wi-Fi channel that a cluster's nodes share.
    static Radios FindRadios(const ClusterNetwork& cluster);

    /// @return the Wi-Fi link between two of a cluster's nodes
    static LinkState MakeRadioLink(const Radios& radios, uint32_t from, uint32_t to);

    /// @return whether a device's way to the edge server begins with Wi-Fi to its control unit
    bool IsRelayed(const Radios& radios, uint32_t device, Ptr<Node> node) const;

    /// @return the channel of a device as a medium
    static PoolState MakePool(Ptr<WifiNetDevice> device);

    /// @return a link with a rate of its own, as the way there is
    LinkState MakePath(const LinkKey& key, Ptr<Node> from, Ipv4Address to) const;

    void HandleGoodput(const LinkId& link, Phase phase, double bits, double seconds);

    DataRate m_defaultRate{"10Mbps"};         //!< of links of which nothing is known
    Time m_defaultLatency{MilliSeconds(5)};   //!< likewise
    std::vector<Radios> m_radios;             //!< by cluster
    std::vector<Ptr<WifiLinkProbe>> m_probes; //!< tell monitors
    std::map<LinkKey, Goodput> m_goodputs;    //!< of all links
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ADOPTED_TOPOLOGY_H */
