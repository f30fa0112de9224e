/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COMPAT_H
#define COLLAPIPE_COMPAT_H

#include "ns3/deprecated.h"
#include "ns3/event-id.h"
#include "ns3/event-impl.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <cstdint>
#include <string>
#include <utility>

/**
 * @file
 * @ingroup collapipe
 * The one place that knows on which ns-3 release the module is built: COLLAPIPE_NS3_N is 1 from
 * release 3.N on, else 0.
 *
 * Every release names itself in a macro of deprecated.h and drops the oldest of those names: 3.31
 * to 3.34 have NS_DEPRECATED_3_30, 3.35 to 3.37 _3_34, 3.38 to 3.40 _3_36, 3.41 to 3.45 _3_40, 3.46
 * on _3_43. So a release that has none of the older names and not its own is newer than all that is
 * listed here. Whether a header exists would not do: in a source tree, those of another release
 * that is installed on the same machine exist, too.
 */

#if defined(NS_DEPRECATED_3_36) || !(defined(NS_DEPRECATED_3_30) || defined(NS_DEPRECATED_3_34))
#define COLLAPIPE_NS3_36 1
#else
#define COLLAPIPE_NS3_36 0
#endif

#if defined(NS_DEPRECATED_3_42) || !(defined(NS_DEPRECATED_3_30) || defined(NS_DEPRECATED_3_34) || \
                                     defined(NS_DEPRECATED_3_36) || defined(NS_DEPRECATED_3_40))
#define COLLAPIPE_NS3_42 1
#else
#define COLLAPIPE_NS3_42 0
#endif

#if defined(NS_DEPRECATED_3_43) || (COLLAPIPE_NS3_42 && !defined(NS_DEPRECATED_3_42))
#define COLLAPIPE_NS3_43 1
#else
#define COLLAPIPE_NS3_43 0
#endif

#if defined(NS_DEPRECATED_3_44) || (COLLAPIPE_NS3_43 && !defined(NS_DEPRECATED_3_43))
#define COLLAPIPE_NS3_44 1
#else
#define COLLAPIPE_NS3_44 0
#endif

/// Says that a station manager's DoNeedRetransmission overrides its base class's, which asks it up
/// to release 3.43; later ones count the retries of each frame.
#if COLLAPIPE_NS3_44
#define COLLAPIPE_ASKED_FOR_RETRIES
#else
#define COLLAPIPE_ASKED_FOR_RETRIES override
#endif

#if !COLLAPIPE_NS3_36
#include "ns3/regular-wifi-mac.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-remote-station-manager.h"
#endif

namespace ns3
{

class WifiMac;
class WifiRemoteStationManager;

namespace collapipe
{

/// An event that calls a function object
template <typename Function>
class CallEvent : public EventImpl
{
  public:
    /// @param function to be called
    explicit CallEvent(Function function)
        : m_function(std::move(function))
    {
    }

  private:
    void Notify() override
    {
        m_function();
    }

    Function m_function; //!< to be called
};

/**
 * Schedules the call of a function object such as a lambda expression, which Simulator::Schedule()
 * itself does not take in every release.
 * @param delay from now
 * @param function to be called without arguments
 * @return the event
 */
template <typename Function>
EventId
ScheduleCall(const Time& delay, Function function)
{
    return Simulator::Schedule(delay,
                               Ptr<EventImpl>(new CallEvent<Function>(std::move(function)), false));
}

#if !COLLAPIPE_NS3_42
namespace energy = ::ns3; //!< where the energy framework was before it had a namespace
#endif

#if COLLAPIPE_NS3_36
using QosWifiMac = WifiMac; //!< what knows of EDCA queues
#define COLLAPIPE_WIFI_80211AX WIFI_STANDARD_80211ax
#else
using QosWifiMac = RegularWifiMac;
#define COLLAPIPE_WIFI_80211AX WIFI_STANDARD_80211ax_5GHZ
#endif

/**
 * Sets a channel of the 5 GHz band.
 * @param phy helper of Wi-Fi's PHYs, with Set()
 * @param number of the channel, which implies its centre
 * @param widthMhz its width
 */
template <typename PhyHelper>
void
SetWifiChannel(PhyHelper& phy, uint32_t number, uint16_t widthMhz)
{
#if COLLAPIPE_NS3_36
    phy.Set("ChannelSettings",
            StringValue("{" + std::to_string(number) + ", " + std::to_string(widthMhz) +
                        ", BAND_5GHZ, 0}"));
#else
    phy.Set("ChannelWidth", UintegerValue(widthMhz));
    phy.Set("ChannelNumber", UintegerValue(number));
#endif
}

/**
 * Sees to it that no queue disc waits for a device's queue. Before 3.36 that cannot be asked for; a
 * queue that never fills up makes nobody wait.
 * @param link helper of point-to-point links
 */
template <typename LinkHelper>
void
DisableFlowControl([[maybe_unused]] LinkHelper& link)
{
#if COLLAPIPE_NS3_36
    link.DisableFlowControl();
#endif
}

#if COLLAPIPE_NS3_43
using WifiWidth = double; //!< MHz, as ns-3 passes channel widths
#else
using WifiWidth = uint16_t; //!< MHz, as ns-3 passes channel widths
#endif

#if COLLAPIPE_NS3_36
using WifiManagerBase = WifiRemoteStationManager; //!< what a rate manager derives from
#else
/// What a rate manager derives from: asks it for TXVECTORs as later releases do, with a width
class WifiManagerBase : public WifiRemoteStationManager
{
  private:
    WifiTxVector DoGetDataTxVector(WifiRemoteStation* station) final
    {
        return DoGetDataTxVector(station, GetPhy()->GetChannelWidth());
    }

    /**
     * @param station receiver
     * @param allowedWidth largest allowed width, in MHz
     * @return the TXVECTOR of a data frame
     */
    virtual WifiTxVector DoGetDataTxVector(WifiRemoteStation* station, WifiWidth allowedWidth) = 0;
};
#endif

/**
 * @param phy a WifiPhy
 * @param level a level of a TXVECTOR
 * @return the transmit power that the PHY gives to that level, in dBm
 */
template <class Phy>
double
GetWifiPowerDbm(const Phy& phy, uint8_t level)
{
#if COLLAPIPE_NS3_43
    return phy.GetPower(level);
#else
    return phy.GetPowerDbm(level);
#endif
}

/**
 * @param phy a WifiPhy
 * @param mode a WifiMode
 * @param width largest allowed, in MHz
 * @return channel width of a transmission in that mode, in MHz
 */
template <class Phy, class Mode>
WifiWidth
GetWifiTransmissionWidth([[maybe_unused]] const Phy& phy, const Mode& mode, WifiWidth width)
{
#if COLLAPIPE_NS3_43
    return phy.GetTxBandwidth(mode, width);
#else
    return GetChannelWidthForTransmission(mode, width);
#endif
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_COMPAT_H */
