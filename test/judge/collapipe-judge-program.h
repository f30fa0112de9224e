/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JUDGE_PROGRAM_H
#define COLLAPIPE_JUDGE_PROGRAM_H

#include <Eigen/Dense>
#include <cstddef>
#include <limits>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// coefficient * exp(plus - minus); an index below 0 means that the variable is absent
struct ExpTerm
{
    double coefficient{0}; //!< not negative
    int plus{-1};          //!< variable added in the exponent
    int minus{-1};         //!< variable subtracted in the exponent
};

/**
 * coefficient * (exp(w) + overhead) (exp(kappa exp(-w)) - 1): radio energy as a function of w =
 * log(b_w x), a sum of exponentials of w with positive coefficients, hence convex; times the
 * overhead, the exponential of a convex function.
 */
struct EnergyTerm
{
    double coefficient{0}; //!< not negative
    double kappa{0};       //!< a ln 2 / (e B)
    int w{-1};             //!< variable
    double overhead{0};    //!< seconds on the air beside exp(w)
};

/**
 * u + log(exp(kappa exp(-w)) - 1): the logarithm of a transmit power up to a constant; the
 * logarithm of a sum of exponentials with positive coefficients, hence convex.
 */
struct PowerTerm
{
    double kappa{0}; //!< a ln 2 / (e B)
    int u{-1};       //!< variable, or absent
    int w{-1};       //!< variable
};

/// coefficient * variable
struct LinearTerm
{
    double coefficient{0}; //!< any sign
    int variable{-1};      //!< variable
};

/// A convex function: a constant and a sum of terms
struct ConvexFunction
{
    double constant{0};               //!< constant
    std::vector<LinearTerm> linear;   //!< linear part
    std::vector<ExpTerm> exponential; //!< sums of exponentials
    std::vector<EnergyTerm> energy;   //!< radio energies
    std::vector<PowerTerm> power;     //!< logarithms of powers

    /**
     * @param z a point
     * @return the value
     */
    double Value(const Eigen::VectorXd& z) const;

    /**
     * @param z a point
     * @param scale of what is added
     * @param gradient scale times the gradient is added to it
     */
    void AddGradient(const Eigen::VectorXd& z, double scale, Eigen::VectorXd& gradient) const;

    /**
     * @param z a point
     * @param scale of what is added
     * @param hessian scale times the Hessian is added to it
     */
    void AddHessian(const Eigen::VectorXd& z, double scale, Eigen::MatrixXd& hessian) const;
};

/**
 * @param a a function to which the terms of b are added
 * @param b a function without powers
 * @param scale of what is added
 */
void Accumulate(ConvexFunction& a, const ConvexFunction& b, double scale);

/// minimise objective(z) subject to constraint(z) <= 0 for every constraint
struct ConvexProgram
{
    std::size_t variables{0};                //!< number of variables
    ConvexFunction objective;                //!< to be minimised
    std::vector<ConvexFunction> constraints; //!< each at most 0
    Eigen::VectorXd start;                   //!< a strictly feasible point
};

/// What a solver found
struct ConvexSolution
{
    Eigen::VectorXd z;                 //!< a feasible point
    double value{0};                   //!< the objective there
    double lowerBound{0};              //!< of the optimum
    std::vector<double> multipliers;   //!< of the constraints
    bool converged{false};             //!< to the tolerance that was asked for
    int iterations{0};                 //!< Newton steps, or evaluations
    static constexpr double NO_BOUND = //!< nothing is cut off
        std::numeric_limits<double>::infinity();
};

/**
 * Logarithmic barrier with Newton steps. At a centre for the barrier parameter t the point
 * lambda_i = -1 / (t f_i) is dual feasible with a gap of m / t, so that objective - m / t bounds
 * the optimum from below (Boyd and Vandenberghe, *Convex Optimization*, section 11.2).
 *
 * @param program the program
 * @param tolerance relative duality gap at which to stop
 * @param cutoff stop as soon as the lower bound is above this value
 * @return the solution
 */
ConvexSolution SolveBarrier(const ConvexProgram& program,
                            double tolerance,
                            double cutoff = ConvexSolution::NO_BOUND);

/**
 * The general solver: NLopt's SLSQP (Kraft 1994) with exact gradients, from the same start.
 *
 * @param program the program
 * @param tolerance relative, of objective and variables
 * @return the solution, without multipliers and without a lower bound; constraints are met to 1e-9
 */
ConvexSolution SolveNlopt(const ConvexProgram& program, double tolerance);

/**
 * @param program a program
 * @param solution a point and multipliers
 * @return the norm of the Lagrangian's gradient, relative to the objective's: 0 at a KKT point
 */
double StationarityResidual(const ConvexProgram& program, const ConvexSolution& solution);

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JUDGE_PROGRAM_H */
