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
 * pair, or tuned likewise. Equal shares, full power.
 */
class StaticPipelineController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;

  protected:
    /// @param tunes whether micro-batches are chosen, too
    void SetTuning(bool tunes);

  private:
    RoundChoice m_choice; //!< decided in the first round
    RoundSolver m_solver; //!< decides it
    bool m_tunes{false};  //!< micro-batches, too
    uint32_t m_period{0}; //!< rounds that a choice is kept; 0: for ever
    uint32_t m_age{0};    //!< rounds that it was kept
};

/**
 * @ingroup collapipe
 * FedAvg (McMahan et al., 2017): every device trains the whole model on its own share of the
 * cluster's data and uploads all of it. The fixed pair's n samples per iteration are split evenly
 * over the devices; equal shares, full power.
 */
class FedAvgController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;

  private:
    bool m_enforceMemory{true}; //!< refuse where the model does not fit
};

/**
 * @ingroup collapipe
 * SplitFed (Thapa et al., 2022): one cut. Every device holds the embedding and the first blocks and
 * trains on its own share of the cluster's data, the edge server holds the other blocks and the
 * decoder. The fixed pair's n samples per iteration are split evenly; equal shares, full power.
 */
class SplitFedController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;

  protected:
    /// @param cut blocks on every device; 0: half, or as many as fit
    void SetCut(uint32_t cut);

  private:
    /// @return blocks on every device
    uint32_t GetCut(const SystemState& state) const;

    uint32_t m_cut{0};          //!< blocks on every device; 0: half, or as many as fit
    bool m_enforceMemory{true}; //!< refuse where the blocks do not fit
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
