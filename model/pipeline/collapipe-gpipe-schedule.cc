/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-schedule.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(GpipeSchedule);

TypeId
GpipeSchedule::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::GpipeSchedule")
                            .SetParent<Schedule>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<GpipeSchedule>();
    return tid;
}

ActionList
GpipeSchedule::Generate(uint32_t /* stages */, uint32_t /* stage */, uint32_t microBatches) const
{
    ActionList actions;
    for (auto kind : {Action::FORWARD, Action::BACKWARD})
    {
        for (uint32_t i = 0; i < microBatches; ++i)
        {
            actions.push_back({kind, i});
        }
    }
    actions.push_back({Action::FLUSH, 0});
    return actions;
}

std::string
GpipeSchedule::Check(uint32_t /* stages */, uint32_t /* microBatches */) const
{
    return "";
}

double
GpipeSchedule::GetIterationTimeS(const IterationTimes& times) const
{
    const double others = times.microBatches - 1.0;
    double forwardSum = 0;
    double backwardSum = 0;
    double forward = 0;
    double backward = 0;
    for (std::size_t s = 0; s < times.hops.size(); ++s)
    {
        const HopTimes& hop = times.hops[s];
        forwardSum += hop.forwardS;
        backwardSum += hop.backwardS;
        forward = std::max(forward, hop.forwardS);
        backward = std::max(backward, hop.backwardS);
        if (s + 1 < times.hops.size())
        {
            forwardSum += hop.linkForwardS + hop.latencyForwardS;
            backwardSum += hop.linkBackwardS + hop.latencyBackwardS;
            forward = std::max(forward, hop.linkForwardS);
            backward = std::max(backward, hop.linkBackwardS);
        }
    }
    double forwardPass = forwardSum + others * forward;
    if (times.targetS > 0)
    {
        const double last = times.hops.back().forwardS;
        forwardPass = std::max(forwardPass,
                               times.targetLatencyS + times.targetS + last +
                                   others * std::max(times.targetS, last));
    }
    return forwardPass + backwardSum + others * backward;
}

uint32_t
GpipeSchedule::GetLiveMicroBatches(uint32_t /* stages */,
                                   uint32_t /* stage */,
                                   uint32_t microBatches) const
{
    return microBatches;
}

bool
GpipeSchedule::IsFlowShop() const
{
    return true;
}

bool
GpipeSchedule::IsLiveFromEnd() const
{
    return true;
}

} // namespace collapipe
} // namespace ns3
