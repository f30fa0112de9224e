/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_RECORDER_H
#define COLLAPIPE_RUN_RECORDER_H

#include "ns3/collapipe-energy-meter.h"
#include "ns3/collapipe-run-applications.h"

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A round as it is reported; its parts are those of the cluster that ended last, and add up
struct RoundRow
{
    uint32_t round{0};         //!< from 1
    double startS{0};          //!< simulated time
    double latencyS{0};        //!< of the whole round
    double reportS{0};         //!< state requests and reports
    double distributionS{0};   //!< parameters to the nodes
    double trainingS{0};       //!< local iterations
    double uploadS{0};         //!< parameters back
    double plannedLatencyS{0}; //!< by the controller; 0: it does not predict
    double trainLoss{0};       //!< mean over clusters and iterations, nats per token
    double validationLoss{std::numeric_limits<double>::quiet_NaN()}; //!< after the round
    QualityScore quality;                                            //!< on the validation part
    uint64_t bytesSent{0};                                           //!< TCP payload of all nodes
    uint64_t messagesSent{0};                                        //!< messages of all nodes
    uint64_t baseBytes{0};  //!< frozen weights that edge servers have sent to all nodes
    LearningState learning; //!< constants of the bound (9) as estimated after the round
};

/// A node in a round
struct DeviceRow
{
    uint32_t round{0};        //!< from 1
    uint32_t cluster{0};      //!< index
    uint32_t node{0};         //!< 0 is the control unit, k + 1 device k
    std::string profile;      //!< device profile
    double flops{0};          //!< its speed, FLOP/s
    int32_t stage{-1};        //!< in its chain; -1: idle
    double clock{1};          //!< part of its full clock at which it computed
    uint32_t firstBlock{0};   //!< of its segment
    uint32_t lastBlock{0};    //!< one past its last
    double computeS{0};       //!< simulated computing time
    double utilisation{0};    //!< computing time over latency
    double computeEnergyJ{0}; //!< computing time times power
    double wifiEnergyJ{0};    //!< of the Wi-Fi radio, idle listening included
    double lteEnergyJ{0};     //!< of the LTE radio, being connected included
    double activeEnergyJ{0};  //!< all of these without what idle radios consume
    double batteryJ{std::numeric_limits<double>::infinity()}; //!< left; infinite from the mains
    double plannedMemoryBytes{0};                             //!< formula (8)
    MemoryReport memory;      //!< really allocated; zeros where nothing was computed
    uint64_t bytesSent{0};    //!< TCP payload
    uint64_t messagesSent{0}; //!< messages
    uint64_t baseBytes{0};    //!< frozen weights that it was sent
};

/**
 * @ingroup collapipe
 * Listens to the applications' traces and keeps what happened, a row per round and per node and
 * round. What nodes consume is read from the run's energy meter; where there is none, computing
 * alone is known.
 */
class RunRecorder
{
  public:
    /**
     * @param applications to listen to; must outlive the recorder's use. What they consume counts
     *        from when their leader starts
     */
    explicit RunRecorder(const RunApplications& applications);

    /// Lets go of the applications, whose radios hold captures open; what was recorded stays.
    void Detach();

    RunRecorder(const RunRecorder&) = delete; // traces hold its address
    RunRecorder& operator=(const RunRecorder&) = delete;

    /// @return a row per round
    const std::vector<RoundRow>& GetRounds() const;

    /// @return a row per round and node
    const std::vector<DeviceRow>& GetDevices() const;

    /// @return loss on the validation part before the first round, nats per token
    double GetInitialLoss() const;

    /// @return score on the validation part before the first round
    const QualityScore& GetInitialQuality() const;

    /// @param callback called when a round's row is complete, validation loss included
    void SetRowCallback(std::function<void(const RoundRow&)> callback);

    /// @param callback called with the share of the round's local iterations that is done, 0..1
    void SetProgressCallback(std::function<void(double)> callback);

  private:
    /// Counters of one node when the round began
    struct Counters
    {
        Time busy;            //!< computing time
        uint64_t bytes{0};    //!< sent
        uint64_t messages{0}; //!< sent
        EnergyParts energy;   //!< consumed
        uint64_t base{0};     //!< frozen weights that it was sent
    };

    void HandlePlan(uint32_t cell, const SystemState& state, const RoundPlan& plan);
    void HandleCellRound(uint32_t cell, const RoundRecord& record);
    void HandleRound(const RoundRecord& record);

    /// @return flushes that the current plans of all cells make
    uint64_t CountFlushes() const;

    /// Counts what a node has sent since the round before.
    void AddTraffic(RoundRow& row);
    void HandleEvaluation(uint32_t round, const EvaluationResult& result);
    void HandleFlush(uint32_t cluster, uint32_t round, uint32_t iteration, const ModelPart& part);

    /// @return an application's counters since the start of the run, without energy
    static Counters Read(const MessageApplication& application);

    /// @return a node's counters since the start of the run
    Counters ReadNode(uint32_t cluster, NodeIndex node) const;

    /// The simulation begins: now it is known when the leader will start.
    void AwaitStart();

    /// The first round's consumption begins now.
    void BeginEnergy();

    /// Adds the rows of a round's nodes.
    void AddDeviceRows(const RoundRow& row);

    /// Fills in stage, segment and memory from the plan.
    void FillFromPlan(DeviceRow& row) const;

    RunApplications m_applications;              //!< whom to listen to
    SystemState m_state;                         //!< of the current plans, of all clusters
    RoundPlan m_plan;                            //!< the current plans of all cells, joined
    std::map<uint32_t, double> m_plannedS;       //!< latency that they plan, by cell
    std::vector<PhaseTimes> m_phases;            //!< by cluster, of the current round
    uint64_t m_flushes{0};                       //!< of this round so far
    uint64_t m_expectedFlushes{1};               //!< of this round
    std::vector<Time> m_lastFlush;               //!< by cluster: end of the latest iteration
    std::vector<std::vector<Counters>> m_before; //!< by cluster and node: when the round began
    std::vector<Counters> m_serversBefore;       //!< of edge servers and lead, likewise
    std::vector<RoundRow> m_rounds;              //!< results
    std::vector<DeviceRow> m_devices;            //!< results
    double m_initialLoss{std::numeric_limits<double>::quiet_NaN()}; //!< before the first round
    QualityScore m_initialQuality;                                  //!< likewise
    std::function<void(const RoundRow&)> m_onRow;                   //!< whom to tell
    std::function<void(double)> m_onProgress;                       //!< whom to tell
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_RECORDER_H */
