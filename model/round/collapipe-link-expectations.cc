/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-link-expectations.h"

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(LinkExpectations);

TypeId
LinkExpectations::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::LinkExpectations").SetParent<Object>().SetGroupName("CollaPipe");
    return tid;
}

} // namespace collapipe
} // namespace ns3
