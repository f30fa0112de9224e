/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SYNTHETIC_LEARNING_H
#define COLLAPIPE_SYNTHETIC_LEARNING_H

#include "ns3/collapipe-system-state.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace test
{

/// Normal numbers that are the same on every machine
class Normal
{
  public:
    explicit Normal(uint64_t seed)
        : m_engine(seed)
    {
    }

    /// @return uniform in (0, 1)
    double Uniform()
    {
        return (static_cast<double>(m_engine() >> 11) + 0.5) / 9007199254740992.0;
    }

    /// @return standard normal (Box and Muller)
    double Get()
    {
        const double radius = std::sqrt(-2 * std::log(Uniform()));
        return radius * std::cos(2 * std::acos(-1.0) * Uniform());
    }

    /// @return standard normal, `size` of them
    Eigen::VectorXd Vector(Eigen::Index size)
    {
        Eigen::VectorXd v(size);
        for (Eigen::Index i = 0; i < size; ++i)
        {
            v(i) = Get();
        }
        return v;
    }

    /// @return 0 .. size - 1
    Eigen::Index Index(Eigen::Index size)
    {
        return static_cast<Eigen::Index>(m_engine() % static_cast<uint64_t>(size));
    }

  private:
    std::mt19937_64 m_engine; //!< whose output is the standard's
};

/// Clusters with objectives whose constants L_s, sigma^2 and delta^2 are known
class Federation
{
  public:
    explicit Federation(std::size_t clusters)
    {
        for (std::size_t m = 0; m < clusters; ++m)
        {
            m_weights.push_back(2.0 * static_cast<double>(m + 1) /
                                static_cast<double>(clusters * (clusters + 1)));
        }
    }

    virtual ~Federation() = default;

    /// @return gradient of F_m
    virtual Eigen::VectorXd LocalGradient(std::size_t m, const Eigen::VectorXd& w) const = 0;
    /// @return stochastic gradient of F_m from n samples
    virtual Eigen::VectorXd NoisyGradient(std::size_t m,
                                          const Eigen::VectorXd& w,
                                          double n,
                                          Normal& normal) const = 0;
    /// @return L_s, sigma^2 and delta^2
    virtual LearningState Constants() const = 0;
    /// @return F(w_0) - F*
    virtual double InitialGap() const = 0;
    /// @return w_0
    virtual Eigen::VectorXd Start() const = 0;

    /// @return gradient of F
    Eigen::VectorXd Gradient(const Eigen::VectorXd& w) const
    {
        Eigen::VectorXd sum = Eigen::VectorXd::Zero(w.size());
        for (std::size_t m = 0; m < m_weights.size(); ++m)
        {
            sum += m_weights[m] * LocalGradient(m, w);
        }
        return sum;
    }

    /// @return number of clusters
    std::size_t Clusters() const
    {
        return m_weights.size();
    }

    /// @return rho
    const std::vector<double>& Weights() const
    {
        return m_weights;
    }

  private:
    std::vector<double> m_weights; //!< rho, uneven
};

/**
 * F_m(w) = (w - c_m)^T A (w - c_m) / 2 with eigenvalues of A from L_s / 100 to L_s, and normal
 * noise of variance sigma^2 per sample.
 */
class QuadraticFederation : public Federation
{
  public:
    QuadraticFederation(std::size_t clusters,
                        Eigen::Index dimension,
                        double smoothness,
                        double gradientVariance)
        : Federation(clusters),
          m_smoothness(smoothness),
          m_variance(gradientVariance)
    {
        Normal normal(5 + clusters);
        Eigen::MatrixXd random(dimension, dimension);
        Eigen::VectorXd spectrum(dimension);
        for (Eigen::Index i = 0; i < dimension; ++i)
        {
            random.col(i) = normal.Vector(dimension);
            const double rank = static_cast<double>(i) / static_cast<double>(dimension - 1);
            spectrum(i) = smoothness * std::pow(0.01, rank);
        }
        const Eigen::MatrixXd q = Eigen::HouseholderQR<Eigen::MatrixXd>(random).householderQ();
        m_hessian = q * spectrum.asDiagonal() * q.transpose();
        m_mean = Eigen::VectorXd::Zero(dimension);
        for (std::size_t m = 0; m < clusters; ++m)
        {
            m_centres.push_back(0.3 * normal.Vector(dimension));
            m_mean += Weights()[m] * m_centres[m];
        }
        m_start = m_mean + 2 * normal.Vector(dimension);
    }

    Eigen::VectorXd LocalGradient(std::size_t m, const Eigen::VectorXd& w) const override
    {
        return m_hessian * (w - m_centres[m]);
    }

    Eigen::VectorXd NoisyGradient(std::size_t m,
                                  const Eigen::VectorXd& w,
                                  double n,
                                  Normal& normal) const override
    {
        const double scale = std::sqrt(m_variance / n / static_cast<double>(w.size()));
        return LocalGradient(m, w) + scale * normal.Vector(w.size());
    }

    LearningState Constants() const override
    {
        double divergence = 0;
        for (std::size_t m = 0; m < Clusters(); ++m)
        {
            divergence += Weights()[m] * (m_hessian * (m_centres[m] - m_mean)).squaredNorm();
        }
        return {0, m_smoothness, m_variance, divergence};
    }

    double InitialGap() const override
    {
        return (m_start - m_mean).dot(m_hessian * (m_start - m_mean)) / 2;
    }

    Eigen::VectorXd Start() const override
    {
        return m_start;
    }

  private:
    double m_smoothness;                    //!< L_s
    double m_variance;                      //!< sigma^2
    Eigen::MatrixXd m_hessian;              //!< A
    std::vector<Eigen::VectorXd> m_centres; //!< c_m
    Eigen::VectorXd m_mean;                 //!< minimum of F
    Eigen::VectorXd m_start;                //!< w_0
};

/**
 * Regularised logistic regression, labels -1 and 1: F_m is the mean over rows x of
 * log(1 + exp(-y x.w)) plus lambda |w|^2 / 2. Its Hessian is at most X^T X / (4 |D|) + lambda, with
 * equality at w = 0; a sample's gradient -y x s, 0 < s < 1, has variance at most mean |x|^2, and
 * the clusters' gradients lie within mean |x| of 0 but for the common regularisation.
 */
class LogisticFederation : public Federation
{
  public:
    LogisticFederation(std::size_t clusters, Eigen::Index dimension, Eigen::Index rows)
        : Federation(clusters)
    {
        Normal normal(23 + clusters);
        const Eigen::VectorXd truth = normal.Vector(dimension);
        for (std::size_t m = 0; m < clusters; ++m)
        {
            const Eigen::VectorXd shift = 0.5 * normal.Vector(dimension);
            m_rows.emplace_back(rows, dimension);
            for (Eigen::Index i = 0; i < rows; ++i)
            {
                const Eigen::VectorXd x = normal.Vector(dimension) + shift;
                const double y = x.dot(truth) + normal.Get() > 0 ? 1 : -1;
                m_rows[m].row(i) = y * x.transpose();
            }
        }
    }

    /// @return the gradient of one row
    Eigen::VectorXd RowGradient(std::size_t m, Eigen::Index row, const Eigen::VectorXd& w) const
    {
        const Eigen::VectorXd x = m_rows[m].row(row).transpose();
        return -x / (1 + std::exp(x.dot(w))) + LAMBDA * w;
    }

    Eigen::VectorXd LocalGradient(std::size_t m, const Eigen::VectorXd& w) const override
    {
        Eigen::VectorXd sum = Eigen::VectorXd::Zero(w.size());
        for (Eigen::Index i = 0; i < m_rows[m].rows(); ++i)
        {
            sum += RowGradient(m, i, w);
        }
        return sum / static_cast<double>(m_rows[m].rows());
    }

    Eigen::VectorXd NoisyGradient(std::size_t m,
                                  const Eigen::VectorXd& w,
                                  double n,
                                  Normal& normal) const override
    {
        Eigen::VectorXd sum = Eigen::VectorXd::Zero(w.size());
        for (double i = 0; i < n; ++i)
        {
            sum += RowGradient(m, normal.Index(m_rows[m].rows()), w);
        }
        return sum / n;
    }

    /// @return trace of the covariance of a random row's gradient
    double VarianceAt(std::size_t m, const Eigen::VectorXd& w) const
    {
        const Eigen::VectorXd mean = LocalGradient(m, w);
        double sum = 0;
        for (Eigen::Index i = 0; i < m_rows[m].rows(); ++i)
        {
            sum += (RowGradient(m, i, w) - mean).squaredNorm();
        }
        return sum / static_cast<double>(m_rows[m].rows());
    }

    /// @return largest eigenvalue of the Hessian of F_m at w = 0
    double SmoothnessOf(std::size_t m) const
    {
        const Eigen::MatrixXd gram = m_rows[m].transpose() * m_rows[m];
        const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(gram);
        const auto rows = static_cast<double>(m_rows[m].rows());
        return solver.eigenvalues().maxCoeff() / (4 * rows) + LAMBDA;
    }

    LearningState Constants() const override
    {
        LearningState constants{0, 0, 0, 0};
        for (std::size_t m = 0; m < Clusters(); ++m)
        {
            const auto rows = static_cast<double>(m_rows[m].rows());
            const double norm = m_rows[m].rowwise().norm().sum() / rows;
            const double square = m_rows[m].rowwise().squaredNorm().sum() / rows;
            constants.smoothness = std::max(constants.smoothness, SmoothnessOf(m));
            constants.gradientVariance = std::max(constants.gradientVariance, square);
            constants.clusterDivergence += Clusters() > 1 ? Weights()[m] * norm * norm : 0;
        }
        return constants;
    }

    double InitialGap() const override
    {
        Eigen::VectorXd w = Start();
        const double step = 1 / Constants().smoothness;
        for (int i = 0; i < 2000; ++i)
        {
            w -= step * Gradient(w);
        }
        return Value(Start()) - Value(w);
    }

    Eigen::VectorXd Start() const override
    {
        return Eigen::VectorXd::Zero(m_rows[0].cols());
    }

  private:
    static constexpr double LAMBDA = 0.05; //!< regularisation

    /// @return F(w)
    double Value(const Eigen::VectorXd& w) const
    {
        double sum = LAMBDA * w.squaredNorm() / 2;
        for (std::size_t m = 0; m < Clusters(); ++m)
        {
            const Eigen::VectorXd margin = m_rows[m] * w;
            for (Eigen::Index i = 0; i < margin.size(); ++i)
            {
                sum += Weights()[m] * std::log1p(std::exp(-margin(i))) /
                       static_cast<double>(margin.size());
            }
        }
        return sum;
    }

    std::vector<Eigen::MatrixXd> m_rows; //!< y x, per cluster
};

} // namespace test
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SYNTHETIC_LEARNING_H */
