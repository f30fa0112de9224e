/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-allocator.h"

#include "collapipe-radio-link-work.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint32_t MAX_STEPS = 60;      //!< of a first attempt
constexpr uint32_t CAREFUL_STEPS = 300; //!< of a second one with short steps
constexpr double LONGEST_STEP = 2.5;    //!< of a logarithm
constexpr double NO_TIME = 1e-12;       //!< stands for a time of 0

/// Times that are variables: of cluster m at 4 m + kind, and tau at 4 M
enum TimeKind
{
    FORWARD_TIME = 0,
    BACKWARD_TIME = 1,
    DISTRIBUTION_TIME = 2,
    UPLOAD_TIME = 3,
};

/// A time that bounds others, with its own lower bound
struct TimeVariable
{
    bool active{false}; //!< whether anything depends on it
    double value{0};    //!< in the method's unit
    double floor{0};    //!< what it cannot fall below
    double scale{1};    //!< the inequality is divided by this
    Inequality atFloor; //!< (floor - value) / scale <= 0
    double step{0};     //!< of the value
    double gradient{0}; //!< of the Lagrangian
};

TimeKind
GetTimeKind(LinkRole role)
{
    switch (role)
    {
    case LinkRole::FORWARD:
    case LinkRole::TARGET:
        return FORWARD_TIME;
    case LinkRole::BACKWARD:
        return BACKWARD_TIME;
    case LinkRole::DISTRIBUTION:
        return DISTRIBUTION_TIME;
    case LinkRole::UPLOAD:
        break;
    }
    return UPLOAD_TIME;
}

bool
IsFlow(LinkRole role)
{
    return role == LinkRole::FORWARD || role == LinkRole::BACKWARD;
}

Vector2
Times(const Matrix2& a, const Vector2& b)
{
    return {a.uu * b.u + a.uv * b.v, a.uv * b.u + a.vv * b.v};
}

void
AddOuter(Matrix2& a, double scale, const Vector2& b)
{
    a.uu += scale * b.u * b.u;
    a.uv += scale * b.u * b.v;
    a.vv += scale * b.v * b.v;
}

} // namespace

/// The interior point method and its memory
class RadioAllocator::Method
{
  public:
    RadioSolution Solve(const RadioProblem& problem, double tolerance, double cutoff);

  private:
    // Start
    void Prepare(const RadioProblem& problem);
    void SetShares(const RadioProblem& problem);
    void SetTimes(const RadioProblem& problem);
    LinkWork MakeWork(const RadioLink& link) const;
    void StartLinks();
    void StartMultipliers();
    // One step
    void Evaluate();
    void Assemble();
    void AssembleLink(LinkWork& work);
    void AddCurvature(LinkWork& work) const;
    void Couple(LinkWork& work);
    void SolveSystem();
    void SetRightHandSide();
    void SetSteps();
    void Factor();
    void Substitute();
    void SetCentring(double target, bool corrector);
    double GetStepLength(bool dual) const;
    void Move(double primal, double dual);
    // Result
    void Iterate(uint32_t steps, bool careful);
    bool IsDone();
    double GetMu() const;
    double GetObjective() const;
    double GetLagrangian() const;
    double GetDualResidual() const;
    double GetPrimalResidual() const;
    RadioSolution GetSolution(const RadioProblem& problem) const;
    void AddPrices(const RadioProblem& problem, RadioSolution& solution) const;

    template <typename F>
    void ForEach(F f);

    template <typename F>
    void ForEach(F f) const
    {
        const_cast<Method*>(this)->ForEach([&](Inequality& i) { f(i); });
    }

    int GetIndices(const LinkWork& work,
                   std::array<int, 3>& indices,
                   std::array<int, 3>& which) const;

    double& Entry(std::size_t i, std::size_t j)
    {
        return m_matrix[std::max(i, j) * m_size + std::min(i, j)];
    }

    /// @return the link's part of the shares in its pool
    double GetPart(const LinkWork& work) const
    {
        return work.w / m_poolTotal[work.link->pool];
    }

    /// lambda / s, less lambda: the Hessian of log sum exp is a diagonal less a matrix of rank one
    double GetBudgetWeight(std::size_t pool) const
    {
        const Inequality& i = m_budgets[pool];
        return i.Weight() - i.multiplier * (i.slack < 0.5 ? 1 : 0);
    }

    std::size_t TimeIndex(std::size_t time) const
    {
        return m_pools + m_clusters.size() + time;
    }

    std::vector<LinkWork> m_links;        //!< all links
    std::vector<double> m_shares;         //!< at the start
    std::vector<uint32_t> m_poolLinks;    //!< number of links per pool
    std::vector<uint8_t> m_poolActive;    //!< whether its shares are decided
    std::vector<double> m_poolSum;        //!< of shares
    std::vector<double> m_poolTotal;      //!< of shares, at the present point
    std::vector<Inequality> m_budgets;    //!< log(sum of shares) <= 0
    std::vector<RadioCluster> m_clusters; //!< constants in the method's unit of time
    std::vector<double> m_flow;           //!< sum of transfers per cluster
    std::vector<Inequality> m_deadlines;  //!< tau_m - tau <= 0
    std::vector<TimeVariable> m_times;    //!< see TimeKind
    std::vector<double> m_matrix;         //!< lower triangle of the coupling system
    std::vector<double> m_vector;         //!< its right-hand side and solution
    std::size_t m_pools{0};               //!< number of pools
    std::size_t m_size{0};                //!< of the coupling system
    std::size_t m_inequalities{0};        //!< how many
    double m_unitS{1};                    //!< the method's unit of time
    double m_unit{1};                     //!< of the objective: V times that
    double m_constant{0};                 //!< of the objective, in that unit
    double m_tolerance{0};                //!< relative gap
    double m_cutoff{0};                   //!< in units of the objective
    bool m_cut{false};                    //!< the cutoff was passed
    bool m_converged{false};              //!< to the tolerance
    uint32_t m_steps{0};                  //!< so far
};

RadioAllocator::RadioAllocator()
    : m_method(std::make_unique<Method>())
{
}

RadioAllocator::~RadioAllocator() = default;

RadioSolution
RadioAllocator::Solve(const RadioProblem& problem, double tolerance, double cutoff)
{
    return m_method->Solve(problem, tolerance, cutoff);
}

RadioSolution
RadioAllocator::Method::Solve(const RadioProblem& problem, double tolerance, double cutoff)
{
    Prepare(problem);
    m_tolerance = tolerance;
    m_cutoff = (cutoff - problem.constant) / m_unit;
    m_cut = false;
    m_steps = 0;
    m_converged = std::all_of(m_links.begin(), m_links.end(), [](const LinkWork& work) {
        return work.freedom == LinkFreedom::FIXED;
    });
    m_inequalities = 0;
    if (!m_converged)
    {
        StartMultipliers();
        Iterate(MAX_STEPS, false);
    }
    if (!m_converged && !m_cut)
    {
        StartLinks();
        StartMultipliers();
        Iterate(CAREFUL_STEPS, true);
    }
    return GetSolution(problem);
}

void
RadioAllocator::Method::Prepare(const RadioProblem& problem)
{
    m_pools = problem.pools;
    m_clusters = problem.clusters;
    m_unitS = 1;
    SetShares(problem);
    m_links.clear();
    for (const auto& link : problem.links)
    {
        m_links.push_back(MakeWork(link));
    }
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const auto& work = m_links[i];
        const bool decided = problem.freedom.shares && m_poolLinks[work.link->pool] > 1;
        const bool dedicated = work.link->mode == SharingMode::DEDICATED;
        const bool power = problem.freedom.powers && work.link->price > 0;
        m_links[i].freedom = dedicated          ? LinkFreedom::FIXED
                             : decided && power ? LinkFreedom::BOTH
                             : decided          ? LinkFreedom::SHARE
                             : power            ? LinkFreedom::TIME
                                                : LinkFreedom::FIXED;
        m_poolActive[work.link->pool] |= m_links[i].HasShare();
    }
    SetTimes(problem);
}

/// Equal shares where they are not decided; else as good a start as a formula gives
void
RadioAllocator::Method::SetShares(const RadioProblem& problem)
{
    m_poolLinks.assign(m_pools, 0);
    m_poolActive.assign(m_pools, 0);
    m_poolSum.assign(m_pools, 0);
    m_shares.assign(problem.links.size(), 1);
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        const auto& link = problem.links[i];
        if (link.mode != SharingMode::DEDICATED)
        {
            // The best shares are as the load where the slowest counts, as its root in a sum
            const double load = link.kappaS / std::log1p(link.snr);
            m_shares[i] = link.phase == Phase::TRAINING ? std::sqrt(load) : load;
            m_poolSum[link.pool] += m_shares[i];
            ++m_poolLinks[link.pool];
        }
    }
    for (std::size_t i = 0; i < problem.links.size(); ++i)
    {
        const auto& link = problem.links[i];
        if (link.mode == SharingMode::DEDICATED)
        {
            continue;
        }
        const double count = m_poolLinks[link.pool];
        const double best = 0.95 * m_shares[i] / m_poolSum[link.pool];
        const bool decided = problem.freedom.shares && count > 1;
        m_shares[i] = decided ? 0.9 * (0.95 * best + 0.05 / count) : 1 / count;
    }
}

LinkWork
RadioAllocator::Method::MakeWork(const RadioLink& link) const
{
    LinkWork work;
    work.link = &link;
    const bool once = link.role == LinkRole::DISTRIBUTION || link.role == LinkRole::UPLOAD;
    const bool bubble = m_clusters[link.cluster].bubble > 0;
    work.capped = once || bubble || link.role == LinkRole::TARGET;
    work.latency = once ? link.latencyS : 0;
    work.capVariable = static_cast<int>(4 * link.cluster + GetTimeKind(link.role));
    if (link.role == LinkRole::TARGET && !bubble)
    {
        // With one micro-batch the targets' time counts nowhere: no longer than the activations
        work.capVariable = -1;
        work.capConstant =
            std::max(m_clusters[link.cluster].forwardSumS, 4 * GetOccupationS(link, 1, 1));
    }
    return work;
}

/// Unit of time, start of all times and links, constants in that unit
void
RadioAllocator::Method::SetTimes(const RadioProblem& problem)
{
    const std::size_t clusters = m_clusters.size();
    m_times.assign(4 * clusters + 1, TimeVariable());
    m_flow.assign(clusters, 0);
    for (std::size_t m = 0; m < clusters; ++m)
    {
        m_times[4 * m + FORWARD_TIME].floor = m_clusters[m].forwardS;
        m_times[4 * m + BACKWARD_TIME].floor = m_clusters[m].backwardS;
        m_times[4 * m].active = m_times[4 * m + 1].active = m_clusters[m].bubble > 0;
        m_times[4 * m + 2].active = m_times[4 * m + 3].active = true;
    }
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        LinkWork& work = m_links[i];
        const RadioLink& link = *work.link;
        const bool fixed = work.freedom == LinkFreedom::FIXED;
        work.x = GetOccupationS(link, m_shares[i], work.HasPower() ? 0.7 : 1);
        m_flow[link.cluster] += IsFlow(link.role) ? work.x : 0;
        m_clusters[link.cluster].sumS += IsFlow(link.role) && fixed ? work.x : 0;
        TimeVariable& time = m_times[4 * link.cluster + GetTimeKind(link.role)];
        time.value = std::max(time.value, work.x + work.latency);
        time.floor = std::max(time.floor, fixed ? work.x + work.latency : work.latency);
    }
    double tau = NO_TIME;
    for (std::size_t m = 0; m < clusters; ++m)
    {
        const RadioCluster& c = problem.clusters[m];
        for (std::size_t kind = 0; kind < 4; ++kind)
        {
            TimeVariable& time = m_times[4 * m + kind];
            time.value = 1.2 * std::max({time.value, time.floor, NO_TIME});
        }
        const double iteration =
            c.sumS + m_flow[m] + c.bubble * (m_times[4 * m].value + m_times[4 * m + 1].value);
        tau = std::max(tau,
                       m_times[4 * m + 2].value + c.iterations * iteration +
                           m_times[4 * m + 3].value);
    }
    m_unitS = tau;
    m_unit = problem.penaltyWeight * tau;
    m_times.back() = {true, 1.1, 0, 1, Inequality(), 0, 0};
    for (auto& time : m_times)
    {
        const bool last = &time == &m_times.back();
        time.value /= last ? 1 : m_unitS;
        time.floor /= last ? 1 : m_unitS;
        time.scale = time.value;
    }
    for (auto& c : m_clusters)
    {
        c.sumS /= m_unitS;
    }
    StartLinks();
    Evaluate();
    m_size = m_pools + clusters + m_times.size();
}

void
RadioAllocator::Method::StartLinks()
{
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        LinkWork& work = m_links[i];
        const RadioLink& link = *work.link;
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        work.kappa = link.kappaS / m_unitS;
        const double scale = link.price * link.maxPowerW * m_unitS / m_unit;
        const bool airtime = link.mode == SharingMode::AIRTIME;
        work.energyScale = work.HasPower() ? scale / link.snr : 0;
        work.timePrice = work.HasPower() || airtime ? 0 : scale;
        work.latency = work.latency > 0 ? link.latencyS / m_unitS : 0;
        work.Start(m_shares[i], work.HasPower() ? 0.7 : 1);
        work.Evaluate();
        const bool constant = work.capVariable < 0;
        work.capConstant = constant ? std::max(m_clusters[link.cluster].forwardSumS,
                                               4 * GetOccupationS(link, 1, 1)) /
                                          m_unitS
                                    : 0;
    }
    for (auto& time : m_times)
    {
        time.value = time.scale;
    }
    m_times.back().value = 1.1;
}

template <typename F>
void
RadioAllocator::Method::ForEach(F f)
{
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED && work.capped)
        {
            f(work.cap);
        }
        if (work.HasPower())
        {
            f(work.powerLimit);
        }
    }
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        if (m_poolActive[p])
        {
            f(m_budgets[p]);
        }
    }
    for (auto& deadline : m_deadlines)
    {
        f(deadline);
    }
    for (std::size_t i = 0; i + 1 < m_times.size(); ++i)
    {
        if (m_times[i].active)
        {
            f(m_times[i].atFloor);
        }
    }
}

/// Evaluates all inequalities: `residual` becomes g + s.
void
RadioAllocator::Method::Evaluate()
{
    m_budgets.resize(m_pools);
    m_poolTotal.resize(m_pools);
    m_deadlines.resize(m_clusters.size());
    m_poolSum.assign(m_pools, 0);
    m_flow.assign(m_clusters.size(), 0);
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        const std::size_t m = work.link->cluster;
        m_flow[m] += IsFlow(work.link->role) ? work.x : 0;
        m_poolSum[work.link->pool] += work.w;
        const double bound =
            work.capVariable < 0 ? work.capConstant : m_times[work.capVariable].value;
        work.capBound = bound - work.latency;
        work.cap.residual = std::log(work.x / work.capBound) + work.cap.slack;
        work.powerLimit.residual = work.power + work.powerLimit.slack;
    }
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        m_poolTotal[p] = m_poolActive[p] ? m_poolSum[p] : 1;
        m_budgets[p].residual = std::log(m_poolTotal[p]) + m_budgets[p].slack;
    }
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        const RadioCluster& c = m_clusters[m];
        const TimeVariable* times = &m_times[4 * m];
        const double bottleneck = c.bubble > 0 ? times[0].value + times[1].value : 0;
        const double iteration = c.sumS + m_flow[m] + c.bubble * bottleneck;
        m_deadlines[m].residual = times[2].value + c.iterations * iteration + times[3].value -
                                  m_times.back().value + m_deadlines[m].slack;
    }
    for (auto& time : m_times)
    {
        time.atFloor.residual = (time.floor - time.value) / time.scale + time.atFloor.slack;
    }
}

void
RadioAllocator::Method::StartMultipliers()
{
    m_inequalities = 0;
    ForEach([&](Inequality& i) {
        i.slack = 0;
        ++m_inequalities;
    });
    Evaluate();
    const double mu = 0.1 / static_cast<double>(m_inequalities);
    ForEach([&](Inequality& i) {
        i.slack = std::max(-i.residual, 1e-2);
        i.multiplier = mu / i.slack;
    });
    for (auto& deadline : m_deadlines)
    {
        deadline.multiplier = 1.0 / static_cast<double>(m_deadlines.size());
    }
    Evaluate();
}

double
RadioAllocator::Method::GetMu() const
{
    double sum = 0;
    ForEach([&](const Inequality& i) { sum += i.slack * i.multiplier; });
    return sum / static_cast<double>(m_inequalities);
}

double
RadioAllocator::Method::GetObjective() const
{
    double sum = m_times.back().value;
    for (const auto& work : m_links)
    {
        sum += work.HasPower() ? work.energy : work.timePrice * work.x;
    }
    return sum;
}

double
RadioAllocator::Method::GetLagrangian() const
{
    double sum = GetObjective();
    ForEach([&](const Inequality& i) { sum += i.multiplier * (i.residual - i.slack); });
    return sum;
}

double
RadioAllocator::Method::GetPrimalResidual() const
{
    double most = 0;
    ForEach([&](const Inequality& i) { most = std::max(most, std::abs(i.residual)); });
    return most;
}

/// The block of the Hessian of the Lagrangian, the eliminated inequalities included
void
RadioAllocator::Method::AddCurvature(LinkWork& work) const
{
    const std::size_t m = work.link->cluster;
    const double flow =
        IsFlow(work.link->role) ? m_deadlines[m].multiplier * m_clusters[m].iterations : 0;
    const double cap = work.capped ? work.cap.multiplier : 0;
    const double timeWeight = work.timePrice + flow;
    const double budget =
        work.HasShare() ? m_budgets[work.link->pool].multiplier * GetPart(work) : 0;
    Matrix2 h{work.xHessian.uu * timeWeight + budget + cap * work.logCurvature,
              0,
              work.xHessian.vv * timeWeight};
    Vector2& gradient = work.rightHandSide;
    gradient = {work.xGradient.u * timeWeight + cap * work.logGradient.u + budget,
                work.xGradient.v * timeWeight + cap * work.logGradient.v};
    if (work.HasPower())
    {
        const double both = work.energyCurvature + work.powerLimit.multiplier * work.powerCurvature;
        AddOuter(h, both, {1, 1});
        AddOuter(h, work.powerLimit.Weight(), work.powerGradient);
        gradient.u += work.energySlope + work.powerLimit.multiplier * work.powerGradient.u;
        gradient.v += work.energySlope + work.powerLimit.multiplier * work.powerGradient.v;
    }
    if (work.capped)
    {
        AddOuter(h, work.cap.Weight(), work.logGradient);
    }
    if (work.freedom == LinkFreedom::BOTH)
    {
        const double determinant = h.uu * h.vv - h.uv * h.uv;
        work.inverse = {h.vv / determinant, -h.uv / determinant, h.uu / determinant};
        return;
    }
    const bool share = work.freedom == LinkFreedom::SHARE;
    work.inverse = {share ? 1 / h.uu : 0, 0, share ? 0 : 1 / h.vv};
    gradient = {share ? gradient.u : 0, share ? 0 : gradient.v};
}

int
RadioAllocator::Method::GetIndices(const LinkWork& work,
                                   std::array<int, 3>& indices,
                                   std::array<int, 3>& which) const
{
    int count = 0;
    if (work.capped && work.capVariable >= 0)
    {
        indices[count] = static_cast<int>(TimeIndex(work.capVariable));
        which[count++] = 0;
    }
    if (work.HasShare())
    {
        indices[count] = static_cast<int>(work.link->pool);
        which[count++] = 1;
    }
    if (IsFlow(work.link->role))
    {
        indices[count] = static_cast<int>(m_pools + work.link->cluster);
        which[count++] = 2;
    }
    return count;
}

void
RadioAllocator::Method::AssembleLink(LinkWork& work)
{
    AddCurvature(work);
    const double weight = work.cap.Weight() / work.capBound;
    const double iterations = m_clusters[work.link->cluster].iterations;
    work.columns[0] = {-weight * work.logGradient.u, -weight * work.logGradient.v};
    work.columns[1] = {GetPart(work), 0};
    work.columns[2] = {iterations * work.xGradient.u, iterations * work.xGradient.v};
    if (work.capped && work.capVariable >= 0)
    {
        const std::size_t time = TimeIndex(work.capVariable);
        Entry(time, time) += (weight + work.cap.multiplier / work.capBound) / work.capBound;
        m_times[work.capVariable].gradient -= work.cap.multiplier / work.capBound;
    }
    Couple(work);
}

/// Eliminates the link's variables.
void
RadioAllocator::Method::Couple(LinkWork& work)
{
    std::array<int, 3> indices{};
    std::array<int, 3> which{};
    const int count = GetIndices(work, indices, which);
    for (int a = 0; a < count; ++a)
    {
        Vector2& solved = work.solved[which[a]];
        solved = Times(work.inverse, work.columns[which[a]]);
        for (int b = 0; b <= a; ++b)
        {
            Entry(indices[a], indices[b]) -= work.columns[which[b]].Dot(solved);
        }
    }
}

/// The coupling system's matrix, factored, and the gradient of the Lagrangian
void
RadioAllocator::Method::Assemble()
{
    m_matrix.assign(m_size * m_size, 0);
    const std::size_t tau = m_times.size() - 1;
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        Entry(p, p) = m_poolActive[p] ? -1 / GetBudgetWeight(p) : -1;
    }
    for (std::size_t i = 0; i < m_times.size(); ++i)
    {
        TimeVariable& time = m_times[i];
        time.gradient = i < tau && time.active ? -time.atFloor.multiplier / time.scale : 0;
        const double weight = time.atFloor.Weight() / (time.scale * time.scale);
        Entry(TimeIndex(i), TimeIndex(i)) = i == tau ? 0 : time.active ? weight : 1;
    }
    m_times[tau].gradient = 1;
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        const RadioCluster& c = m_clusters[m];
        const double bottleneck = c.iterations * c.bubble;
        const std::array<double, 4> slope{bottleneck, bottleneck, 1, 1};
        Entry(m_pools + m, m_pools + m) = -1 / m_deadlines[m].Weight();
        for (std::size_t kind = 0; kind < 4; ++kind)
        {
            m_times[4 * m + kind].gradient += m_deadlines[m].multiplier * slope[kind];
            Entry(m_pools + m, TimeIndex(4 * m + kind)) = slope[kind];
        }
        m_times[tau].gradient -= m_deadlines[m].multiplier;
        Entry(m_pools + m, TimeIndex(tau)) = -1;
    }
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED)
        {
            AssembleLink(work);
        }
    }
}

double
RadioAllocator::Method::GetDualResidual() const
{
    double most = 0;
    for (const auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED)
        {
            most = std::max({most, std::abs(work.rightHandSide.u), std::abs(work.rightHandSide.v)});
        }
    }
    for (const auto& time : m_times)
    {
        most = std::max(most, time.active ? std::abs(time.gradient * time.scale) : 0);
    }
    return most;
}

/// LDL' without pivoting: the matrix is quasi-definite in the order multipliers, times.
void
RadioAllocator::Method::Factor()
{
    const std::size_t n = m_size;
    for (std::size_t j = 0; j < n; ++j)
    {
        double* column = &m_matrix[j * n];
        double pivot = column[j];
        for (std::size_t k = 0; k < j; ++k)
        {
            pivot -= column[k] * column[k] * m_matrix[k * n + k];
        }
        column[j] = pivot;
        for (std::size_t i = j + 1; i < n; ++i)
        {
            double* row = &m_matrix[i * n];
            double sum = row[j];
            for (std::size_t k = 0; k < j; ++k)
            {
                sum -= row[k] * column[k] * m_matrix[k * n + k];
            }
            row[j] = sum / pivot;
        }
    }
}

void
RadioAllocator::Method::Substitute()
{
    const std::size_t n = m_size;
    for (std::size_t i = 0; i < n; ++i)
    {
        for (std::size_t k = 0; k < i; ++k)
        {
            m_vector[i] -= m_matrix[i * n + k] * m_vector[k];
        }
    }
    for (std::size_t i = n; i-- > 0;)
    {
        m_vector[i] /= m_matrix[i * n + i];
        for (std::size_t k = i + 1; k < n; ++k)
        {
            m_vector[i] -= m_matrix[k * n + i] * m_vector[k];
        }
    }
}

void
RadioAllocator::Method::SetRightHandSide()
{
    m_vector.assign(m_size, 0);
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        const auto& i = m_budgets[p];
        m_vector[p] = m_poolActive[p] ? -i.Pull() / GetBudgetWeight(p) : 0;
    }
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        const auto& i = m_deadlines[m];
        m_vector[m_pools + m] = i.centring / i.multiplier - i.residual;
    }
    for (std::size_t i = 0; i < m_times.size(); ++i)
    {
        const auto& time = m_times[i];
        const bool floor = i + 1 < m_times.size() && time.active;
        m_vector[TimeIndex(i)] =
            time.active ? -time.gradient + (floor ? time.atFloor.Pull() / time.scale : 0) : 0;
    }
}

void
RadioAllocator::Method::SolveSystem()
{
    SetRightHandSide();
    std::array<int, 3> indices{};
    std::array<int, 3> which{};
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        const double cap = work.capped ? work.cap.Pull() : 0;
        const double power = work.HasPower() ? work.powerLimit.Pull() : 0;
        const Vector2 right{
            -work.rightHandSide.u - work.logGradient.u * cap - work.powerGradient.u * power,
            -work.rightHandSide.v - work.logGradient.v * cap - work.powerGradient.v * power};
        if (work.capped && work.capVariable >= 0)
        {
            m_vector[TimeIndex(work.capVariable)] += cap / work.capBound;
        }
        work.step = Times(work.inverse, right);
        const int count = GetIndices(work, indices, which);
        for (int a = 0; a < count; ++a)
        {
            m_vector[indices[a]] -= work.columns[which[a]].Dot(work.step);
        }
    }
    Substitute();
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        const int count = GetIndices(work, indices, which);
        for (int a = 0; a < count; ++a)
        {
            work.step.u -= work.solved[which[a]].u * m_vector[indices[a]];
            work.step.v -= work.solved[which[a]].v * m_vector[indices[a]];
        }
    }
    SetSteps();
}

/// Steps of slacks and multipliers that belong to the steps of the variables
void
RadioAllocator::Method::SetSteps()
{
    for (std::size_t i = 0; i < m_times.size(); ++i)
    {
        m_times[i].step = m_times[i].active ? m_vector[TimeIndex(i)] : 0;
        m_times[i].atFloor.SetStep(-m_times[i].step / m_times[i].scale);
    }
    m_poolSum.assign(m_pools, 0);
    m_flow.assign(m_clusters.size(), 0);
    for (auto& work : m_links)
    {
        if (work.freedom == LinkFreedom::FIXED)
        {
            continue;
        }
        const double longer = work.xGradient.Dot(work.step);
        const double bound = work.capVariable < 0 ? 0 : m_times[work.capVariable].step;
        work.cap.SetStep(work.logGradient.Dot(work.step) - bound / work.capBound);
        work.powerLimit.SetStep(work.powerGradient.Dot(work.step));
        m_poolSum[work.link->pool] += work.HasShare() ? GetPart(work) * work.step.u : 0;
        m_flow[work.link->cluster] += IsFlow(work.link->role) ? longer : 0;
    }
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        m_budgets[p].SetStep(m_poolSum[p]);
    }
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        const RadioCluster& c = m_clusters[m];
        const TimeVariable* times = &m_times[4 * m];
        const double iteration = m_flow[m] + c.bubble * (times[0].step + times[1].step);
        m_deadlines[m].SetStep(times[2].step + c.iterations * iteration + times[3].step -
                               m_times.back().step);
    }
}

void
RadioAllocator::Method::SetCentring(double target, bool corrector)
{
    ForEach([&](Inequality& i) {
        i.centring = i.slack * i.multiplier - target;
        i.centring += corrector ? i.slackStep * i.multiplierStep : 0;
    });
}

double
RadioAllocator::Method::GetStepLength(bool dual) const
{
    double length = 1;
    ForEach([&](const Inequality& i) {
        const double value = dual ? i.multiplier : i.slack;
        const double step = dual ? i.multiplierStep : i.slackStep;
        length = step < 0 ? std::min(length, -value / step) : length;
    });
    if (!dual)
    {
        double longest = LONGEST_STEP;
        for (const auto& work : m_links)
        {
            longest = std::max({longest, std::abs(work.step.u), std::abs(work.step.v)});
        }
        length = std::min(length, LONGEST_STEP / longest);
    }
    return length;
}

void
RadioAllocator::Method::Move(double primal, double dual)
{
    for (auto& work : m_links)
    {
        if (work.freedom != LinkFreedom::FIXED)
        {
            work.z.u += primal * work.step.u;
            work.z.v += primal * work.step.v;
            work.Evaluate();
        }
    }
    for (auto& time : m_times)
    {
        time.value += primal * time.step;
    }
    ForEach([&](Inequality& i) {
        i.slack += primal * i.slackStep;
        i.multiplier += dual * i.multiplierStep;
    });
    Evaluate();
}

bool
RadioAllocator::Method::IsDone()
{
    const double objective = GetObjective();
    const double gap = GetMu() * static_cast<double>(m_inequalities);
    const double dual = GetDualResidual();
    const double primal = GetPrimalResidual();
    m_converged = gap <= m_tolerance * objective && primal <= m_tolerance &&
                  dual <= 1e2 * m_tolerance * objective;
    if (!m_converged && primal < 1e-3 && dual < 1e-3 * objective)
    {
        m_cut = GetLagrangian() - 10 * dual > m_cutoff;
    }
    return m_converged || m_cut;
}

void
RadioAllocator::Method::Iterate(uint32_t steps, bool careful)
{
    for (uint32_t step = 0; step < steps; ++step)
    {
        Assemble();
        if (IsDone())
        {
            return;
        }
        Factor();
        const double mu = GetMu();
        double centring = 0.5;
        bool corrector = false;
        if (!careful)
        {
            SetCentring(0, false);
            SolveSystem();
            const double primal = GetStepLength(false);
            const double dual = GetStepLength(true);
            double affine = 0;
            ForEach([&](const Inequality& i) {
                affine +=
                    (i.slack + primal * i.slackStep) * (i.multiplier + dual * i.multiplierStep);
            });
            centring = std::pow(affine / static_cast<double>(m_inequalities) / mu, 3);
            corrector = std::min(primal, dual) > 0.1;
            centring = std::min(0.9, std::max(centring, corrector ? 1e-4 : 0.3));
        }
        // The gap must not close much faster than the residuals do
        const double residual = 0.001 * (GetPrimalResidual() + GetDualResidual());
        const double least = std::min(mu, residual / static_cast<double>(m_inequalities));
        SetCentring(std::max(centring * mu, least), corrector);
        SolveSystem();
        const double share = careful ? 0.7 : 0.97;
        Move(std::min(1.0, share * GetStepLength(false)),
             std::min(1.0, share * GetStepLength(true)));
        ++m_steps;
    }
}

RadioSolution
RadioAllocator::Method::GetSolution(const RadioProblem& problem) const
{
    RadioSolution solution;
    std::vector<double> sums(m_pools, 0);
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const auto& work = m_links[i];
        solution.shares.push_back(work.HasShare() ? work.w : m_shares[i]);
        sums[work.link->pool] += work.link->mode == SharingMode::DEDICATED ? 0 : solution.shares[i];
    }
    for (std::size_t i = 0; i < m_links.size(); ++i)
    {
        const auto& work = m_links[i];
        double& share = solution.shares[i];
        share = work.HasShare() ? share / sums[work.link->pool] : share;
        const double fraction = work.HasPower() ? work.GetPowerFraction(share) : 1;
        solution.powersW.push_back(fraction * work.link->maxPowerW);
    }
    solution.objective = EvaluateRadio(problem, solution.shares, solution.powersW);
    solution.iterations = m_steps;
    solution.converged = m_converged;
    solution.gap = m_inequalities == 0 ? 0 : GetMu() * m_inequalities * m_unit;
    AddPrices(problem, solution);
    return solution;
}

void
RadioAllocator::Method::AddPrices(const RadioProblem& problem, RadioSolution& solution) const
{
    const bool solved = m_inequalities > 0;
    for (std::size_t p = 0; p < m_pools; ++p)
    {
        const bool active = solved && m_poolActive[p];
        solution.poolPrices.push_back(active ? m_budgets[p].multiplier * m_unit : 0);
    }
    const double share = problem.penaltyWeight / static_cast<double>(m_clusters.size());
    for (std::size_t m = 0; m < m_clusters.size(); ++m)
    {
        const double price = m_deadlines[m].multiplier * problem.penaltyWeight;
        solution.latencyPrices.push_back(solved ? price : share);
        solution.distributionS.push_back(m_times[4 * m + DISTRIBUTION_TIME].value * m_unitS);
        solution.uploadS.push_back(m_times[4 * m + UPLOAD_TIME].value * m_unitS);
    }
}

} // namespace collapipe
} // namespace ns3
