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
#include <array>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * What a message takes of the channel beside its payload, in seconds: two accesses, its own and
 * that of TCP's acknowledgement. Each is AIFS of best effort, half of the least contention window
 * of 15 slots, an HE preamble, SIFS and a block acknowledgement at 24 Mb/s (timing of IEEE 802.11ax
 * in the 5 GHz band): 43 + 7.5 * 9 + 48 + 16 + 32 microseconds.
 */
constexpr double MESSAGE_AIRTIME_S = 2 * 206.5e-6;
/// Of it, without preambles: the sender does not radiate
constexpr double SILENCE_S = 2 * 158.5e-6;
constexpr double LATENCY_S = 1e-5; //!< d beside that

/// Constants of formula (6)
struct RateFit
{
    double efficiency; //!< e
    double snrGap;     //!< Gamma, linear
    double mostBps;    //!< rate of the highest mode, in bit/s
};

/*
 * Work-conserving: (6) is fitted to the TCP goodput of 4 MB in segments of 1400 bytes between two
 * nodes with the Ideal manager, 16 dBm. 80 MHz at 5, 10, 20 and 30 m (SNR 36 to 13 dB): 317
 * (highest modulation), 270, 174 and 98 Mb/s, formula 360, 259, 160 and 105; 40 MHz: 179, 148, 116
 * and 72, formula 197, 146, 96 and 68; 20 MHz: 88, 79, 54 and 46, formula 105, 77, 49 and 33.
 * Losses are those of contention, preambles, acknowledgments and headers.
 */
RateFit
GetSharedFit(uint16_t widthMhz)
{
    return widthMhz == 20   ? RateFit{0.48, 1.0, 88e6}
           : widthMhz == 40 ? RateFit{0.42, 2.5, 179e6}
                            : RateFit{0.42, 2.5, 317e6};
}

/// A modulation and coding scheme of 802.11ax
struct HeMode
{
    double leastSnrDb;        //!< for a bit error rate of 1e-6, by ns-3's table of errors
    double bitsPerSubcarrier; //!< data bits in a symbol
};

/// Fastest last
constexpr std::array<HeMode, 12> HE_MODES{{{1.5, 0.5},
                                           {4.5, 1},
                                           {7.0, 1.5},
                                           {10.4, 2},
                                           {13.5, 3},
                                           {17.9, 4},
                                           {19.1, 4.5},
                                           {20.8, 5},
                                           {24.5, 6},
                                           {25.9, 20.0 / 3},
                                           {32.6, 7.5},
                                           {34.5, 25.0 / 3}}};

/**
 * @param snr linear
 * @param widthMhz of the channel
 * @return rate in bit/s of the fastest mode that an SNR suffices for, one stream and a guard
 *         interval of 3.2 us (IEEE 802.11ax, 27.5); that of the slowest where none does
 */
double
GetModeRateBps(double snr, uint16_t widthMhz)
{
    constexpr double SYMBOL_S = 16e-6;
    const double subcarriers = widthMhz <= 20   ? 234
                               : widthMhz <= 40 ? 468
                               : widthMhz <= 80 ? 980
                                                : 1960;
    double bits = HE_MODES.front().bitsPerSubcarrier;
    for (const auto& mode : HE_MODES)
    {
        bits = 10 * std::log10(snr) >= mode.leastSnrDb ? mode.bitsPerSubcarrier : bits;
    }
    return subcarriers * bits / SYMBOL_S;
}

/**
 * Reserved: a link pays TransferFactor times the time on the air of its frames, whose headers and
 * preambles add a tenth to their payload. Messages of 4 to 200 kB, one at a time with shares of
 * 0.06 to 0.5, take 0.41 ms and 1.18 (80 MHz: 1.48) times what their mode's rate says. (6) is
 * fitted to the steps of the modes from below (two of twelve are 4 % under it), so that a plan that
 * lowers a power does not fall below the step that it counts on. S is the fastest mode at full
 * power, where most plans are.
 * @param snr linear, at full power
 * @param widthMhz of the channel
 * @return the constants
 */
RateFit
GetReservedFit(double snr, uint16_t widthMhz)
{
    const double slowness = widthMhz < 80 ? 1.18 : 1.48;
    return {0.62 / slowness, 2.5, GetModeRateBps(snr, widthMhz) / slowness};
}

/**
 * What a frame costs a link with a reserved share, over its time on the air. Transfers of 4 MB cost
 * 1.9 times that at 80 MHz and 1.55 times else in the mean of the goodputs above (PHY rate over
 * goodput). That counts accesses, which a message pays for apart, and waits for acknowledgments,
 * in which a link whose messages wait for their share has something to send.
 */
double
GetTransferFactor(uint16_t widthMhz)
{
    return widthMhz < 80 ? 1.1 : 1.35;
}

/// @return a channel's width in MHz
uint16_t
GetWidthMhz(const PoolState& channel)
{
    return static_cast<uint16_t>(std::lround(channel.bandwidthHz / 1e6));
}

/// Above the weakest frame that is detected: nodes move while a round goes on
constexpr double POWER_MARGIN_DB = 1;

/// What the MAC holds itself, where an AirtimeQueueDisc decides what comes next: one A-MPDU
constexpr uint32_t AMPDU_PACKETS = 64;
/// Beside that, for requests for block acknowledgments and responses to them
constexpr uint32_t MANAGEMENT_FRAMES = 64;

} // namespace

PoolState
MakeWifiPool(uint16_t widthMhz, Sharing sharing)
{
    return {SharingMode::AIRTIME, widthMhz * 1e6, sharing};
}

LinkState
MakeWifiLink(double gain, double maxPowerDbm, double noiseFigureDb, const PoolState& channel)
{
    LinkState link;
    link.gain = gain;
    link.noiseDensityWPerHz = GetNoiseDensity(noiseFigureDb);
    link.maxPowerW = DbmToW(maxPowerDbm);
    const double snr = link.maxPowerW * gain / (link.noiseDensityWPerHz * channel.bandwidthHz);
    const RateFit fit = channel.sharing == Sharing::RESERVED
                            ? GetReservedFit(snr, GetWidthMhz(channel))
                            : GetSharedFit(GetWidthMhz(channel));
    link.efficiency = fit.efficiency;
    link.snrGap = fit.snrGap;
    link.maxSpectralEfficiency = fit.mostBps / (fit.efficiency * channel.bandwidthHz);
    link.minPowerW = std::min(link.maxPowerW, DbmToW(MIN_RX_POWER_DBM + POWER_MARGIN_DB) / gain);
    link.latencyS = LATENCY_S;
    link.overheadS = MESSAGE_AIRTIME_S;
    return link;
}

double
GetWifiOnAirPart(const LinkState& link, const PoolState& channel, uint32_t segmentBytes)
{
    if (channel.sharing == Sharing::RESERVED)
    {
        return 1 / GetTransferFactor(GetWidthMhz(channel));
    }
    const double goodputBps = GetRateBps(link, channel, 1, link.maxPowerW);
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
