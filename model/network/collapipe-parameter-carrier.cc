/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-parameter-carrier.h"

#include "collapipe-message-shapes.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-wire-precision.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

MessageVerdict
Refuse(const MessageHeader& header, const std::string& why)
{
    return MessageVerdict::Refuse("a " + ToString(header.type) + " of stage " +
                                  std::to_string(header.stage) + " " + why);
}

} // namespace

ParameterCarrier::ParameterCarrier(const TrainingContext& context,
                                   const StageAssignment& assignment)
    : m_context(context),
      m_assignment(assignment)
{
}

const CarriedPart*
ParameterCarrier::Find(const MessageHeader& header) const
{
    const auto found =
        std::find_if(m_assignment.parts.begin(),
                     m_assignment.parts.end(),
                     [&header](const CarriedPart& part) { return part.stage == header.stage; });
    return header.chain == m_assignment.chain && found != m_assignment.parts.end() ? &*found
                                                                                   : nullptr;
}

bool
ParameterCarrier::Knows(NodeIndex node) const
{
    return std::any_of(m_assignment.parts.begin(),
                       m_assignment.parts.end(),
                       [node](const CarriedPart& part) { return part.plan.node == node; });
}

bool
ParameterCarrier::IsForOther(const MessageHeader& header) const
{
    return header.stage != m_assignment.stage;
}

MessageVerdict
ParameterCarrier::CheckDown(const MessageHeader& header, const TensorList& shapes) const
{
    const CarriedPart* part = Find(header);
    if (!part)
    {
        return Refuse(header, "is to be passed on to nobody");
    }
    if (m_complete.count(header.stage) > 0)
    {
        return MessageVerdict::Skip("its stage's parameters have come");
    }
    const PartRange range = ToPartRange(part->plan);
    if (header.type == MessageType::SEGMENT_PARAMETERS)
    {
        return AreParameters(m_context, range, shapes)
                   ? MessageVerdict::Take()
                   : Refuse(header, "has other shapes than that");
    }
    const auto wanted = m_context.sendsBase ? ListMissingBase(m_context.model, range, HeldBase())
                                            : std::vector<uint32_t>();
    if (std::find(wanted.begin(), wanted.end(), header.microBatch) == wanted.end())
    {
        return Refuse(header, "has frozen weights of another one");
    }
    const auto known = m_base.find(header.stage);
    if (known != m_base.end() && known->second.count(header.microBatch) > 0)
    {
        return MessageVerdict::Skip("these frozen weights have come");
    }
    const auto link = ToBaseLink(m_context.model, header.microBatch);
    return AreAlike(shapes, EncodeFrozen(GetFrozenShapes(m_context.model, link)))
               ? MessageVerdict::Take()
               : Refuse(header, "has frozen weights of other shapes");
}

MessageVerdict
ParameterCarrier::CheckUp(const MessageHeader& header, const TensorList& shapes) const
{
    const CarriedPart* part = Find(header);
    if (!part || part->plan.node != header.node)
    {
        return Refuse(header, "comes from a node that does not hold it");
    }
    if (m_isUp || m_up.count(header.stage) > 0)
    {
        return MessageVerdict::Skip("the stage's parameters are here");
    }
    return AreAlike(shapes, GetUploadShapes(m_context, ToPartRange(part->plan)))
               ? MessageVerdict::Take()
               : Refuse(header, "has other shapes than that");
}

void
ParameterCarrier::AddDown(Message message)
{
    const auto& header = message.header;
    if (header.type == MessageType::SEGMENT_PARAMETERS)
    {
        m_complete.insert(header.stage);
    }
    else
    {
        m_base[header.stage].insert(header.microBatch);
    }
    m_down[header.stage].push_back(std::move(message));
}

void
ParameterCarrier::AddUp(Message message)
{
    m_up.emplace(message.header.stage, std::move(message));
}

bool
ParameterCarrier::HasAllDown() const
{
    return m_complete.size() == m_assignment.parts.size();
}

bool
ParameterCarrier::HasAllUp() const
{
    return m_up.size() == m_assignment.parts.size() + 1;
}

std::vector<Neighbour>
ParameterCarrier::ListReceivers() const
{
    std::vector<Neighbour> receivers;
    for (const auto& part : m_assignment.parts)
    {
        if (m_down.count(part.stage) > 0)
        {
            receivers.push_back({part.plan.node, part.address});
        }
    }
    return receivers;
}

std::vector<Message>
ParameterCarrier::TakeDown(NodeIndex node)
{
    std::vector<Message> messages;
    for (const auto& part : m_assignment.parts)
    {
        const auto found = m_down.find(part.stage);
        if (part.plan.node == node && found != m_down.end())
        {
            messages = std::move(found->second);
            m_down.erase(found);
        }
    }
    return messages;
}

std::vector<Message>
ParameterCarrier::TakeUp()
{
    m_isUp = true;
    std::vector<Message> messages;
    for (auto& [stage, message] : m_up)
    {
        messages.push_back(std::move(message));
    }
    m_up.clear();
    return messages;
}

} // namespace collapipe
} // namespace ns3
