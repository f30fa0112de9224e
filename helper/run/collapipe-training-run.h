/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TRAINING_RUN_H
#define COLLAPIPE_TRAINING_RUN_H

#include "collapipe-helper.h"
#include "collapipe-progress.h"
#include "collapipe-run-config.h"
#include "collapipe-run-faults.h"
#include "collapipe-training-setup.h"

#include "ns3/collapipe-clean-exit.h"
#include "ns3/collapipe-ns3-tools.h"
#include "ns3/collapipe-output-directory.h"
#include "ns3/collapipe-result-writer.h"
#include "ns3/collapipe-run-recorder.h"
#include "ns3/collapipe-run-results.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A whole training run from a RunConfig: data, network, applications, simulation, results. What
 * most programs want; CollaPipeHelper is for those that want less.
 */
class TrainingRun
{
  public:
    /**
     * Loads the data, builds the network, installs the applications, and checks that the controller
     * finds a plan for the first round.
     * @param config what to do
     * @throws UserError where it cannot be done; before anything was simulated
     */
    explicit TrainingRun(const RunConfig& config);
    ~TrainingRun();

    TrainingRun(const TrainingRun&) = delete;
    TrainingRun& operator=(const TrainingRun&) = delete;

    /// Simulates to the end of the last round and saves the results.
    void Run();

    /// Simulates to the end of the last round.
    void Simulate();

    /// Writes the results of a simulation into the output folder, where there is one.
    void Save();

    /**
     * @param controller a short name or TypeId
     * @return empty, or one sentence: why that controller finds no plan for the first round
     */
    std::string CheckController(const std::string& controller) const;

    /**
     * @param name of a file or folder of one's own among the results
     * @return where to write it before Save(); empty where no results are kept
     */
    std::string GetOutputPath(const std::string& name) const;

    /// @return 0; 128 and the signal's number where one ended the run early; 2 where the results
    /// are whole but the checkpoint asked for could not be written
    int GetExitStatus() const;

    /// @param warning a sentence that the user should read
    void Warn(const std::string& warning);

    /// @return what happened
    const RunRecorder& GetRecorder() const;

    /// @return the run's outcome, once it has ended
    const RunSummary& GetSummary() const;

    /// @return figures to compare with another run's, once it has ended
    const RunTotals& GetTotals() const;

    /// @return the applications, for trace connections of one's own
    const RunApplications& GetApplications() const;

    /// @return the topology
    const TopologyHelper& GetTopology() const;

  private:
    void BuildNetwork();
    void InstallApplications();
    void ConnectWarnings();
    void StartFaults();
    void StartTools();
    void StartBackground();

    /// @return what acts on the radios, as configured
    Ptr<RadioActuator> CreateActuator() const;

    void HandleEmpty(uint32_t cluster, NodeIndex node);
    void CompleteSummary(double wallS);

    /// Says how a run ended that a signal interrupted, and ends the program if no round had ended.
    void TellInterruption();

    /**
     * @param plan of a cell
     * @param cell its index
     * @return empty, or a sentence where a device would train on data of its own and has none
     */
    std::string CheckSamples(const RoundPlan& plan, uint32_t cell) const;

    /// @return the controller's reason for finding no plan, and what options have to do with it
    std::string ExplainInfeasible(const std::string& reason) const;

    RunConfig m_config;                              //!< what was asked for
    Progress m_progress;                             //!< tells the user
    std::unique_ptr<TrainingSetup> m_setup;          //!< data, model, devices, controllers
    std::unique_ptr<OutputDirectory> m_output;       //!< results; null: none wanted
    std::unique_ptr<TopologyHelper> m_topology;      //!< the network
    std::vector<SystemState> m_initialStates;        //!< before the first round, by cell
    std::unique_ptr<BackgroundTraffic> m_background; //!< other users; null: none
    std::vector<BackgroundFlow> m_backgroundFlows;   //!< how they fared
    RunApplications m_applications;                  //!< on its nodes
    std::unique_ptr<CollaPipeFaultHelper> m_faults;  //!< what goes wrong, and what of it
    std::string m_stopReason;                        //!< why it ended early; empty: not
    std::unique_ptr<RunResults> m_results;           //!< what happened
    std::unique_ptr<Ns3Tools> m_tools;               //!< null: no results wanted
    RunSummary m_summary;                            //!< outcome
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TRAINING_RUN_H */
