/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-round-director.h"

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(RoundDirector);

TypeId
RoundDirector::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::RoundDirector").SetParent<Object>().SetGroupName("CollaPipe");
    return tid;
}

void
RoundDirector::SetStart(bool /* hasOptimizerState */)
{
}

std::string
RoundDirector::Replan(uint32_t /* cluster */,
                      const std::set<NodeIndex>& /* absent */,
                      ClusterPlan& /* plan */)
{
    return "whoever decides rounds here decides nothing in the middle of them";
}

} // namespace collapipe
} // namespace ns3
