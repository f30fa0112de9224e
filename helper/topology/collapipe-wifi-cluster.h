/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIFI_CLUSTER_H
#define COLLAPIPE_WIFI_CLUSTER_H

#include "collapipe-cluster-monitor.h"
#include "collapipe-topology.h"
#include "collapipe-warm-up.h"
#include "collapipe-wifi-channel.h"

#include "ns3/collapipe-airtime-ledger.h"
#include "ns3/collapipe-wifi-actuator.h"
#include "ns3/collapipe-wifi-link-probe.h"
#include "ns3/error-model.h"
#include "ns3/net-device-container.h"
#include "ns3/yans-wifi-helper.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * One cluster's Wi-Fi: 802.11ax ad hoc (IBSS) at 5 GHz on a channel of its own, everyone talks to
 * everyone directly. Addresses are 10.(cluster + 1).x.y, the control unit being the first.
 */
class WifiCluster
{
  public:
    /**
     * Install radios and addresses.
     * @param cluster the cluster's nodes; gets their addresses
     * @param index which cluster
     * @param config the configuration
     */
    void Build(ClusterNetwork& cluster, uint32_t index, const TopologyConfig& config);

    /// @return what lies between the nodes and what the links are worth
    const WifiChannel& GetChannel() const;

    /**
     * Warm up every ordered pair of the cluster's nodes, then let the extra frame loss begin: were
     * it to hit the negotiation of block acknowledgment, a link could stay dead for good, since
     * ns-3's recipient would wait for ever for a frame its originator has given up.
     * @return when all is over
     */
    Time WarmUp();

    /**
     * Capture frames with radiotap headers.
     * @param prefix path and beginning of the names
     */
    void EnablePcap(const std::string& prefix);

    /**
     * @param stream the first stream of the channel
     * @return number of streams used
     */
    int64_t AssignChannelStreams(int64_t stream);

    /**
     * @param stream the first stream of the radios
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

    /// @param actuator that is to act on the cluster's radios
    void AddTo(Ptr<WifiActuator> actuator) const;

    /// @param monitor that the cluster's radios are to tell of SINR and MCS
    void ConnectMonitor(const ClusterMonitor& monitor);

    /// @return who owes whom airtime; null where the queue discs keep no account
    Ptr<AirtimeLedger> GetLedger() const;

    /// @return the radios of the cluster, control unit first; others' on the channel are not among
    /// them
    const NetDeviceContainer& GetDevices() const;

    /// @return who shares the channel with the cluster
    const std::vector<BackgroundUser>& GetUsers() const;

  private:
    void InstallRadios();
    void TuneDevice(Ptr<NetDevice> device);
    void AssignAddresses();
    void InstallQueueDiscs();
    void FillArpCaches();
    std::vector<WarmUpFlow> GetWarmUpFlows() const;

    TopologyConfig m_config;                        //!< configuration
    uint32_t m_index{0};                            //!< which cluster
    ClusterNetwork m_cluster;                       //!< its nodes
    std::vector<BackgroundUser> m_users;            //!< who else is on the channel
    NodeContainer m_nodes;                          //!< the cluster's, the users', their peer's
    std::vector<Ipv4Address> m_addresses;           //!< of these
    NetDeviceContainer m_allDevices;                //!< of these
    WifiChannel m_propagation;                      //!< places and propagation
    Ptr<YansWifiChannel> m_channel;                 //!< its channel
    YansWifiPhyHelper m_phy;                        //!< for installation and captures
    NetDeviceContainer m_devices;                   //!< the radios
    Ptr<WifiLinkProbe> m_probe;                     //!< tells a monitor; null where there is none
    Ptr<AirtimeLedger> m_ledger;                    //!< of the channel
    std::vector<Ptr<RateErrorModel>> m_errorModels; //!< extra frame loss
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIFI_CLUSTER_H */
