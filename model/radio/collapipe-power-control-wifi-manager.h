/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_POWER_CONTROL_WIFI_MANAGER_H
#define COLLAPIPE_POWER_CONTROL_WIFI_MANAGER_H

#include "ns3/collapipe-compat.h"
#include "ns3/traced-callback.h"
#include "ns3/wifi-mode.h"
#include "ns3/wifi-remote-station-manager.h"
#include "ns3/wifi-tx-vector.h"

#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Wi-Fi with a transmit power and a largest channel width for each receiver, and the rate that goes
 * with them.
 *
 * The rate follows the SNR that the receiver reports with its acknowledgments, as IdealWifiManager
 * does, but what is kept of a report is the channel alone: SNR x width x streams / power. So the
 * first frame after a change of power or width has the right rate already, where a rate chosen by
 * the last SNR would lose every frame until the retry limit. Of all modes and widths whose SNR
 * suffices for the bit error rate the fastest is taken. Frames that fail twice and more in a row
 * lower the expected SNR step by step until one succeeds.
 *
 * A receiver that has heard none of ten frames in a row at the power that was set for it gets the
 * default power until another is set: it has moved away, or its channel has faded, since the power
 * was decided, and a chain of devices would stand still until the next round.
 *
 * A frame is given up after RetryLimit failures in a row. ns-3 up to 3.43 counts failures per
 * access category and forgets them only when a frame is acknowledged by itself, not by a block
 * acknowledgment; so a busy station would lose single frames at their first collision, and TCP
 * would wait a second for each.
 *
 * The PHY knows powers as up to 255 equidistant levels. They span the range from the lowest to the
 * highest power in use, so the two ends are exact and others are off by at most 1/508 of the range
 * in dB. Frames other than unicast data (acknowledgments, RTS, management, broadcast) are sent with
 * the power that the PHY had when the first power was set.
 */
class PowerControlWifiManager : public WifiManagerBase
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    PowerControlWifiManager();
    ~PowerControlWifiManager() override;

    /**
     * Takes effect with the next frame whose transmission has not been prepared.
     * @param to receiver
     * @param powerDbm for data to it, in dBm
     */
    void SetPower(Mac48Address to, double powerDbm);

    /// @param to receiver whose data is sent with the default power again
    void ResetPower(Mac48Address to);

    /**
     * @param to receiver
     * @return power of data to it in dBm, as the PHY has it
     */
    double GetPower(Mac48Address to) const;

    /**
     * @param to receiver
     * @param widthMhz largest channel width of data to it, in MHz; 0: that of the channel
     */
    void SetMaxWidth(Mac48Address to, uint16_t widthMhz);

    /**
     * @param to receiver
     * @return what SetMaxWidth set; 0 where it did not
     */
    uint16_t GetMaxWidth(Mac48Address to) const;

    /**
     * Signature of the Rate trace, fired when the mode or width for a receiver changes.
     * @param to receiver
     * @param rateBps of the PHY, in bit/s
     * @param widthMhz channel width, in MHz
     * @param snr that is expected at this power and width, linear
     */
    typedef void (*RateTracedCallback)(Mac48Address to,
                                       uint64_t rateBps,
                                       double widthMhz,
                                       double snr);

    /**
     * Signature of the Snr trace, fired for each frame or A-MPDU that a receiver acknowledged.
     * @param to receiver
     * @param snr at the receiver, linear, over the frame's width
     * @param widthMhz of the frame, in MHz
     * @param powerW with which it was sent, in W
     * @param mcs index of its modulation and coding scheme
     */
    typedef void (*SnrTracedCallback)(Mac48Address to,
                                      double snr,
                                      double widthMhz,
                                      double powerW,
                                      uint32_t mcs);

    /**
     * Signature of the Unheard trace, see there.
     * @param to receiver
     * @param powerDbm at which it heard nothing
     */
    typedef void (*UnheardTracedCallback)(Mac48Address to, double powerDbm);

  private:
    struct Station;

    /// A mode at a width, and what it takes
    struct Candidate
    {
        WifiTxVector txVector; //!< mode, width, streams, guard interval
        uint64_t rateBps;      //!< of the PHY
        double snr;            //!< least, linear
    };

    /// What was asked for a receiver
    struct Setting
    {
        double powerDbm{0};      //!< of data
        bool hasPower{false};    //!< else the default
        bool isUnheard{false};   //!< at that power, so that the default takes its place
        uint16_t maxWidthMhz{0}; //!< 0: the channel's

        /// @return whether data is sent with the power
        bool IsInForce() const
        {
            return hasPower && !isUnheard;
        }
    };

    /// Number of MCS, width in MHz, streams: what the candidates depend on
    using Capabilities = std::tuple<uint8_t, uint16_t, uint8_t>;

    WifiRemoteStation* DoCreateStation() const override;
    WifiTxVector DoGetDataTxVector(WifiRemoteStation* station, WifiWidth allowedWidth) override;
    WifiTxVector DoGetRtsTxVector(WifiRemoteStation* station) override;
    void DoReportRtsFailed(WifiRemoteStation* station) override;
    void DoReportDataFailed(WifiRemoteStation* station) override;
    void DoReportRtsOk(WifiRemoteStation* station,
                       double ctsSnr,
                       WifiMode ctsMode,
                       double rtsSnr) override;
    void DoReportDataOk(WifiRemoteStation* station,
                        double ackSnr,
                        WifiMode ackMode,
                        double dataSnr,
                        WifiWidth dataChannelWidth,
                        uint8_t dataNss) override;
    void DoReportFinalRtsFailed(WifiRemoteStation* station) override;
    void DoReportFinalDataFailed(WifiRemoteStation* station) override;
    void DoReportRxOk(WifiRemoteStation* station, double rxSnr, WifiMode txMode) override;
    void DoReportAmpduTxStatus(WifiRemoteStation* station,
                               uint16_t nSuccessfulMpdus,
                               uint16_t nFailedMpdus,
                               double rxSnr,
                               double dataSnr,
                               WifiWidth dataChannelWidth,
                               uint8_t dataNss) override;

    virtual bool DoNeedRetransmission(WifiRemoteStation* station,
                                      Ptr<const Packet> packet,
                                      bool normally) COLLAPIPE_ASKED_FOR_RETRIES;

    void UpdateLevels();
    uint8_t GetLevel(double powerDbm) const;
    const Setting* FindSetting(Mac48Address to) const;
    double GetPowerOf(const Setting* setting) const;
    const std::vector<Candidate>& GetCandidates(Station& station);
    std::vector<Candidate> MakeCandidates(const Station& station, uint8_t streams) const;
    void Choose(Station& station, double widthMhz, double powerDbm);
    void CountUnheard(WifiRemoteStation* station);
    void Report(WifiRemoteStation* station, double snr, double widthMhz, uint8_t streams);

    double m_ber{0};             //!< attribute
    uint32_t m_retryLimit{0};    //!< attribute
    bool m_hasDefault{false};    //!< whether the next is known
    double m_defaultPowerDbm{0}; //!< the PHY's, before any was set
    uint8_t m_lowestLevel{0};    //!< of a TXVECTOR
    std::unordered_map<Mac48Address, Setting, WifiAddressHash> m_settings; //!< by receiver
    std::map<Capabilities, std::vector<Candidate>> m_candidates;           //!< fastest first
    TracedCallback<Mac48Address, uint64_t, double, double> m_rateTrace;
    TracedCallback<Mac48Address, double, double, double, uint32_t> m_snrTrace;
    TracedCallback<Mac48Address, double> m_unheardTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_POWER_CONTROL_WIFI_MANAGER_H */
