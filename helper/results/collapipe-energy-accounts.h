/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ENERGY_ACCOUNTS_H
#define COLLAPIPE_ENERGY_ACCOUNTS_H

#include "collapipe-node-energy.h"

#include "ns3/collapipe-helper.h"

#include <functional>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The energy of all nodes of a run. Devices have batteries, where these are asked for; control
 * units are fed from the mains, since a cluster without its data could not go on.
 *
 * An empty battery takes its device out of the training: from the next round on it reports that it
 * has neither energy nor memory, so that no plan can use it. It ends the round under way, and
 * answers state requests, on a reserve that is in no account; a device that stopped in mid-round
 * would take the whole cluster's work of that round with it.
 */
class EnergyAccounts
{
  public:
    /**
     * Begins to count; to be called once the applications are installed.
     * @param network with the nodes
     * @param applications of the nodes, with their processors and powers
     * @param batteryJ what each device starts with, in J; 0: fed from the mains
     */
    EnergyAccounts(const Network& network, const RunApplications& applications, double batteryJ);

    EnergyAccounts(const EnergyAccounts&) = delete; // callbacks hold its address
    EnergyAccounts& operator=(const EnergyAccounts&) = delete;

    /**
     * @param cluster index
     * @param node within it
     * @return what it consumed since the start
     */
    EnergyParts Read(uint32_t cluster, NodeIndex node) const;

    /**
     * @param cluster index
     * @param node within it
     * @return what is left in its battery, in J; infinite from the mains
     */
    double GetLeftJ(uint32_t cluster, NodeIndex node) const;

    /// @param callback called when a device's battery is empty: cluster and node
    void SetEmptyCallback(std::function<void(uint32_t, NodeIndex)> callback);

  private:
    void HandleEmpty(uint32_t cluster, NodeIndex node);
    void ReportBatteries() const;
    void HandleRound(const RoundRecord& record);

    std::function<void(uint32_t, NodeIndex)> m_onEmpty;            //!< whom to tell
    RunApplications m_applications;                                //!< of the nodes
    std::vector<std::vector<std::unique_ptr<NodeEnergy>>> m_nodes; //!< by cluster and node
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ENERGY_ACCOUNTS_H */
