/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-power-control-wifi-manager.h"

#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/uinteger.h"
#include "ns3/wifi-phy.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipePowerControlWifiManager");
NS_OBJECT_ENSURE_REGISTERED(PowerControlWifiManager);

namespace
{

constexpr uint8_t LEVELS = 255;        //!< as many as a TXVECTOR can tell apart
constexpr double BACKOFF = 0.5;        //!< of the expected SNR, per frame that failed (3 dB)
constexpr double MIN_BACKOFF = 1e-3;   //!< lowest product of these
constexpr uint32_t UNHEARD = 10;       //!< frames in a row that a receiver has not heard
constexpr double RTS_WIDTH_MHZ = 20;   //!< of a frame of the legacy modes
constexpr uint16_t MIN_WIDTH_MHZ = 20; //!< of a channel

double
ToMw(double dbm)
{
    return std::pow(10, dbm / 10);
}

/// Of what number ns-3 counts the levels of a TXVECTOR, which is the attribute's default
uint8_t
GetLowestLevel()
{
    TypeId::AttributeInformation info;
    WifiRemoteStationManager::GetTypeId().LookupAttributeByName("DefaultTxPowerLevel", &info);
    return static_cast<uint8_t>(DynamicCast<const UintegerValue>(info.originalInitialValue)->Get());
}

} // namespace

/// What is known of a receiver
struct PowerControlWifiManager::Station : public WifiRemoteStation
{
    double quality{0};        //!< SNR x MHz x streams / mW, from its last report; 0: none yet
    double backoff{1};        //!< factor on the SNR, after failures
    uint32_t failures{0};     //!< in a row
    uint32_t unheard{0};      //!< in a row, at the power that was set; given up ones count on
    double sentPowerMw{1};    //!< of the last frame
    double chosenQuality{-1}; //!< quality x backoff x power for which the choice was made
    double chosenWidth{0};    //!< largest width for which it was made
    WifiTxVector choice;      //!< mode and width
};

TypeId
PowerControlWifiManager::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::PowerControlWifiManager")
            .SetParent<WifiRemoteStationManager>()
            .SetGroupName("CollaPipe")
            .AddConstructor<PowerControlWifiManager>()
            .AddAttribute("BerThreshold",
                          "Highest bit error rate at which a mode is taken",
                          DoubleValue(1e-6),
                          MakeDoubleAccessor(&PowerControlWifiManager::m_ber),
                          MakeDoubleChecker<double>(0, 0.5))
            .AddAttribute("RetryLimit",
                          "Failures in a row to one receiver after which a frame is given up "
                          "(ns-3 3.43 and before; later: FrameRetryLimit)",
                          UintegerValue(16),
                          MakeUintegerAccessor(&PowerControlWifiManager::m_retryLimit),
                          MakeUintegerChecker<uint32_t>(1))
            .AddTraceSource("Rate",
                            "Mode or width for a receiver changed: receiver, rate in bit/s, width "
                            "in MHz, expected SNR (linear)",
                            MakeTraceSourceAccessor(&PowerControlWifiManager::m_rateTrace),
                            "ns3::collapipe::PowerControlWifiManager::RateTracedCallback")
            .AddTraceSource("Snr",
                            "A receiver acknowledged a frame or an A-MPDU: receiver, SNR there "
                            "(linear, over the frame's width), width in MHz, transmit power in W, "
                            "index of the MCS",
                            MakeTraceSourceAccessor(&PowerControlWifiManager::m_snrTrace),
                            "ns3::collapipe::PowerControlWifiManager::SnrTracedCallback")
            .AddTraceSource(
                "Unheard",
                "A receiver has heard none of several frames in a row at the power that "
                "was set for it, and gets the default power until another is set: "
                "receiver, power in dBm",
                MakeTraceSourceAccessor(&PowerControlWifiManager::m_unheardTrace),
                "ns3::collapipe::PowerControlWifiManager::UnheardTracedCallback");
    return tid;
}

PowerControlWifiManager::PowerControlWifiManager()
    : m_lowestLevel(GetLowestLevel())
{
}

PowerControlWifiManager::~PowerControlWifiManager() = default;

// ---------------------------------------------------------------- settings

void
PowerControlWifiManager::SetPower(Mac48Address to, double powerDbm)
{
    NS_LOG_FUNCTION(this << to << powerDbm);
    Setting& setting = m_settings[to];
    setting.powerDbm = powerDbm;
    setting.hasPower = true;
    setting.isUnheard = false;
    UpdateLevels();
}

void
PowerControlWifiManager::ResetPower(Mac48Address to)
{
    NS_LOG_FUNCTION(this << to);
    const auto it = m_settings.find(to);
    if (it != m_settings.end() && it->second.hasPower)
    {
        it->second.hasPower = false;
        UpdateLevels();
    }
}

double
PowerControlWifiManager::GetPower(Mac48Address to) const
{
    const Setting* setting = FindSetting(to);
    const bool obeys = setting && setting->IsInForce();
    const uint8_t level = obeys ? GetLevel(setting->powerDbm) : GetDefaultTxPowerLevel();
    return GetWifiPowerDbm(*GetPhy(), level);
}

void
PowerControlWifiManager::SetMaxWidth(Mac48Address to, uint16_t widthMhz)
{
    m_settings[to].maxWidthMhz = widthMhz;
}

uint16_t
PowerControlWifiManager::GetMaxWidth(Mac48Address to) const
{
    const Setting* setting = FindSetting(to);
    return setting ? setting->maxWidthMhz : 0;
}

const PowerControlWifiManager::Setting*
PowerControlWifiManager::FindSetting(Mac48Address to) const
{
    const auto it = m_settings.find(to);
    return it == m_settings.end() ? nullptr : &it->second;
}

double
PowerControlWifiManager::GetPowerOf(const Setting* setting) const
{
    return setting && setting->IsInForce() ? setting->powerDbm
           : m_hasDefault                  ? m_defaultPowerDbm
                                           : GetWifiPowerDbm(*GetPhy(), GetDefaultTxPowerLevel());
}

void
PowerControlWifiManager::UpdateLevels()
{
    Ptr<WifiPhy> phy = GetPhy();
    if (!m_hasDefault)
    {
        m_defaultPowerDbm = GetWifiPowerDbm(*phy, GetDefaultTxPowerLevel());
        m_hasDefault = true;
    }
    double lowest = m_defaultPowerDbm;
    double highest = m_defaultPowerDbm;
    for (const auto& [to, setting] : m_settings)
    {
        lowest = std::min(lowest, GetPowerOf(&setting));
        highest = std::max(highest, GetPowerOf(&setting));
    }
    phy->SetTxPowerStart(lowest);
    phy->SetTxPowerEnd(highest);
    phy->SetAttribute("TxPowerLevels", UintegerValue(LEVELS));
    SetAttribute("DefaultTxPowerLevel", UintegerValue(GetLevel(m_defaultPowerDbm)));
}

uint8_t
PowerControlWifiManager::GetLevel(double powerDbm) const
{
    const double start = GetPhy()->GetTxPowerStart();
    const double range = GetPhy()->GetTxPowerEnd() - start;
    const double part = range > 0 ? std::clamp((powerDbm - start) / range, 0.0, 1.0) : 0;
    return m_lowestLevel + static_cast<uint8_t>(std::lround(part * (LEVELS - 1)));
}

// ---------------------------------------------------------------- rate

WifiRemoteStation*
PowerControlWifiManager::DoCreateStation() const
{
    return new Station();
}

std::vector<PowerControlWifiManager::Candidate>
PowerControlWifiManager::MakeCandidates(const Station& station, uint8_t streams) const
{
    WifiModulationClass best = WIFI_MOD_CLASS_UNKNOWN;
    for (uint8_t i = 0; i < GetNMcsSupported(&station); ++i)
    {
        best = std::max(best, GetMcsSupported(&station, i).GetModulationClass());
    }
    std::vector<Candidate> candidates;
    const auto guardInterval = best >= WIFI_MOD_CLASS_HE
                                   ? std::max(GetGuardInterval(&station), GetGuardInterval())
                                   : WifiTxVector().GetGuardInterval();
    const double widest = std::min<double>(GetChannelWidth(&station), GetPhy()->GetChannelWidth());
    for (uint8_t i = 0; i < GetNMcsSupported(&station); ++i)
    {
        const WifiMode mode = GetMcsSupported(&station, i);
        const bool isHt = mode.GetModulationClass() == WIFI_MOD_CLASS_HT;
        const uint8_t first = isHt ? mode.GetMcsValue() / 8 + 1 : 1;
        const uint8_t last = isHt ? std::min(first, streams) : streams;
        for (uint16_t width = MIN_WIDTH_MHZ; width <= widest; width *= 2)
        {
            for (uint8_t nss = first; mode.GetModulationClass() == best && nss <= last; ++nss)
            {
                WifiTxVector txVector;
                txVector.SetMode(mode);
                txVector.SetChannelWidth(width);
                txVector.SetNss(nss);
                txVector.SetNTx(GetNumberOfAntennas());
                txVector.SetGuardInterval(guardInterval);
                if (txVector.IsValid())
                {
                    candidates.push_back({txVector,
                                          mode.GetDataRate(txVector),
                                          GetPhy()->CalculateSnr(txVector, m_ber)});
                }
            }
        }
    }
    std::stable_sort(candidates.begin(), candidates.end(), [](const auto& a, const auto& b) {
        return a.rateBps > b.rateBps;
    });
    return candidates;
}

const std::vector<PowerControlWifiManager::Candidate>&
PowerControlWifiManager::GetCandidates(Station& station)
{
    const uint8_t streams =
        std::min(GetMaxNumberOfTransmitStreams(), GetNumberOfSupportedStreams(&station));
    const Capabilities key{GetNMcsSupported(&station),
                           static_cast<uint16_t>(GetChannelWidth(&station)),
                           streams};
    const auto it = m_candidates.find(key);
    return it != m_candidates.end()
               ? it->second
               : m_candidates.emplace(key, MakeCandidates(station, streams)).first->second;
}

void
PowerControlWifiManager::Choose(Station& station, double widthMhz, double powerDbm)
{
    const double expected = station.quality * station.backoff * ToMw(powerDbm);
    station.sentPowerMw = ToMw(powerDbm);
    if (expected == station.chosenQuality && widthMhz == station.chosenWidth)
    {
        return;
    }
    station.chosenQuality = expected;
    station.chosenWidth = widthMhz;
    const auto& candidates = GetCandidates(station);
    // Nothing suffices, or nothing is known: the most robust mode of all
    const WifiMode robust =
        candidates.empty() ? GetDefaultMode() : candidates.back().txVector.GetMode();
    WifiTxVector choice;
    choice.SetMode(robust);
    choice.SetChannelWidth(
        GetWifiTransmissionWidth(*GetPhy(), robust, static_cast<WifiWidth>(widthMhz)));
    choice.SetNTx(GetNumberOfAntennas());
    choice.SetNss(1);
    if (robust.GetModulationClass() >= WIFI_MOD_CLASS_HE)
    {
        choice.SetGuardInterval(std::max(GetGuardInterval(&station), GetGuardInterval()));
    }
    double snr = 0;
    for (const Candidate& candidate : candidates)
    {
        const double width = candidate.txVector.GetChannelWidth();
        snr = expected / (width * candidate.txVector.GetNss());
        if (width <= widthMhz && snr > candidate.snr)
        {
            choice = candidate.txVector;
            break;
        }
    }
    choice.SetPreambleType(GetPreambleForTransmission(choice.GetMode().GetModulationClass(),
                                                      GetShortPreambleEnabled()));
    choice.SetAggregation(GetAggregation(&station));
    const bool isNew = !station.choice.GetModeInitialized() ||
                       station.choice.GetMode() != choice.GetMode() ||
                       station.choice.GetChannelWidth() != choice.GetChannelWidth();
    station.choice = choice;
    if (isNew)
    {
        m_rateTrace(GetAddress(&station),
                    choice.GetMode().GetDataRate(choice),
                    choice.GetChannelWidth(),
                    snr);
    }
}

WifiTxVector
PowerControlWifiManager::DoGetDataTxVector(WifiRemoteStation* st, WifiWidth allowedWidth)
{
    auto& station = *static_cast<Station*>(st);
    const Setting* setting = FindSetting(GetAddress(st));
    double width = std::min(GetChannelWidth(st), allowedWidth);
    if (setting && setting->maxWidthMhz > 0)
    {
        width = std::min<double>(width, setting->maxWidthMhz);
    }
    Choose(station, width, GetPowerOf(setting));
    WifiTxVector txVector = station.choice;
    txVector.SetTxPowerLevel(setting && setting->IsInForce() ? GetLevel(setting->powerDbm)
                                                             : GetDefaultTxPowerLevel());
    return txVector;
}

WifiTxVector
PowerControlWifiManager::DoGetRtsTxVector(WifiRemoteStation* station)
{
    // The lowest basic rate, so that everyone hears it
    const WifiMode mode = GetNBasicModes() > 0 ? GetBasicMode(0) : GetDefaultMode();
    WifiTxVector txVector;
    txVector.SetMode(mode);
    txVector.SetTxPowerLevel(GetDefaultTxPowerLevel());
    txVector.SetPreambleType(
        GetPreambleForTransmission(mode.GetModulationClass(), GetShortPreambleEnabled()));
    txVector.SetNTx(GetNumberOfAntennas());
    txVector.SetNss(1);
    txVector.SetChannelWidth(
        GetWifiTransmissionWidth(*GetPhy(), mode, static_cast<WifiWidth>(RTS_WIDTH_MHZ)));
    txVector.SetAggregation(GetAggregation(station));
    return txVector;
}

// ---------------------------------------------------------------- reports

void
PowerControlWifiManager::Report(WifiRemoteStation* st, double snr, double widthMhz, uint8_t streams)
{
    auto& station = *static_cast<Station*>(st);
    station.failures = station.unheard = 0;
    station.backoff = 1;
    if (snr > 0)
    {
        station.quality = snr * widthMhz * streams / station.sentPowerMw;
        if (station.choice.GetModeInitialized()) // else it was no data
        {
            const WifiMode mode = station.choice.GetMode();
            m_snrTrace(GetAddress(st),
                       snr,
                       widthMhz,
                       station.sentPowerMw / 1e3,
                       mode.GetModulationClass() >= WIFI_MOD_CLASS_HT ? mode.GetMcsValue() : 0);
        }
    }
}

void
PowerControlWifiManager::DoReportDataOk(WifiRemoteStation* station,
                                        double /* ackSnr */,
                                        WifiMode /* ackMode */,
                                        double dataSnr,
                                        WifiWidth dataChannelWidth,
                                        uint8_t dataNss)
{
    Report(station, dataSnr, dataChannelWidth, dataNss);
}

void
PowerControlWifiManager::DoReportAmpduTxStatus(WifiRemoteStation* station,
                                               uint16_t nSuccessfulMpdus,
                                               uint16_t /* nFailedMpdus */,
                                               double /* rxSnr */,
                                               double dataSnr,
                                               WifiWidth dataChannelWidth,
                                               uint8_t dataNss)
{
    if (nSuccessfulMpdus > 0)
    {
        Report(station, dataSnr, dataChannelWidth, dataNss);
    }
}

void
PowerControlWifiManager::CountUnheard(WifiRemoteStation* st)
{
    auto& station = *static_cast<Station*>(st);
    const Mac48Address to = GetAddress(st);
    const auto it = m_settings.find(to);
    if (++station.unheard < UNHEARD || it == m_settings.end() || !it->second.IsInForce())
    {
        return;
    }
    // The plan's power does not reach so far: the receiver has moved, or the channel has faded
    NS_LOG_INFO(to << " hears nothing at " << it->second.powerDbm << " dBm");
    m_unheardTrace(to, it->second.powerDbm);
    it->second.isUnheard = true;
    station.backoff = 1;
    UpdateLevels();
}

void
PowerControlWifiManager::DoReportDataFailed(WifiRemoteStation* st)
{
    // One frame may have collided; more tell that the channel has become worse
    auto& station = *static_cast<Station*>(st);
    CountUnheard(st);
    if (++station.failures > 1)
    {
        station.backoff = std::max(MIN_BACKOFF, station.backoff * BACKOFF);
    }
}

bool
PowerControlWifiManager::DoNeedRetransmission(WifiRemoteStation* station,
                                              Ptr<const Packet> /* packet */,
                                              bool /* normally */)
{
    return static_cast<Station*>(station)->failures < m_retryLimit;
}

void
PowerControlWifiManager::DoReportFinalDataFailed(WifiRemoteStation* st)
{
    auto& station = *static_cast<Station*>(st);
    station.quality = 0;
    station.backoff = 1;
    station.failures = 0;
}

void
PowerControlWifiManager::DoReportRtsFailed(WifiRemoteStation* /* station */)
{
}

void
PowerControlWifiManager::DoReportRtsOk(WifiRemoteStation* /* station */,
                                       double /* ctsSnr */,
                                       WifiMode /* ctsMode */,
                                       double /* rtsSnr */)
{
}

void
PowerControlWifiManager::DoReportFinalRtsFailed(WifiRemoteStation* station)
{
    DoReportFinalDataFailed(station);
}

void
PowerControlWifiManager::DoReportRxOk(WifiRemoteStation* /* station */,
                                      double /* rxSnr */,
                                      WifiMode /* txMode */)
{
}

} // namespace collapipe
} // namespace ns3
