/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-wifi-link.h"

#include "collapipe-path-loss.h"

#include "ns3/collapipe-airtime-queue-disc.h"
#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-link-model.h"
#include "ns3/collapipe-mac-queue-limit.h"
#include "ns3/double.h"
#include "ns3/net-device-queue-interface.h"
#include "ns3/nstime.h"
#include "ns3/qos-txop.h"
#include "ns3/string.h"
#include "ns3/traffic-control-helper.h"
#include "ns3/wifi-mac-queue.h"
#include "ns3/wifi-mac.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

/*
 * Formula (6) fitted to the TCP goodput of 4 MB in segments of 1400 bytes between two nodes with
 * the Ideal manager, 16 dBm. 80 MHz at 5, 10, 20 and 30 m (SNR 36 to 13 dB): 317 (highest
 * modulation), 270, 174 and 98 Mb/s, formula 360, 259, 160 and 105; 40 MHz: 179, 148, 116 and 72,
 * formula 197, 146, 96 and 68; 20 MHz: 88, 79, 54 and 46, formula 105, 77, 49 and 33. Losses are
 * those of contention, preambles, acknowledgments and headers.
 */
struct RateFit
{
    double efficiency; //!< e
    double snrGap;     //!< Gamma, linear
};

/// The fit for a channel width
RateFit
GetRateFit(uint16_t widthMhz)
{
    return widthMhz == 20 ? RateFit{0.48, 1.0} : RateFit{0.42, 2.5};
}

/**
 * What a frame costs a link with a reserved share, over its time on the air. Transfers of 4 MB cost
 * 1.9 times that at 80 MHz and 1.55 times else in the mean of the goodputs above (PHY rate over
 * goodput). That counts accesses, which a message pays for apart, and waits for acknowledgments,
 * in which a link whose messages wait for their share has something to send. What is left was
 * chosen so that messages of 3 to 100 kB in plans drawn at random take what (4) says of them
 * (bench/forecast.py, "random-wifi"), and in proportion for the others.
 */
double
GetTransferFactor(uint16_t widthMhz)
{
    return widthMhz < 80 ? 1.1 : 1.35;
}

/// S: the highest goodput of those above, that of 1024-QAM, in the unit of the fitted e
double
GetMaxSpectralEfficiency(uint16_t widthMhz)
{
    const double mostBps = widthMhz == 20 ? 88e6 : widthMhz == 40 ? 179e6 : 317e6;
    return mostBps / (GetRateFit(widthMhz).efficiency * widthMhz * 1e6);
}

/**
 * What a message takes of the channel beside its payload, in seconds: two accesses, its own and
 * that of TCP's acknowledgement. Each is AIFS of best effort, half of the least contention window
 * of 15 slots, an HE preamble, SIFS and a block acknowledgement at 24 Mb/s (timing of IEEE 802.11ax
 * in the 5 GHz band): 43 + 7.5 * 9 + 48 + 16 + 32 microseconds.
 */
constexpr double MESSAGE_AIRTIME_S = 2 * 206.5e-6;
constexpr double SILENCE_S =
    2 * 158.5e-6;                  //!< of it, without preambles: the sender does not radiate
constexpr double LATENCY_S = 1e-5; //!< d beside that

/// Above the weakest frame that is detected: nodes move while a round goes on
constexpr double POWER_MARGIN_DB = 1;

/// What the MAC holds itself, where an AirtimeQueueDisc decides what comes next: one A-MPDU
constexpr uint32_t AMPDU_PACKETS = 64;
/// Beside that, for requests for block acknowledgments and responses to them
constexpr uint32_t MANAGEMENT_FRAMES = 64;

} // namespace

PoolState
MakeWifiPool(uint16_t widthMhz)
{
    return {SharingMode::AIRTIME, widthMhz * 1e6};
}

LinkState
MakeWifiLink(double gain, double maxPowerDbm, double noiseFigureDb, uint16_t widthMhz)
{
    LinkState link;
    link.gain = gain;
    const RateFit fit = GetRateFit(widthMhz);
    link.efficiency = fit.efficiency;
    link.snrGap = fit.snrGap;
    link.maxSpectralEfficiency = GetMaxSpectralEfficiency(widthMhz);
    link.noiseDensityWPerHz = GetNoiseDensity(noiseFigureDb);
    link.maxPowerW = DbmToW(maxPowerDbm);
    link.minPowerW = std::min(link.maxPowerW, DbmToW(MIN_RX_POWER_DBM + POWER_MARGIN_DB) / gain);
    link.latencyS = LATENCY_S;
    link.overheadBits =
        MESSAGE_AIRTIME_S * GetRateBps(link, MakeWifiPool(widthMhz), 1, link.maxPowerW);
    return link;
}

double
GetWifiOnAirPart(const LinkState& link, uint16_t widthMhz, uint32_t segmentBytes)
{
    const double goodputBps = GetRateBps(link, MakeWifiPool(widthMhz), 1, link.maxPowerW);
    const double exchangeS = AMPDU_PACKETS * 8.0 * segmentBytes / goodputBps;
    return std::max(0.0, 1 - SILENCE_S / exchangeS);
}

void
TuneWifiQueues(Ptr<NetDevice> device)
{
    Ptr<QosWifiMac> mac = DynamicCast<QosWifiMac>(DynamicCast<WifiNetDevice>(device)->GetMac());
    for (const AcIndex ac : {AC_BE, AC_BK, AC_VI, AC_VO})
    {
        Ptr<QosTxop> txop = mac->GetQosTxop(ac);
        // A response later than the default 1 ms would leave the agreement undone for good
        txop->SetAttribute("AddBaResponseTimeout", TimeValue(MilliSeconds(100)));
        // Nothing is dropped for waiting: TCP's window bounds the queue
        mac->GetTxopQueue(ac)->SetAttribute("MaxDelay", TimeValue(Seconds(10)));
    }
}

Ptr<AirtimeLedger>
InstallAirtimeQueues(const NetDeviceContainer& devices, const std::string& queueDisc)
{
    // Holds what does not fit into the MAC's queue, so that nothing is lost inside a node
    TrafficControlHelper queue;
    queue.SetRootQueueDisc(queueDisc, "MaxSize", StringValue("100000p"));
    const QueueDiscContainer discs = queue.Install(devices);
    Ptr<AirtimeLedger> ledger;
    for (uint32_t i = 0; i < discs.GetN(); ++i)
    {
        const auto disc = DynamicCast<AirtimeQueueDisc>(discs.Get(i));
        if (!disc)
        {
            return nullptr;
        }
        if (!ledger)
        {
            ledger = CreateObject<AirtimeLedger>();
        }
        const auto device = DynamicCast<WifiNetDevice>(devices.Get(i));
        const auto width = static_cast<uint16_t>(device->GetPhy()->GetChannelWidth());
        ledger->SetAttribute("TransferFactor", DoubleValue(GetTransferFactor(width)));
        disc->Attach(device, ledger);
        TuneWifiQueues(device);
        MacQueueLimit::Install(DynamicCast<QosWifiMac>(device->GetMac())->GetTxopQueue(AC_BE),
                               device->GetObject<NetDeviceQueueInterface>()->GetTxQueue(AC_BE),
                               AMPDU_PACKETS,
                               MANAGEMENT_FRAMES);
    }
    return ledger;
}

} // namespace collapipe
} // namespace ns3
