/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_FIT_H
#define COLLAPIPE_LINK_FIT_H

#include <array>
#include <cstddef>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A link's latency D and slowness rho, by weighted least squares on relative errors:
 *
 *     time of a transfer = D + rho x,   of one that queued behind another = rho x
 *
 * where x is the time that (5) or (6) expect. The weight of a round halves with each that follows,
 * and what the topology expects (D of its own, rho = 1) is a weak prior, so that a link on which
 * all payloads have one size is well posed.
 */
class TransferFit
{
  public:
    /// What was known loses half its weight: a round has ended.
    void Age();

    /**
     * Adds a round's mean transfer.
     * @param expectedS x
     * @param measuredS how long it took
     * @param queued whether it queued behind another
     */
    void Add(double expectedS, double measuredS, bool queued);

    /**
     * Solves the normal equations.
     * @param expectedDelayS D as the topology expects it
     */
    void Solve(double expectedDelayS);

    /**
     * @param expectedS x
     * @param queued whether it queues behind another
     * @return how long a transfer should take
     */
    double Predict(double expectedS, bool queued) const;

    double delayS{0};   //!< D
    double slowness{1}; //!< rho
    bool known{false};  //!< has seen transfers

  private:
    double m_a11{0}, m_a12{0}, m_a22{0}; //!< left side of the normal equations, symmetric
    double m_b1{0}, m_b2{0};             //!< right side
};

/**
 * @ingroup collapipe
 * The SNR gap Gamma of a pool. Its links' slowness takes up whatever is wrong with Gamma at the
 * SINR at which they were seen; where the SINR changes, by power, share or the channel, the Gamma
 * that described the change best forecast the next round best. Of some candidates around the
 * expected value, the likeliest by their forecasts' errors so far is taken, which count half as
 * much with each round that follows; the expectation is the prior. Errors are likely or not in
 * comparison with the least: where all forecasts are poor none tells anything.
 */
class GapChoice
{
  public:
    static constexpr std::size_t CANDIDATES = 5; //!< how many there are

    /**
     * @param candidate index
     * @return its Gamma over the expected one: 1/4, 1/2, 1, 2, 4
     */
    static double GetFactor(std::size_t candidate);

    /// What was known loses half its weight: a round has ended.
    void Age();

    /**
     * A candidate's forecast of a mean transfer is compared with what was measured.
     * @param candidate index
     * @param predictedS forecast
     * @param measuredS truth
     * @param rateShare part of the forecast that the rate makes, which alone Gamma is in
     */
    void Add(std::size_t candidate, double predictedS, double measuredS, double rateShare);

    /// @return index of the likeliest
    std::size_t GetBest() const;

  private:
    std::array<double, CANDIDATES> m_errors{};  //!< weighted sums of squared logarithms
    std::array<double, CANDIDATES> m_weights{}; //!< sums of their weights
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_FIT_H */
