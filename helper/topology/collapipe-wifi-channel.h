/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIFI_CHANNEL_H
#define COLLAPIPE_WIFI_CHANNEL_H

#include "collapipe-path-loss.h"
#include "collapipe-topology.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Where the stations of a cluster's Wi-Fi are, what lies between them, and what the links are
 * worth: all that is the same whether packets or flows go over them.
 */
class WifiChannel
{
  public:
    /**
     * Create other users of the channel, and the propagation between them and the nodes.
     * @param cluster the cluster's nodes
     * @param index which cluster
     * @param config the configuration
     */
    void Build(const ClusterNetwork& cluster, uint32_t index, const TopologyConfig& config);

    /// @return the cluster's nodes, control unit first, then the users' peer and the users
    const NodeContainer& GetNodes() const;

    /// @return who shares the channel with the cluster
    const std::vector<BackgroundUser>& GetUsers() const;

    /// @return its propagation, to be applied one model after the other
    const std::vector<Ptr<PropagationLossModel>>& GetModels() const;

    /// @return the channel as a medium
    PoolState GetPool() const;

    /**
     * @param from transmitter
     * @param to receiver
     * @param fading factor of the gain
     * @return the link
     */
    LinkState MakeLink(Ptr<Node> from, Ptr<Node> to, double fading = 1) const;

    /**
     * @param from transmitter
     * @param to receiver
     * @return factor of the gain by Rayleigh fading now; 1 where that is off
     */
    double GetFading(Ptr<Node> from, Ptr<Node> to) const;

    /**
     * @param from transmitter
     * @param to receiver
     * @return whether it hears the transmitter at full power where they are now
     */
    bool IsInReach(Ptr<Node> from, Ptr<Node> to) const;

    /**
     * Describe pool and links between the cluster's nodes.
     * @param state the cluster's state, of the right size
     */
    void FillD2d(ClusterState& state) const;

    /**
     * Check that every two nodes hear each other at full power. Streams must have been assigned.
     * @return empty, or one sentence: who does not and what to do
     */
    std::string CheckReach() const;

    /**
     * @param stream the first stream
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

  private:
    void CreateUsers();

    /// @return whether the queue discs know shares and priorities
    bool HasShares() const;

    /// @return power at the receiver without fading, at full power
    double GetReceivedDbm(Ptr<Node> from, Ptr<Node> to) const;

    TopologyConfig m_config;                         //!< configuration
    uint32_t m_index{0};                             //!< which cluster
    ClusterNetwork m_cluster;                        //!< its nodes
    std::vector<BackgroundUser> m_users;             //!< who else is on the channel
    NodeContainer m_nodes;                           //!< the cluster's, the users', their peer's
    std::unique_ptr<PathLoss> m_pathLoss;            //!< propagation
    std::vector<Ptr<PropagationLossModel>> m_models; //!< of it
};

/**
 * Describe clusters whose control units relay over a wire for their devices: the links to the edge
 * server and back, and those within the clusters.
 * @param channels by cluster
 * @param wireBps rate of each wire
 * @param wireDelay its propagation delay
 * @param state of the right size
 */
void FillRelayedLinks(const std::vector<const WifiChannel*>& channels,
                      double wireBps,
                      Time wireDelay,
                      SystemState& state);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIFI_CHANNEL_H */
