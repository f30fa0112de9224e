/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-hasfl-controller.h"

#include "collapipe-baseline-plan.h"
#include "collapipe-hasfl-plan.h"

#include "ns3/boolean.h"
#include "ns3/double.h"

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(HasflController);

TypeId
HasflController::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::HasflController")
            .SetParent<SideBySideController>()
            .SetGroupName("CollaPipe")
            .AddConstructor<HasflController>()
            .AddAttribute("ConvergenceTarget",
                          "phibar of (11); 0: none, and the samples of an iteration are those of "
                          "the fixed pair",
                          DoubleValue(0),
                          MakeDoubleAccessor(&HasflController::m_convergenceTarget),
                          MakeDoubleChecker<double>(0))
            .AddAttribute("EnforceMemory",
                          ENFORCE_MEMORY_HELP,
                          BooleanValue(true),
                          MakeBooleanAccessor(&HasflController::m_enforceMemory),
                          MakeBooleanChecker());
    return tid;
}

RoundPlan
HasflController::Decide(const SystemState& state)
{
    return MakeHasflPlan(state, m_convergenceTarget, m_enforceMemory);
}

} // namespace collapipe
} // namespace ns3
