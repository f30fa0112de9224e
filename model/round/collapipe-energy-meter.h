/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ENERGY_METER_H
#define COLLAPIPE_ENERGY_METER_H

#include "collapipe-node-energy.h"

#include "ns3/collapipe-cluster-id.h"
#include "ns3/collapipe-model-server.h"
#include "ns3/collapipe-stage-application.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Measures what the nodes of a run consume, for the virtual queues (12) and for those who report
 * it. Clusters have the numbers by which the network knows them.
 */
class EnergyMeter : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param cluster number
     * @param node within it
     * @return what it consumed since the start
     */
    virtual EnergyParts Read(uint32_t cluster, NodeIndex node) const = 0;

    /**
     * @param cluster number
     * @param node within it
     * @return what is left in its battery, in J; infinite from the mains
     */
    virtual double GetLeftJ(uint32_t cluster, NodeIndex node) const = 0;

    /**
     * Counts round by round from now on; the first begins when the leader starts.
     * @param leader whose rounds to follow
     */
    void Follow(Ptr<ModelServerApplication> leader);

    /**
     * @param cluster whose
     * @param node within it
     * @return energy of work and traffic since the last round's end, in J
     */
    double Measure(ClusterId cluster, NodeIndex node) const;

    /**
     * @param cluster whose
     * @param node within it
     * @return energy of traffic alone since the last round's end, in J
     */
    double MeasureRadio(ClusterId cluster, NodeIndex node) const;

  protected:
    /// @return how many nodes each cluster has
    virtual std::vector<std::size_t> CountNodes() const = 0;

    /// A round has ended.
    virtual void HandleRoundEnd();

  private:
    /// The simulation begins: now it is known when the leader will start.
    void AwaitStart(Ptr<ModelServerApplication> leader);

    /// @return what a node has consumed since the last round's end
    EnergyParts GetParts(ClusterId cluster, NodeIndex node) const;

    /// What is consumed from now on counts for the next round.
    void BeginRound();
    void HandleRound(const RoundRecord& record);

    std::vector<std::vector<EnergyParts>> m_before; //!< by cluster and node: at the round's begin
};

/**
 * @ingroup collapipe
 * Gives every node of a run an energy source and measures what it loses. Devices have batteries,
 * where these are asked for; control units are fed from the mains, since a cluster without its data
 * could not go on.
 *
 * An empty battery takes its device out of the training: from the next round on it reports that it
 * has neither energy nor memory, so that no plan can use it. It ends the round under way, and
 * answers state requests, on a reserve that is in no account; a device that stopped in mid-round
 * would take the whole cluster's work of that round with it.
 */
class NodeEnergyMeter : public EnergyMeter
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    NodeEnergyMeter();
    ~NodeEnergyMeter() override;

    /**
     * Begins to count; to be called once the applications are installed on their nodes.
     * @param clusters the applications by cluster's number, each with its control unit first
     * @param batteryJ what each device starts with, in J; 0: fed from the mains
     */
    void Install(const std::vector<std::vector<Ptr<StageApplication>>>& clusters, double batteryJ);

    EnergyParts Read(uint32_t cluster, NodeIndex node) const override;
    double GetLeftJ(uint32_t cluster, NodeIndex node) const override;

    /**
     * Signature of the Empty trace.
     * @param cluster number
     * @param node within it, whose battery is empty
     */
    typedef void (*EmptyTracedCallback)(uint32_t cluster, NodeIndex node);

  protected:
    void DoDispose() override;
    std::vector<std::size_t> CountNodes() const override;
    void HandleRoundEnd() override;

  private:
    void HandleEmpty(uint32_t cluster, NodeIndex node);

    /// Has the applications report what is left in batteries.
    void ReportBatteries() const;

    std::vector<std::vector<Ptr<StageApplication>>> m_applications; //!< of the nodes
    std::vector<std::vector<std::unique_ptr<NodeEnergy>>> m_nodes;  //!< by cluster and node
    TracedCallback<uint32_t, NodeIndex> m_emptyTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ENERGY_METER_H */
