/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a topology is built from: the checks, and what follows from it

#include "collapipe-topology.h"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint32_t MAX_CLUSTERS = 250;               //!< one /16 each
constexpr uint32_t MAX_DEVICES = 250;                //!< per cluster
constexpr uint32_t MAX_CELLS = 37;                   //!< three rings of a hexagonal grid
constexpr uint32_t MAX_USERS = 100;                  //!< of a radio, beside the training
constexpr double MIN_TRANSPORT_BYTES = 4U << 20;     //!< four full RLC buffers of an LTE bearer
constexpr double MAX_TRANSPORT_BYTES = 65535U << 14; //!< TCP's largest window (RFC 7323)

/// Whether a string names a registered type
bool
IsTypeName(const std::string& name)
{
    TypeId tid;
    return TypeId::LookupByNameFailSafe(name, &tid);
}

/// A condition that must hold, and the sentence where it does not
using Check = std::pair<bool, std::string>;

/// First sentence whose condition does not hold
std::string
FirstError(const std::vector<Check>& checks)
{
    const auto it =
        std::find_if(checks.begin(), checks.end(), [](const Check& c) { return !c.first; });
    return it == checks.end() ? std::string() : it->second;
}

/// @return a number as a person writes it
std::string
ToText(double value)
{
    std::ostringstream text;
    text << value;
    return text.str();
}

/// @return whether a probability
bool
IsRate(double value)
{
    return value >= 0 && value < 1;
}

/// Checks of a path loss
std::string
ValidatePathLoss(const PathLossConfig& loss, const std::string& radio)
{
    return FirstError(
        {{loss.exponent > 0 && std::isfinite(loss.exponent),
          radio + ": the path loss exponent must be positive (free space has 2)"},
         {loss.referenceLossDb >= 0, radio + ": the reference loss in dB must not be negative"},
         {loss.shadowingSigmaDb >= 0, radio + ": the shadowing deviation must not be negative"}});
}

/// What fits onto a wire between a segment and its acknowledgement, in bytes
double
GetProductBytes(DataRate rate, Time delay)
{
    return 2 * delay.GetSeconds() * rate.GetBitRate() / 8;
}

} // namespace

std::string
TopologyConfig::Validate() const
{
    const auto isOneOf = [](uint32_t value, std::vector<uint32_t> set) {
        return std::find(set.begin(), set.end(), value) != set.end();
    };
    const auto all =
        clusterDistancesM.empty() ? std::vector<double>{clusterDistanceM} : clusterDistancesM;
    const auto distances = std::minmax_element(all.begin(), all.end());
    std::string error = FirstError({
        {clusters >= 1 && clusters <= MAX_CLUSTERS,
         "the number of clusters must lie in 1.." + std::to_string(MAX_CLUSTERS)},
        {devicesPerCluster >= 1 && devicesPerCluster <= MAX_DEVICES,
         "the number of devices per cluster must lie in 1.." + std::to_string(MAX_DEVICES)},
        {cells >= 1 && cells <= MAX_CELLS,
         "the number of cells must lie in 1.." + std::to_string(MAX_CELLS)},
        {clusters >= cells, "each cell needs a cluster: there are more cells than clusters"},
        {cellDistanceM >= MIN_DISTANCE_M, "the distance of cells must be 1 m or more"},
        {lteHandoverMarginDb >= 0 && lteHandoverMarginDb <= 15,
         "the margin of a handover must lie in 0..15 dB"}, // 3GPP TS 36.331, Hysteresis
        {!lteHandoverDelay.IsStrictlyNegative() && lteHandoverDelay <= MilliSeconds(5120),
         "the delay of a handover must lie in 0..5.12 s"}, // 3GPP TS 36.331, TimeToTrigger
        {firstStream >= 0, "the first random stream must not be negative"},
        {clusterRadiusM >= MIN_DISTANCE_M, "the cluster radius must be 1 m or more"},
        {*distances.first >= MIN_DISTANCE_M, "the cluster distance must be 1 m or more"},
        {cellRadiusM > clusterRadiusM,
         "a clusterRadius of " + ToText(clusterRadiusM) + " m is too much: all nodes lie within " +
             ToText(cellRadiusM) + " m"},
        {randomPositions || *distances.second + clusterRadiusM <= cellRadiusM,
         "a clusterDistance of " + ToText(*distances.second) + " m and a clusterRadius of " +
             ToText(clusterRadiusM) + " m are too much: no node lies more than " +
             ToText(cellRadiusM) + " m, the cellRadius, from its base station"},
        {p2pD2dRate.GetBitRate() > 0 && p2pD2eRate.GetBitRate() > 0 &&
             backhaulRate.GetBitRate() > 0,
         "the rates of wired links must be positive"},
        {!p2pD2dDelay.IsStrictlyNegative() && !p2pD2eDelay.IsStrictlyNegative() &&
             !backhaulDelay.IsStrictlyNegative(),
         "the delays of wired links must not be negative"},
        {IsRate(packetErrorRate), "the packet error rate must lie in 0..1, 1 excluded"},
        {IsRate(wifiFrameErrorRate), "the Wi-Fi frame error rate must lie in 0..1, 1 excluded"},
        {isOneOf(lteBandwidthRb, {6, 15, 25, 50, 75, 100}),
         "the LTE bandwidth must be 6, 15, 25, 50, 75 or 100 resource blocks"},
        {isOneOf(wifiChannelWidthMhz, {20, 40, 80}),
         "the Wi-Fi channel width must be 20, 40 or 80 MHz"},
        {mobility == "none" || mobility == "waypoint" || mobility == "gauss-markov" ||
             !GetTrace().empty(),
         "there is no mobility named " + mobility +
             "; take none, waypoint, gauss-markov or ns2:FILE"},
        {speedMps > 0 && std::isfinite(speedMps), "the speed must be positive, in m/s"},
        {fadingDopplerHz > 0, "the Doppler shift of fading must be positive"},
        {IsTypeName(lteScheduler), "there is no LTE scheduler named " + lteScheduler},
        {IsTypeName(wifiRateManager), "there is no Wi-Fi rate manager named " + wifiRateManager},
        {IsTypeName(wifiQueueDisc), "there is no queue disc named " + wifiQueueDisc},
        {segmentBytes > 0, "the TCP segment must not be empty"},
        {backgroundUsers <= MAX_USERS,
         "the number of other users of a radio must lie in 0.." + std::to_string(MAX_USERS)},
        {!backgroundLead.IsStrictlyNegative(),
         "the time that other users are alone must not be negative"},
    });
    error = error.empty() ? ValidatePathLoss(ltePathLoss, "LTE") : error;
    return error.empty() ? ValidatePathLoss(wifiPathLoss, "Wi-Fi") : error;
}

double
TopologyConfig::GetClusterDistanceM(uint32_t cluster) const
{
    return clusterDistancesM.empty() ? clusterDistanceM
                                     : clusterDistancesM[cluster % clusterDistancesM.size()];
}

std::string
TopologyConfig::GetTrace() const
{
    const std::string prefix = "ns2:";
    return mobility.rfind(prefix, 0) == 0 ? mobility.substr(prefix.size()) : "";
}

uint32_t
TopologyConfig::GetTransportBufferBytes() const
{
    // Twice as much: a loss halves the window, and the link is to stay full
    const double bytes = 2 * std::max({GetProductBytes(p2pD2dRate, p2pD2dDelay),
                                       GetProductBytes(p2pD2eRate, p2pD2eDelay),
                                       GetProductBytes(backhaulRate, backhaulDelay)});
    return std::clamp(bytes, MIN_TRANSPORT_BYTES, MAX_TRANSPORT_BYTES);
}

} // namespace collapipe
} // namespace ns3
