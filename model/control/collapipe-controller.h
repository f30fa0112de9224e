/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTROLLER_H
#define COLLAPIPE_CONTROLLER_H

#include "collapipe-plan.h"
#include "collapipe-system-state.h"

#include "ns3/object.h"

namespace ns3
{
namespace collapipe
{

/// How long a cluster's phases took, what ClusterEvaluation predicts; NaN where it was left out of
/// the round
struct ClusterMeasurement
{
    double distributionS{0}; //!< until the last node was ready
    double iterationS{0};    //!< mean
    double uploadS{0};       //!< the rest: the round's length less the others
    double totalS{0};        //!< from the plan to the last upload
};

/// What a round really cost, for the queues (12)
struct RoundMeasurement
{
    uint32_t round{0};                        //!< t
    double latencyS{0};                       //!< measured tau
    double reportS{0};                        //!< from the round's start until it was planned
    std::vector<ClusterMeasurement> clusters; //!< how long their phases took
    std::vector<std::vector<double>>
        deviceEnergyJ; //!< per cluster: [0] control unit, [k + 1] device k
};

/**
 * @ingroup collapipe
 * Decides, every round, who holds which part of the model and with which radio resources.
 * Chosen by TypeId; a policy of one's own derives from this class and implements Decide().
 */
class Controller : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param state what was reported and measured
     * @return the plan; RoundPlan::infeasible says where there is none
     */
    virtual RoundPlan Decide(const SystemState& state) = 0;

    /**
     * Called after every round. The default does nothing.
     * @param measurement what the round cost
     */
    virtual void Observe(const RoundMeasurement& measurement);

    /**
     * Gives random policies their streams.
     * @param stream first stream index
     * @return number of streams used
     */
    virtual int64_t AssignStreams(int64_t stream);
};

/**
 * @param name a TypeId's name, or its short form: `uniform-pipeline` for
 *        `ns3::collapipe::UniformPipelineController`; `exec:` with a command behind it is
 *        `ns3::collapipe::ExecController`
 * @return the TypeId's name, whether or not there is such a TypeId
 */
std::string ControllerTypeName(const std::string& name);

/**
 * @param name as ControllerTypeName() takes it
 * @return a new controller; with the command after `exec:` where that is what it runs; null where
 *         there is none of that name
 */
Ptr<Controller> CreateController(const std::string& name);

/**
 * @param state the system
 * @param plan a plan for it
 * @return empty, or one sentence that names the constraint of (11) which the plan breaks: cluster
 *         count, chains covering the model in order, known nodes used once, memory (unless the plan
 *         says that it may exceed that), shares, powers
 */
std::string CheckPlan(const SystemState& state, const RoundPlan& plan);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTROLLER_H */
