/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-radio-actuator.h"

#include "ns3/abort.h"
#include "ns3/log.h"
#include "ns3/trace-source-accessor.h"

#include <cmath>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeRadioActuator");
NS_OBJECT_ENSURE_REGISTERED(RadioActuator);
NS_OBJECT_ENSURE_REGISTERED(NoneActuator);
NS_OBJECT_ENSURE_REGISTERED(HybridActuator);

void
CheckLinkPlan(const LinkPlan& link)
{
    NS_ABORT_MSG_IF(!(link.share >= 0 && link.share <= 1),
                    "The share of link " << link.from << " -> " << link.to
                                         << " must lie in 0..1, not " << link.share);
    NS_ABORT_MSG_IF(!(link.powerW >= 0) || std::isinf(link.powerW),
                    "The power of link " << link.from << " -> " << link.to
                                         << " must not be negative: " << link.powerW << " W");
}

TypeId
RadioActuator::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::RadioActuator")
            .SetParent<Object>()
            .SetGroupName("CollaPipe")
            .AddTraceSource("Actuation",
                            "Share, power or priority of a link was changed: cluster, transmitter, "
                            "receiver, setting before and after, reason",
                            MakeTraceSourceAccessor(&RadioActuator::m_actuationTrace),
                            "ns3::collapipe::RadioActuator::ActuationTracedCallback");
    return tid;
}

void
RadioActuator::Apply(ClusterId cluster, Phase phase, const ClusterPlan& plan)
{
    NS_LOG_FUNCTION(this << cluster.number << GetPhaseName(phase));
    std::vector<LinkPlan> links;
    for (const auto& link : plan.links)
    {
        if (link.phase == phase)
        {
            links.push_back(link);
        }
    }
    ApplyLinks(cluster.number, links, GetPhaseName(phase));
}

TypeId
NoneActuator::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::NoneActuator")
                            .SetParent<RadioActuator>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<NoneActuator>();
    return tid;
}

std::optional<LinkSetting>
NoneActuator::Read(uint32_t /* cluster */, NodeIndex /* from */, NodeIndex /* to */) const
{
    return std::nullopt;
}

void
NoneActuator::ApplyLinks(uint32_t /* cluster */,
                         const std::vector<LinkPlan>& /* links */,
                         const std::string& /* reason */)
{
}

TypeId
HybridActuator::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::HybridActuator")
                            .SetParent<RadioActuator>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<HybridActuator>();
    return tid;
}

void
HybridActuator::Add(Ptr<RadioActuator> part)
{
    part->TraceConnectWithoutContext("Actuation", MakeCallback(&HybridActuator::Forward, this));
    m_parts.push_back(part);
}

const std::vector<Ptr<RadioActuator>>&
HybridActuator::GetParts() const
{
    return m_parts;
}

std::optional<LinkSetting>
HybridActuator::Read(uint32_t cluster, NodeIndex from, NodeIndex to) const
{
    for (const auto& part : m_parts)
    {
        if (const auto setting = part->Read(cluster, from, to))
        {
            return setting;
        }
    }
    return std::nullopt;
}

void
HybridActuator::DoDispose()
{
    for (const auto& part : m_parts)
    {
        // Whoever else has the part may go on with it
        part->TraceDisconnectWithoutContext("Actuation",
                                            MakeCallback(&HybridActuator::Forward, this));
    }
    m_parts.clear();
    RadioActuator::DoDispose();
}

void
HybridActuator::ApplyLinks(uint32_t cluster,
                           const std::vector<LinkPlan>& links,
                           const std::string& reason)
{
    for (const auto& part : m_parts)
    {
        part->ApplyLinks(cluster, links, reason);
    }
}

void
HybridActuator::Forward(uint32_t cluster,
                        NodeIndex from,
                        NodeIndex to,
                        const LinkSetting& before,
                        const LinkSetting& after,
                        const std::string& reason)
{
    m_actuationTrace(cluster, from, to, before, after, reason);
}

std::string
GetPhaseName(Phase phase)
{
    switch (phase)
    {
    case Phase::DISTRIBUTION:
        return "distribution";
    case Phase::TRAINING:
        return "training";
    case Phase::UPLOAD:
        return "upload";
    }
    return "unknown";
}

} // namespace collapipe
} // namespace ns3
