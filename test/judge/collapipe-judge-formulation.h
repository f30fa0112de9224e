/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JUDGE_FORMULATION_H
#define COLLAPIPE_JUDGE_FORMULATION_H

#include "collapipe-judge-continuous.h"
#include "collapipe-judge-variables.h"

#include <Eigen/Core>
#include <array>
#include <cstddef>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

constexpr double START_SLACK = 1.2; //!< of the auxiliary variables, at the start

/**
 * Builds a convex program from clusters' problems (collapipe-judge-formulation.cc), solves it and
 * reads its solution (collapipe-judge-continuous.cc).
 */
class Formulation
{
  public:
    /// All clusters together
    Formulation(const std::vector<const ClusterProblem*>& clusters, double penaltyWeight)
        : m_clusters(clusters),
          m_weight(penaltyWeight)
    {
        Build();
    }

    /// One cluster alone
    Formulation(const ClusterProblem& cluster, double weight, const PoolPrices& prices)
        : m_clusters{&cluster},
          m_weight(weight),
          m_prices(prices)
    {
        Build();
    }

    /// Under 1F1B with cutting planes; rough solutions lie central, where cuts are deep
    ContinuousSolution Solve(const ContinuousOptions& options);

  private:
    /// An auxiliary variable in units of its value at the start
    struct Auxiliary
    {
        int index{-1};  //!< variable; -1 where absent
        double unit{1}; //!< seconds
    };

    /// What belongs to one cluster
    struct Part
    {
        std::vector<Variables> links; //!< of its transmissions
        ConvexFunction latency;       //!< tau_m
        Auxiliary iteration;          //!< tau_iter, 1F1B only
    };

    /// Solves, and adds paths that are too long, until there are none
    void SolveWithCuts(double tolerance,
                       const ContinuousOptions& options,
                       ContinuousSolution& best);

    /// @return index of a new variable
    int AddVariable(double start);

    /// @return how many links share the pool of a transmission
    double& SharedCount(const Transmission& t);

    /// Everything but the cutting planes
    void Build();

    /// @return the first transmission that has the same share: that of all that a node sends in a
    /// phase, where some of it is pooled
    static int FindShare(const ClusterProblem& cluster, const Transmission& t);

    /// How many links share every pool
    void CountPools();

    /// Variables of a cluster's links, and the budgets of its own medium
    void AddLinks(std::size_t m);

    /// Variables, power limit and energy of one link
    void AddRadio(const Transmission& t, double peers, Variables& v);

    /// Adds a multiple of a transmission's time
    void AddAirtime(std::size_t m, int transmission, double factor, ConvexFunction& f) const;

    /// Adds a multiple of a stage's time
    void AddStage(std::size_t m, const Stage& stage, double factor, ConvexFunction& f) const;

    /// @return where solvers start
    Eigen::VectorXd StartVector() const;

    /// A variable that is at least the maximum of functions
    Auxiliary AddMaximum(const std::vector<ConvexFunction>& functions);

    /// Keeps a function below an auxiliary variable
    void AddAtMost(const ConvexFunction& f, const Auxiliary& maximum);

    /// Adds a multiple of an auxiliary variable
    static void AddAuxiliary(const Auxiliary& auxiliary, double factor, ConvexFunction& f);

    /// Slowest of the transfers of a leg of a phase without pipeline
    void AddLeg(std::size_t m, const std::vector<int>& which, ConvexFunction& latency);

    /// One direction of (3)
    ConvexFunction FlowShop(std::size_t m, const std::vector<Stage>& stages);

    /// The forward pass: the chain, and the paths that begin with targets
    ConvexFunction ForwardPass(std::size_t m);

    /// tau_m
    void AddLatency(std::size_t m);

    /// Paths that together pass through every link, so that none is left without a limit
    std::vector<ConvexFunction> FirstPaths(std::size_t m) const;

    /// The longest path of the 1F1B task graph at a point
    LongestPath PathAt(std::size_t m, const Eigen::VectorXd& z) const;

    /// @return the length of a path of the task graph
    ConvexFunction PathFunction(std::size_t m, const LongestPath& path) const;

    /// Cutting planes: the paths that are longer than tau_iter at a point
    bool AddViolatedPaths(const Eigen::VectorXd& z, double tolerance);

    /// Budgets and prices of the pools that clusters share
    void AddSharedPools();

    /// V tau, or the only cluster's weight times tau_m
    void AddLatencyToObjective();

    /// Completes the program: start and scale
    void Finish();

    /// Solution and multipliers in the units of the problem
    void Read(const ConvexSolution& solution, ContinuousSolution& best) const;

    /// @return share and power of a link
    static LinkPlan ReadLink(const Transmission& t, const Variables& v, const Eigen::VectorXd& z);

    std::vector<const ClusterProblem*> m_clusters;                 //!< the clusters
    double m_weight;                                               //!< V, or the weight of tau_m
    PoolPrices m_prices{};                                         //!< of shared pools
    ConvexProgram m_program;                                       //!< the program
    std::vector<double> m_start;                                   //!< its start
    std::vector<Part> m_parts;                                     //!< per cluster
    std::array<double, 6> m_count{};                               //!< links per shared pool
    std::array<int, 6> m_poolConstraint{{-1, -1, -1, -1, -1, -1}}; //!< constraint of every pool
    Auxiliary m_latency;                                           //!< tau
    std::size_t m_firstLatency{0}; //!< first constraint tau >= tau_m
    double m_scale{1};             //!< of the objective
};

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JUDGE_FORMULATION_H */
