/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-installed-training.h"

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-node-name.h"
#include "ns3/collapipe-output-directory.h"
#include "ns3/collapipe-user-error.h"
#include "ns3/simulator.h"

#include <chrono>
#include <utility>

namespace ns3
{
namespace collapipe
{

/// What all copies of an InstalledTraining share
class InstalledTraining::Training
{
  public:
    Training(const RunConfig& config, std::unique_ptr<TopologyHelper> topology)
        : m_progress(config.progress, config.rounds),
          m_setup(config, m_progress),
          m_topology(std::move(topology)),
          m_start(std::chrono::steady_clock::now())
    {
        if (!config.outputDir.empty())
        {
            m_output = std::make_unique<OutputDirectory>(config.outputDir);
        }
        m_setup.Load();
    }

    void Complete(const RunApplications& applications)
    {
        m_applications = applications;
        m_setup.Connect(applications);
        m_results =
            std::make_unique<RunResults>(applications,
                                         m_output.get(),
                                         uint64_t{m_setup.GetConfig().timelineSizeMb} * 1000000,
                                         m_setup.GetConfig().timelineGzip);
        auto& recorder = m_results->GetRecorder();
        m_setup.GetCheckpoints().Connect(applications, m_setup.GetContext()->model, recorder);
        recorder.SetProgressCallback([this](double share) { m_progress.Update(share); });
        recorder.SetRowCallback([this](const RoundRow& row) { m_progress.EndRound(row); });
        m_results->WarnOfWaits([this](const std::string& warning) { m_progress.Warn(warning); });
        applications.leader->TraceConnectWithoutContext(
            "Finished",
            MakeCallback(&Training::HandleFinished, this));
        applications.meter->TraceConnectWithoutContext("Empty",
                                                       MakeCallback(&Training::HandleEmpty, this));
        applications.loops.front()->SetInfeasibleCallback([this](const std::string& reason) {
            m_progress.Warn("the training ended after round " +
                            std::to_string(m_results->GetRecorder().GetRounds().size()) + ": " +
                            reason);
            HandleFinished();
        });
    }

    RunSummary GetSummary() const
    {
        RunSummary summary;
        m_applications.leader->GetEvaluations(); // joined
        m_results->Complete(m_setup.GetContext()->model, summary);
        m_setup.Describe(summary);
        m_setup.Score(m_applications.leader->GetModel(), summary);
        const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - m_start;
        summary.wallS = wall.count();
        summary.topology = "own";
        return summary;
    }

    void Save()
    {
        if (!m_output || m_isSaved)
        {
            return;
        }
        m_isSaved = true;
        auto summary = GetSummary();
        m_results->WriteRows(summary);
        m_results->WriteRest(summary);
        m_output->Commit();
    }

    void HandleFinished()
    {
        m_isFinished = true;
        // Once everybody has heard of it
        ScheduleCall(Time(0), [this] {
            m_progress.Finish();
            Save();
            if (m_stops)
            {
                Simulator::Stop();
            }
        });
    }

    void HandleEmpty(uint32_t cluster, NodeIndex node)
    {
        m_progress.Warn("the battery of " + GetNodeName(ClusterId(cluster), node) +
                        " is empty: the next rounds do without it");
    }

    Progress m_progress;                           //!< tells the user
    TrainingSetup m_setup;                         //!< data, model, devices, controller
    std::unique_ptr<TopologyHelper> m_topology;    //!< the network
    std::unique_ptr<OutputDirectory> m_output;     //!< results; null: none wanted
    RunApplications m_applications;                //!< on its nodes
    std::unique_ptr<RunResults> m_results;         //!< what happened
    std::chrono::steady_clock::time_point m_start; //!< by the wall clock
    bool m_isFinished{false};                      //!< all rounds have ended
    bool m_isSaved{false};                         //!< results are written
    bool m_stops{false};                           //!< the simulation ends with the training
};

InstalledTraining::InstalledTraining(const RunConfig& config,
                                     std::unique_ptr<TopologyHelper> topology)
    : m_training(std::make_shared<Training>(config, std::move(topology)))
{
}

const RunApplications&
InstalledTraining::GetApplications() const
{
    return m_training->m_applications;
}

Ptr<ControlLoop>
InstalledTraining::GetLoop() const
{
    return m_training->m_applications.loops.front();
}

const RunRecorder&
InstalledTraining::GetRecorder() const
{
    return m_training->m_results->GetRecorder();
}

bool
InstalledTraining::IsFinished() const
{
    return m_training->m_isFinished;
}

void
InstalledTraining::StopWhenFinished()
{
    m_training->m_stops = true;
}

void
InstalledTraining::Save()
{
    m_training->Save();
}

RunSummary
InstalledTraining::GetSummary() const
{
    return m_training->GetSummary();
}

TrainingSetup&
InstalledTraining::GetSetup()
{
    return m_training->m_setup;
}

TopologyHelper&
InstalledTraining::GetTopology()
{
    return *m_training->m_topology;
}

void
InstalledTraining::Complete(const RunApplications& applications)
{
    Add(applications.GetContainer());
    m_training->Complete(applications);
}

} // namespace collapipe
} // namespace ns3
