/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIFI_LINK_PROBE_H
#define COLLAPIPE_WIFI_LINK_PROBE_H

#include "collapipe-link-monitor.h"

#include "ns3/mac48-address.h"
#include "ns3/object.h"
#include "ns3/wifi-net-device.h"

#include <cstdint>
#include <deque>
#include <map>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Tells a link monitor the SNR and MCS of the D2D links of one cluster's Wi-Fi, as the receivers
 * report them with their acknowledgments: once for each frame or A-MPDU. It listens to
 * PowerControlWifiManager; devices with other station managers report nothing.
 */
class WifiLinkProbe : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param monitor to tell
     * @param cluster index that the monitor knows the cluster by
     * @param devices of all its nodes, control unit first
     */
    void Connect(Ptr<LinkMonitor> monitor,
                 uint32_t cluster,
                 const std::vector<Ptr<WifiNetDevice>>& devices);

  private:
    /// Numbers of the meters of a sender's links, by receiver
    using Sender = std::map<Mac48Address, uint32_t>;

    void HandleSnr(const Sender* sender,
                   Mac48Address to,
                   double snr,
                   double widthMhz,
                   double powerW,
                   uint32_t mcs);

    Ptr<LinkMonitor> m_monitor;   //!< to tell
    double m_channelWidthMhz{0};  //!< whole pool
    std::deque<Sender> m_senders; //!< their addresses stay
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIFI_LINK_PROBE_H */
