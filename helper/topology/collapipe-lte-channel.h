/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_CHANNEL_H
#define COLLAPIPE_LTE_CHANNEL_H

#include "collapipe-path-loss.h"
#include "collapipe-topology.h"

#include "ns3/collapipe-lte-scheduler-ue.h"

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Where the UEs and base stations of LTE cells are, what lies between them, and what the links are
 * worth: all that is the same whether packets or flows go over them.
 */
class LteChannel
{
  public:
    /// The SINR beyond which the downlink gains nothing; its power, unlike the uplink's, is fixed
    static constexpr double DOWNLINK_MAX_SINR = 180;

    /**
     * Create base stations and other users, and the propagation between them and the nodes.
     * @param network the nodes; gets the base stations and the users
     * @param config the configuration
     */
    void Build(Network& network, const TopologyConfig& config);

    /// Give every UE the cell that it hears best. Streams must have been assigned.
    void ChooseCells();

    /// @param lookup who says which cell serves a UE, by its number; else it is the one chosen
    void SetCellLookup(std::function<uint32_t(uint32_t)> lookup);

    /// @return all UEs: nodes cluster by cluster, control units first, then other users
    const NodeContainer& GetUes() const;

    /// @return base stations by cell
    const NodeContainer& GetBaseStations() const;

    /**
     * @param direction uplink or downlink
     * @return its propagation, to be applied one model after the other
     */
    const std::vector<Ptr<PropagationLossModel>>& GetModels(LteDirection direction) const;

    /**
     * @param node a UE
     * @return its number
     */
    uint32_t GetIndex(Ptr<Node> node) const;

    /**
     * @param ue a UE's number
     * @return the cell chosen for it
     */
    uint32_t GetHome(uint32_t ue) const;

    /**
     * @param ue a UE's number
     * @param cell that serves it from now on
     */
    void SetHome(uint32_t ue, uint32_t cell);

    /**
     * @param node a UE
     * @param cell a cell
     * @return power gain between the two, without fading
     */
    double GetGain(Ptr<Node> node, uint32_t cell) const;

    /**
     * @param node a UE
     * @return the cell that serves it now
     */
    uint32_t GetCell(Ptr<Node> node) const;

    /**
     * @param node a UE
     * @return the cell that it hears best now
     */
    uint32_t FindBestCell(Ptr<Node> node) const;

    /**
     * @param direction uplink or downlink
     * @param node a UE
     * @return factor of its gain to its cell by Rayleigh fading now; 1 where that is off
     */
    double GetFading(LteDirection direction, Ptr<Node> node) const;

    /// @return the uplink of a cell as a medium
    PoolState GetUplinkPool() const;

    /// @return the downlink of a cell as a medium
    PoolState GetDownlinkPool() const;

    /**
     * @param node a UE
     * @param fading factor of the gain
     * @return its uplink
     */
    LinkState MakeUplink(Ptr<Node> node, double fading = 1) const;

    /**
     * @param node a UE
     * @param fading factor of the gain
     * @return its downlink
     */
    LinkState MakeDownlink(Ptr<Node> node, double fading = 1) const;

    /**
     * @param node a UE
     * @param fading factor of the gain
     * @return its way through the cell to another UE: its uplink, with the delay of both ways
     */
    LinkState MakeRelayed(Ptr<Node> node, double fading = 1) const;

    /**
     * Describe both D2E pools and every node's uplink and downlink.
     * @param state the state, of the network's size
     */
    void FillD2e(SystemState& state) const;

    /**
     * Describe the links through the network as D2D links.
     * @param cluster which cluster
     * @param state its state
     */
    void FillD2d(uint32_t cluster, ClusterState& state) const;

    /**
     * Check that every UE's uplink works at full power. Streams must have been assigned.
     * @return empty, or one sentence: who is out of reach and what to do
     */
    std::string CheckReach() const;

    /**
     * @param node a UE
     * @return whether its uplink works at full power where it is now
     */
    bool IsInReach(Ptr<Node> node) const;

    /// @return a UE by its name, and how far it is from its base station
    std::string DescribeNode(Ptr<const Node> node) const;

    /// @return whether the scheduler knows shares and priorities
    bool HasShares() const;

    /**
     * @param stream the first stream
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

  private:
    void CreateBaseStations();
    void CreateUsers();
    double GetUplinkInterference(uint32_t cell) const;
    double GetDownlinkInterference(Ptr<Node> node, uint32_t cell) const;
    double GetBandwidthHz() const;

    /// @return an uplink's ratio of power to noise over the whole band, without interference
    double GetUplinkSnr(const LinkState& link) const;

    TopologyConfig m_config;                    //!< configuration
    Network m_network;                          //!< what is connected
    NodeContainer m_ues;                        //!< all UEs, cluster by cluster, then users
    NodeContainer m_baseStations;               //!< by cell
    std::vector<uint32_t> m_homes;              //!< cells to which the UEs attach
    std::function<uint32_t(uint32_t)> m_lookup; //!< who knows better
    std::unique_ptr<PathLoss> m_pathLoss;       //!< propagation
    std::array<std::vector<Ptr<PropagationLossModel>>, 2> m_models; //!< by direction
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_CHANNEL_H */
