/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BASE_RUN_H
#define COLLAPIPE_BASE_RUN_H

// Runs in which frozen weights are sent, for the suites that look at which.

#include "collapipe-test-run.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-message.h"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/// Cluster, node, number of what was sent as a base-weights message has it
using Item = std::tuple<uint32_t, uint32_t, uint32_t>;

/// Blocks of each device, by round and cluster
using Cuts = std::vector<std::vector<std::vector<uint32_t>>>;

/// Decides one plan after the other
class SequenceController : public Controller
{
  public:
    explicit SequenceController(std::vector<RoundPlan> plans)
        : m_plans(std::move(plans))
    {
    }

    RoundPlan Decide(const SystemState& state) override
    {
        m_states.push_back(state);
        auto plan = m_plans.at(state.round - 1);
        plan.plannedLatencyS = PredictLatencyS(state, plan);
        return plan;
    }

    /// @return what it knew, by round
    const std::vector<SystemState>& GetStates() const
    {
        return m_states;
    }

  private:
    std::vector<RoundPlan> m_plans;
    std::vector<SystemState> m_states;
};

/// What is trained, and how the rest is held
struct BaseCase
{
    std::string name;                    //!< for messages
    TrainedPart trained;                 //!< adapters, last blocks, or the head
    DType base;                          //!< precision
    uint32_t trainedBlocks;              //!< of last blocks
    bool isWhole{false};                 //!< every device trains the whole model on its own
    std::string schedule{"gpipe"};       //!< of the chains
    UploadPath path{UploadPath::DIRECT}; //!< of the parameters
};

constexpr uint32_t BLOCKS = 5;

/// @return a small network of two clusters of three devices
inline TestRunConfig
MakeConfig(const BaseCase& base, const std::string& backend)
{
    TestRunConfig config;
    config.segments = {{2, 2, 1}, {0, 4, 1}};
    config.backend = backend;
    config.sendsBase = true;
    config.notesGradients = false;
    config.profiles = {{"slow", 1e6, 1e-3, 1e12, 5, 23}};
    config.schedule = base.schedule;
    config.path = base.path;
    config.adaptModel = [base](ModelConfig& model) {
        model.family = "gpt2";
        model.head = ModelHead::CAUSAL_LANGUAGE;
        model.special.pad = -1;
        model.tiedProjection = true;
        model.trained = base.trained;
        model.trainedBlocks = base.trainedBlocks;
        model.lora.rank = base.trained == TrainedPart::ADAPTERS ? 2 : 0;
        model.base = base.base;
    };
    return config;
}

/// A run whose cuts change from round to round, with all base weights noted that are sent
class BaseRun
{
  public:
    BaseRun(TestRunConfig config, const Cuts& cuts, bool isWhole = false)
        : m_run(Prepare(config, cuts)),
          m_plans(MakePlans(cuts, isWhole)),
          m_controller(CreateObject<SequenceController>(m_plans))
    {
        for (const auto& loop : m_run.GetApplications().loops)
        {
            loop->SetController(m_controller);
        }
        m_run.GetApplications().edgeServer->TraceConnectWithoutContext(
            "Tx",
            MakeCallback(&BaseRun::HandleTx, this));
        m_run.GetApplications().leader->TraceConnectWithoutContext(
            "Round",
            MakeCallback(&BaseRun::HandleRound, this));
    }

    TestRun& Get()
    {
        return m_run;
    }

    /// @return what was sent, in order
    const std::vector<Item>& GetSent() const
    {
        return m_sent;
    }

    /// @return bytes of these messages
    uint64_t GetBytes() const
    {
        return m_bytes;
    }

    const std::vector<RoundPlan>& GetPlans() const
    {
        return m_plans;
    }

    const std::vector<RoundRecord>& GetRecords() const
    {
        return m_records;
    }

    const std::vector<SystemState>& GetStates() const
    {
        return m_controller->GetStates();
    }

  private:
    static TestRunConfig Prepare(TestRunConfig config, const Cuts& cuts)
    {
        config.segments = cuts.front();
        config.rounds = cuts.size();
        return config;
    }

    std::vector<RoundPlan> MakePlans(const Cuts& cuts, bool isWhole) const
    {
        std::vector<RoundPlan> plans;
        for (const auto& round : cuts)
        {
            RoundPlan plan = m_run.GetPlan();
            for (uint32_t cluster = 0; cluster < round.size(); ++cluster)
            {
                auto& chains = plan.clusters[cluster].chains;
                if (isWhole)
                {
                    chains.assign(2, chains.front());
                    chains[0].stages = {{1, true, 0, BLOCKS, true}};
                    chains[1].stages = {{2, true, 0, BLOCKS, true}};
                    chains[0].dataShare = chains[1].dataShare = 0.5;
                    continue;
                }
                auto& stages = chains.front().stages;
                stages.erase(stages.begin() + 1, stages.end() - 1);
                uint32_t first = 0;
                for (uint32_t device = 0; device < round[cluster].size(); ++device)
                {
                    const uint32_t blocks = round[cluster][device];
                    if (blocks > 0)
                    {
                        stages.insert(
                            stages.end() - 1,
                            {static_cast<NodeIndex>(device + 1), false, first, first + blocks});
                        first += blocks;
                    }
                }
            }
            plans.push_back(plan);
        }
        return plans;
    }

    void HandleTx(const MessageHeader& header, uint64_t bytes)
    {
        if (header.type != MessageType::BASE_WEIGHTS)
        {
            return;
        }
        const auto& cluster = m_plans.at(header.round - 1).clusters.at(header.cluster);
        const auto node = cluster.chains.at(header.chain).stages.at(header.stage).node;
        m_sent.emplace_back(header.cluster, node, header.microBatch);
        m_bytes += bytes;
    }

    void HandleRound(const RoundRecord& record)
    {
        m_records.push_back(record);
    }

    TestRun m_run;
    std::vector<RoundPlan> m_plans;
    Ptr<SequenceController> m_controller;
    std::vector<Item> m_sent;
    uint64_t m_bytes{0};
    std::vector<RoundRecord> m_records;
};

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif // COLLAPIPE_BASE_RUN_H
