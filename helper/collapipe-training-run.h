/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TRAINING_RUN_H
#define COLLAPIPE_TRAINING_RUN_H

#include "collapipe-helper.h"
#include "collapipe-output-directory.h"
#include "collapipe-progress.h"
#include "collapipe-result-writer.h"
#include "collapipe-run-config.h"
#include "collapipe-run-recorder.h"

#include "ns3/collapipe-corpus.h"

#include <map>
#include <memory>
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

    /// Simulates to the end of the last round and writes the results into the output folder.
    void Run();

    /// @return what happened
    const RunRecorder& GetRecorder() const;

    /// @return the run's outcome, once it has ended
    const RunSummary& GetSummary() const;

    /// @return the applications, for trace connections of one's own
    const RunApplications& GetApplications() const;

    /// @return the topology
    const TopologyHelper& GetTopology() const;

  private:
    void LoadData();
    void CreateContext();
    void BuildNetwork();
    void InstallApplications();
    void CountMessage(const MessageHeader& header, uint64_t bytes);
    void CompleteSummary(double wallS);
    void WriteResults();

    /// @return a new controller of the configured type
    Ptr<Controller> CreateController() const;

    RunConfig m_config;                                    //!< what was asked for
    Progress m_progress;                                   //!< tells the user
    std::unique_ptr<OutputDirectory> m_output;             //!< results; null: none wanted
    Corpus m_corpus;                                       //!< the data
    std::vector<std::vector<const Sample*>> m_clusterData; //!< training samples by cluster
    std::shared_ptr<TrainingContext> m_context;            //!< of all applications
    std::unique_ptr<TopologyHelper> m_topology;            //!< the network
    RunApplications m_applications;                        //!< on its nodes
    std::unique_ptr<RunRecorder> m_recorder;               //!< what happened
    std::map<MessageType, uint64_t> m_messages;            //!< sent, by type
    RunSummary m_summary;                                  //!< outcome
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TRAINING_RUN_H */
