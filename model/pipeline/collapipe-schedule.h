/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SCHEDULE_H
#define COLLAPIPE_SCHEDULE_H

#include "ns3/object.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * One thing that a stage does.
 */
struct Action
{
    /// What is done
    enum Kind : uint8_t
    {
        FORWARD,  //!< forward pass of a micro-batch
        BACKWARD, //!< backward pass of a micro-batch
        FLUSH,    //!< optimizer step; ends the iteration
    };

    Kind kind{FORWARD};     //!< what
    uint32_t microBatch{0}; //!< which micro-batch; 0 for a flush

    /// @return whether both are the same
    bool operator==(const Action& other) const
    {
        return kind == other.kind && microBatch == other.microBatch;
    }
};

/// What one stage does in one iteration, in order
using ActionList = std::vector<Action>;

/**
 * @ingroup collapipe
 * A pipeline schedule: a pure generator of the actions of each stage in one iteration. Chosen by
 * TypeId; a schedule of one's own derives from this class and implements Generate().
 */
class Schedule : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param stages number of compute stages P, >= 1
     * @param stage index of the stage, 0 .. P - 1, in forward order
     * @param microBatches N, >= 1
     * @return the stage's actions in order; ends with the flush
     */
    virtual ActionList Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const = 0;
};

/**
 * @ingroup collapipe
 * All forward passes, then all backward passes in the same order (Huang et al., "GPipe", 2019).
 */
class GpipeSchedule : public Schedule
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    ActionList Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const override;
};

/**
 * @ingroup collapipe
 * One forward, one backward (Narayanan et al., "PipeDream", 2019, with a flush as in "Megatron-LM",
 * 2021): stage s of P warms up with min(N, P - s - 1) forward passes and then alternates, so at
 * most min(N, P - s) micro-batches are alive at once.
 */
class OneFOneBSchedule : public Schedule
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    ActionList Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const override;
};

/**
 * @param name "gpipe", "1f1b", or a TypeId's name
 * @return the TypeId's name, whether or not there is such a TypeId
 */
std::string ScheduleTypeName(const std::string& name);

/**
 * @param actions of one stage
 * @return the text form, for example "0F0 0F1 0B0 0B1 0flush" for stage 0: stage, kind, micro-batch
 * @param stage the stage's index
 */
std::string ToString(const ActionList& actions, uint32_t stage);

/**
 * @param text the form that ToString() gives
 * @param stage filled with the stage's index
 * @return the actions
 * @throws std::invalid_argument naming the word that is none
 */
ActionList ParseActions(const std::string& text, uint32_t& stage);

/**
 * Checks that a schedule can be run: every stage forwards and backwards every micro-batch exactly
 * once, backward after forward, one flush at the end, and the stages together do not deadlock.
 * @param actions of all stages in forward order
 * @param microBatches N
 * @return empty, or one sentence that says what is wrong and where
 */
std::string CheckSchedule(const std::vector<ActionList>& actions, uint32_t microBatches);

/**
 * @param actions of one stage
 * @return the largest number of micro-batches whose activations are kept at once, n_k of formula
 * (8)
 */
uint32_t CountMicroBatchesAlive(const ActionList& actions);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SCHEDULE_H */
