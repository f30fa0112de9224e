/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_LINK_ADAPTATION_H
#define COLLAPIPE_LTE_LINK_ADAPTATION_H

#include "ns3/lte-amc.h"
#include "ns3/ptr.h"

#include <array>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Modulation and coding, and the bytes that fit into resource blocks.
 *
 * A UE spreads its power over the resource blocks it was granted, while its sounding reference
 * signal covers the band: on n of B blocks its SINR is 10 log10(B / n) dB better than reported. The
 * CQI follows from the SINR by the spectral efficiency log2(1 + SINR / Gamma), Gamma =
 * -ln(5 BER) / 1.5 (G. Piro, N. Baldo and M. Miozzo, "An LTE module for the ns-3 network
 * simulator", WNS3 2011), with the bit error rate 5e-5 that ns-3's schedulers use.
 */
class LteLinkAdaptation
{
  public:
    LteLinkAdaptation();

    /**
     * @param uplinkRbs resource blocks of the uplink
     * @param downlinkRbs resource blocks of the downlink
     */
    void Configure(uint32_t uplinkRbs, uint32_t downlinkRbs);

    /// @return resource blocks in a group, by which the downlink is granted (3GPP
    /// TS 36.213 7.1.6.1)
    uint32_t GetGroupSize() const;

    /// @return whole groups in the downlink
    uint32_t GetGroups() const;

    /// @return resource blocks of the uplink
    uint32_t GetUplinkRbs() const;

    /**
     * @param sinrDb sounded over the whole band
     * @param rbs how many are granted
     * @return the modulation and coding scheme; 0 also for a UE that is out of range
     */
    uint8_t GetUplinkMcs(double sinrDb, uint32_t rbs) const;

    /**
     * @param sinrDb sounded over the whole band
     * @return the most resource blocks on which the UE is not out of range; at least 1
     */
    uint32_t GetUplinkReach(double sinrDb) const;

    /**
     * @param mcs modulation and coding scheme
     * @param rbs how many are granted
     * @return bytes of an uplink transport block
     */
    uint32_t GetUplinkBytes(uint8_t mcs, uint32_t rbs) const;

    /**
     * @param sinrDb sounded over the whole band
     * @param bytes that have to fit
     * @param most resource blocks to grant
     * @return the fewest resource blocks for the bytes; most where they do not fit
     */
    uint32_t FindUplinkRbs(double sinrDb, uint32_t bytes, uint32_t most) const;

    /**
     * @param mcs modulation and coding scheme
     * @param bits that have to fit
     * @return the fewest uplink resource blocks; all where they do not fit
     */
    uint32_t FindRandomAccessRbs(uint8_t mcs, uint32_t bits) const;

    /**
     * @param cqi wide-band CQI
     * @return the modulation and coding scheme
     */
    uint8_t GetDownlinkMcs(uint8_t cqi) const;

    /**
     * @param cqi wide-band CQI
     * @param groups how many are granted
     * @return bytes of the transport block
     */
    uint32_t GetDownlinkBytes(uint8_t cqi, uint32_t groups) const;

    /**
     * @param cqi wide-band CQI
     * @param bytes that have to fit
     * @return the fewest groups for the bytes; all where they do not fit
     */
    uint32_t FindDownlinkGroups(uint8_t cqi, uint32_t bytes) const;

  private:
    Ptr<LteAmc> m_amc;                    //!< 3GPP's tables
    std::array<double, 16> m_cqiSinrDb{}; //!< least SINR by CQI
    std::array<uint8_t, 16> m_mcs{};      //!< by CQI
    std::vector<double> m_gainDb;         //!< of n resource blocks over the whole band
    uint32_t m_uplinkRbs{0};              //!< of the band
    uint32_t m_groupSize{1};              //!< resource blocks
    uint32_t m_groups{0};                 //!< of the downlink
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_LINK_ADAPTATION_H */
