/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ROUND_SEARCH_H
#define COLLAPIPE_ROUND_SEARCH_H

#include "collapipe-cluster-costs.h"
#include "collapipe-radio-allocator.h"
#include "collapipe-round-solver.h"
#include "collapipe-segment-planner.h"

#include <set>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// How much the search of RoundSolver tries, by the size of the instance
struct SearchEffort
{
    std::size_t starts{2};      //!< guesses of the chains' length
    std::size_t descents{1};    //!< starts that are followed
    std::size_t candidates{4};  //!< radio problems per cluster and sweep
    std::size_t sweeps{3};      //!< over all clusters
    std::size_t pairs{2};       //!< for which segments are planned anew in a sweep
    double tolerance{1e-4};     //!< relative gap of the radio problems
    double pathTolerance{5e-4}; //!< the same where paths are added one by one: it saves some
};

/// A candidate of that search for one cluster
struct ClusterCandidate
{
    ClusterChoice choice; //!< its decisions
    double cost{0};       //!< estimated
};

/// A point of that search
struct SearchPoint
{
    RoundChoice choice;     //!< discrete decisions
    RadioSolution solution; //!< continuous ones
    double objective{0};    //!< (13)
};

/// @return whether a is estimated to cost less
bool IsCheaper(const ClusterCandidate& a, const ClusterCandidate& b);

/// @return whether both are the same (N, b)
bool IsSamePair(const MicroBatchPair& a, const MicroBatchPair& b);

/// @return all usable devices of a cluster in order with L / K blocks each
std::vector<Segment> CutUniformly(const SystemState& state, std::size_t cluster);

/// The search for one instance
class RoundSolver::Search
{
  public:
    /**
     * Solves (13).
     * @param instance a round's problem
     * @param options what may be decided
     * @return the plan, or why there is none
     */
    RoundSolution Solve(const Instance& instance, const SolverOptions& options);

    /**
     * The same from one start.
     * @param instance a round's problem
     * @param options what may be decided
     * @param choice discrete decisions to begin with
     * @return the plan, or why there is none
     */
    RoundSolution Improve(const Instance& instance,
                          const SolverOptions& options,
                          const RoundChoice& choice);

  private:
    // Preparation
    bool Begin(const Instance& instance, const SolverOptions& options);
    std::string Prepare();
    bool IsCheap() const;
    void SetEffort();
    void SetPairs();
    std::vector<std::size_t> ListGuesses() const;
    std::vector<SearchPoint> FindStarts();
    // Candidates of a cluster
    std::vector<ClusterCandidate> Plan(std::size_t m,
                                       const MicroBatchPair& pair,
                                       const ClusterCosts& costs);
    std::vector<ClusterCandidate> ListStarts(std::size_t m, std::size_t guess);
    const std::vector<ClusterCandidate>& ListCandidates(std::size_t m);
    std::vector<ClusterCandidate> MakeCandidates(std::size_t m);
    void AddNeighbours(std::size_t m,
                       const ClusterCosts& costs,
                       std::vector<ClusterCandidate>& list);
    void AddPairs(std::size_t m,
                  const std::vector<ClusterCosts>& costs,
                  std::vector<ClusterCandidate>& list);
    std::vector<ClusterCandidate> MakeFallback(std::size_t m) const;
    // Search
    void Start(std::size_t guess);
    void StartEvenly();
    void Descend();
    bool Sweep();
    bool Try(const RoundChoice& choice);
    bool TryCandidates(std::size_t m, const std::vector<ClusterCandidate>& list, std::size_t most);
    RoundSolution Finish();

    const Instance* m_instance{nullptr};                //!< the problem
    SolverOptions m_options;                            //!< what is decided
    SearchEffort m_effort;                              //!< how much is tried
    double m_slowdown{1};                               //!< of the edge server
    std::vector<std::vector<MicroBatchPair>> m_pairs;   //!< feasible ones, by cluster
    std::set<std::vector<uint32_t>> m_tried;            //!< choices whose radio problem was solved
    bool m_any{false};                                  //!< whether there is a point
    SearchPoint m_point;                                //!< the present one
    double m_startCutoff{0};                            //!< starts that are worse do not count
    uint64_t m_moves{1};                                //!< how often the point has changed
    std::vector<std::vector<ClusterCandidate>> m_lists; //!< candidates, by cluster
    std::vector<uint64_t> m_listedAt;                   //!< m_moves when they were listed
    std::vector<double> m_history; //!< (13) after the steps of the present descent
    RoundSolution m_result;        //!< statistics
    RadioProblem m_problem;        //!< of the last choice
    RadioAllocator m_allocator;    //!< solves it
    SegmentPlanner m_planner;      //!< plans chains
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ROUND_SEARCH_H */
