/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_STAGE_RUNNER_H
#define COLLAPIPE_STAGE_RUNNER_H

#include "collapipe-early-inputs.h"
#include "collapipe-gradient-shares.h"
#include "collapipe-message-verdict.h"
#include "collapipe-processor.h"

#include "ns3/collapipe-executor.h"
#include "ns3/collapipe-model-part.h"
#include "ns3/collapipe-schedule.h"

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <tuple>

namespace ns3
{
namespace collapipe
{

/**
 * What a stage has to do in a round.
 */
struct StageTask
{
    uint32_t stages{1};         //!< compute stages of the chain, P
    uint32_t stage{0};          //!< index of this one
    uint32_t iterations{1};     //!< H
    uint32_t firstIteration{0}; //!< those before it were done in an earlier attempt
    ActionList actions;         //!< of one iteration
    double forwardFlops{0};     //!< work of one forward pass of a micro-batch
    double backwardFlops{0};    //!< work of one backward pass of a micro-batch
    bool isClipped{false};      //!< the step waits for ProvideClipFactor()
    bool sharesTable{false};    //!< it waits for ProvideTable() before that
    /// Before that, where chains step together, for the mean of their gradients, which the first of
    /// them makes
    GradientShares shares;
    uint32_t chain{0}; //!< index of the stage's chain among those
    /// The stage has no backward pass, so nothing but credits keeps it with those behind it. The
    /// first stage waits for them: it begins no iteration before the last but one is done there
    bool takesCredit{false};
    bool givesCredit{false}; //!< the stages before take credits, and this one has a backward pass
};

/**
 * @ingroup collapipe
 * Works through a stage's actions for all local iterations of a round.
 *
 * An action is *posted* to the worker threads as soon as its inputs are known and the actions
 * before it are posted; it is *started* on the simulated processor when its inputs have arrived and
 * the action before it has ended. At its simulated end the real result is joined and handed on.
 */
class StageRunner
{
  public:
    /// Called with iteration, micro-batch and what the pass put out
    using OutputCallback = std::function<void(uint32_t, uint32_t, TensorList)>;

    /// Whom the runner works for
    struct Callbacks
    {
        /// A pass has ended at this moment; called before its output is handed on
        std::function<void(uint32_t iteration, const Action& action, Time start)> onPass;
        OutputCallback onForward;  //!< a forward pass has ended
        OutputCallback onBackward; //!< a backward pass has ended
        /// Where a table lies on two nodes: the gradient of this stage's copy is complete
        std::function<void(uint32_t iteration, TensorList gradient)> onTable;
        /// Where chains step together: this stage's gradients are complete, for the first chain's
        std::function<void(uint32_t iteration, TensorList gradients)> onShare;
        /// On the first chain: the mean of all chains' is there, for the others
        std::function<void(uint32_t iteration, const TensorList& mean)> onMean;
        /// An iteration's gradients are complete; called before the optimizer's step
        std::function<void(uint32_t iteration, const ModelPart&)> onFlush;
        /// Where gradients are clipped: the squared norm of this stage's is known
        std::function<void(uint32_t iteration, double squaredNorm)> onNorm;
        std::function<void(uint32_t iteration)> onIterationStart; //!< stage 0: data is wanted
        /// So many local iterations of the round are done; maybe empty
        std::function<void(uint32_t iterations)> onStepped;
        std::function<bool()> canSend;    //!< back-pressure: whether an output may be made now
        std::function<void()> onFinished; //!< the last iteration has ended
    };

    /**
     * @param task what to do
     * @param part what computes
     * @param processor what spends the simulated time; must outlive the runner's work
     * @param executor where real computation runs
     * @param callbacks whom to tell
     */
    StageRunner(StageTask task,
                std::shared_ptr<ModelPart> part,
                Ptr<Processor> processor,
                Executor& executor,
                Callbacks callbacks);

    /// Waits for real computation under way.
    ~StageRunner();

    StageRunner(const StageRunner&) = delete;
    StageRunner& operator=(const StageRunner&) = delete;

    /**
     * Has inputs shown that are still under way.
     * @param early who shows them
     * @param header of messages to this stage
     */
    void TakeEarly(EarlyInputs& early, const MessageHeader& header);

    /// Begins the first iteration; once.
    void Start();

    /// @return whether Start() was called
    bool IsStarted() const;

    /// What is brought to a stage
    enum class Input : uint8_t
    {
        MAIN,     //!< activation, or source tokens
        TARGETS,  //!< target tokens
        GRADIENT, //!< of the stage's output
        TABLE,    //!< gradient of the other copy of the stage's table
        SHARE,    //!< gradients of another chain, whose index stands in the micro-batch's place
        MEAN,     //!< of all chains' gradients
    };

    /**
     * @param input what somebody wants to bring
     * @param iteration local iteration
     * @param microBatch micro-batch
     * @return whether it is wanted: once, of this iteration or the next one
     */
    MessageVerdict CheckInput(Input input, uint32_t iteration, uint32_t microBatch) const;

    /**
     * @param iteration local iteration
     * @return whether it waits for ProvideClipFactor()
     */
    bool IsWaitingForFactor(uint32_t iteration) const;

    /// @return passes that have ended so far, over all iterations of the round
    uint64_t GetPasses() const;

    /// @return the local iteration under way
    uint32_t GetIteration() const;

    /**
     * Brings the stage's input: the activation, or the source tokens at stage 0.
     * @param iteration local iteration
     * @param microBatch micro-batch
     * @param input as ModelPart::Forward() wants it, without targets
     */
    void ProvideInput(uint32_t iteration, uint32_t microBatch, TensorList input);

    /// Brings target tokens and normaliser, where this is the last stage.
    void ProvideTargets(uint32_t iteration, uint32_t microBatch, TensorList targets);

    /// Brings the gradient of the stage's output, where this is not the last stage.
    void ProvideGradient(uint32_t iteration, uint32_t microBatch, TensorList gradient);

    /**
     * Brings the gradient of the other copy of the stage's table, where it shares one.
     * @param iteration local iteration
     * @param gradient as ModelPart::ExportTiedGradient() of the other part gave it
     */
    void ProvideTable(uint32_t iteration, TensorList gradient);

    /**
     * Brings the gradients of another chain's stage, where chains step together and this one is the
     * first.
     * @param iteration local iteration
     * @param chain index among the chains
     * @param gradients as GradientShares::Encode() gave them
     */
    void ProvideShare(uint32_t iteration, uint32_t chain, TensorList gradients);

    /**
     * Brings the mean of all chains' gradients to another than the first.
     * @param iteration local iteration
     * @param mean as GradientShares::GetMean() gave it
     */
    void ProvideMean(uint32_t iteration, TensorList mean);

    /**
     * @param iterations that somebody says are done behind this stage
     * @return whether that is wanted: news, and no more than this stage has done
     */
    MessageVerdict CheckCredit(uint32_t iterations) const;

    /**
     * Tells that the stages behind have done so many local iterations of the round.
     * @param iterations that CheckCredit() takes
     */
    void ProvideCredit(uint32_t iterations);

    /// @return what the stage has to do
    const StageTask& GetTask() const;

    /**
     * Lets an iteration end whose norm was told by onNorm.
     * @param iteration local iteration
     * @param factor by which the gradients are multiplied before the step
     */
    void ProvideClipFactor(uint32_t iteration, double factor);

    /// To be called when canSend() may have become true.
    void Resume();

    /// Waits until real computation has done all that was posted: the part can be looked at.
    void Settle();

    /// @return the part; settled once finished
    const ModelPart& GetPart() const;

    /// @return whether all iterations are done
    bool IsFinished() const;

  private:
    /// What identifies an input: kind of pass and micro-batch, in the current or a later iteration
    struct InputKey
    {
        uint32_t iteration;
        Action::Kind kind;
        uint32_t microBatch;

        bool operator<(const InputKey& other) const;
    };

    /// Inputs of one action as far as they are known
    struct Inputs
    {
        bool hasMain{false};    //!< activation, tokens or gradient is known
        bool hasTargets{false}; //!< targets are known
        TensorList main;
        TensorList targets;
    };

    /// What has arrived of one action's inputs, and what was shown before it has
    struct Arrivals
    {
        bool hasMain{false};     //!< activation, tokens or gradient has arrived
        bool hasTargets{false};  //!< targets have arrived
        TensorList shownMain;    //!< to be compared with what arrives
        TensorList shownTargets; //!< likewise
    };

    /// An action that was posted: where its output will be
    struct Posted
    {
        Strand::Ticket ticket;
        std::shared_ptr<TensorList> output;
    };

    bool IsFirst() const;
    bool IsLast() const;

    /// @return whether the stage takes inputs of a kind
    bool Takes(Input input) const;

    /// @return how many inputs of a kind an iteration has at most
    uint32_t CountInputs(Input input) const;

    /// Notes what was brought. @return whether it was wanted
    bool Note(Input input, uint32_t iteration, uint32_t microBatch);

    /**
     * An input has arrived.
     * @param key of the action
     * @param isTargets whether it is the targets
     * @param tensors it
     */
    void Arrive(const InputKey& key, bool isTargets, TensorList tensors);

    /// An input is shown that is under way: likewise
    void Show(const InputKey& key, bool isTargets, const TensorList& tensors);

    /// Keeps an input for the action's post: likewise
    void Keep(const InputKey& key, bool isTargets, TensorList tensors);

    /// @return whether an action of the current iteration needs inputs
    bool NeedsInputs(const Action& action) const;

    /// @return whether all inputs of an action of the current iteration are known
    bool IsReady(const Action& action) const;

    /// @return whether all inputs of an action of the current iteration have arrived
    bool HasArrived(const Action& action) const;

    /// Takes the inputs of an action out of the store.
    TensorList TakeInputs(const Action& action);

    /// Posts what can be posted, starts what can be started.
    void Advance();
    void PostReady();
    void StartNext();

    /// The current action has ended in simulated time.
    void EndAction();

    /// An iteration's passes are done: gives its gradients to the chains that step together.
    void Flush();

    /// Goes on where all chains' gradients are there.
    void JoinShares();

    /// Goes on with the mean of all chains' gradients.
    void TakeMean(TensorList mean);

    /// Gives the gradient of the table's copy, where there are two.
    void GiveTable();

    /// Goes on where both gradients of the table are there.
    void JoinTable();

    /// Tells of the iteration's gradients, and ends it or waits for a factor.
    void EndGradients();

    /// Ends an iteration with the optimizer's step.
    void Step(double factor);

    /// Begins the current iteration, where credit is there for it.
    void BeginIteration();

    StageTask m_task;
    std::shared_ptr<ModelPart> m_part;
    Ptr<Processor> m_processor;
    std::shared_ptr<Strand> m_strand;
    Callbacks m_callbacks;

    /// What was brought: iteration, input, micro-batch
    using Brought = std::tuple<uint32_t, Input, uint32_t>;

    std::shared_ptr<char> m_alive{std::make_shared<char>()}; //!< dies with this
    uint32_t m_microBatches{0};                              //!< N
    std::set<Brought> m_brought;                             //!< of this iteration and the next one
    std::map<InputKey, Inputs> m_inputs;                     //!< known, not yet posted
    std::map<InputKey, Arrivals> m_arrivals;                 //!< of actions that have not ended
    EarlyInputs::Registration m_early;                       //!< while inputs may be shown
    std::deque<Posted> m_posted;                             //!< posted, not yet ended
    uint32_t m_iteration{0};                                 //!< current local iteration
    std::size_t m_nextPost{0};                               //!< next action to post
    std::size_t m_current{0};                                //!< action being run, or next to start
    bool m_busy{false};                                      //!< an action is at the processor
    Time m_passStart;        //!< when the processor began the current action
    bool m_started{false};   //!< Start() was called
    bool m_isWaiting{false}; //!< for the clip factor of the current iteration
    bool m_hasShared{false}; //!< own gradients are given; waits for those of other chains
    bool m_isHeld{false};    //!< the current iteration has not begun, for want of credit
    uint32_t m_credit{0};    //!< local iterations that are done behind this stage
    TensorList m_ownTable;   //!< gradient of this stage's copy, while it waits for the other
    std::map<uint32_t, TensorList> m_otherTables; //!< by iteration: of the other copy
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_STAGE_RUNNER_H */
