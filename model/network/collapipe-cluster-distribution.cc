/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// How a cluster's nodes get their stages: what they are told, and over whom their parameters go.

#include "collapipe-cluster-run.h"
#include "collapipe-message-shapes.h"

#include "ns3/collapipe-model-family.h"

namespace ns3
{
namespace collapipe
{

Neighbour
ClusterRun::GetNeighbour(uint32_t chain, uint32_t stage) const
{
    const auto& stages = m_plan.chains[chain].stages;
    if (stage >= stages.size() || stages[stage].node == EDGE_SERVER)
    {
        return {EDGE_SERVER, m_services.edgeAddress};
    }
    return {stages[stage].node, m_addresses[stages[stage].node]};
}

StageAssignment
ClusterRun::MakeAssignment(uint32_t chain, uint32_t stage) const
{
    const auto& plan = m_plan.chains[chain];
    StageAssignment assignment;
    assignment.chain = chain;
    assignment.stage = stage;
    assignment.stages = plan.stages.size();
    assignment.plan = plan.stages[stage];
    assignment.microBatches = plan.microBatches;
    assignment.microBatchSize = plan.microBatchSize;
    assignment.iterations = m_iterations;
    assignment.firstIteration = m_start.iterations;
    assignment.schedule = m_schedule;
    assignment.previous = GetNeighbour(chain, stage == 0 ? 0 : stage - 1);
    assignment.next = GetNeighbour(chain, stage + 1);
    assignment.last = GetNeighbour(chain, plan.stages.size() - 1);
    const auto& own = plan.stages[stage];
    if (stage > 0 && !GetTableGradientShapes(*m_services.context, ToPartRange(own)).empty())
    {
        assignment.first = GetNeighbour(chain, 0);
    }
    if (m_plan.synchronous && m_plan.chains.size() > 1)
    {
        for (uint32_t twin = 0; twin < m_plan.chains.size(); ++twin)
        {
            assignment.twins.push_back({GetNeighbour(twin, stage), m_plan.chains[twin].dataShare});
        }
    }
    if (IsCollected() && own.node != CONTROL_UNIT)
    {
        assignment.carrier = {CONTROL_UNIT, m_addresses[CONTROL_UNIT]};
    }
    const uint32_t others = IsCollected() && own.node == CONTROL_UNIT ? assignment.stages : 0;
    for (uint32_t other = stage + 1; other < others; ++other)
    {
        const auto& part = plan.stages[other];
        if (part.node != EDGE_SERVER)
        {
            assignment.parts.push_back({other, part, m_addresses[part.node]});
        }
    }
    return assignment;
}

bool
ClusterRun::IsCollected() const
{
    return m_plan.path == UploadPath::COLLECTED;
}

NodeIndex
ClusterRun::GetCarrier(NodeIndex node) const
{
    return IsCollected() ? CONTROL_UNIT : node;
}

void
ClusterRun::Distribute(std::shared_ptr<const ModelState> state)
{
    m_running = true;
    m_start.model = std::move(state);
    const auto& model = *m_start.model;
    m_services.onPhase(Phase::DISTRIBUTION, true);
    for (uint32_t chain = 0; chain < m_plan.chains.size(); ++chain)
    {
        const auto& stages = m_plan.chains[chain].stages;
        m_missingUploads += stages.size();
        for (uint32_t stage = 0; stage < stages.size(); ++stage)
        {
            if (stages[stage].node == EDGE_SERVER)
            {
                CreateRunner(chain, stage, model);
                continue;
            }
            const NodeIndex node = stages[stage].node;
            m_notReady.insert(node);
            m_services.send(node,
                            {MakeHeader(MessageType::SEGMENT_ASSIGNMENT, chain, stage),
                             {EncodeAssignment(MakeAssignment(chain, stage))}});
            SendBase(chain, stage);
            m_services.send(GetCarrier(node),
                            {MakeHeader(MessageType::SEGMENT_PARAMETERS, chain, stage),
                             EncodeModel(ToPartRange(stages[stage]), model)});
        }
    }
}

void
ClusterRun::SendBase(uint32_t chain, uint32_t stage)
{
    const auto& context = *m_services.context;
    if (!context.sendsBase)
    {
        return;
    }
    const auto& plan = m_plan.chains[chain].stages[stage];
    const NodeIndex carrier = GetCarrier(plan.node);
    for (const auto number :
         m_services.takeMissingBase(plan.node, ToPartRange(plan), carrier == plan.node))
    {
        auto header = MakeHeader(MessageType::BASE_WEIGHTS, chain, stage);
        header.microBatch = number;
        m_services.send(carrier, {header, GetBaseWeights(context.model, number)});
    }
}

void
ClusterRun::NoteBase(NodeIndex node)
{
    if (!m_services.context->sendsBase || GetCarrier(node) == node)
    {
        return;
    }
    for (const auto& stage : m_plan.chains.front().stages)
    {
        if (stage.node == node)
        {
            m_services.takeMissingBase(node, ToPartRange(stage), true);
        }
    }
}

TensorList
ClusterRun::EncodeModel(const PartRange& range, const ModelState& model) const
{
    const auto& context = *m_services.context;
    // In mid-round nothing is rounded: what follows must not depend on where an attempt began.
    return EncodeParameters(model.Gather(range),
                            GetParameterShapes(context.model, range).size(),
                            m_start.iterations > 0 ? DType::FLOAT32 : context.precision.parameters);
}

} // namespace collapipe
} // namespace ns3
