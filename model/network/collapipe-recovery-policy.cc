/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-recovery-policy.h"

#include "ns3/uinteger.h"

#include <cctype>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(RecoveryPolicy);
NS_OBJECT_ENSURE_REGISTERED(WaitRecovery);
NS_OBJECT_ENSURE_REGISTERED(DropRecovery);
NS_OBJECT_ENSURE_REGISTERED(ReplanRecovery);

std::string
ToString(RecoveryStep step)
{
    switch (step)
    {
    case RecoveryStep::WAIT:
        return "wait";
    case RecoveryStep::DROP:
        return "drop";
    case RecoveryStep::REPLAN:
        return "replan";
    }
    return "unknown";
}

TypeId
RecoveryPolicy::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::RecoveryPolicy")
            .SetParent<Object>()
            .SetGroupName("CollaPipe")
            .AddAttribute(
                "Deadline",
                "How long a cluster may wait for nodes before it is left out of the round.",
                TimeValue(Seconds(300)),
                MakeTimeAccessor(&RecoveryPolicy::m_deadline),
                MakeTimeChecker(Seconds(0)))
            .AddAttribute("MaxAttempts",
                          "Attempts at a round after which a cluster is left out of it.",
                          UintegerValue(20),
                          MakeUintegerAccessor(&RecoveryPolicy::m_maxAttempts),
                          MakeUintegerChecker<uint16_t>(1));
    return tid;
}

uint16_t
RecoveryPolicy::GetMaxAttempts() const
{
    return m_maxAttempts;
}

Time
RecoveryPolicy::GetDeadline() const
{
    return m_deadline;
}

TypeId
WaitRecovery::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::WaitRecovery")
                            .SetParent<RecoveryPolicy>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<WaitRecovery>();
    return tid;
}

RecoveryStep
WaitRecovery::Decide(const NodeFailure& /* failure */)
{
    return RecoveryStep::WAIT;
}

TypeId
DropRecovery::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::DropRecovery")
                            .SetParent<RecoveryPolicy>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<DropRecovery>();
    return tid;
}

RecoveryStep
DropRecovery::Decide(const NodeFailure& /* failure */)
{
    return RecoveryStep::DROP;
}

TypeId
ReplanRecovery::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::ReplanRecovery")
                            .SetParent<RecoveryPolicy>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<ReplanRecovery>();
    return tid;
}

RecoveryStep
ReplanRecovery::Decide(const NodeFailure& /* failure */)
{
    return RecoveryStep::REPLAN;
}

std::string
RecoveryTypeName(const std::string& name)
{
    if (name.empty() || name.find(':') != std::string::npos)
    {
        return name;
    }
    std::string type = name;
    type[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(type[0])));
    return "ns3::collapipe::" + type + "Recovery";
}

} // namespace collapipe
} // namespace ns3
