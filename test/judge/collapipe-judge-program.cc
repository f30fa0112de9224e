/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-judge-program.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <nlopt.hpp>

namespace ns3
{
namespace collapipe
{
namespace judge
{

namespace
{

constexpr double BARRIER_FACTOR = 25;    //!< growth of t from one centre to the next
constexpr double CENTRED = 1e-8;         //!< half the squared Newton decrement of a centre
constexpr int MAX_CENTRING = 200;        //!< Newton steps towards one centre
constexpr int MAX_RUNS = 6;              //!< of SLSQP, each from where the last one ended
constexpr double LARGEST_EXPONENT = 600; //!< beyond which an energy counts as infinite

/// Value and derivatives by w of (exp(w) + overhead) (exp(kappa exp(-w)) - 1)
struct EnergyValue
{
    double value;  //!< exp(w) (exp(q) - 1), q = kappa exp(-w)
    double first;  //!< exp(w) (exp(q) - 1 - q exp(q))
    double second; //!< exp(w) (exp(q) - 1 - q exp(q) + q^2 exp(q))

    void AddOverhead(double overhead, double q)
    {
        value += overhead * std::expm1(q);
        first -= overhead * q * std::exp(q);
        second += overhead * q * (1 + q) * std::exp(q);
    }
};

EnergyValue
EvaluateEnergy(const EnergyTerm& term, double w)
{
    const double q = term.kappa * std::exp(-w);
    if (q > LARGEST_EXPONENT)
    {
        const double infinity = std::numeric_limits<double>::infinity();
        return {infinity, -infinity, infinity};
    }
    EnergyValue result{};
    if (q < 1e-4)
    {
        // exp(w) times the series, free of cancellation
        const double scale = term.kappa;
        result = {scale * (1 + q / 2 + q * q / 6 + q * q * q / 24),
                  -scale * (q / 2 + q * q / 3 + q * q * q / 8),
                  scale * (q / 2 + 2 * q * q / 3 + 3 * q * q * q / 8)};
    }
    else
    {
        const double e = std::exp(q);
        const double em1 = std::expm1(q);
        const double factor = std::exp(w);
        result = {factor * em1, factor * (em1 - q * e), factor * (em1 - q * e + q * q * e)};
    }
    result.AddOverhead(term.overhead, q);
    return result;
}

/// Value and derivatives by w of log(exp(q) - 1), q = kappa exp(-w)
struct PowerValue
{
    double value;  //!< log(exp(q) - 1)
    double first;  //!< -q / (1 - exp(-q))
    double second; //!< by w
};

PowerValue
EvaluatePower(double kappa, double w)
{
    const double q = kappa * std::exp(-w);
    const double complement = -std::expm1(-q); // 1 - exp(-q)
    const double h = q < 1e-12 ? 1 : q / complement;
    const double value = q < 30 ? std::log(std::expm1(q)) : q + std::log(complement);
    // d/dw of -h: q dh/dq = h (1 - h exp(-q))
    return {value, -h, q < 1e-5 ? q / 2 : h * (1 - h * std::exp(-q))};
}

double
ExpValue(const ExpTerm& term, const Eigen::VectorXd& z)
{
    const double exponent =
        (term.plus >= 0 ? z(term.plus) : 0) - (term.minus >= 0 ? z(term.minus) : 0);
    return term.coefficient * std::exp(exponent);
}

} // namespace

double
ConvexFunction::Value(const Eigen::VectorXd& z) const
{
    double value = constant;
    for (const LinearTerm& term : linear)
    {
        value += term.coefficient * z(term.variable);
    }
    for (const ExpTerm& term : exponential)
    {
        value += ExpValue(term, z);
    }
    for (const EnergyTerm& term : energy)
    {
        value += term.coefficient * EvaluateEnergy(term, z(term.w)).value;
    }
    for (const PowerTerm& term : power)
    {
        value += EvaluatePower(term.kappa, z(term.w)).value + (term.u >= 0 ? z(term.u) : 0);
    }
    return value;
}

void
ConvexFunction::AddGradient(const Eigen::VectorXd& z, double scale, Eigen::VectorXd& gradient) const
{
    for (const LinearTerm& term : linear)
    {
        gradient(term.variable) += scale * term.coefficient;
    }
    for (const ExpTerm& term : exponential)
    {
        const double value = scale * ExpValue(term, z);
        if (term.plus >= 0)
        {
            gradient(term.plus) += value;
        }
        if (term.minus >= 0)
        {
            gradient(term.minus) -= value;
        }
    }
    for (const EnergyTerm& term : energy)
    {
        gradient(term.w) += scale * term.coefficient * EvaluateEnergy(term, z(term.w)).first;
    }
    for (const PowerTerm& term : power)
    {
        gradient(term.w) += scale * EvaluatePower(term.kappa, z(term.w)).first;
        if (term.u >= 0)
        {
            gradient(term.u) += scale;
        }
    }
}

void
ConvexFunction::AddHessian(const Eigen::VectorXd& z, double scale, Eigen::MatrixXd& hessian) const
{
    for (const ExpTerm& term : exponential)
    {
        const double value = scale * ExpValue(term, z);
        if (term.plus >= 0)
        {
            hessian(term.plus, term.plus) += value;
        }
        if (term.minus >= 0)
        {
            hessian(term.minus, term.minus) += value;
        }
        if (term.plus >= 0 && term.minus >= 0)
        {
            hessian(term.plus, term.minus) -= value;
            hessian(term.minus, term.plus) -= value;
        }
    }
    for (const EnergyTerm& term : energy)
    {
        hessian(term.w, term.w) +=
            scale * term.coefficient * EvaluateEnergy(term, z(term.w)).second;
    }
    for (const PowerTerm& term : power)
    {
        hessian(term.w, term.w) += scale * EvaluatePower(term.kappa, z(term.w)).second;
    }
}

void
Accumulate(ConvexFunction& a, const ConvexFunction& b, double scale)
{
    a.constant += scale * b.constant;
    for (LinearTerm term : b.linear)
    {
        term.coefficient *= scale;
        a.linear.push_back(term);
    }
    for (ExpTerm term : b.exponential)
    {
        term.coefficient *= scale;
        a.exponential.push_back(term);
    }
    for (EnergyTerm term : b.energy)
    {
        term.coefficient *= scale;
        a.energy.push_back(term);
    }
}

namespace
{

/// The function t f0 - sum log(-f_i)
class Barrier
{
  public:
    explicit Barrier(const ConvexProgram& program)
        : m_program(program)
    {
    }

    /// @return the value, infinite outside the domain
    double Value(const Eigen::VectorXd& z, double t) const
    {
        double value = t * m_program.objective.Value(z);
        for (const ConvexFunction& f : m_program.constraints)
        {
            const double slack = -f.Value(z);
            if (!(slack > 0))
            {
                return std::numeric_limits<double>::infinity();
            }
            value -= std::log(slack);
        }
        return std::isfinite(value) ? value : std::numeric_limits<double>::infinity();
    }

    /// Gradient and Hessian
    void Derive(const Eigen::VectorXd& z,
                double t,
                Eigen::VectorXd& gradient,
                Eigen::MatrixXd& hessian)
    {
        gradient.setZero(z.size());
        hessian.setZero(z.size(), z.size());
        m_program.objective.AddGradient(z, t, gradient);
        m_program.objective.AddHessian(z, t, hessian);
        for (const ConvexFunction& f : m_program.constraints)
        {
            const double slack = -f.Value(z);
            m_row.setZero(z.size());
            f.AddGradient(z, 1, m_row);
            gradient += m_row / slack;
            f.AddHessian(z, 1 / slack, hessian);
            AddOuter(slack, hessian);
        }
    }

  private:
    /// Adds the sparse outer product of the row
    void AddOuter(double slack, Eigen::MatrixXd& hessian)
    {
        m_index.clear();
        for (Eigen::Index i = 0; i < m_row.size(); ++i)
        {
            if (m_row(i) != 0)
            {
                m_index.push_back(i);
            }
        }
        for (const Eigen::Index i : m_index)
        {
            for (const Eigen::Index j : m_index)
            {
                hessian(i, j) += (m_row(i) / slack) * (m_row(j) / slack);
            }
        }
    }

    const ConvexProgram& m_program;    //!< the program
    Eigen::VectorXd m_row;             //!< gradient of one constraint
    std::vector<Eigen::Index> m_index; //!< its variables
};

/// One Newton step with backtracking; @return half the squared decrement, or -1 where stuck
double
NewtonStep(Barrier& barrier, double t, Eigen::VectorXd& z)
{
    Eigen::VectorXd gradient;
    Eigen::MatrixXd hessian;
    barrier.Derive(z, t, gradient, hessian);
    const Eigen::VectorXd scale = hessian.diagonal().cwiseMax(1e-300).cwiseSqrt().cwiseInverse();
    Eigen::MatrixXd scaled = scale.asDiagonal() * hessian * scale.asDiagonal();
    scaled.diagonal().array() += 1e-13;
    const Eigen::LDLT<Eigen::MatrixXd> factors(scaled);
    const Eigen::VectorXd step =
        -(scale.asDiagonal() * factors.solve(scale.asDiagonal() * gradient));
    const double slope = gradient.dot(step);
    if (!(slope < 0))
    {
        return slope == 0 ? 0 : -1;
    }
    const double before = barrier.Value(z, t);
    for (double length = 1; length > 1e-10; length /= 2)
    {
        const Eigen::VectorXd next = z + length * step;
        if (barrier.Value(next, t) <= before + 0.1 * length * slope + 1e-12 * std::abs(before))
        {
            z = next;
            return -slope / 2;
        }
    }
    return -1;
}

/// @return whether z is now (nearly) the centre for t
bool
Centre(Barrier& barrier, double t, ConvexSolution& solution)
{
    for (int i = 0; i < MAX_CENTRING; ++i)
    {
        const double decrement = NewtonStep(barrier, t, solution.z);
        ++solution.iterations;
        if (decrement < 0)
        {
            return false;
        }
        if (decrement < CENTRED)
        {
            return true;
        }
    }
    return false;
}

} // namespace

ConvexSolution
SolveBarrier(const ConvexProgram& program, double tolerance, double cutoff)
{
    ConvexSolution solution;
    solution.z = program.start;
    solution.value = program.objective.Value(solution.z);
    solution.lowerBound = -ConvexSolution::NO_BOUND;
    Barrier barrier(program);
    const double count = program.constraints.size();
    double t = count / std::max(std::abs(solution.value), 1e-300);
    while (Centre(barrier, t, solution))
    {
        solution.value = program.objective.Value(solution.z);
        solution.lowerBound = std::max(solution.lowerBound, solution.value - count / t);
        solution.converged = count / t <= tolerance * std::abs(solution.value);
        if (solution.converged || solution.lowerBound > cutoff)
        {
            break;
        }
        t *= BARRIER_FACTOR;
    }
    solution.value = program.objective.Value(solution.z);
    for (const ConvexFunction& f : program.constraints)
    {
        solution.multipliers.push_back(1 / (t * -f.Value(solution.z)));
    }
    return solution;
}

namespace
{

/// A function as NLopt calls it; data points to the ConvexFunction
double
NloptFunction(const std::vector<double>& x, std::vector<double>& gradient, void* data)
{
    const auto* f = static_cast<const ConvexFunction*>(data);
    const Eigen::VectorXd z =
        Eigen::Map<const Eigen::VectorXd>(x.data(), static_cast<Eigen::Index>(x.size()));
    if (!gradient.empty())
    {
        Eigen::VectorXd g = Eigen::VectorXd::Zero(z.size());
        f->AddGradient(z, 1, g);
        std::copy(g.data(), g.data() + g.size(), gradient.begin());
    }
    return f->Value(z);
}

/// One run from z
void
RunNlopt(const ConvexProgram& program,
         nlopt::algorithm algorithm,
         double tolerance,
         ConvexSolution& solution)
{
    nlopt::opt optimizer(algorithm, static_cast<unsigned>(program.variables));
    optimizer.set_min_objective(&NloptFunction, const_cast<ConvexFunction*>(&program.objective));
    for (const ConvexFunction& f : program.constraints)
    {
        optimizer.add_inequality_constraint(&NloptFunction, const_cast<ConvexFunction*>(&f), 1e-10);
    }
    optimizer.set_ftol_rel(tolerance * 1e-4);
    optimizer.set_xtol_rel(tolerance * 1e-4);
    optimizer.set_maxeval(algorithm == nlopt::LD_SLSQP ? 3000 : 60);
    std::vector<double> x(solution.z.data(), solution.z.data() + solution.z.size());
    double value = 0;
    try
    {
        solution.converged = optimizer.optimize(x, value) > 0;
    }
    catch (const nlopt::roundoff_limited&)
    {
        solution.converged = true; // NLopt's documentation: usually a useful result
    }
    catch (const std::exception&)
    {
        solution.converged = false;
    }
    solution.iterations += optimizer.get_numevals();
    solution.z = Eigen::Map<Eigen::VectorXd>(x.data(), static_cast<Eigen::Index>(x.size()));
}

} // namespace

ConvexSolution
SolveNlopt(const ConvexProgram& program, double tolerance)
{
    ConvexSolution solution;
    solution.z = program.start;
    solution.lowerBound = -ConvexSolution::NO_BOUND;
    solution.value = program.objective.Value(solution.z);
    for (int run = 0; run < MAX_RUNS; ++run)
    {
        const double before = solution.value;
        // conservative convex separable approximations free SLSQP where it is stuck
        RunNlopt(program, run == 1 ? nlopt::LD_CCSAQ : nlopt::LD_SLSQP, tolerance, solution);
        solution.value = program.objective.Value(solution.z);
        if (run > 1 && std::abs(solution.value - before) <= tolerance * std::abs(before))
        {
            break;
        }
    }
    double worst = 0;
    for (const ConvexFunction& f : program.constraints)
    {
        worst = std::max(worst, f.Value(solution.z));
    }
    solution.converged = solution.converged && worst < 1e-7 && std::isfinite(solution.value);
    return solution;
}

double
StationarityResidual(const ConvexProgram& program, const ConvexSolution& solution)
{
    Eigen::VectorXd gradient = Eigen::VectorXd::Zero(solution.z.size());
    program.objective.AddGradient(solution.z, 1, gradient);
    const double scale = gradient.lpNorm<Eigen::Infinity>();
    for (std::size_t i = 0; i < program.constraints.size(); ++i)
    {
        program.constraints[i].AddGradient(solution.z, solution.multipliers[i], gradient);
    }
    return gradient.lpNorm<Eigen::Infinity>() / scale;
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
