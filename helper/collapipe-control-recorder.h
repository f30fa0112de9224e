/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTROL_RECORDER_H
#define COLLAPIPE_CONTROL_RECORDER_H

#include "ns3/collapipe-edge-server.h"
#include "ns3/collapipe-latency-model.h"

#include <functional>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What the controller decided for a round as a whole, and what (13) says of it
struct ControlRow
{
    uint32_t round{0};           //!< from 1
    double penaltyWeight{0};     //!< V; 0: the controller knows none
    double convergenceTarget{0}; //!< phibar; 0: no requirement
    double convergenceQueue{0};  //!< Z when the round was decided
    Evaluation evaluation;       //!< the model's prediction for the plan
};

/// What the controller decided for a cluster and what the model predicts for it
struct ControlClusterRow
{
    uint32_t round{0};            //!< from 1
    uint32_t cluster{0};          //!< index
    double weight{0};             //!< rho_m
    ChainPlan chain;              //!< the first of its chains
    std::size_t chains{0};        //!< how many there are
    ClusterEvaluation evaluation; //!< prediction
};

/// The energy constraint of a node in a round
struct ControlNodeRow
{
    uint32_t round{0};   //!< from 1
    uint32_t cluster{0}; //!< index
    uint32_t node{0};    //!< 0 is the control unit, k + 1 device k
    double budgetJ{0};   //!< Ebar_k; 0: none
    double queueJ{0};    //!< Q_k when the round was decided
    double memoryBytes{0};     //!< Mem_k, what the node can give
    NodeEvaluation evaluation; //!< prediction
};

/// A link in a phase of a round: what was decided, beside the channel as it was estimated
struct ControlLinkRow
{
    uint32_t round{0};         //!< from 1
    uint32_t cluster{0};       //!< index
    LinkEvaluation evaluation; //!< phase, ends, payload and predicted rate
    std::string pool;          //!< d2d, uplink or downlink
    double share{1};           //!< of the pool
    double powerW{0};          //!< transmit power
    double maxPowerW{0};       //!< pmax
    double snrDb{0};           //!< at full power over the whole pool; NaN where the rate is fixed
    double efficiency{0};      //!< e of (5) and (6)
};

/**
 * @ingroup collapipe
 * Listens to an edge server's decisions and keeps, for every controller alike, what it decided and
 * what the latency and energy model predicts for that: the queues of (12) as they stood, the terms
 * of (13), shares and powers beside the channel's estimate.
 */
class ControlRecorder
{
  public:
    /**
     * @param edgeServer whose plans to record, with its controller set; the queues are read if that
     *        is a DssdaController
     */
    explicit ControlRecorder(Ptr<EdgeServerApplication> edgeServer);

    ControlRecorder(const ControlRecorder&) = delete; // the trace holds its address
    ControlRecorder& operator=(const ControlRecorder&) = delete;

    /// @return a row per round
    const std::vector<ControlRow>& GetRounds() const;

    /// @return a row per round and node
    const std::vector<ControlNodeRow>& GetNodes() const;

    /// @return a row per round, phase and link
    const std::vector<ControlLinkRow>& GetLinks() const;

    /**
     * Writes control.csv, clusters.csv, budgets.csv and links.csv.
     * @param getPath turns a file's name into its path
     * @throws UserError where a file could not be written
     */
    void Write(const std::function<std::string(const std::string&)>& getPath) const;

  private:
    void HandlePlan(const SystemState& state, const RoundPlan& plan);

    /// @return the round's problem as the controller saw it
    Instance MakeInstance(const SystemState& state) const;

    void AddCluster(const SystemState& state, const RoundPlan& plan, uint32_t cluster);
    void AddLink(const SystemState& state,
                 const RoundPlan& plan,
                 uint32_t cluster,
                 const LinkEvaluation& evaluation);
    void WriteControl(const std::string& path) const;
    void WriteClusters(const std::string& path) const;
    void WriteBudgets(const std::string& path) const;
    void WriteLinks(const std::string& path) const;

    Ptr<const Controller> m_controller;        //!< who decides
    std::vector<ControlRow> m_rounds;          //!< results
    std::vector<ControlClusterRow> m_clusters; //!< results
    std::vector<ControlNodeRow> m_nodes;       //!< results
    std::vector<ControlLinkRow> m_links;       //!< results
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTROL_RECORDER_H */
