/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_CHECKPOINTS_H
#define COLLAPIPE_RUN_CHECKPOINTS_H

#include "collapipe-checkpoint-folder.h"
#include "collapipe-checkpoint.h"
#include "collapipe-run-data.h"

#include "ns3/collapipe-corpus.h"
#include "ns3/collapipe-replay-backend.h"
#include "ns3/collapipe-run-recorder.h"

#include <functional>
#include <memory>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The checkpoints of a training run: the one that it goes on from, and those that it leaves.
 *
 * A run that is given a checkpoint and no other options than the run which left it had (but those
 * of its surroundings, see RunOption::Local()) goes on exactly where that one ended: the earlier
 * rounds are simulated again, without computing, so that the network, the clocks, the queues and
 * all random streams are as they were. With other options it is a new run that starts from the
 * saved model.
 */
class RunCheckpoints
{
  public:
    /**
     * @param config of the run
     * @throws UserError where the checkpoint to load cannot be used, the run has no rounds beyond
     *         it, or the one to save could not be written or would overwrite something else
     */
    explicit RunCheckpoints(const RunConfig& config);

    RunCheckpoints(const RunCheckpoints&) = delete; // traces hold its address
    RunCheckpoints& operator=(const RunCheckpoints&) = delete;

    /// @return empty, or a sentence for the user: how a loaded checkpoint is used
    std::string GetNotice() const;

    /// @return the loaded checkpoint's tokenizer; none where there is no checkpoint
    GivenTokenizer GetTokenizer() const;

    /**
     * @param corpus of the run
     * @throws UserError where a run that goes on has other data than before
     */
    void CheckData(const Corpus& corpus);

    /**
     * @param backend that is to compute
     * @return the backend to use: it computes nothing in rounds that are replayed
     */
    Ptr<ComputeBackend> Wrap(Ptr<ComputeBackend> backend);

    /**
     * @param context of the run
     * @param seed of initial weights
     * @return what the first round starts from
     * @throws UserError where the loaded model is another one
     */
    ModelState CreateModel(TrainingContext& context, uint64_t seed) const;

    /**
     * Replays, and saves when it is time to.
     * @param applications of the run
     * @param model its dimensions
     * @param recorder of the run, which listens to them already; must outlive the run
     */
    void Connect(const RunApplications& applications,
                 const ModelConfig& model,
                 const RunRecorder& recorder);

    /// @param callback told in one sentence when a checkpoint could not be written
    void SetFailureCallback(std::function<void(const std::string&)> callback);

    /// @return whether the latest checkpoint that was due could be written; a run goes on without
    bool IsSaved() const;

    /**
     * Puts what replayed rounds had learnt into the written results.
     * @param rounds path of rounds.csv
     * @param devices path of devices.csv
     */
    void Restore(const std::string& rounds, const std::string& devices) const;

  private:
    /**
     * @throws UserError where the run goes on but its step size falls over other rounds than the
     *         saved run's did
     */
    void CheckDecay() const;

    void HandleRound(const RoundRecord& record);

    /// Writes the checkpoint of the rounds so far.
    void Save();

    RunConfig m_config;                                  //!< of the run
    std::unique_ptr<CheckpointFolder> m_folder;          //!< to save to; null: nothing is saved
    std::function<void(const std::string&)> m_onFailure; //!< whom to tell
    bool m_isSaved{true};                                //!< see IsSaved()
    std::shared_ptr<const Checkpoint> m_loaded;          //!< to go on from; null: none
    std::vector<std::string> m_changes;                  //!< options that are not as they were
    Ptr<ReplayBackend> m_backend;                        //!< of a run that replays
    Ptr<EdgeServerApplication> m_edgeServer;             //!< holds the model
    const RunRecorder* m_recorder{nullptr};              //!< has the rows
    ModelConfig m_model;                                 //!< the model's dimensions
    std::string m_tokenizer;                             //!< of the run
    std::vector<std::string> m_classes;                  //!< of a classification
    uint32_t m_vocabulary{0};                            //!< its pieces
    uint32_t m_dataCrc{0};                               //!< of its data
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_CHECKPOINTS_H */
