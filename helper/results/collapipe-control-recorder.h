/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTROL_RECORDER_H
#define COLLAPIPE_CONTROL_RECORDER_H

#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-link-monitor.h"
#include "ns3/collapipe-run-applications.h"

#include <deque>
#include <functional>
#include <limits>
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
    uint32_t cell{0};            //!< whose controller decided
    double penaltyWeight{0};     //!< V; 0: the controller knows none
    double convergenceTarget{0}; //!< phibar; 0: no requirement
    double convergenceQueue{0};  //!< Z in targets when the round was decided
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
    double measuredDistributionS{std::numeric_limits<double>::quiet_NaN()}; //!< what it was
    double measuredIterationS{std::numeric_limits<double>::quiet_NaN()};    //!< likewise
    double measuredUploadS{std::numeric_limits<double>::quiet_NaN()};       //!< likewise
    double measuredTotalS{std::numeric_limits<double>::quiet_NaN()};        //!< likewise
};

/// The energy constraint of a node in a round
struct ControlNodeRow
{
    uint32_t round{0};         //!< from 1
    uint32_t cluster{0};       //!< index
    uint32_t node{0};          //!< 0 is the control unit, k + 1 device k
    double budgetJ{0};         //!< Ebar_k; 0: none
    double queue{0};           //!< Q_k in budgets when the round was decided
    double memoryBytes{0};     //!< Mem_k, what the node can give
    double usefulFlops{0};     //!< of the model, in the whole round; fixed costs do none
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
    double snrGap{1};          //!< Gamma of these, linear
    LinkReport measured;       //!< in that round, in all phases; NaN where nothing was
};

/**
 * @ingroup collapipe
 * Listens to the control loops' decisions and keeps, for every controller alike, what it decided
 * and what the latency and energy model predicts for that: the queues of (12) as they stood, the
 * terms of (13), shares and powers beside the channel's estimate.
 */
class ControlRecorder
{
  public:
    /**
     * @param loops whose plans to record, by cell, with their controllers set; the queues are read
     *        where that is a DssdaController. What a link monitor reports is kept beside what was
     *        decided.
     */
    explicit ControlRecorder(const std::vector<Ptr<ControlLoop>>& loops);

    ControlRecorder(const ControlRecorder&) = delete; // the trace holds its address
    ControlRecorder& operator=(const ControlRecorder&) = delete;

    /// @return a row per round and cell
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
    /// Who decides for whom
    struct Cell
    {
        uint32_t index{0};                //!< of the cell
        Ptr<const Controller> controller; //!< who decides
        std::vector<ClusterId> clusters;  //!< by its own count
    };

    void HandlePlan(const Cell* cell, const SystemState& state, const RoundPlan& plan);

    void HandleReport(const Cell* cell, const LinkReport& report);

    void HandleMeasurement(const Cell* cell, const RoundMeasurement& measurement);

    /// @return the round's problem as the controller saw it
    static Instance MakeInstance(const Controller& controller, const SystemState& state);

    /// Adds the rows of a cluster that has an index in the state and a number in the network.
    void AddCluster(const SystemState& state,
                    const RoundPlan& plan,
                    uint32_t cluster,
                    ClusterId id);
    void AddLink(const SystemState& state,
                 const RoundPlan& plan,
                 uint32_t cluster,
                 ClusterId id,
                 const LinkEvaluation& evaluation);

    std::deque<Cell> m_cells;                  //!< listened to; their addresses stay
    std::vector<ControlRow> m_rounds;          //!< results
    std::vector<ControlClusterRow> m_clusters; //!< results
    std::vector<ControlNodeRow> m_nodes;       //!< results
    std::vector<ControlLinkRow> m_links;       //!< results
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTROL_RECORDER_H */
