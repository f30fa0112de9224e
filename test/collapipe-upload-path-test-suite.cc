/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Control units that collect the parameters of their clusters: what is learnt is the same to the
// last bit, the messages are those of the plan, and phases take as long as is planned.

#include "collapipe-test-run.h"

#include "ns3/collapipe-latency-model.h"
#include "ns3/test.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <sstream>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

/// @return two clusters, of three devices and of two
TestRunConfig
MakeConfig(UploadPath path)
{
    TestRunConfig config;
    config.segments = {{2, 1, 1}, {1, 3, 0}};
    config.microBatches = {3, 2};
    config.iterations = 2;
    config.rounds = 2;
    config.path = path;
    return config;
}

/// Messages and their bytes
struct Traffic
{
    uint32_t messages{0}; //!< how many
    uint64_t bytes{0};    //!< all together
};

/// @return what nodes have sent, by sender and type
std::map<std::pair<std::string, std::string>, Traffic>
CountTraffic(const TestRun& run)
{
    std::map<std::pair<std::string, std::string>, Traffic> traffic;
    for (const auto& line : run.GetMessages())
    {
        std::istringstream text(line);
        uint64_t time = 0;
        std::string sender;
        std::string type;
        uint64_t bytes = 0;
        text >> time >> sender >> type >> bytes;
        auto& own = traffic[{sender, type}];
        ++own.messages;
        own.bytes += bytes;
    }
    return traffic;
}

/**
 * The same run with both paths.
 */
class SamePathsTestCase : public TestCase
{
  public:
    /// What differs from one case to the next
    struct Kind
    {
        std::string name;                     //!< for messages
        std::string topology{"p2p"};          //!< where
        Fidelity fidelity{Fidelity::PACKETS}; //!< likewise
        std::string schedule{"gpipe"};        //!< how
        bool keepsOptimizer{false};           //!< whether its state is averaged too
        bool isSealed{false};                 //!< whether messages are
        uint32_t cells{1};                    //!< of the network
        std::string backend{GetAnyBackend()}; //!< that computes
    };

    explicit SamePathsTestCase(const Kind& kind)
        : TestCase("collected and direct learn the same: " + kind.name),
          m_kind(kind)
    {
    }

  private:
    /// What came of a run
    struct Result
    {
        TensorList model;                                               //!< what was learnt
        std::map<std::pair<std::string, std::string>, Traffic> traffic; //!< who sent what
    };

    Result Run(UploadPath path)
    {
        auto config = MakeConfig(path);
        config.topology = m_kind.topology;
        config.fidelity = m_kind.fidelity;
        config.schedule = m_kind.schedule;
        config.keepOptimizerState = m_kind.keepsOptimizer;
        config.sessionKey.assign(m_kind.isSealed ? 32 : 0, 7);
        config.network.cells = m_kind.cells;
        config.backend = m_kind.backend;
        config.notesGradients = false;
        TestRun run(config);
        run.Run();
        NS_TEST_EXPECT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_EXPECT_MSG_EQ(run.GetFailures().size(), 0, "somebody has failed");
        return {run.GetFinalParameters().Gather({true, 0, 4, true}), CountTraffic(run)};
    }

    void DoRun() override
    {
        const auto direct = Run(UploadPath::DIRECT);
        auto collected = Run(UploadPath::COLLECTED);
        for (std::size_t t = 0; t < direct.model.size(); ++t)
        {
            const auto& tensor = direct.model[t];
            const bool same = tensor.IsVirtual() || std::memcmp(tensor.data.get(),
                                                                collected.model[t].data.get(),
                                                                tensor.GetByteSize()) == 0;
            NS_TEST_EXPECT_MSG_EQ(same, true, "tensor " << t << " differs");
        }
        const uint32_t rounds = MakeConfig(UploadPath::DIRECT).rounds;
        const auto check = [&](const std::string& sender,
                               const std::string& type,
                               uint32_t messages,
                               uint64_t bytes) {
            const auto sent = collected.traffic[{sender, type}];
            NS_TEST_EXPECT_MSG_EQ(sent.messages, messages, sender << " sends " << type);
            NS_TEST_EXPECT_MSG_EQ(sent.bytes, bytes, "bytes of " << sender << "'s " << type);
        };
        uint64_t downBytes = 0;
        for (const auto& [key, sent] : direct.traffic)
        {
            const bool isDown = key.second == "segment-parameters";
            downBytes += isDown ? sent.bytes : 0;
            if (isDown)
            {
                check(key.first, key.second, sent.messages, sent.bytes); // over another link
            }
        }
        const std::vector<uint32_t> devices{3, 2};
        uint64_t relayedBytes = 0;
        for (uint32_t cluster = 0; cluster < devices.size(); ++cluster)
        {
            const std::string prefix = "c" + std::to_string(cluster) + "n";
            uint64_t wholeBytes = direct.traffic.at({prefix + "0", "parameter-upload"}).bytes;
            for (uint32_t device = 1; device <= devices[cluster]; ++device)
            {
                const auto name = prefix + std::to_string(device);
                const auto own = direct.traffic.at({name, "parameter-upload"});
                check(name, "parameter-upload", rounds, own.bytes);
                check(name, "parameter-request", rounds, rounds * Head());
                wholeBytes += own.bytes;
            }
            check(prefix + "0", "parameter-upload", rounds * (devices[cluster] + 1), wholeBytes);
            const auto passed = collected.traffic[{prefix + "0", "segment-parameters"}];
            NS_TEST_EXPECT_MSG_EQ(passed.messages, rounds * devices[cluster], "parts passed on");
            relayedBytes += passed.bytes;
        }
        NS_TEST_EXPECT_MSG_LT(relayedBytes, downBytes, "more is passed on than was sent");
    }

    /// @return bytes of a message without tensors
    uint64_t Head() const
    {
        return wire::HEADER_BYTES + (m_kind.isSealed ? 16 : 0);
    }

    Kind m_kind;
};

/**
 * Large parameters over links of known rates: (4), and the fluid model where messages are flows.
 */
class PhaseTimesTestCase : public TestCase
{
  public:
    PhaseTimesTestCase(const std::string& topology, Fidelity fidelity, double tolerance)
        : TestCase("phases take what is planned: " + topology +
                   (fidelity == Fidelity::FLOWS ? " over flows" : "")),
          m_topology(topology),
          m_fidelity(fidelity),
          m_tolerance(tolerance)
    {
    }

  private:
    void DoRun() override
    {
        for (const auto path : {UploadPath::DIRECT, UploadPath::COLLECTED})
        {
            Compare(path);
        }
    }

    void Compare(UploadPath path)
    {
        auto config = MakeConfig(path);
        config.topology = m_topology;
        config.fidelity = m_fidelity;
        config.backend = "ns3::collapipe::AnalyticBackend";
        config.segments = {{2, 1, 1}};
        config.microBatches = {2};
        config.adaptModel = [](ModelConfig& model) {
            model.width = 256;
            model.feedForward = 1024;
        };
        TestRun run(config);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        Instance instance;
        instance.state = run.GetApplications().loops.front()->GetSystemState();
        const auto planned = EvaluatePlan(instance, run.GetPlan()).clusters.front();
        const auto& record = run.GetRounds().back();
        const auto& phases = record.phases.front();
        const double downS = (phases.distribution - record.planned).GetSeconds();
        // The edge server's own stage ends before the backward pass is through the chain
        const double upS = (phases.upload - phases.distribution).GetSeconds();
        const double plannedUpS = config.iterations * planned.iterationS + planned.uploadS;
        // A node says that it is ready before training begins
        const double readyS = instance.state.clusters[0].devices.front().uplink.latencyS;
        NS_TEST_EXPECT_MSG_EQ_TOL(downS / (planned.distributionS + readyS),
                                  1,
                                  m_tolerance,
                                  ToString(path) << ": distribution of " << downS << " s, planned "
                                                 << planned.distributionS);
        NS_TEST_EXPECT_MSG_EQ_TOL(upS / plannedUpS,
                                  1,
                                  m_tolerance,
                                  ToString(path) << ": training and upload of " << upS
                                                 << " s, planned " << plannedUpS);
    }

    std::string m_topology;
    Fidelity m_fidelity;
    double m_tolerance;
};

class UploadPathTestSuite : public TestSuite
{
  public:
    UploadPathTestSuite()
        : TestSuite("collapipe-upload-path", Type::UNIT)
    {
        using Kind = SamePathsTestCase::Kind;
        std::vector<Kind> kinds(4);
        kinds[0].name = "p2p";
        kinds[1].name = "1F1B, averaged optimizers";
        kinds[1].schedule = "1f1b";
        kinds[1].keepsOptimizer = true;
        kinds[2].name = "sealed messages";
        kinds[2].isSealed = true;
        kinds[3].name = "two cells";
        kinds[3].cells = 2;
        for (const std::string topology : {"wifi", "lte", "hybrid"})
        {
            for (const auto fidelity : {Fidelity::PACKETS, Fidelity::FLOWS})
            {
                Kind kind;
                const bool isFlows = fidelity == Fidelity::FLOWS;
                kind.name = topology + (isFlows ? " over flows" : "");
                kind.topology = topology;
                kind.fidelity = fidelity;
                kind.backend = isFlows ? kind.backend : "ns3::collapipe::AnalyticBackend";
                kinds.push_back(kind);
            }
        }
        for (const auto& kind : kinds)
        {
            AddTestCase(new SamePathsTestCase(kind));
        }
        AddTestCase(new PhaseTimesTestCase("p2p", Fidelity::PACKETS, 0.1));
        for (const std::string topology : {"wifi", "lte", "hybrid"})
        {
            // Devices are through with their last backward pass, and upload, before the control
            // unit is, which (4) does not count
            AddTestCase(new PhaseTimesTestCase(topology, Fidelity::FLOWS, 0.15));
        }
    }
};

const UploadPathTestSuite g_uploadPathTestSuite;

} // namespace
