/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_ACCESS_H
#define COLLAPIPE_LTE_ACCESS_H

#include "collapipe-cluster-monitor.h"
#include "collapipe-lte-channel.h"
#include "collapipe-topology.h"
#include "collapipe-warm-up.h"

#include "ns3/collapipe-lte-link-probe.h"
#include "ns3/collapipe-radio-actuator.h"
#include "ns3/error-model.h"
#include "ns3/lte-helper.h"
#include "ns3/net-device-container.h"
#include "ns3/point-to-point-epc-helper.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * LTE cells on one carrier whose UEs are all nodes of all clusters; the edge servers stand behind
 * the PGW. UEs reach each other through the PGW. Where there are several cells, the base stations
 * hand over (X2) on event A3, and the cells interfere with each other.
 */
class LteAccess
{
  public:
    /**
     * Install base stations, core, radios, addresses and routes.
     * @param network the nodes; gets the edge servers' addresses, the base stations and every
     * node's address towards its edge server
     * @param config the configuration
     */
    void Build(Network& network, const TopologyConfig& config);

    /// Attach every UE to the cell that it hears best. Streams must have been assigned.
    void Attach();

    /**
     * Wait until all UEs are attached (the run aborts where one is not by then), and warm up both
     * directions between every UE and the edge server.
     * @return when all is over
     */
    Time WarmUp();

    /// @return what lies between the nodes and what the links are worth
    const LteChannel& GetChannel() const;

    /**
     * @param d2d whether links between the nodes of a cluster go through the cell, too
     * @return a new actuator for all UEs
     */
    Ptr<RadioActuator> CreateActuator(bool d2d) const;

    /**
     * Have the radios tell monitors of SINR and MCS.
     * @param monitors by cluster
     */
    void ConnectMonitors(const std::vector<ClusterMonitor>& monitors);

    /**
     * Hand a node over to another cell, whatever its radio sees. Its connections go on.
     * @param when from now
     * @param node one of a cluster
     * @param cell where to
     */
    void ScheduleHandover(Time when, Ptr<Node> node, uint32_t cell);

    /**
     * @param node one of a cluster
     * @return the cell that serves it now
     */
    uint32_t GetCell(Ptr<Node> node) const;

    /// @return handovers that have ended so far
    uint32_t GetHandovers() const;

    /**
     * Capture on the core's point-to-point links: S1-U, S5, and SGi to the edge server.
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

  private:
    void InstallRadios();
    void EnableHandover();
    void AddPropagation();
    void TuneBaseStation(Ptr<NetDevice> device);
    void TuneUe(Ptr<NetDevice> device);
    void ConnectCore();
    void AssignAddresses();
    void CheckAttached() const;
    std::vector<WarmUpFlow> GetWarmUpFlows() const;
    /// @return the cell that serves a UE now
    uint32_t FindCell(uint32_t ue) const;
    void Handover(uint32_t ue, uint32_t cell);
    void CountHandover(uint64_t imsi, uint16_t cell, uint16_t rnti);

    TopologyConfig m_config;                        //!< configuration
    Network m_network;                              //!< what is connected
    LteChannel m_channel;                           //!< places and propagation
    uint32_t m_handovers{0};                        //!< that have ended
    Ptr<LteHelper> m_lte;                           //!< owns the channels
    Ptr<PointToPointEpcHelper> m_epc;               //!< the core
    NetDeviceContainer m_enbDevices;                //!< radios of the base stations, by cell
    NetDeviceContainer m_ueDevices;                 //!< radios of the UEs
    Ptr<LteLinkProbe> m_probe;                      //!< tells monitors; null where there are none
    std::vector<Ptr<RateErrorModel>> m_errorModels; //!< of the links to the edge servers
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_ACCESS_H */
