/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TRAINING_SETUP_H
#define COLLAPIPE_TRAINING_SETUP_H

#include "collapipe-progress.h"
#include "collapipe-run-checkpoints.h"
#include "collapipe-run-config.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-corpus.h"
#include "ns3/collapipe-device-profile.h"
#include "ns3/collapipe-message-application.h"
#include "ns3/collapipe-quality.h"
#include "ns3/collapipe-result-writer.h"
#include "ns3/collapipe-run-applications.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

class CollaPipeHelper;

/**
 * @ingroup collapipe
 * What a training needs whatever network it runs on, from a RunConfig: data, model, backend,
 * devices' profiles, controllers.
 */
class TrainingSetup
{
  public:
    /**
     * Checks the configuration, and the checkpoints that it names.
     * @param config what to train, and how
     * @param progress tells the user; must outlive this
     * @throws UserError where it cannot be done
     */
    TrainingSetup(const RunConfig& config, Progress& progress);

    /**
     * Loads the data and makes the backend.
     * @throws UserError where it cannot be done
     */
    void Load();

    TrainingSetup(const TrainingSetup&) = delete; // the scorer refers to the corpus
    TrainingSetup& operator=(const TrainingSetup&) = delete;

    /// @return what was asked for
    const RunConfig& GetConfig() const;

    /// @return to go on from, to leave
    RunCheckpoints& GetCheckpoints();

    /// @return what all applications have in common
    std::shared_ptr<const TrainingContext> GetContext() const;

    /**
     * @param name a short name or TypeId
     * @param cell for which
     * @return a new controller
     */
    Ptr<Controller> CreateController(const std::string& name, uint32_t cell) const;

    /**
     * Tells a helper everything but the model's parameters, which take memory.
     * @param helper that will install the training
     * @throws UserError where a device's profile is none
     */
    void Configure(CollaPipeHelper& helper) const;

    /// @param helper gets the parameters that the first round starts from
    void SetModel(CollaPipeHelper& helper) const;

    /**
     * To be called once they are installed: streams, score.
     * @param applications of the training
     */
    void Connect(const RunApplications& applications) const;

    /// @return training samples by cluster
    const std::vector<std::vector<const Sample*>>& GetClusterData() const;

    /// @param summary gets what is known of configuration and data
    void Describe(RunSummary& summary) const;

    /**
     * Finds out how good the model got; that may take long.
     * @param model that was trained
     * @param summary gets it
     */
    void Score(const ModelState& model, RunSummary& summary) const;

    /**
     * Writes the model to where --export says, if anywhere.
     * @param model that was trained
     * @throws UserError where it cannot be written
     */
    void Export(const ModelState& model) const;

  private:
    void LoadData();
    void CreateContext();

    /// @throws UserError where --export could not be done after all the work
    void CheckExportable() const;

    /// Says which maps of the head are new with the task.
    void WarnOfNewMaps() const;

    /// @return the micro-batches among which a controller may choose: N b as configured
    std::vector<MicroBatchPair> GetAllowedPairs() const;

    /// Gives devices the configured limits: memory as a share of the encoder's need, and energy.
    void SetLimits(std::vector<DeviceProfile>& profiles) const;

    RunConfig m_config;                                    //!< what was asked for
    Progress& m_progress;                                  //!< tells the user
    RunCheckpoints m_checkpoints;                          //!< to go on from, to leave
    Corpus m_corpus;                                       //!< the data
    std::vector<std::vector<const Sample*>> m_clusterData; //!< training samples by cluster
    std::shared_ptr<TrainingContext> m_context;            //!< of all applications
    mutable std::unique_ptr<QualityScorer> m_scorer;       //!< finds out how good the model is
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TRAINING_SETUP_H */
