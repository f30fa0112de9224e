/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The estimators of sigma^2, L_s and delta^2 where these are known

#include "collapipe-synthetic-learning.h"

#include "ns3/collapipe-estimators.h"

#include <gtest/gtest.h>

namespace ns3
{
namespace collapipe
{
namespace test
{
namespace
{

using Floats = std::vector<Eigen::VectorXf>; //!< gradients as the learning side has them

std::vector<const float*>
Pointers(const Floats& vectors)
{
    std::vector<const float*> pointers;
    for (const Eigen::VectorXf& v : vectors)
    {
        pointers.push_back(v.data());
    }
    return pointers;
}

/// Feeds the estimator with flushes of N micro-batches of b samples at a point
void
FeedFlushes(const Federation& f, const Eigen::VectorXd& w, GradientNoiseEstimator& estimator)
{
    Normal normal(3);
    for (int flush = 0; flush < 400; ++flush)
    {
        Floats gradients;
        for (int i = 0; i < 6; ++i)
        {
            gradients.push_back(f.NoisyGradient(0, w, 4, normal).cast<float>());
        }
        estimator.AddMicroBatches(Pointers(gradients), static_cast<std::size_t>(w.size()), 4);
    }
}

/// Feeds the estimator with steps of gradient descent
void
FeedSteps(const Federation& f, double stepSize, SmoothnessEstimator& estimator, int steps)
{
    Eigen::VectorXd w = f.Start();
    Eigen::VectorXd gradient = f.LocalGradient(0, w);
    for (int i = 0; i < steps; ++i)
    {
        const Eigen::VectorXd step = -stepSize * gradient;
        const Eigen::VectorXd next = f.LocalGradient(0, w + step);
        const Eigen::VectorXf s = step.cast<float>();
        const Eigen::VectorXf y = (next - gradient).cast<float>();
        estimator.AddSecant(s.data(), y.data(), static_cast<std::size_t>(s.size()));
        w += step;
        gradient = next;
    }
}

TEST(Estimators, AverageIsUnbiasedFromTheFirstValue)
{
    ExponentialAverage average(0.9);
    EXPECT_EQ(average.Get(), 0);
    average.Add(3);
    EXPECT_DOUBLE_EQ(average.Get(), 3);
    average.Add(5);
    EXPECT_DOUBLE_EQ(average.Get(), (0.9 * 3 + 5) / 1.9);
    average.Add(std::nan(""));
    EXPECT_EQ(average.GetCount(), 2u);
}

TEST(Estimators, NoiseOfQuadratics)
{
    const QuadraticFederation f(1, 20, 4, 3);
    GradientNoiseEstimator estimator(0.99);
    FeedFlushes(f, f.Start(), estimator);
    const double square = f.LocalGradient(0, f.Start()).squaredNorm();
    EXPECT_NEAR(estimator.GetVariance(), 3, 0.3);
    EXPECT_NEAR(estimator.GetSquaredGradientNorm(), square, 0.1 * square);
    EXPECT_NEAR(estimator.GetNoiseScale(), 3 / square, 0.15 * 3 / square);
}

TEST(Estimators, NoiseOfLogisticRegression)
{
    const LogisticFederation f(1, 5, 200);
    const Eigen::VectorXd w = Eigen::VectorXd::Constant(5, 0.1);
    GradientNoiseEstimator estimator(0.99);
    FeedFlushes(f, w, estimator);
    const double variance = f.VarianceAt(0, w);
    EXPECT_NEAR(estimator.GetVariance(), variance, 0.1 * variance);
}

TEST(Estimators, SpreadAndNormsGiveTheSameNoise)
{
    const QuadraticFederation f(1, 20, 4, 3);
    Normal normal(8);
    Floats gradients;
    Eigen::VectorXd mean = Eigen::VectorXd::Zero(20);
    double small = 0;
    for (int i = 0; i < 4; ++i)
    {
        gradients.push_back(f.NoisyGradient(0, f.Start(), 2, normal).cast<float>());
        mean += gradients.back().cast<double>() / 4;
        small += gradients.back().cast<double>().squaredNorm() / 4;
    }
    GradientNoiseEstimator spread;
    GradientNoiseEstimator norms;
    spread.AddMicroBatches(Pointers(gradients), 20, 2);
    norms.AddSquaredNorms(small, 2, mean.squaredNorm(), 8);
    EXPECT_NEAR(spread.GetVariance(), norms.GetVariance(), 1e-9 * small);
    EXPECT_NEAR(spread.GetSquaredGradientNorm(), norms.GetSquaredGradientNorm(), 1e-9 * small);
}

TEST(Estimators, SmoothnessOfQuadratics)
{
    for (const double fraction : {1.0 / 64, 1.0 / 8, 1.0 / 2, 1.0, 1.5})
    {
        for (const int steps : {12, 40})
        {
            for (const Eigen::Index dimension : {5, 10, 30})
            {
                const QuadraticFederation f(1, dimension, 4, 0);
                SmoothnessEstimator estimator;
                FeedSteps(f, fraction / 4, estimator, steps);
                EXPECT_NEAR(estimator.GetSmoothness(), 4, 0.4)
                    << "step " << fraction << " / L_s, " << steps << " steps, " << dimension;
                EXPECT_LT(estimator.GetMaximum(), 4 * 1.001);
            }
        }
    }
}

/// Short steps of a large problem show the largest curvature later: with 12 of them at 1 / (64 L_s)
/// the bound is lower than with 40
TEST(Estimators, SmoothnessOfLargeQuadratics)
{
    for (const double fraction : {1.0 / 64, 1.0 / 8, 1.0 / 2, 1.0, 1.5})
    {
        const QuadraticFederation f(1, 100, 4, 0);
        SmoothnessEstimator estimator;
        FeedSteps(f, fraction / 4, estimator, 40);
        EXPECT_NEAR(estimator.GetSmoothness(), 4, 0.4) << "step " << fraction << " / L_s";
        EXPECT_LT(estimator.GetMaximum(), 4 * 1.001);
    }
}

/// Where the Hessian changes from pair to pair the estimate does not exceed the largest of them
TEST(Estimators, SmoothnessOfAChangingHessian)
{
    Normal normal(9);
    for (const double change : {0.001, 0.01, 0.1, 0.5})
    {
        SmoothnessEstimator estimator;
        Eigen::VectorXd w = normal.Vector(20);
        double largest = 0;
        for (int i = 0; i < 200; ++i)
        {
            const Eigen::VectorXd hessian = Eigen::VectorXd::LinSpaced(20, 0.1, 2).array() *
                                            (1 + change * normal.Vector(20).array().tanh());
            largest = std::max(largest, hessian.maxCoeff());
            const Eigen::VectorXf step = (-0.05 * hessian.cwiseProduct(w)).cast<float>();
            const Eigen::VectorXf difference =
                hessian.cwiseProduct(step.cast<double>()).cast<float>();
            estimator.AddSecant(step.data(), difference.data(), 20);
            w += step.cast<double>() + 0.05 * normal.Vector(20);
        }
        EXPECT_LT(estimator.GetMaximum(), 1.2 * largest) << change;
        EXPECT_GT(estimator.GetSmoothness(), 0.5 * largest) << change;
    }
}

TEST(Estimators, SmoothnessOfLogisticRegression)
{
    const LogisticFederation f(1, 5, 200);
    const double smoothness = f.SmoothnessOf(0);
    SmoothnessEstimator estimator;
    FeedSteps(f, 0.01 / smoothness, estimator, 8);
    EXPECT_NEAR(estimator.GetSmoothness(), smoothness, 0.1 * smoothness);
}

TEST(Estimators, OneSecantIsALowerBound)
{
    SmoothnessEstimator estimator(0.5, 1);
    estimator.AddSecantNorms(2, 6);
    EXPECT_DOUBLE_EQ(estimator.GetSmoothness(), 3);
    estimator.AddSecantNorms(0, 6);
    EXPECT_EQ(estimator.GetCount(), 1u);
}

TEST(Estimators, DivergenceFromUpdates)
{
    const QuadraticFederation f(4, 20, 4, 3);
    LearningState learning = f.Constants();
    const double divergence = learning.clusterDivergence;
    const uint32_t iterations = 4;
    learning.stepSize = 1e-3 / learning.smoothness;
    const std::vector<double> samples{2, 4, 8, 16};
    Normal normal(4);
    DivergenceEstimator estimator(0.995);
    DivergenceEstimator uncorrected(0.995);
    LearningState noiseless = learning;
    noiseless.gradientVariance = 0;
    for (int round = 0; round < 2000; ++round)
    {
        Floats updates;
        for (std::size_t m = 0; m < 4; ++m)
        {
            Eigen::VectorXd w = f.Start();
            for (uint32_t h = 0; h < iterations; ++h)
            {
                w -= learning.stepSize * f.NoisyGradient(m, w, samples[m], normal);
            }
            updates.push_back((f.Start() - w).cast<float>());
        }
        estimator.AddUpdates(Pointers(updates), 20, f.Weights(), samples, iterations, learning);
        uncorrected.AddUpdates(Pointers(updates), 20, f.Weights(), samples, iterations, noiseless);
    }
    EXPECT_NEAR(estimator.GetDivergence(), divergence, 0.05 * divergence);
    EXPECT_GT(uncorrected.GetDivergence(), estimator.GetDivergence() * 1.02);
}

TEST(Estimators, DivergenceFromGradients)
{
    const QuadraticFederation f(3, 10, 4, 0);
    Floats gradients;
    for (std::size_t m = 0; m < 3; ++m)
    {
        gradients.push_back(f.LocalGradient(m, f.Start()).cast<float>());
    }
    DivergenceEstimator estimator;
    estimator.AddGradients(Pointers(gradients), 10, f.Weights(), {1, 1, 1}, 0);
    const double divergence = f.Constants().clusterDivergence;
    EXPECT_NEAR(estimator.GetDivergence(), divergence, 1e-4 * divergence);
}

} // namespace
} // namespace test
} // namespace collapipe
} // namespace ns3
