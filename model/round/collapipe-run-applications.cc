/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-applications.h"

namespace ns3
{
namespace collapipe
{

std::vector<Ptr<MessageApplication>>
RunApplications::GetServers() const
{
    std::vector<Ptr<MessageApplication>> servers(edgeServers.begin(), edgeServers.end());
    if (leader != edgeServer)
    {
        servers.push_back(leader);
    }
    return servers;
}

std::vector<Ptr<MessageApplication>>
RunApplications::GetAll() const
{
    auto all = GetServers();
    for (const auto& cluster : clusters)
    {
        all.insert(all.end(), cluster.begin(), cluster.end());
    }
    return all;
}

ApplicationContainer
RunApplications::GetContainer() const
{
    ApplicationContainer container;
    for (const auto& application : GetAll())
    {
        container.Add(application);
    }
    return container;
}

ControlLoop::Clusters
RunApplications::GetClusters(const std::vector<ClusterId>& ids) const
{
    ControlLoop::Clusters found;
    for (const auto id : ids)
    {
        found.push_back(clusters.at(id.number));
    }
    return found;
}

int64_t
RunApplications::AssignStreams(int64_t stream) const
{
    int64_t used = 0;
    for (const auto& application : GetAll())
    {
        used += application->GetProcessor()->AssignStreams(stream + used);
    }
    return used;
}

} // namespace collapipe
} // namespace ns3
