/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-judge-comparison.h"

#include "collapipe-exhaustive.h"
#include "collapipe-judge-instances.h"

#include "ns3/collapipe-round-solver.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iomanip>
#include <iterator>
#include <random>

namespace ns3
{
namespace collapipe
{
namespace judge
{

namespace
{

/// @return wall-clock seconds since the start
double
SecondsSince(std::chrono::steady_clock::time_point start)
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// @return the value below which a fraction lies; values are sorted
double
Quantile(const std::vector<double>& sorted, double fraction)
{
    const auto index = static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1));
    return sorted[index];
}

} // namespace

namespace
{

/// Freezes as much of a block as is trained, or up to ten times as much, and gives nodes some of
/// it.
void
AddBase(uint64_t number, Instance& instance)
{
    std::mt19937_64 random(number);
    ModelProfile& model = instance.state.model;
    model.sendsBase = true;
    model.frozenBlockBytes =
        (1 + static_cast<double>(random() % 10)) * model.blockParameterBits / 8;
    model.frozenEmbeddingBytes = model.frozenBlockBytes;
    for (auto& cluster : instance.state.clusters)
    {
        cluster.controlUnit.heldBase.embedding = random() % 2 == 0;
        for (auto& device : cluster.devices)
        {
            device.memoryBytes *= 2;
            for (uint32_t block = 0; block < model.blocks; ++block)
            {
                device.heldBase.Add(block, block + random() % 2);
            }
        }
    }
}

} // namespace

Comparison
Compare(uint64_t number, bool sendsBase, UploadRule rule)
{
    static RoundSolver solver;
    Instance instance = InstanceMaker(number).Make();
    if (sendsBase)
    {
        AddBase(number, instance);
    }
    instance.state.training.uploadRule = rule;
    Comparison result;
    result.number = number;
    auto start = std::chrono::steady_clock::now();
    const ExhaustiveResult verdict = SolveExhaustively(instance);
    result.judgeS = SecondsSince(start);
    start = std::chrono::steady_clock::now();
    const RoundPlan plan = solver.Solve(instance).plan;
    result.solverS = SecondsSince(start);
    result.judgeFeasible = verdict.feasible;
    result.solverFeasible = plan.infeasible.empty();
    result.disagreement = verdict.disagreement;
    result.combinations = verdict.combinations;
    if (result.judgeFeasible && result.solverFeasible)
    {
        const Evaluation evaluation = judge::EvaluatePlan(instance, plan);
        result.error = evaluation.error;
        result.gap = evaluation.cost / verdict.cost - 1;
    }
    return result;
}

void
ComparisonSummary::Add(const Comparison& comparison)
{
    m_all.push_back(comparison);
}

std::vector<Comparison>
ComparisonSummary::GetSolved() const
{
    std::vector<Comparison> solved;
    std::copy_if(m_all.begin(), m_all.end(), std::back_inserter(solved), [](const Comparison& c) {
        return c.judgeFeasible && c.solverFeasible && c.error.empty();
    });
    return solved;
}

std::size_t
ComparisonSummary::CountWithin(double limit) const
{
    const std::vector<Comparison> solved = GetSolved();
    return std::count_if(solved.begin(), solved.end(), [limit](const Comparison& c) {
        return c.gap <= limit;
    });
}

std::size_t
ComparisonSummary::CountMistakes() const
{
    return std::count_if(m_all.begin(), m_all.end(), [](const Comparison& c) {
        return c.judgeFeasible != c.solverFeasible || !c.error.empty();
    });
}

bool
ComparisonSummary::IsPassed() const
{
    const std::size_t solved = GetSolved().size();
    return CountMistakes() == 0 && CountWithin(0.03) == solved &&
           100 * CountWithin(0.01) >= 99 * solved;
}

void
ComparisonSummary::Print(std::ostream& out) const
{
    const std::vector<Comparison> solved = GetSolved();
    out << m_all.size() << " instances, " << solved.size() << " solved by both, " << CountMistakes()
        << " mistakes\n";
    for (const Comparison& c : m_all)
    {
        if (c.judgeFeasible != c.solverFeasible || !c.error.empty() || c.gap > 0.01)
        {
            out << "  instance " << c.number << ": judge "
                << (c.judgeFeasible ? "feasible" : "infeasible") << ", solver "
                << (c.solverFeasible ? "feasible" : "infeasible") << ", gap " << 100 * c.gap
                << " % " << c.error << "\n";
        }
    }
    if (solved.empty())
    {
        return;
    }
    std::vector<double> gaps;
    double judgeS = 0;
    double solverS = 0;
    double disagreement = 0;
    for (const Comparison& c : solved)
    {
        gaps.push_back(100 * c.gap);
        judgeS += c.judgeS;
        solverS += c.solverS;
        disagreement = std::max(disagreement, c.disagreement);
    }
    std::sort(gaps.begin(), gaps.end());
    out << "gap in %: least " << gaps.front() << ", median " << Quantile(gaps, 0.5) << ", 90 % "
        << Quantile(gaps, 0.9) << ", 99 % " << Quantile(gaps, 0.99) << ", largest " << gaps.back()
        << "\n"
        << "within 0.01 %: " << CountWithin(1e-4) << ", 1 %: " << CountWithin(0.01)
        << ", 3 %: " << CountWithin(0.03) << "\n"
        << "judge " << judgeS << " s, solver " << solverS << " s, ratio " << judgeS / solverS
        << "\n"
        << "largest disagreement of barrier and NLopt " << disagreement << "\n";
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
