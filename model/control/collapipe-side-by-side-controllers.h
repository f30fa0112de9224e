/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SIDE_BY_SIDE_CONTROLLERS_H
#define COLLAPIPE_SIDE_BY_SIDE_CONTROLLERS_H

#include "collapipe-controller.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What all have in common whose devices train side by side, each on its own share of the cluster's
 * data, in place of one pipeline through them. Equal shares, full power.
 */
class SideBySideController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

  protected:
    /// What the attribute says that every such class has
    static constexpr const char* ENFORCE_MEMORY_HELP =
        "Whether blocks that do not fit a device's memory (8) make the plan infeasible; false: the "
        "plan is made all the same";

    bool m_enforceMemory{true}; //!< refuse where the blocks do not fit
};

/**
 * @ingroup collapipe
 * FedAvg (McMahan et al., 2017): every device trains the whole model on its own share of the
 * cluster's data and uploads all of it. The fixed pair's n samples per iteration are split evenly
 * over the devices.
 */
class FedAvgController : public SideBySideController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;
};

/**
 * @ingroup collapipe
 * SplitFed (Thapa et al., 2022): one cut. Every device holds the embedding and the first blocks and
 * trains on its own share of the cluster's data, the edge server holds the other blocks and the
 * decoder. The fixed pair's n samples per iteration are split evenly.
 */
class SplitFedController : public SideBySideController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;

  private:
    uint32_t m_cut{0}; //!< blocks on every device; 0: half, or as many as fit
};

/**
 * @ingroup collapipe
 * SplitFed with the cut that is planned to take least time, of those that fit every device.
 */
class TunedSplitFedController : public SideBySideController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;
};

/**
 * @ingroup collapipe
 * Replicated pipelines, as HetPipe (Park et al., USENIX ATC 2020) and Asteroid (Ye et al., MobiCom
 * 2024) have them: a cluster's devices form several chains, all cut alike and each with its own
 * samples, and the devices that hold the same blocks average their gradients over D2D before every
 * step. How many chains, of how many stages, and where they are cut, is planned to take least time.
 * The edge server holds what the devices do not. This module's model of the idea, not an algorithm
 * of either paper. Equal shares, full power.
 */
class ReplicatedController : public SideBySideController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SIDE_BY_SIDE_CONTROLLERS_H */
