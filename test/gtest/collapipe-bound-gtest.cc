/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The bound (9) against measured gradients, where its constants are known

#include "collapipe-synthetic-learning.h"

#include "ns3/collapipe-convergence-bound.h"

#include <cmath>
#include <gtest/gtest.h>

namespace ns3
{
namespace collapipe
{
namespace test
{
namespace
{

constexpr uint32_t RUNS = 10; //!< over which the expectation is averaged

/// A point of the grid
struct GridPoint
{
    std::size_t clusters; //!< M
    uint32_t iterations;  //!< H
    double samples;       //!< n of every cluster
};

std::vector<GridPoint>
Grid()
{
    std::vector<GridPoint> grid;
    for (const std::size_t clusters : {1, 2, 5})
    {
        for (const uint32_t iterations : {1, 4, 16})
        {
            for (const double samples : {1.0, 8.0, 64.0})
            {
                grid.push_back({clusters, iterations, samples});
            }
        }
    }
    return grid;
}

/// @return mean over rounds and runs of |grad F(w_t)|^2 under local SGD
double
MeasureGradients(const Federation& f,
                 const GridPoint& point,
                 double stepSize,
                 uint32_t rounds,
                 Normal& normal)
{
    double sum = 0;
    for (uint32_t run = 0; run < RUNS; ++run)
    {
        Eigen::VectorXd w = f.Start();
        for (uint32_t t = 0; t < rounds; ++t)
        {
            sum += f.Gradient(w).squaredNorm();
            Eigen::VectorXd next = Eigen::VectorXd::Zero(w.size());
            for (std::size_t m = 0; m < f.Clusters(); ++m)
            {
                Eigen::VectorXd local = w;
                for (uint32_t h = 0; h < point.iterations; ++h)
                {
                    local -= stepSize * f.NoisyGradient(m, local, point.samples, normal);
                }
                next += f.Weights()[m] * local;
            }
            w = next;
        }
    }
    return sum / RUNS / rounds;
}

/// Holds the bound to a measurement, and the measurement to not being a trifle beside it
void
CheckBound(const Federation& f, const GridPoint& point, uint32_t rounds, double largestRatio)
{
    Normal normal(17 + point.iterations);
    LearningState learning = f.Constants();
    learning.stepSize = MaxStepSize(learning.smoothness, point.iterations);
    ASSERT_TRUE(IsStepSizeAdmissible(learning, point.iterations));
    const std::vector<double> samples(f.Clusters(), point.samples);
    const double bound =
        ConvergenceBound(learning, point.iterations, rounds, f.InitialGap(), f.Weights(), samples)
            .GetTotal();
    const double measured = MeasureGradients(f, point, learning.stepSize, rounds, normal);
    EXPECT_LT(measured, bound) << "M " << point.clusters << " H " << point.iterations << " n "
                               << point.samples;
    EXPECT_LT(bound, largestRatio * measured)
        << "M " << point.clusters << " H " << point.iterations << " n " << point.samples;
}

TEST(ConvergenceBound, HoldsOnQuadratics)
{
    for (const GridPoint& point : Grid())
    {
        CheckBound(QuadraticFederation(point.clusters, 10, 4.0, 3.0), point, 60, 12);
    }
}

TEST(ConvergenceBound, HoldsOnLogisticRegression)
{
    for (const GridPoint& point : Grid())
    {
        CheckBound(LogisticFederation(point.clusters, 5, 100), point, 60, 500);
    }
}

TEST(ConvergenceBound, HasItsFourTerms)
{
    const LearningState learning{0.01, 2, 3, 5};
    const ConvergenceBoundTerms terms = ConvergenceBound(learning, 4, 7, 11, {0.25, 0.75}, {8, 2});
    EXPECT_DOUBLE_EQ(terms.optimisation, 4 * 11 / (0.01 * 4 * 7));
    EXPECT_DOUBLE_EQ(terms.noise, 4 * 0.01 * 2 * 3 * (0.0625 / 8 + 0.5625 / 2));
    EXPECT_DOUBLE_EQ(terms.drift, 10 * 1e-4 * 4 * 4 * 3 * (0.25 / 8 + 0.75 / 2));
    EXPECT_DOUBLE_EQ(terms.divergence, 60 * 1e-4 * 4 * 16 * 5);
    EXPECT_DOUBLE_EQ(ConvergencePhi(learning, 4, {0.25, 0.75}, {8, 2}), terms.noise + terms.drift);
}

TEST(ConvergenceBound, StepSizeConditionIsSharp)
{
    LearningState learning{1.0 / 64, 2, 0, 0};
    EXPECT_TRUE(IsStepSizeAdmissible(learning, 4));
    learning.stepSize *= 1.001;
    EXPECT_FALSE(IsStepSizeAdmissible(learning, 4));
    learning.stepSize = 0;
    EXPECT_FALSE(IsStepSizeAdmissible(learning, 4));
}

TEST(ConvergenceBound, SamplesForPhiMeetTheTarget)
{
    const LearningState learning{0.01, 2, 3, 5};
    const std::vector<double> rho{0.2, 0.8};
    const double n = SamplesForPhi(learning, 4, rho, 1e-3);
    EXPECT_NEAR(ConvergencePhi(learning, 4, rho, {n, n}), 1e-3, 1e-15);
}

} // namespace
} // namespace test
} // namespace collapipe
} // namespace ns3
