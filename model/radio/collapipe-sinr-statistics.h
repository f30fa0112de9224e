/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SINR_STATISTICS_H
#define COLLAPIPE_SINR_STATISTICS_H

#include <cstdint>
#include <limits>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Sums over the SINR reports of a link in a round. What counts for a rate is the effective SINR,
 * that at which a constant channel would carry as much: exp(mean log(1 + SINR)) - 1.
 */
class SinrStatistics
{
  public:
    /// @param sinr a report, linear, greater than 0
    void Add(double sinr);

    /// @return number of reports
    uint32_t GetCount() const;

    /// @return effective SINR, linear; NaN where there are no reports
    double GetEffective() const;

    /**
     * How surely the channel's mean is known. Reports of a fading channel resemble their
     * predecessors: n of them with a correlation c from one to the next count as
     * n (1 - c) / (1 + c), the figure for a first-order autoregressive process.
     *
     * @return variance of 10 log10(GetEffective()) in dB^2; infinite where there are no reports
     */
    double GetVarianceDb2() const;

  private:
    uint32_t m_count{0};  //!< of reports
    double m_first{0};    //!< log(1 + SINR) of the first report: sums are relative to it
    double m_last{0};     //!< of the latest report, relative to the first
    double m_sum{0};      //!< of log(1 + SINR), relative to the first
    double m_squares{0};  //!< of its squares
    double m_products{0}; //!< of neighbours' products
};

/**
 * @ingroup collapipe
 * What is known of a link's gain beyond what its topology expects, in dB: a random walk that is
 * observed once a round (a scalar Kalman filter). Where reports agree with each other one round
 * says it all; where the channel fades many rounds do.
 */
class GainTracker
{
  public:
    /**
     * @param offsetDb measured gain over the expected one
     * @param varianceDb2 of that
     */
    void Observe(double offsetDb, double varianceDb2);

    /// @return measured over expected gain, linear; 1 where nothing was observed
    double GetRatio() const;

  private:
    double m_offsetDb{0};                                          //!< estimate
    double m_varianceDb2{std::numeric_limits<double>::infinity()}; //!< of it
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SINR_STATISTICS_H */
