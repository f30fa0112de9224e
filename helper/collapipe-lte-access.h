/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_ACCESS_H
#define COLLAPIPE_LTE_ACCESS_H

#include "collapipe-path-loss.h"
#include "collapipe-topology.h"
#include "collapipe-warm-up.h"

#include "ns3/collapipe-radio-actuator.h"
#include "ns3/error-model.h"
#include "ns3/lte-helper.h"
#include "ns3/net-device-container.h"
#include "ns3/point-to-point-epc-helper.h"

#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * One LTE cell whose UEs are all nodes of all clusters; the edge server stands behind the PGW. UEs
 * reach each other through the PGW.
 */
class LteAccess
{
  public:
    /**
     * Install base station, core, radios, addresses and routes.
     * @param network the nodes; gets the edge server's address, the base station and every node's
     *        address towards the edge server
     * @param config the configuration
     */
    void Build(Network& network, const TopologyConfig& config);

    /**
     * Wait until all UEs are attached (the run aborts where one is not by then), and warm up both
     * directions between every UE and the edge server.
     * @return when all is over
     */
    Time WarmUp();

    /**
     * Check that every UE's uplink works at full power. Streams must have been assigned.
     * @return empty, or one sentence: who is out of reach and what to do
     */
    std::string CheckReach() const;

    /**
     * Describe both D2E pools and every node's uplink and downlink.
     * @param state the state, of the network's size
     */
    void FillD2e(SystemState& state) const;

    /**
     * Describe the links through the network as D2D links: the uplink of the sender, with the delay
     * of both ways.
     * @param cluster which cluster
     * @param state its state
     */
    void FillD2d(uint32_t cluster, ClusterState& state) const;

    /**
     * @param d2d whether links between the nodes of a cluster go through the cell, too
     * @return a new actuator for all UEs
     */
    Ptr<RadioActuator> CreateActuator(bool d2d) const;

    /**
     * Capture on the core's point-to-point links: S1-U, S5, and SGi to the edge server.
     * @param prefix path and beginning of the names
     */
    void EnablePcap(const std::string& prefix);

    /**
     * @param stream the first stream
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

  private:
    void InstallRadios();
    void AddPropagation();
    void TuneBaseStation();
    void TuneUe(Ptr<NetDevice> device);
    void ConnectCore();
    void AssignAddresses();
    void CheckAttached() const;
    std::vector<WarmUpFlow> GetWarmUpFlows() const;
    double GetBandwidthHz() const;
    LinkState MakeUplink(Ptr<Node> node) const;
    LinkState MakeDownlink(Ptr<Node> node) const;

    TopologyConfig m_config;                        //!< configuration
    Network m_network;                              //!< what is connected
    NodeContainer m_ues;                            //!< all UEs, cluster by cluster
    Ptr<LteHelper> m_lte;                           //!< owns the channels
    Ptr<PointToPointEpcHelper> m_epc;               //!< the core
    std::unique_ptr<PathLoss> m_pathLoss;           //!< propagation
    NetDeviceContainer m_enbDevices;                //!< the base station
    NetDeviceContainer m_ueDevices;                 //!< radios of the UEs
    NetDeviceContainer m_sgi;                       //!< link to the edge server
    std::vector<Ptr<RateErrorModel>> m_errorModels; //!< of that link
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_ACCESS_H */
