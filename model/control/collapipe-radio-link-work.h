/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_LINK_WORK_H
#define COLLAPIPE_RADIO_LINK_WORK_H

#include "collapipe-radio-problem.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace ns3
{
namespace collapipe
{

/// How a link's variables meet the coupling system's rows
enum LinkColumn : uint8_t
{
    TIME_COLUMN,    //!< by the time that caps the link
    POOL_COLUMN,    //!< by its pool's budget
    PASSAGE_COLUMN, //!< by a path that passes the link once
    LINK_COLUMNS,   //!< how many there are
};

/// Most paths through the task graph of a cluster, under 1F1B
constexpr std::size_t MAX_PATHS = 12;

/// Which variables a link has in the geometric programme
enum class LinkFreedom : uint8_t
{
    FIXED, //!< neither: share and power are given
    SHARE, //!< u = log w, at full power: x = x(w)
    TIME,  //!< v = log x, at a given share
    BOTH,  //!< u and v
};

/// A vector over a link's variables
struct Vector2
{
    double u{0}; //!< of log w
    double v{0}; //!< of log x

    /// @return inner product
    double Dot(const Vector2& other) const
    {
        return u * other.u + v * other.v;
    }
};

/// A symmetric 2 x 2 matrix
struct Matrix2
{
    double uu{0}; //!< first diagonal entry
    double uv{0}; //!< off the diagonal
    double vv{0}; //!< second diagonal entry

    /// @return this times a vector
    Vector2 Times(const Vector2& b) const
    {
        return {uu * b.u + uv * b.v, uv * b.u + vv * b.v};
    }
};

/// An inequality g(z) + s = 0, s >= 0, with its multiplier
struct Inequality
{
    double slack{1};          //!< s
    double multiplier{1};     //!< lambda
    double residual{0};       //!< g + s
    double centring{0};       //!< s lambda - sigma mu, plus the corrector's term
    double slackStep{0};      //!< ds
    double multiplierStep{0}; //!< dlambda

    /// @return lambda / s
    double Weight() const
    {
        return multiplier / slack;
    }

    /// @return what the eliminated inequality adds to the right-hand side, times its gradient
    double Pull() const
    {
        return (multiplier * residual - centring) / slack;
    }

    /**
     * @param change of g
     */
    void SetStep(double change)
    {
        slackStep = -residual - change;
        multiplierStep = -(centring + multiplier * slackStep) / slack;
    }
};

/**
 * A link as the interior point method sees it: its variables, the time x, the energy and the power
 * with their derivatives, and its two inequalities.
 *
 * Links that use one reservation in turn have their variables together, those of the first of them.
 * There v is the logarithm of the power over p_max, which is one for all, and the limit of it is
 * the first one's: log x is convex in log w and log p, since log log (1 + exp t) is concave.
 */
struct LinkWork
{
    const RadioLink* link{nullptr};          //!< its constants
    LinkFreedom freedom{LinkFreedom::FIXED}; //!< its variables
    double kappa{0};                         //!< kappaS in the method's unit of time
    double overhead{0};                      //!< overheadS in that unit
    double leastX{0};      //!< of the wire behind the medium, which a pooled link may have
    double latency{0};     //!< d in that unit, where it counts in the cap
    double energyScale{0}; //!< of y (exp(kappa / y) - 1), in units of (13)
    double timePrice{0};   //!< of x, in units of (13): energy at full power, circuits
    double airPrice{0};    //!< of y = w x under airtime shares: circuits
    Vector2 z;           //!< log w, log x without overhead; log p / p_max of a link that is pooled
    double w{0};         //!< share
    double x{0};         //!< a / r, overhead included
    Vector2 xGradient;   //!< of x
    Matrix2 xHessian;    //!< of x
    Vector2 logGradient; //!< of log x
    bool follows{false}; //!< has its variables from the first link of its reservation
    Matrix2 logHessian;  //!< of log x
    Vector2 energyGradient;     //!< of its energy, likewise
    Matrix2 energyHessian;      //!< of its energy, likewise
    double mostPower{0};        //!< log p beyond which no link gains, at w = 1 under FREQUENCY
    double energy{0};           //!< in units of (13)
    double energySlope{0};      //!< by log y
    double energyCurvature{0};  //!< by log y, twice
    double power{0};            //!< log(p / p_max), or what exceeds the highest modulation
    Vector2 powerGradient;      //!< of that
    double powerCurvature{0};   //!< its Hessian is this times [1 1; 1 1]
    bool capped{false};         //!< whether x is bounded by a time
    std::size_t capVariable{0}; //!< index of that time in RadioTimes
    double capBound{1};         //!< the time less d, now
    Inequality cap;             //!< log x - log(time - d) <= 0
    Inequality powerLimit;      //!< log(p / p_max) <= 0
    Vector2 step;               //!< of z
    Matrix2 inverse;            //!< of the Hessian's block
    Vector2 rightHandSide;      //!< of the Newton system
    std::size_t firstPath{0};   //!< of its cluster
    std::size_t paths{0};       //!< of its cluster; 0 where it is only capped
    std::array<double, MAX_PATHS> flow{}; //!< how often each of them passes the link in a round

    std::array<Vector2, LINK_COLUMNS> columns{}; //!< see LinkColumn
    std::array<Vector2, LINK_COLUMNS> solved{};  //!< inverse times those

    /// @return whether log x is a variable, and hence the power
    bool HasPower() const
    {
        return freedom == LinkFreedom::BOTH || freedom == LinkFreedom::TIME;
    }

    /// @return whether log w is a variable
    bool HasShare() const
    {
        return freedom == LinkFreedom::BOTH || freedom == LinkFreedom::SHARE;
    }

    /**
     * @param vector over both variables
     * @return the vector with 0 where the link has no variable
     */
    Vector2 OfVariables(const Vector2& vector) const
    {
        return {HasShare() ? vector.u : 0, HasPower() ? vector.v : 0};
    }

    /**
     * Sets the inverse, which is 0 where the link has no variable.
     * @param hessian its block of the Hessian, over both variables
     */
    void SetInverse(const Matrix2& hessian);

    /**
     * Sets z such that the link has a share and a part of its full power.
     * @param share w
     * @param powerFraction p / p_max
     */
    void Start(double share, double powerFraction);

    /// Evaluates time, energy, power and their derivatives at z.
    void Evaluate();

    /**
     * @param share a share
     * @return p / p_max at that share and the present time x, at most 1
     */
    double GetPowerFraction(double share) const;

  private:
    void EvaluateFullPower();
    void EvaluatePooled();
    void EvaluatePooledPower();
    void EvaluateEnergy();
    void EvaluatePower();
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RADIO_LINK_WORK_H */
