/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-stage-runner.h"

#include "ns3/log.h"
#include "ns3/simulator.h"

#include <algorithm>
#include <tuple>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeStageRunner");

bool
StageRunner::InputKey::operator<(const InputKey& other) const
{
    return std::tie(iteration, kind, microBatch) <
           std::tie(other.iteration, other.kind, other.microBatch);
}

StageRunner::StageRunner(StageTask task,
                         std::shared_ptr<ModelPart> part,
                         Ptr<Processor> processor,
                         Executor& executor,
                         Callbacks callbacks)
    : m_task(std::move(task)),
      m_part(std::move(part)),
      m_processor(processor),
      m_strand(executor.CreateStrand()),
      m_callbacks(std::move(callbacks)),
      m_iteration(m_task.firstIteration),
      m_credit(m_task.firstIteration)
{
    for (const auto& action : m_task.actions)
    {
        m_microBatches = std::max(m_microBatches, action.microBatch + 1);
    }
}

StageRunner::~StageRunner()
{
    // A run that was stopped in mid-round may have jobs under way: they hold the part, not this.
}

bool
StageRunner::IsFirst() const
{
    return m_task.stage == 0;
}

bool
StageRunner::IsLast() const
{
    return m_task.stage + 1 == m_task.stages;
}

bool
StageRunner::IsFinished() const
{
    return m_iteration == m_task.iterations;
}

void
StageRunner::Settle()
{
    m_strand->Wait(m_strand->Post([] {}));
}

const ModelPart&
StageRunner::GetPart() const
{
    return *m_part;
}

bool
StageRunner::IsStarted() const
{
    return m_started;
}

bool
StageRunner::IsWaitingForFactor(uint32_t iteration) const
{
    return m_isWaiting && iteration == m_iteration;
}

uint64_t
StageRunner::GetPasses() const
{
    return uint64_t{m_iteration} * m_task.actions.size() + m_current;
}

uint32_t
StageRunner::GetIteration() const
{
    return m_iteration;
}

bool
StageRunner::Takes(Input input) const
{
    switch (input)
    {
    case Input::MAIN:
        return true;
    case Input::TARGETS:
        return IsLast();
    case Input::GRADIENT:
        return !IsLast();
    case Input::SHARE:
        return m_task.shares.GetChains() > 1 && m_task.chain == 0;
    case Input::MEAN:
        return m_task.shares.GetChains() > 1 && m_task.chain > 0;
    case Input::TABLE:
        break;
    }
    return m_task.sharesTable;
}

uint32_t
StageRunner::CountInputs(Input input) const
{
    switch (input)
    {
    case Input::TABLE:
    case Input::MEAN:
        return 1;
    case Input::SHARE:
        return m_task.shares.GetChains();
    default:
        return m_microBatches;
    }
}

MessageVerdict
StageRunner::CheckInput(Input input, uint32_t iteration, uint32_t microBatch) const
{
    if (iteration < m_iteration || m_brought.count({iteration, input, microBatch}) > 0)
    {
        return MessageVerdict::Skip("it was here before");
    }
    // Neighbours are at most one flush ahead, and no mean is without this stage's own share
    const bool isEarly = input == Input::MEAN ? iteration > m_iteration || !m_hasShared
                                              : iteration > m_iteration + 1;
    const bool isOwn = input == Input::SHARE && microBatch == m_task.chain;
    if (!Takes(input) || isEarly || isOwn || iteration >= m_task.iterations ||
        microBatch >= CountInputs(input))
    {
        return MessageVerdict::Refuse("stage " + std::to_string(m_task.stage) +
                                      " has no use for micro-batch " + std::to_string(microBatch) +
                                      " of local iteration " + std::to_string(iteration));
    }
    return MessageVerdict::Take();
}

bool
StageRunner::Note(Input input, uint32_t iteration, uint32_t microBatch)
{
    return CheckInput(input, iteration, microBatch).kind == MessageVerdict::TAKE &&
           m_brought.insert({iteration, input, microBatch}).second;
}

void
StageRunner::Start()
{
    if (m_started)
    {
        return;
    }
    m_started = true;
    BeginIteration();
}

void
StageRunner::BeginIteration()
{
    m_isHeld = m_task.takesCredit && IsFirst() && m_iteration > m_credit + 1;
    if (m_isHeld)
    {
        return;
    }
    if (m_callbacks.onIterationStart)
    {
        m_callbacks.onIterationStart(m_iteration);
    }
    Advance();
}

MessageVerdict
StageRunner::CheckCredit(uint32_t iterations) const
{
    if (!m_task.takesCredit || iterations > m_iteration || iterations + 1 >= m_task.iterations)
    {
        return MessageVerdict::Refuse("stage " + std::to_string(m_task.stage) +
                                      " has no use for credit after " + std::to_string(iterations) +
                                      " local iterations");
    }
    return iterations > m_credit ? MessageVerdict::Take()
                                 : MessageVerdict::Skip("it has had that credit");
}

void
StageRunner::ProvideCredit(uint32_t iterations)
{
    m_credit = std::max(m_credit, iterations);
    if (m_isHeld)
    {
        BeginIteration();
    }
}

const StageTask&
StageRunner::GetTask() const
{
    return m_task;
}

void
StageRunner::Resume()
{
    Advance();
}

void
StageRunner::ProvideInput(uint32_t iteration, uint32_t microBatch, TensorList input)
{
    if (Note(Input::MAIN, iteration, microBatch))
    {
        Arrive({iteration, Action::FORWARD, microBatch}, false, std::move(input));
    }
}

void
StageRunner::ProvideTargets(uint32_t iteration, uint32_t microBatch, TensorList targets)
{
    if (Note(Input::TARGETS, iteration, microBatch))
    {
        Arrive({iteration, Action::FORWARD, microBatch}, true, std::move(targets));
    }
}

void
StageRunner::ProvideGradient(uint32_t iteration, uint32_t microBatch, TensorList gradient)
{
    if (Note(Input::GRADIENT, iteration, microBatch))
    {
        Arrive({iteration, Action::BACKWARD, microBatch}, false, std::move(gradient));
    }
}

void
StageRunner::ProvideTable(uint32_t iteration, TensorList gradient)
{
    if (Note(Input::TABLE, iteration, 0))
    {
        m_otherTables[iteration] = std::move(gradient);
        JoinTable();
    }
}

void
StageRunner::ProvideShare(uint32_t iteration, uint32_t chain, TensorList gradients)
{
    if (Note(Input::SHARE, iteration, chain))
    {
        m_task.shares.Add(iteration, chain, std::move(gradients));
        JoinShares();
    }
}

void
StageRunner::ProvideMean(uint32_t iteration, TensorList mean)
{
    if (Note(Input::MEAN, iteration, 0))
    {
        TakeMean(std::move(mean));
    }
}

void
StageRunner::Keep(const InputKey& key, bool isTargets, TensorList tensors)
{
    auto& inputs = m_inputs[key];
    (isTargets ? inputs.hasTargets : inputs.hasMain) = true;
    (isTargets ? inputs.targets : inputs.main) = std::move(tensors);
}

void
StageRunner::Arrive(const InputKey& key, bool isTargets, TensorList tensors)
{
    auto& arrivals = m_arrivals[key];
    (isTargets ? arrivals.hasTargets : arrivals.hasMain) = true;
    auto& shown = isTargets ? arrivals.shownTargets : arrivals.shownMain;
    if (shown.empty())
    {
        Keep(key, isTargets, std::move(tensors));
    }
    else if (AreSame(shown, tensors))
    {
        shown.clear();
    }
    else
    {
        NS_LOG_WARN("Stage " << m_task.stage << " passes over what arrived for micro-batch "
                             << key.microBatch << " of local iteration " << key.iteration
                             << ": it is not what was sent");
        (isTargets ? arrivals.hasTargets : arrivals.hasMain) = false;
        const auto input = isTargets                      ? Input::TARGETS
                           : key.kind == Action::BACKWARD ? Input::GRADIENT
                                                          : Input::MAIN;
        m_brought.erase({key.iteration, input, key.microBatch});
    }
    Advance();
}

void
StageRunner::Show(const InputKey& key, bool isTargets, const TensorList& tensors)
{
    auto& arrivals = m_arrivals[key];
    if (isTargets ? arrivals.hasTargets : arrivals.hasMain)
    {
        return; // a neighbour repeats what is here
    }
    (isTargets ? arrivals.shownTargets : arrivals.shownMain) = tensors;
    Keep(key, isTargets, tensors);
    if (m_started && !IsFinished())
    {
        PostReady();
    }
}

void
StageRunner::TakeEarly(EarlyInputs& early, const MessageHeader& header)
{
    m_early = early.Register(
        header,
        m_task.stage,
        [this](const MessageHeader& head, const TensorList& tensors) {
            const bool isTargets = head.type == MessageType::TARGETS;
            const bool isBackward = head.type == MessageType::GRADIENT;
            const auto input = isTargets    ? Input::TARGETS
                               : isBackward ? Input::GRADIENT
                                            : Input::MAIN;
            if (CheckInput(input, head.iteration, head.microBatch).kind == MessageVerdict::TAKE)
            {
                const auto kind = isBackward ? Action::BACKWARD : Action::FORWARD;
                Show({head.iteration, kind, head.microBatch}, isTargets, tensors);
            }
        });
}

bool
StageRunner::NeedsInputs(const Action& action) const
{
    // What comes before in the list is all that these need
    return action.kind != Action::FLUSH && (action.kind != Action::BACKWARD || !IsLast());
}

bool
StageRunner::IsReady(const Action& action) const
{
    if (!NeedsInputs(action))
    {
        return true;
    }
    const auto it = m_inputs.find({m_iteration, action.kind, action.microBatch});
    if (it == m_inputs.end() || !it->second.hasMain)
    {
        return false;
    }
    return action.kind == Action::BACKWARD || !IsLast() || it->second.hasTargets;
}

bool
StageRunner::HasArrived(const Action& action) const
{
    if (!NeedsInputs(action))
    {
        return true;
    }
    const auto it = m_arrivals.find({m_iteration, action.kind, action.microBatch});
    if (it == m_arrivals.end() || !it->second.hasMain)
    {
        return false;
    }
    return action.kind == Action::BACKWARD || !IsLast() || it->second.hasTargets;
}

TensorList
StageRunner::TakeInputs(const Action& action)
{
    auto node = m_inputs.extract({m_iteration, action.kind, action.microBatch});
    if (node.empty())
    {
        return {};
    }
    auto tensors = std::move(node.mapped().main);
    for (auto& target : node.mapped().targets)
    {
        tensors.push_back(std::move(target));
    }
    return tensors;
}

void
StageRunner::Advance()
{
    if (m_started && !IsFinished())
    {
        PostReady();
        StartNext();
    }
}

void
StageRunner::PostReady()
{
    while (m_nextPost < m_task.actions.size())
    {
        const auto action = m_task.actions[m_nextPost];
        if (action.kind == Action::FLUSH || !IsReady(action))
        {
            return; // the step is posted by Flush(), once the gradients may be looked at
        }
        auto output = std::make_shared<TensorList>();
        auto job = [part = m_part, action, output, input = TakeInputs(action)]() mutable {
            *output = action.kind == Action::FORWARD
                          ? part->Forward(action.microBatch, std::move(input))
                          : part->Backward(action.microBatch, std::move(input));
        };
        m_posted.push_back({m_strand->Post(std::move(job)), output});
        ++m_nextPost;
    }
}

void
StageRunner::StartNext()
{
    if (m_busy || m_current >= m_nextPost || !HasArrived(m_task.actions[m_current]) ||
        (m_callbacks.canSend && !m_callbacks.canSend()))
    {
        return;
    }
    m_busy = true;
    const bool isForward = m_task.actions[m_current].kind == Action::FORWARD;
    m_processor->Run(
        isForward ? m_task.forwardFlops : m_task.backwardFlops,
        [this, alive = std::weak_ptr<char>(m_alive)] {
            if (!alive.expired())
            {
                m_passStart = Simulator::Now();
            }
        },
        [this, alive = std::weak_ptr<char>(m_alive)] {
            if (!alive.expired())
            {
                EndAction();
            }
        });
}

void
StageRunner::EndAction()
{
    const auto action = m_task.actions[m_current];
    const auto posted = std::move(m_posted.front());
    m_posted.pop_front();
    m_strand->Wait(posted.ticket);
    m_busy = false;
    m_arrivals.erase({m_iteration, action.kind, action.microBatch});
    ++m_current;
    if (m_callbacks.onPass)
    {
        m_callbacks.onPass(m_iteration, action, m_passStart);
    }

    const auto& callback =
        action.kind == Action::FORWARD ? m_callbacks.onForward : m_callbacks.onBackward;
    if (!posted.output->empty()) // no gradient where nothing before is trained
    {
        callback(m_iteration, action.microBatch, std::move(*posted.output));
    }

    if (m_task.actions[m_current].kind == Action::FLUSH)
    {
        Flush();
    }
    else
    {
        Advance();
    }
}

void
StageRunner::Flush()
{
    if (m_task.shares.GetChains() < 2)
    {
        GiveTable();
        return;
    }
    auto gradients = std::make_shared<TensorList>();
    m_strand->Wait(m_strand->Post([this, part = m_part, gradients] {
        *gradients = m_task.shares.Encode(part->ExportGradients());
    }));
    m_hasShared = true;
    if (m_task.chain > 0)
    {
        m_callbacks.onShare(m_iteration, std::move(*gradients));
        return;
    }
    m_task.shares.Add(m_iteration, 0, std::move(*gradients));
    JoinShares();
}

void
StageRunner::JoinShares()
{
    if (!m_hasShared || !m_task.shares.IsComplete(m_iteration))
    {
        return;
    }
    auto mean = std::make_shared<TensorList>();
    m_strand->Wait(m_strand->Post([this, mean, shares = m_task.shares.Take(m_iteration)] {
        *mean = m_task.shares.GetMean(shares);
    }));
    m_callbacks.onMean(m_iteration, *mean);
    TakeMean(std::move(*mean));
}

void
StageRunner::TakeMean(TensorList mean)
{
    m_hasShared = false;
    m_strand->Wait(m_strand->Post(
        [part = m_part, gradients = std::move(mean)] { part->ReplaceGradients(gradients); }));
    GiveTable();
}

void
StageRunner::GiveTable()
{
    if (!m_task.sharesTable)
    {
        EndGradients();
        return;
    }
    auto gradient = std::make_shared<TensorList>();
    m_strand->Wait(
        m_strand->Post([part = m_part, gradient] { *gradient = part->ExportTiedGradient(); }));
    m_ownTable = *gradient;
    m_callbacks.onTable(m_iteration, std::move(*gradient));
    JoinTable();
}

void
StageRunner::JoinTable()
{
    const auto other = m_otherTables.find(m_iteration);
    if (m_ownTable.empty() || other == m_otherTables.end())
    {
        return;
    }
    m_strand->Wait(m_strand->Post(
        [part = m_part, own = std::move(m_ownTable), gradient = std::move(other->second)] {
            part->JoinTiedGradients(own, gradient);
        }));
    m_ownTable.clear();
    m_otherTables.erase(other);
    EndGradients();
}

void
StageRunner::EndGradients()
{
    if (m_callbacks.onFlush)
    {
        m_callbacks.onFlush(m_iteration, *m_part);
    }
    if (!m_task.isClipped)
    {
        Step(1);
        return;
    }
    auto squaredNorm = std::make_shared<double>();
    m_strand->Wait(m_strand->Post(
        [part = m_part, squaredNorm] { *squaredNorm = part->GetSquaredGradientNorm(); }));
    m_isWaiting = true;
    m_callbacks.onNorm(m_iteration, *squaredNorm);
}

void
StageRunner::ProvideClipFactor(uint32_t iteration, double factor)
{
    if (!IsWaitingForFactor(iteration))
    {
        return; // it had one
    }
    m_isWaiting = false;
    Step(factor);
}

void
StageRunner::Step(double factor)
{
    m_strand->Post([part = m_part, factor] {
        if (factor != 1)
        {
            part->ScaleGradients(factor);
        }
        part->Step();
    });
    ++m_iteration;
    m_nextPost = 0;
    m_current = 0;
    m_brought.erase(m_brought.begin(), m_brought.lower_bound({m_iteration, Input::MAIN, 0}));
    if (m_callbacks.onStepped)
    {
        m_callbacks.onStepped(m_iteration);
    }
    if (IsFinished())
    {
        Settle();
        m_callbacks.onFinished();
        return;
    }
    BeginIteration();
}

} // namespace collapipe
} // namespace ns3
