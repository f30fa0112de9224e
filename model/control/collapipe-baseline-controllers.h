/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BASELINE_CONTROLLERS_H
#define COLLAPIPE_BASELINE_CONTROLLERS_H

#include "collapipe-controller.h"
#include "collapipe-round-solver.h"

#include "ns3/random-variable-stream.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * PipeDream's plan: segments and order are optimised once, for the first round's state, to the
 * least latency; then they stay, or are made anew after some rounds. Micro-batches are the fixed
 * pair. Equal shares, full power.
 */
class StaticPipelineController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    StaticPipelineController() = default;

    RoundPlan Decide(const SystemState& state) override;

  protected:
    /// @param tunes whether micro-batches and blocks on the edge server are chosen, too
    explicit StaticPipelineController(bool tunes);

  private:
    RoundSolution Choose(const SystemState& state);

    RoundChoice m_choice;     //!< decided in the first round
    uint32_t m_edgeBlocks{0}; //!< likewise: on the edge server
    RoundSolver m_solver;     //!< decides them
    bool m_tunes{false};      //!< micro-batches and blocks on the edge server, too
    uint32_t m_period{0};     //!< rounds that a choice is kept; 0: for ever
    uint32_t m_age{0};        //!< rounds that it was kept
};

/**
 * @ingroup collapipe
 * A random plan that satisfies (11): pair, devices, order, blocks, shares and powers.
 */
class RandomController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RandomController();

    RoundPlan Decide(const SystemState& state) override;
    int64_t AssignStreams(int64_t stream) override;

  private:
    ClusterChoice Choose(const SystemState& state, std::size_t cluster) const;
    std::vector<Segment> Draw(const SystemState& state, std::size_t cluster) const;
    void DrawLinks(const SystemState& state, RoundPlan& plan) const;

    Ptr<UniformRandomVariable> m_random; //!< all draws
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BASELINE_CONTROLLERS_H */
