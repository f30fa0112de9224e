/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-side-by-side-controllers.h"

#include "collapipe-replicated-choice.h"
#include "collapipe-side-by-side.h"

#include "ns3/boolean.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(SideBySideController);
NS_OBJECT_ENSURE_REGISTERED(FedAvgController);
NS_OBJECT_ENSURE_REGISTERED(SplitFedController);
NS_OBJECT_ENSURE_REGISTERED(TunedSplitFedController);
NS_OBJECT_ENSURE_REGISTERED(ReplicatedController);

TypeId
SideBySideController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::SideBySideController")
                            .SetParent<Controller>()
                            .SetGroupName("CollaPipe");
    return tid;
}

TypeId
FedAvgController::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::FedAvgController")
                            .SetParent<SideBySideController>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<FedAvgController>()
                            .AddAttribute("EnforceMemory",
                                          ENFORCE_MEMORY_HELP,
                                          BooleanValue(true),
                                          MakeBooleanAccessor(&FedAvgController::m_enforceMemory),
                                          MakeBooleanChecker());
    return tid;
}

RoundPlan
FedAvgController::Decide(const SystemState& state)
{
    return MakeFedAvgPlan(state, m_enforceMemory);
}

TypeId
SplitFedController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::SplitFedController")
            .SetParent<SideBySideController>()
            .SetGroupName("CollaPipe")
            .AddConstructor<SplitFedController>()
            .AddAttribute("Cut",
                          "Encoder blocks on every device; 0: half of them, or as many as fit the "
                          "smallest memory",
                          UintegerValue(0),
                          MakeUintegerAccessor(&SplitFedController::m_cut),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("EnforceMemory",
                          ENFORCE_MEMORY_HELP,
                          BooleanValue(true),
                          MakeBooleanAccessor(&SplitFedController::m_enforceMemory),
                          MakeBooleanChecker());
    return tid;
}

RoundPlan
SplitFedController::Decide(const SystemState& state)
{
    const RoundPlan start = StartSideBySide(state);
    if (!start.infeasible.empty())
    {
        return start;
    }
    const uint32_t cut = m_cut > 0 ? std::min(m_cut, state.model.blocks) : GetCommonCut(state);
    return MakeSplitFedPlan(state, cut, m_enforceMemory);
}

TypeId
TunedSplitFedController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::TunedSplitFedController")
            .SetParent<SideBySideController>()
            .SetGroupName("CollaPipe")
            .AddConstructor<TunedSplitFedController>()
            .AddAttribute("EnforceMemory",
                          ENFORCE_MEMORY_HELP,
                          BooleanValue(true),
                          MakeBooleanAccessor(&TunedSplitFedController::m_enforceMemory),
                          MakeBooleanChecker());
    return tid;
}

RoundPlan
TunedSplitFedController::Decide(const SystemState& state)
{
    return MakeTunedSplitFedPlan(state, m_enforceMemory);
}

TypeId
ReplicatedController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::ReplicatedController")
            .SetParent<SideBySideController>()
            .SetGroupName("CollaPipe")
            .AddConstructor<ReplicatedController>()
            .AddAttribute("EnforceMemory",
                          ENFORCE_MEMORY_HELP,
                          BooleanValue(true),
                          MakeBooleanAccessor(&ReplicatedController::m_enforceMemory),
                          MakeBooleanChecker());
    return tid;
}

RoundPlan
ReplicatedController::Decide(const SystemState& state)
{
    return MakeReplicatedPlan(state, m_enforceMemory);
}

} // namespace collapipe
} // namespace ns3
