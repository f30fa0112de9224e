/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_APPLICATIONS_H
#define COLLAPIPE_RUN_APPLICATIONS_H

#include "collapipe-control-loop.h"
#include "collapipe-energy-meter.h"

#include "ns3/application-container.h"
#include "ns3/collapipe-edge-server.h"
#include "ns3/collapipe-stage-application.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The applications of a run, and what decides and measures; in each cluster [0] is the control
 * unit, [k + 1] device k.
 */
struct RunApplications
{
    Ptr<EdgeServerApplication> edgeServer;               //!< of the first cell
    std::vector<Ptr<EdgeServerApplication>> edgeServers; //!< by cell
    Ptr<ModelServerApplication>
        leader; //!< holds the model: the edge server, or the lead of several
    std::vector<std::vector<Ptr<StageApplication>>> clusters; //!< by cluster and node
    std::vector<Ptr<ControlLoop>> loops;                      //!< by cell
    Ptr<EnergyMeter> meter;                                   //!< of all nodes; null: none

    /// @return edge servers and lead
    std::vector<Ptr<MessageApplication>> GetServers() const;

    /// @return all of them: the servers, then cluster by cluster
    std::vector<Ptr<MessageApplication>> GetAll() const;

    /// @return all of them, to start and stop them together
    ApplicationContainer GetContainer() const;

    /**
     * @param numbers of clusters
     * @return their applications, in that order
     */
    ControlLoop::Clusters GetClusters(const std::vector<ClusterId>& ids) const;

    /**
     * Gives every random variable a fixed stream.
     * @param stream first stream index
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream) const;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_APPLICATIONS_H */
