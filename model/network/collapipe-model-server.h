/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MODEL_SERVER_H
#define COLLAPIPE_MODEL_SERVER_H

#include "collapipe-cluster-run.h"
#include "collapipe-message-application.h"
#include "collapipe-training-history.h"

#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What a server knows of a round that has ended.
 */
struct RoundRecord
{
    uint32_t round{0};                     //!< index, from 1
    Time start;                            //!< the state requests were sent; lead: the models
    Time planned;                          //!< all reports were in, the plan made
    Time end;                              //!< last upload complete
    std::vector<PhaseTimes> phases;        //!< by cluster of the server; lead: none
    std::shared_ptr<const RoundPlan> plan; //!< what was decided; lead: null, its cells decide
    LearningState learning; //!< constants of the bound (9), estimated up to this round
    double trainLoss{0};    //!< mean over clusters (by weight) and iterations; NaN: unknown
};

/**
 * @ingroup collapipe
 * An application that holds the whole model from round to round: what the edge server of a single
 * cell and the lead of several have in common.
 *
 * Evaluation is real computation that costs no simulated time: it runs beside the next round.
 */
class ModelServerApplication : public MessageApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    ModelServerApplication();
    ~ModelServerApplication() override;

    /// @param model what the first round starts from
    void SetModel(ModelState model);

    /// @param history of the first rounds, which are replayed; see TrainingHistory
    void SetHistory(std::shared_ptr<const TrainingHistory> history);

    /// @param samples to evaluate on after every round; must outlive the run
    void SetValidation(const std::vector<Sample>* samples);

    /**
     * @param scorer called after every evaluation, on any thread, with round and parameters; what
     *        it gives goes into the EvaluationResult
     */
    void SetScorer(std::function<QualityScore(uint32_t, const ModelParameters&)> scorer);

    /// @return the model after the last round that has ended
    const ModelState& GetModel() const;

    /**
     * Blocks until evaluations under way are done.
     * @return results by round; [0] is of the model before the first round
     */
    const std::vector<EvaluationResult>& GetEvaluations();

    /**
     * Signature of the Round trace.
     * @param record of the round that has ended
     */
    typedef void (*RoundTracedCallback)(const RoundRecord& record);

    /**
     * Signature of the Evaluation trace. Fired in round order, when the result is known.
     * @param round the round; 0 is before the first
     * @param result what was found
     */
    typedef void (*EvaluationTracedCallback)(uint32_t round, const EvaluationResult& result);

    /// Signature of the Finished trace: all rounds have ended.
    typedef void (*FinishedTracedCallback)();

  protected:
    void DoDispose() override;
    void StartApplication() override;

    /// Begins the next round.
    virtual void BeginRound() = 0;

    /**
     * Evaluates the model as it is now, says that the round has ended, and begins the next one or
     * says that all have.
     * @param record of the round
     */
    void FinishRound(const RoundRecord& record);

    std::shared_ptr<const ModelState> m_model;        //!< after the last round
    std::shared_ptr<const TrainingHistory> m_history; //!< of replayed rounds; null: none
    TracedCallback<const RoundRecord&> m_roundTrace;  //!< a round has ended

  private:
    /// An evaluation under way
    struct Evaluation
    {
        Strand::Ticket ticket;                    //!< of its job
        std::shared_ptr<EvaluationResult> result; //!< filled by the job
    };

    /// Starts evaluating the current model.
    void PostEvaluation();

    /// Joins evaluations until at most so many are under way.
    void JoinEvaluations(std::size_t underWay);

    uint32_t m_rounds{1};                                                   //!< how many
    const std::vector<Sample>* m_validation{nullptr};                       //!< to evaluate on
    std::function<QualityScore(uint32_t, const ModelParameters&)> m_scorer; //!< scores models
    std::shared_ptr<Strand> m_evaluator;         //!< runs evaluations in order
    std::deque<Evaluation> m_evaluating;         //!< under way
    std::vector<EvaluationResult> m_evaluations; //!< known
    TracedCallback<uint32_t, const EvaluationResult&> m_evaluationTrace;
    TracedCallback<> m_finishedTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MODEL_SERVER_H */
