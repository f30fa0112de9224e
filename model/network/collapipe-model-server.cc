/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-server.h"

#include "ns3/log.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeModelServer");
NS_OBJECT_ENSURE_REGISTERED(ModelServerApplication);

TypeId
ModelServerApplication::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::ModelServerApplication")
            .SetParent<MessageApplication>()
            .SetGroupName("CollaPipe")
            .AddAttribute("Rounds",
                          "Number of training rounds.",
                          UintegerValue(1),
                          MakeUintegerAccessor(&ModelServerApplication::m_rounds),
                          MakeUintegerChecker<uint32_t>(1))
            .AddTraceSource("Round",
                            "A round has ended.",
                            MakeTraceSourceAccessor(&ModelServerApplication::m_roundTrace),
                            "ns3::collapipe::ModelServerApplication::RoundTracedCallback")
            .AddTraceSource("Evaluation",
                            "The model after a round was evaluated.",
                            MakeTraceSourceAccessor(&ModelServerApplication::m_evaluationTrace),
                            "ns3::collapipe::ModelServerApplication::EvaluationTracedCallback")
            .AddTraceSource("Finished",
                            "All rounds have ended.",
                            MakeTraceSourceAccessor(&ModelServerApplication::m_finishedTrace),
                            "ns3::collapipe::ModelServerApplication::FinishedTracedCallback");
    return tid;
}

ModelServerApplication::ModelServerApplication() = default;
ModelServerApplication::~ModelServerApplication() = default;

void
ModelServerApplication::DoDispose()
{
    m_evaluating.clear();
    m_evaluator = nullptr;
    MessageApplication::DoDispose();
}

void
ModelServerApplication::SetModel(ModelState model)
{
    m_model = std::make_shared<const ModelState>(std::move(model));
}

void
ModelServerApplication::SetHistory(std::shared_ptr<const TrainingHistory> history)
{
    m_history = std::move(history);
}

void
ModelServerApplication::SetValidation(const std::vector<Sample>* samples)
{
    m_validation = samples;
}

void
ModelServerApplication::SetScorer(
    std::function<QualityScore(uint32_t, const ModelParameters&)> scorer)
{
    m_scorer = std::move(scorer);
}

const ModelState&
ModelServerApplication::GetModel() const
{
    return *m_model;
}

const std::vector<EvaluationResult>&
ModelServerApplication::GetEvaluations()
{
    JoinEvaluations(0);
    return m_evaluations;
}

void
ModelServerApplication::StartApplication()
{
    MessageApplication::StartApplication();
    if (m_model && !m_evaluator)
    {
        m_evaluator = GetContext().executor->CreateStrand(false);
        PostEvaluation();
    }
}

void
ModelServerApplication::FinishRound(const RoundRecord& record)
{
    PostEvaluation();
    m_roundTrace(record);
    JoinEvaluations(1);
    if (record.round < m_rounds)
    {
        BeginRound();
        return;
    }
    JoinEvaluations(0);
    m_finishedTrace();
}

void
ModelServerApplication::PostEvaluation()
{
    const std::size_t index = m_evaluations.size() + m_evaluating.size();
    if (m_history && index <= m_history->GetRounds())
    {
        auto known = std::make_shared<EvaluationResult>(m_history->evaluations[index]);
        m_evaluating.push_back({m_evaluator->Post([] {}), known});
        return;
    }
    static const std::vector<Sample> NONE;
    const auto& context = GetContext();
    auto result = std::make_shared<EvaluationResult>();
    auto job = [result,
                model = m_model,
                backend = PeekPointer(context.backend),
                config = context.model,
                samples = m_validation ? m_validation : &NONE,
                round = static_cast<uint32_t>(m_evaluations.size() + m_evaluating.size()),
                scorer = m_scorer] {
        *result = backend->Evaluate(config, model->parameters, *samples);
        if (scorer)
        {
            result->quality = scorer(round, model->parameters);
        }
    };
    m_evaluating.push_back({m_evaluator->Post(std::move(job)), result});
}

void
ModelServerApplication::JoinEvaluations(std::size_t underWay)
{
    while (m_evaluating.size() > underWay)
    {
        m_evaluator->Wait(m_evaluating.front().ticket);
        m_evaluations.push_back(*m_evaluating.front().result);
        m_evaluating.pop_front();
        m_evaluationTrace(m_evaluations.size() - 1, m_evaluations.back());
    }
}

} // namespace collapipe
} // namespace ns3
