/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-estimators.h"

#include "ns3/abort.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Directions whose share of S^T S is below this are left out: rounding of floats
constexpr double GRAM_TOLERANCE = 1e-8;

/// How much of the asymmetry of S^T Y a direction may make of it
constexpr double AMPLIFICATION = 10;

/**
 * @param x a vector
 * @param size its length
 * @return its squared norm, summed in double precision
 */
double
SquaredNorm(const float* x, std::size_t size)
{
    double sum = 0;
    for (std::size_t i = 0; i < size; ++i)
    {
        sum += static_cast<double>(x[i]) * x[i];
    }
    return sum;
}

/**
 * @param x vectors
 * @param weights of the vectors
 * @param size their length
 * @return the weighted sum of their squared distances to their weighted mean; weights sum to 1
 */
double
WeightedSpread(const std::vector<const float*>& x,
               const std::vector<double>& weights,
               std::size_t size)
{
    double spread = 0;
    for (std::size_t i = 0; i < size; ++i)
    {
        double mean = 0;
        for (std::size_t m = 0; m < x.size(); ++m)
        {
            mean += weights[m] * x[m][i];
        }
        for (std::size_t m = 0; m < x.size(); ++m)
        {
            const double difference = x[m][i] - mean;
            spread += weights[m] * difference * difference;
        }
    }
    return spread;
}

/**
 * @param rho weight of every cluster
 * @param samples n_m of every cluster
 * @param variance of one sample's gradient
 * @return sum_m rho_m (1 - rho_m) variance / n_m
 */
double
NoiseOfSpread(const std::vector<double>& rho, const std::vector<double>& samples, double variance)
{
    double sum = 0;
    for (std::size_t m = 0; m < rho.size(); ++m)
    {
        sum += rho[m] * (1 - rho[m]) * variance / samples[m];
    }
    return sum;
}

} // namespace

ExponentialAverage::ExponentialAverage(double decay)
    : m_decay(decay)
{
    NS_ABORT_MSG_IF(!(decay >= 0 && decay < 1),
                    "The decay of an average is in [0, 1), not " << decay);
}

void
ExponentialAverage::Add(double value)
{
    if (std::isfinite(value))
    {
        m_sum = m_decay * m_sum + (1 - m_decay) * value;
        m_weight = m_decay * m_weight + (1 - m_decay);
        ++m_count;
    }
}

double
ExponentialAverage::Get() const
{
    return m_count > 0 ? m_sum / m_weight : 0;
}

uint64_t
ExponentialAverage::GetCount() const
{
    return m_count;
}

std::array<double, 3>
ExponentialAverage::GetState() const
{
    return {m_sum, m_weight, static_cast<double>(m_count)};
}

void
ExponentialAverage::SetState(const std::array<double, 3>& state)
{
    m_sum = state[0];
    m_weight = state[1];
    m_count = static_cast<uint64_t>(state[2]);
}

GradientNoiseEstimator::GradientNoiseEstimator(double decay)
    : m_variance(decay),
      m_squaredNorm(decay)
{
}

void
GradientNoiseEstimator::AddSquaredNorms(double smallSquaredNorm,
                                        double smallBatch,
                                        double bigSquaredNorm,
                                        double bigBatch)
{
    NS_ABORT_MSG_IF(!(smallBatch > 0 && bigBatch > smallBatch),
                    "The gradient noise scale needs a small and a larger batch, not "
                        << smallBatch << " and " << bigBatch << " samples");
    m_variance.Add((smallSquaredNorm - bigSquaredNorm) / (1 / smallBatch - 1 / bigBatch));
    m_squaredNorm.Add((bigBatch * bigSquaredNorm - smallBatch * smallSquaredNorm) /
                      (bigBatch - smallBatch));
}

void
GradientNoiseEstimator::AddMicroBatches(const std::vector<const float*>& gradients,
                                        std::size_t dimension,
                                        double microBatchSize)
{
    const double count = gradients.size();
    if (count < 2)
    {
        return;
    }
    const std::vector<double> equal(gradients.size(), 1 / count);
    const double spread = WeightedSpread(gradients, equal, dimension);
    double meanSquaredNorm = 0;
    for (const float* gradient : gradients)
    {
        meanSquaredNorm += SquaredNorm(gradient, dimension) / count;
    }
    const double bigSquaredNorm = meanSquaredNorm - spread;
    m_variance.Add(microBatchSize * spread * count / (count - 1));
    m_squaredNorm.Add(bigSquaredNorm - spread / (count - 1));
}

double
GradientNoiseEstimator::GetVariance() const
{
    return std::max(0.0, m_variance.Get());
}

double
GradientNoiseEstimator::GetSquaredGradientNorm() const
{
    return std::max(0.0, m_squaredNorm.Get());
}

double
GradientNoiseEstimator::GetNoiseScale() const
{
    const double norm = GetSquaredGradientNorm();
    return norm > 0 ? GetVariance() / norm : std::numeric_limits<double>::infinity();
}

uint64_t
GradientNoiseEstimator::GetCount() const
{
    return m_variance.GetCount();
}

SmoothnessEstimator::SmoothnessEstimator(double decay, std::size_t window)
    : m_decay(decay),
      m_window(std::max<std::size_t>(1, window))
{
    NS_ABORT_MSG_IF(!(decay >= 0 && decay <= 1),
                    "The decay of a maximum is in [0, 1], not " << decay);
}

void
SmoothnessEstimator::AddSecant(const float* step,
                               const float* gradientChange,
                               std::size_t dimension)
{
    const double norm = std::sqrt(SquaredNorm(step, dimension));
    if (!(norm > 0) || !std::isfinite(norm))
    {
        return;
    }
    Secant secant{norm,
                  std::vector<float>(step, step + dimension),
                  std::vector<float>(gradientChange, gradientChange + dimension)};
    if (!m_secants.empty() && m_secants.back().step.size() != dimension)
    {
        m_secants.clear();
    }
    m_secants.push_back(std::move(secant));
    if (m_secants.size() > m_window)
    {
        m_secants.pop_front();
    }
    Take(SolvePencil());
}

void
SmoothnessEstimator::AddSecantNorms(double stepNorm, double gradientChangeNorm)
{
    if (stepNorm > 0)
    {
        Take(gradientChangeNorm / stepNorm);
    }
}

void
SmoothnessEstimator::Take(double value)
{
    if (std::isfinite(value))
    {
        m_latest = value;
        m_maximum = std::max(m_maximum, value);
        m_fading = std::max(value, value + m_decay * (m_fading - value));
        ++m_count;
    }
}

double
SmoothnessEstimator::SolvePencil() const
{
    const auto size = static_cast<Eigen::Index>(m_secants.size());
    const auto dot = [](const std::vector<float>& a, const std::vector<float>& b) {
        const auto length = static_cast<Eigen::Index>(a.size());
        return Eigen::Map<const Eigen::VectorXf>(a.data(), length)
            .cast<double>()
            .dot(Eigen::Map<const Eigen::VectorXf>(b.data(), length).cast<double>());
    };
    Eigen::MatrixXd steps(size, size);
    Eigen::MatrixXd changes(size, size);
    Eigen::MatrixXd products(size, size);
    for (Eigen::Index i = 0; i < size; ++i)
    {
        for (Eigen::Index j = 0; j < size; ++j)
        {
            const double scale = 1 / (m_secants[i].norm * m_secants[j].norm);
            products(i, j) = scale * dot(m_secants[i].step, m_secants[j].change);
            if (j <= i)
            {
                steps(i, j) = steps(j, i) = scale * dot(m_secants[i].step, m_secants[j].step);
                changes(i, j) = changes(j, i) =
                    scale * dot(m_secants[i].change, m_secants[j].change);
            }
        }
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> gram(steps);
    Eigen::VectorXd scale = gram.eigenvalues();
    const double asymmetry = (products - products.transpose()).norm() / products.norm();
    const double noise = std::isfinite(asymmetry) ? std::pow(AMPLIFICATION * asymmetry, 2) : 0;
    const double floor = std::min(0.5, std::max(GRAM_TOLERANCE, noise)) * scale(size - 1);
    for (Eigen::Index i = 0; i < size; ++i)
    {
        scale(i) = scale(i) > floor ? 1 / std::sqrt(scale(i)) : 0;
    }
    const Eigen::MatrixXd basis = gram.eigenvectors() * scale.asDiagonal();
    const Eigen::MatrixXd projected = basis.transpose() * changes * basis;
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> pencil(projected, Eigen::EigenvaluesOnly);
    return std::sqrt(std::max(0.0, pencil.eigenvalues()(size - 1)));
}

double
SmoothnessEstimator::GetSmoothness() const
{
    return m_fading;
}

double
SmoothnessEstimator::GetLatest() const
{
    return m_latest;
}

double
SmoothnessEstimator::GetMaximum() const
{
    return m_maximum;
}

uint64_t
SmoothnessEstimator::GetCount() const
{
    return m_count;
}

DivergenceEstimator::DivergenceEstimator(double decay)
    : m_divergence(decay)
{
}

void
DivergenceEstimator::AddUpdates(const std::vector<const float*>& updates,
                                std::size_t dimension,
                                const std::vector<double>& rho,
                                const std::vector<double>& samples,
                                uint32_t localIterations,
                                const LearningState& learning)
{
    const double scale = 1 / (learning.stepSize * localIterations);
    const double spread = scale * scale * WeightedSpread(updates, rho, dimension);
    const double variance = learning.gradientVariance / localIterations;
    m_divergence.Add(spread - NoiseOfSpread(rho, samples, variance));
}

void
DivergenceEstimator::AddGradients(const std::vector<const float*>& gradients,
                                  std::size_t dimension,
                                  const std::vector<double>& rho,
                                  const std::vector<double>& samples,
                                  double gradientVariance)
{
    const double spread = WeightedSpread(gradients, rho, dimension);
    m_divergence.Add(spread - NoiseOfSpread(rho, samples, gradientVariance));
}

double
DivergenceEstimator::GetDivergence() const
{
    return std::max(0.0, m_divergence.Get());
}

uint64_t
DivergenceEstimator::GetCount() const
{
    return m_divergence.GetCount();
}

} // namespace collapipe
} // namespace ns3
