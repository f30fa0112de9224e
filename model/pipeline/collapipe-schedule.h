/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SCHEDULE_H
#define COLLAPIPE_SCHEDULE_H

#include "collapipe-iteration-time.h"
#include "collapipe-schedule-name.h"

#include "ns3/object.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
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

class TaskGraph;

/**
 * @ingroup collapipe
 * A pipeline schedule: a pure generator of the actions of each stage in one iteration. Chosen by
 * TypeId; a schedule of one's own derives from this class and implements Generate(). What it costs
 * follows from the graph of its tasks: time, longest path, micro-batches alive. A schedule that
 * knows a shorter way to one of these answers says so by the virtual functions; the answer must be
 * the graph's.
 *
 * The graphs are made once and kept: what Generate() returns depends on its arguments and on
 * attributes that are set before the first use.
 */
class Schedule : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    Schedule();
    ~Schedule() override;

    /**
     * @param stages number of compute stages P, >= 1
     * @param stage index of the stage, 0 .. P - 1, in forward order
     * @param microBatches N, >= 1
     * @return the stage's actions in order; ends with the flush
     */
    virtual ActionList Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const = 0;

    /**
     * @param stages P
     * @param microBatches N
     * @return empty, or one sentence that says what is wrong: CheckSchedule() of what Generate()
     *         returns
     */
    virtual std::string Check(uint32_t stages, uint32_t microBatches) const;

    /**
     * @param times of an iteration, for whose P and N Check() finds nothing
     * @return tau_iter in seconds: the longest path through the task graph
     */
    virtual double GetIterationTimeS(const IterationTimes& times) const;

    /**
     * @param times of an iteration, for whose P and N Check() finds nothing
     * @return a path as long as tau_iter; ties are broken in a fixed way
     */
    virtual CriticalPath GetCriticalPath(const IterationTimes& times) const;

    /**
     * @param stages P
     * @param stage index of the stage, 0 .. P - 1
     * @param microBatches N
     * @return n_k of formula (8): the most micro-batches alive at once at the stage
     */
    virtual uint32_t GetLiveMicroBatches(uint32_t stages,
                                         uint32_t stage,
                                         uint32_t microBatches) const;

    /**
     * @return whether all forward passes come before all backward passes, both in one order, at
     *         every stage, so that tau_iter is formula (3): the planner then treats the longest
     *         computation and transfer of either direction as variables of their own
     */
    virtual bool IsFlowShop() const;

    /**
     * @return whether GetLiveMicroBatches() depends on the distance from the last stage alone and
     *         does not fall with it: the planner then needs no table by the chain's length
     */
    virtual bool IsLiveFromEnd() const;

  private:
    /// What is kept of P stages and N micro-batches
    struct Costs
    {
        std::string error;                //!< of CheckSchedule()
        std::vector<uint32_t> live;       //!< n_k by stage
        std::unique_ptr<TaskGraph> graph; //!< made when it is first asked for
    };

    Costs& GetCosts(uint32_t stages, uint32_t microBatches) const;
    const TaskGraph& GetGraph(const IterationTimes& times) const;

    mutable std::map<std::pair<uint32_t, uint32_t>, Costs> m_costs; //!< by P and N
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
    std::string Check(uint32_t stages, uint32_t microBatches) const override;

    /**
     * Formula (3): stages and transfers in turn. A latency d delays what it is in the way of and
     * keeps no link busy: it is in the sums and not in the maxima. Nor can the forward pass end
     * before the targets have come, one after the other, and the last stage has worked on them: it
     * takes at least d + t + f + (N - 1) max(t, f) for targets that take t = a / r and a last stage
     * that takes f. Exact. O(P).
     *
     * @param times of an iteration
     * @return tau_iter in seconds
     */
    double GetIterationTimeS(const IterationTimes& times) const override;
    uint32_t GetLiveMicroBatches(uint32_t stages,
                                 uint32_t stage,
                                 uint32_t microBatches) const override;
    bool IsFlowShop() const override;
    bool IsLiveFromEnd() const override;
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
    std::string Check(uint32_t stages, uint32_t microBatches) const override;

    /**
     * A recurrence in the order in which things happen. O(P N).
     *
     * @param times of an iteration
     * @return tau_iter in seconds
     */
    double GetIterationTimeS(const IterationTimes& times) const override;
    CriticalPath GetCriticalPath(const IterationTimes& times) const override;
    uint32_t GetLiveMicroBatches(uint32_t stages,
                                 uint32_t stage,
                                 uint32_t microBatches) const override;
    bool IsLiveFromEnd() const override;
};

/**
 * @param name "gpipe", "1f1b", or a TypeId's name
 * @return the TypeId's name, whether or not there is such a TypeId
 */
std::string ScheduleTypeName(const std::string& name);

/**
 * @param name "gpipe", "1f1b", or a TypeId's name
 * @return whether that is a Schedule which can be made
 */
bool IsScheduleName(const std::string& name);

/// @return the short names, that of the default first
std::vector<std::string> ListScheduleNames();

/// @return what a user may give as a schedule's name, for messages
std::string DescribeScheduleNames();

/**
 * The schedule of a name: one object for all who ask, made again where the default value of one of
 * its attributes has changed. Aborts where there is no such schedule.
 *
 * @param name "gpipe", "1f1b", or a TypeId's name
 * @return the schedule
 */
Ptr<const Schedule> GetSchedule(const std::string& name);

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
