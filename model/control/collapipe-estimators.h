/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ESTIMATORS_H
#define COLLAPIPE_ESTIMATORS_H

#include "collapipe-system-state.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Exponential moving average whose start is not biased towards zero (Kingma and Ba, *Adam*, 2015,
 * section 3): after t values the weights (1 - d) d^(t - i) sum to 1 - d^t, by which the sum is
 * divided.
 */
class ExponentialAverage
{
  public:
    /// @param decay d, 0 <= d < 1; about 1 / (1 - d) values are averaged
    explicit ExponentialAverage(double decay = 0.95);

    /// @param value the next value; ignored where it is not finite
    void Add(double value);

    /// @return the average; 0 before the first value
    double Get() const;

    /// @return number of values
    uint64_t GetCount() const;

    /// @return all that is to be known to go on: sum, weight, number of values
    std::array<double, 3> GetState() const;

    /// @param state as GetState() gave it
    void SetState(const std::array<double, 3>& state);

  private:
    double m_decay;      //!< d
    double m_sum{0};     //!< sum of weighted values
    double m_weight{0};  //!< 1 - d^t
    uint64_t m_count{0}; //!< t
};

/**
 * @ingroup collapipe
 * sigma^2 of the bound (9), the variance of one sample's gradient (the trace of its covariance), as
 * the gradient noise scale of McCandlish et al., *An Empirical Model of Large-Batch Training*
 * (arXiv:1812.06162, appendix A.1).
 *
 * The gradient g_B of B samples drawn independently has E|g_B|^2 = |G|^2 + sigma^2 / B. Two batch
 * sizes give two equations, and solved for the unknowns
 *
 *     sigma^2 = (E|g_b|^2 - E|g_B|^2) / (1/b - 1/B)
 *     |G|^2   = (B E|g_B|^2 - b E|g_b|^2) / (B - b)
 *
 * both free of bias. Within one flush the small batches are the N micro-batches of b samples and
 * the large one is their mean of n = N b: then sigma^2 = b sum_i |g_i - gbar|^2 / (N - 1), the
 * sample variance, and the two forms are the same number. Numerator and denominator of the noise
 * scale sigma^2 / |G|^2 are averaged apart, as its authors advise, since their quotient is biased.
 *
 * Drawn without replacement from |D| samples, the spread of the batches is smaller; within a flush
 * the estimate is still that of the sample variance with divisor |D| - 1.
 */
class GradientNoiseEstimator
{
  public:
    /// @param decay of the exponential averages
    explicit GradientNoiseEstimator(double decay = 0.95);

    /**
     * @param smallSquaredNorm |g_b|^2, or its mean over several small batches
     * @param smallBatch b, samples
     * @param bigSquaredNorm |g_B|^2
     * @param bigBatch B, samples, larger than b
     */
    void AddSquaredNorms(double smallSquaredNorm,
                         double smallBatch,
                         double bigSquaredNorm,
                         double bigBatch);

    /**
     * @param gradients the mean gradient over each of N >= 2 micro-batches; nothing is added for
     *        fewer
     * @param dimension number of parameters
     * @param microBatchSize b, samples
     */
    void AddMicroBatches(const std::vector<const float*>& gradients,
                         std::size_t dimension,
                         double microBatchSize);

    /// @return sigma^2, at least 0
    double GetVariance() const;

    /// @return |G|^2, the squared norm of the true gradient, at least 0
    double GetSquaredGradientNorm() const;

    /// @return the simple noise scale sigma^2 / |G|^2, in samples; infinite where |G|^2 is 0
    double GetNoiseScale() const;

    /// @return number of flushes seen
    uint64_t GetCount() const;

    /// @return the averages: of sigma^2, of |G|^2; to be exported and imported
    std::array<ExponentialAverage*, 2> GetAverages()
    {
        return {&m_variance, &m_squaredNorm};
    }

  private:
    ExponentialAverage m_variance;    //!< of sigma^2
    ExponentialAverage m_squaredNorm; //!< of |G|^2
};

/**
 * @ingroup collapipe
 * L_s of the bound (9), the smoothness constant, by secants.
 *
 * L_s-smooth means |grad F(w') - grad F(w)| <= L_s |w' - w|, so that every secant quotient |y| /
 * |s| with s = w' - w, y = grad F(w') - grad F(w) is a lower bound of L_s. One quotient is loose:
 * it sees one direction. The last m pairs together see the subspace that their s span: where F is a
 * quadratic of Hessian A, y = A s, and the largest |A v| / |v| over that span is the root of the
 * largest eigenvalue of the pencil (Y^T Y, S^T S), still a lower bound of the largest eigenvalue of
 * A, and by Lanczos' argument a tight one after a few steps, since steps of gradient descent span a
 * Krylov space. Only the m x m Gram matrices are kept and solved.
 *
 * Directions in which the steps hardly differ say little: what y has of rounding and of a Hessian
 * that changed between the pairs is divided by how much they differ. For one Hessian S^T Y is
 * symmetric, so its asymmetry measures that error, and directions of S^T S that would let it exceed
 * a tenth are left out.
 *
 * Both gradients of a pair must be of the *same samples*; otherwise the noise sigma / |s| is read
 * as curvature.
 *
 * All values are lower bounds, and the largest of them is the best. Steps of gradient descent show
 * the direction of the largest curvature early and then lose it, at step size 1 / L_s at once. So
 * the estimate is a maximum that fades: it takes a larger value at once, and moves towards smaller
 * ones by a fraction per pair.
 */
class SmoothnessEstimator
{
  public:
    /**
     * @param decay of the maximum, 0 <= decay <= 1: it moves towards a smaller value by 1 - decay
     * of the difference
     * @param window m, number of pairs looked at together, at least 1
     */
    explicit SmoothnessEstimator(double decay = 0.998, std::size_t window = 16);

    /**
     * @param step s = w' - w
     * @param gradientChange y = grad F(w') - grad F(w), of the same samples
     * @param dimension number of parameters
     */
    void AddSecant(const float* step, const float* gradientChange, std::size_t dimension);

    /**
     * One pair alone, where only the norms are known.
     * @param stepNorm |s|, positive
     * @param gradientChangeNorm |y|
     */
    void AddSecantNorms(double stepNorm, double gradientChangeNorm);

    /// @return L_s, the fading maximum; 0 before the first pair
    double GetSmoothness() const;

    /// @return L_s of the present window
    double GetLatest() const;

    /// @return the largest value so far
    double GetMaximum() const;

    /// @return number of pairs seen
    uint64_t GetCount() const;

  private:
    /// A pair
    struct Secant
    {
        double norm;               //!< |s|, by which both are divided in the Gram matrices
        std::vector<float> step;   //!< s
        std::vector<float> change; //!< y
    };

    /// @param value of the present window
    void Take(double value);

    /// @return the root of the largest eigenvalue of the pencil
    double SolvePencil() const;

    double m_decay;               //!< of the maximum
    std::size_t m_window;         //!< m
    uint64_t m_count{0};          //!< number of values
    double m_fading{0};           //!< the maximum
    std::deque<Secant> m_secants; //!< the last m
    double m_latest{0};           //!< value of the present window
    double m_maximum{0};          //!< largest value
};

/**
 * @ingroup collapipe
 * delta^2 of the bound (9), how far the clusters' gradients lie apart, from their updates.
 *
 * After H local steps u_m = (w_t - w_m) / (eta H) is the mean of cluster m's stochastic gradients
 * along its path: grad F_m(w_t), plus a drift that smoothness bounds by L_s max_h |w_m^h - w_t| (of
 * order eta L_s H), plus noise of variance v_m = sigma^2 / (n_m H). With ubar = sum_m rho_m u_m
 *
 *     E sum_m rho_m |u_m - ubar|^2
 *         = sum_m rho_m |grad F_m - grad F|^2 + sum_m rho_m (1 - rho_m) v_m,
 *
 * as the noise of u_m - ubar has variance (1 - 2 rho_m) v_m + sum_j rho_j^2 v_j; the last term is
 * subtracted. Exact for H = 1, and for H > 1 up to the drift. Updates of Adam are not gradients:
 * feed the gradients accumulated at a flush instead (AddGradients()).
 */
class DivergenceEstimator
{
  public:
    /// @param decay of the exponential average
    explicit DivergenceEstimator(double decay = 0.9);

    /**
     * @param updates w_t - w_m, of every cluster
     * @param dimension number of parameters
     * @param rho weight of every cluster, summing to 1
     * @param samples n_m of every cluster
     * @param localIterations H
     * @param learning eta, and sigma^2 for the correction
     */
    void AddUpdates(const std::vector<const float*>& updates,
                    std::size_t dimension,
                    const std::vector<double>& rho,
                    const std::vector<double>& samples,
                    uint32_t localIterations,
                    const LearningState& learning);

    /**
     * @param gradients gradient of n_m samples at the same point, of every cluster
     * @param dimension number of parameters
     * @param rho weight of every cluster, summing to 1
     * @param samples n_m of every cluster
     * @param gradientVariance sigma^2
     */
    void AddGradients(const std::vector<const float*>& gradients,
                      std::size_t dimension,
                      const std::vector<double>& rho,
                      const std::vector<double>& samples,
                      double gradientVariance);

    /// @return delta^2, at least 0
    double GetDivergence() const;

    /// @return number of rounds seen
    uint64_t GetCount() const;

    /// @return the average; to be exported and imported
    ExponentialAverage& GetAverage()
    {
        return m_divergence;
    }

  private:
    ExponentialAverage m_divergence; //!< of delta^2
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ESTIMATORS_H */
