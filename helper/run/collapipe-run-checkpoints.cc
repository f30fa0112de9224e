/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-checkpoints.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-result-writer.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return the text of a file that a function writes, given its path, somewhere beside the results
template <typename Writer>
std::string
WriteToText(const std::string& folder, Writer write)
{
    namespace fs = std::filesystem;

    struct File
    {
        std::string path; //!< of it

        ~File()
        {
            std::error_code ignored;
            fs::remove(path, ignored);
        }
    };

    const File file{(fs::path(folder) / (".rows.partial-" + std::to_string(getpid()))).string()};
    write(file.path);
    return ReadWholeFile(file.path);
}

/// @return every parameter, as files have it
ModelParameters
ReadPretrained(const PretrainedModel& pretrained,
               const ModelConfig& model,
               const ModelParameters& initial)
{
    try
    {
        return pretrained.ReadParameters(model, initial);
    }
    catch (const DataError& error)
    {
        throw UserError(std::string("--pretrained: ") + error.what());
    }
}

} // namespace

RunCheckpoints::RunCheckpoints(const RunConfig& config)
    : m_config(config)
{
    if (m_config.cells > 1 && !(m_config.save.empty() && m_config.load.empty()))
    {
        throw UserError("--save and --load are for runs of a single cell; leave --cells at 1");
    }
    if (!m_config.save.empty())
    {
        m_folder = std::make_unique<CheckpointFolder>(m_config.save, m_config.outputDir);
    }
    if (m_config.load.empty())
    {
        return;
    }
    m_loaded = Checkpoint::Read(m_config.load);
    m_changes = m_loaded->FindChanges(m_config);
    const auto rounds = m_loaded->history.GetRounds();
    if (m_changes.empty() && m_config.rounds <= rounds)
    {
        throw UserError("--load=" + m_config.load + ": this run has had " + std::to_string(rounds) +
                        " rounds; --rounds says how many it shall have "
                        "in all and must be larger");
    }
    CheckDecay();
}

void
RunCheckpoints::CheckDecay() const
{
    const auto& learning = m_config.learning;
    const auto& saved = m_loaded->options;
    const auto rounds = std::find_if(saved.begin(), saved.end(), [](const auto& option) {
        return option.first == "rounds";
    });
    if (m_changes.empty() && learning.decay == "linear" && learning.decayRounds == 0 &&
        rounds != saved.end() && rounds->second != std::to_string(m_config.rounds))
    {
        throw UserError("--load=" + m_config.load +
                        ": the step size of this run falls to 0 over --rounds=" + rounds->second +
                        ", so it cannot go on to --rounds=" + std::to_string(m_config.rounds) +
                        " as if it had never ended; save runs that are to go on with "
                        "--decayRounds, or give --decayRounds or --decay now to start a new run "
                        "from the saved model");
    }
}

std::string
RunCheckpoints::GetNotice() const
{
    if (!m_loaded || m_changes.empty())
    {
        return "";
    }
    std::string names;
    for (const auto& change : m_changes)
    {
        names += (names.empty() ? "--" : ", --") + change;
    }
    return "this is a new run that starts from the model in " + m_config.load +
           ", not a continuation, because of " + names;
}

GivenTokenizer
RunCheckpoints::GetTokenizer() const
{
    return m_loaded ? GivenTokenizer{m_loaded->tokenizer, m_loaded->vocabulary} : GivenTokenizer();
}

void
RunCheckpoints::CheckData(const Corpus& corpus)
{
    m_tokenizer = corpus.tokenizer.GetModel();
    m_classes = corpus.dataset.classes;
    m_vocabulary = corpus.tokenizer.GetVocabularySize();
    m_dataCrc = Checkpoint::GetDataCrc(corpus.dataset);
    if (m_loaded && m_changes.empty() && m_dataCrc != m_loaded->dataCrc)
    {
        throw UserError("--load=" + m_config.load +
                        ": the training or validation data are not "
                        "those that this run has had; put the files back as they were");
    }
}

Ptr<ComputeBackend>
RunCheckpoints::Wrap(Ptr<ComputeBackend> backend)
{
    if (!m_loaded || !m_changes.empty())
    {
        return backend;
    }
    m_backend = CreateObject<ReplayBackend>();
    m_backend->SetBackend(backend);
    return m_backend;
}

ModelState
RunCheckpoints::CreateModel(TrainingContext& context, uint64_t seed) const
{
    ModelState model;
    const bool isFrozen = context.model.trained != TrainedPart::ALL;
    if (isFrozen || !m_loaded)
    {
        // What is frozen is no part of a checkpoint: it is made as it was made before
        const auto backend = m_backend ? m_backend->GetBackend() : context.backend;
        auto all = backend->CreateParameters(context.model, seed);
        const auto pretrained = m_config.learning.GetPretrained();
        if (pretrained && backend->IsComputing())
        {
            all = ReadPretrained(*pretrained, context.model, all);
        }
        model.parameters = FreezeParameters(context.model, all);
    }
    if (m_backend)
    {
        auto replayed = context.model;
        const auto all = m_backend->CreateParameters(replayed, seed);
        model.parameters = FreezeParameters(replayed, all);
    }
    if (!m_loaded || m_backend)
    {
        return model;
    }
    if (!(m_loaded->model == context.model))
    {
        throw UserError("--load=" + m_config.load +
                        ": the saved model has other dimensions than this run's");
    }
    model = m_loaded->history.model;
    if (!context.keepOptimizerState)
    {
        model.optimizer.clear();
        model.counters.clear();
    }
    return model;
}

void
RunCheckpoints::Connect(const RunApplications& applications,
                        const ModelConfig& model,
                        const RunRecorder& recorder)
{
    m_edgeServer = applications.edgeServer;
    m_recorder = &recorder;
    m_model = model;
    if (m_backend)
    {
        m_edgeServer->SetHistory({m_loaded, &m_loaded->history});
    }
    m_edgeServer->TraceConnectWithoutContext("Round",
                                             MakeCallback(&RunCheckpoints::HandleRound, this));
}

void
RunCheckpoints::HandleRound(const RoundRecord& record)
{
    const uint32_t replayed = m_backend ? m_loaded->history.GetRounds() : 0;
    if (record.round == replayed)
    {
        m_backend->EndReplay();
    }
    const bool isLast = record.round == m_config.rounds;
    const bool isDue = m_config.saveEvery > 0 && record.round % m_config.saveEvery == 0;
    if (!m_config.save.empty() && record.round > replayed && (isLast || isDue))
    {
        try
        {
            Save();
            m_isSaved = true;
        }
        catch (const UserError& error)
        {
            // What was learnt is in the results, too: the run goes on, and the next may fit.
            if (m_isSaved && m_onFailure)
            {
                m_onFailure("--save=" + m_config.save + ": there is no checkpoint of round " +
                            std::to_string(record.round) + ": " + error.what());
            }
            m_isSaved = false;
        }
    }
}

void
RunCheckpoints::SetFailureCallback(std::function<void(const std::string&)> callback)
{
    m_onFailure = std::move(callback);
}

bool
RunCheckpoints::IsSaved() const
{
    return m_isSaved;
}

void
RunCheckpoints::Save()
{
    std::error_code ignored;
    std::filesystem::create_directories(m_config.save, ignored);
    Checkpoint checkpoint;
    auto& history = checkpoint.history;
    history.evaluations = m_edgeServer->GetEvaluations();
    auto rows = m_recorder->GetRounds();
    if (m_config.learning.score == "end")
    {
        // The round at which the saved run ends is one in the middle of the run that goes on.
        for (auto& row : rows)
        {
            row.quality = QualityScore();
            history.evaluations[row.round].quality = QualityScore();
        }
    }
    history.model = m_edgeServer->GetModel();
    history.monitor = m_edgeServer->GetLearningMonitor();
    for (const auto& row : m_recorder->GetRounds())
    {
        history.trainLosses.push_back(row.trainLoss);
        history.learning.push_back(row.learning);
    }
    checkpoint.options = m_config.ListAll();
    checkpoint.model = m_model;
    checkpoint.tokenizer = m_tokenizer;
    checkpoint.vocabulary = m_vocabulary;
    checkpoint.dataCrc = m_dataCrc;
    checkpoint.rounds = WriteToText(m_config.save, [this, &rows](const std::string& path) {
        RunSummary summary; // what the columns go by
        DescribeRun(m_config, summary);
        summary.classes = m_classes;
        WriteRounds(path, summary, rows);
        Restore(path, "");
    });
    checkpoint.devices = WriteToText(m_config.save, [this](const std::string& path) {
        WriteDevices(path, m_recorder->GetDevices());
        Restore("", path);
    });
    checkpoint.Write(m_config.save);
}

void
RunCheckpoints::Restore(const std::string& rounds, const std::string& devices) const
{
    if (m_backend && !rounds.empty())
    {
        RestoreRows(rounds, m_loaded->rounds);
    }
    if (m_backend && !devices.empty())
    {
        RestoreRows(devices, m_loaded->devices);
    }
}

} // namespace collapipe
} // namespace ns3
