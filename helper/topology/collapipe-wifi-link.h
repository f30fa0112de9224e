/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIFI_LINK_H
#define COLLAPIPE_WIFI_LINK_H

#include "ns3/collapipe-airtime-ledger.h"
#include "ns3/collapipe-system-state.h"
#include "ns3/net-device-container.h"

#include <cstdint>
#include <string>

namespace ns3
{
namespace collapipe
{

/// Weaker frames are not detected: ns-3's ThresholdPreambleDetectionModel
constexpr double MIN_RX_POWER_DBM = -82;

/**
 * @param widthMhz width of a Wi-Fi channel in MHz
 * @param sharing what becomes of shares that are not used
 * @return it as a medium: shares of airtime, formula (6)
 */
PoolState MakeWifiPool(uint16_t widthMhz, Sharing sharing);

/**
 * Describes a Wi-Fi link by formula (6), fitted to what TCP gets through ns-3's 802.11ax: alone in
 * a work-conserving channel, or for the airtime that an AirtimeLedger grants in a reserved one.
 * @param gain linear power gain from the transmitter to the receiver
 * @param maxPowerDbm the transmitter's
 * @param noiseFigureDb the receiver's
 * @param channel as MakeWifiPool() has it
 * @return the link
 */
LinkState MakeWifiLink(double gain,
                       double maxPowerDbm,
                       double noiseFigureDb,
                       const PoolState& channel);

/**
 * Of the time that a link's payload takes of the channel, that in which its frames are on the air:
 * all but contention and block acknowledgements, around A-MPDUs as long as the MAC's queue.
 * @param link as MakeWifiLink() has it
 * @param channel as MakeWifiPool() has it
 * @param segmentBytes payload of a packet
 * @return a part, 0..1
 */
double GetWifiOnAirPart(const LinkState& link, const PoolState& channel, uint32_t segmentBytes);

/**
 * Has a Wi-Fi device lose nothing in its own queues, and no link to a late negotiation of block
 * acknowledgment.
 * @param device with a QoS MAC
 */
void TuneWifiQueues(Ptr<NetDevice> device);

/**
 * Makes Wi-Fi devices obey shares: gives each a queue disc that keeps to them, and tunes it. To be
 * called once the nodes have their Internet stack and before addresses are assigned.
 * @param devices of one channel
 * @param queueDisc TypeId of the discs; of another than AirtimeQueueDisc no shares are kept
 * @return who owes whom airtime; null where the discs keep no account
 */
Ptr<AirtimeLedger> InstallAirtimeQueues(
    const NetDeviceContainer& devices,
    const std::string& queueDisc = "ns3::collapipe::AirtimeQueueDisc");

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIFI_LINK_H */
