/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Nodes fail in mid-round: it is noticed in time, the round ends by the recovery policy, and what
// it has learnt is what an undisturbed loop over the same samples would have.

#include "collapipe-test-run.h"

#include "ns3/collapipe-interface-switch.h"
#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/test.h"

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

constexpr double TOLERANCE = 1e-5; //!< float32 rounding

/// @return a small cluster of three devices that trains for a while
TestRunConfig
MakeConfig(const std::string& recovery, uint32_t replicaPeriod)
{
    TestRunConfig config;
    config.segments = {{1, 1, 1}};
    config.iterations = 6;
    config.rounds = 2;
    config.optimizer.epsilon = 1e-3; // as in the parity suite: the default amplifies rounding
    config.recovery = recovery;
    config.replicaPeriod = replicaPeriod;
    config.heartbeat = Seconds(1);
    config.patience = Seconds(5);
    config.profiles = {{"slow", 5e5, 1e-3, 1e12, 5, 23}};
    return config;
}

/// What happens to a node
enum class Fault
{
    STOP,     //!< its application ends: the connections are closed
    POWER,    //!< it loses power for ever
    REBOOT,   //!< it loses power for a while
    PAUSE,    //!< it stands still for longer than the patience
    CORRUPT,  //!< it sends a damaged message
    DUPLICATE //!< it sends messages twice
};

/// Of what the time of a fault is meant
enum class When
{
    SECONDS,      //!< from the start
    DISTRIBUTION, //!< part of the first round's
    UPLOAD        //!< likewise
};

/**
 * One fault of one node.
 */
class FailureTestCase : public TestCase
{
  public:
    FailureTestCase(const std::string& name,
                    const TestRunConfig& config,
                    Fault fault,
                    NodeIndex node,
                    double at,
                    When when = When::SECONDS)
        : TestCase(name),
          m_config(config),
          m_fault(fault),
          m_node(node),
          m_at(Seconds(at)),
          m_when(when)
    {
    }

  private:
    void Inject(TestRun& run)
    {
        const auto application = run.GetApplications().clusters[0][m_node];
        const auto interfaces = std::make_shared<InterfaceSwitch>(application->GetNode());
        switch (m_fault)
        {
        case Fault::STOP:
            application->SetStopTime(m_at);
            return;
        case Fault::POWER:
        case Fault::REBOOT:
            Simulator::Schedule(m_at, [application, interfaces] {
                interfaces->TakeDown();
                application->Crash();
            });
            if (m_fault == Fault::REBOOT)
            {
                Simulator::Schedule(m_at + Seconds(20), [application, interfaces] {
                    interfaces->BringUp();
                    application->Reboot();
                });
            }
            return;
        case Fault::PAUSE:
            Simulator::Schedule(m_at, [application] { application->SetPaused(true); });
            Simulator::Schedule(m_at + Seconds(20),
                                [application] { application->SetPaused(false); });
            return;
        case Fault::CORRUPT:
        case Fault::DUPLICATE:
            const auto how = m_fault == Fault::CORRUPT ? MessageApplication::Tampering::CORRUPT
                                                       : MessageApplication::Tampering::DUPLICATE;
            const uint32_t count = m_fault == Fault::CORRUPT ? 1 : 1000;
            Simulator::Schedule(m_at, [application, how, count] {
                application->Tamper(how, Seconds(0), count);
            });
            return;
        }
    }

    /// Finds the time that is meant, in a run without the fault.
    void SetTime()
    {
        if (m_when == When::SECONDS)
        {
            return;
        }
        TestRun run(m_config);
        run.Run();
        const auto& record = run.GetRounds().front();
        const auto& phases = record.phases.front();
        const bool isDown = m_when == When::DISTRIBUTION;
        const Time begin = isDown ? record.planned : phases.backward;
        const Time end = isDown ? phases.distribution : phases.upload;
        m_at = begin + Seconds(m_at.GetSeconds() * (end - begin).GetSeconds());
    }

    /// @return the whole model after an undisturbed loop over the samples that were drawn
    TensorList RunLoop(const TestRun& run) const
    {
        const PartRange whole{true, 0, run.GetModelConfig().encoderBlocks, true};
        auto global = run.GetInitialParameters();
        for (uint32_t round = 0; round < m_config.rounds; ++round)
        {
            UnsplitTrainer trainer(run.GetModelConfig(), m_config.optimizer, global);
            for (uint32_t i = 0; i < m_config.iterations; ++i)
            {
                trainer.Iterate(run.GetBatches(0)[round * m_config.iterations + i]);
                trainer.Step();
            }
            global.Scatter(whole, trainer.GetParameters().Gather(whole));
        }
        return global.Gather(whole);
    }

    void DoRun() override
    {
        SetTime();
        TestRun run(m_config);
        Inject(run);
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const bool isNoticed = m_fault != Fault::DUPLICATE;
        NS_TEST_ASSERT_MSG_EQ(!run.GetFailures().empty(), isNoticed, "noticed, or not");
        if (isNoticed)
        {
            NS_TEST_ASSERT_MSG_EQ(run.GetFailures()[0].node, m_node, "another node is blamed");
            NS_TEST_ASSERT_MSG_LT(run.GetFailureTimes()[0] - m_at,
                                  m_config.patience + m_config.heartbeat + MilliSeconds(100),
                                  "noticed late");
        }
        NS_TEST_ASSERT_MSG_EQ(run.GetBatches(0).size(),
                              m_config.rounds * m_config.iterations,
                              "samples were drawn more than once, or not at all");
        if (m_config.backend != "ns3::collapipe::TorchBackend")
        {
            return;
        }
        const PartRange whole{true, 0, run.GetModelConfig().encoderBlocks, true};
        NS_TEST_ASSERT_MSG_LT(
            GetRelativeDifference(run.GetFinalParameters().Gather(whole), RunLoop(run)),
            TOLERANCE,
            "weights differ");
    }

    TestRunConfig m_config;
    Fault m_fault;
    NodeIndex m_node;
    Time m_at;
    When m_when;
};

/**
 * What the edge server does with a cluster that cannot go on.
 */
class DropTestCase : public TestCase
{
  public:
    DropTestCase()
        : TestCase("a cluster that fails is left out of its round, the others are averaged")
    {
    }

  private:
    void DoRun() override
    {
        auto config = MakeConfig("drop", 0);
        config.segments = {{1, 2}, {2, 1}};
        config.rounds = 1;
        TestRun run(config);
        run.GetApplications().clusters[1][2]->SetStopTime(Seconds(2));
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_ASSERT_MSG_EQ(run.GetRecoveries().size(), 1, "one cluster fails");
        NS_TEST_ASSERT_MSG_EQ(run.GetRecoveries()[0].isGivenUp, true, "it is left out");
        NS_TEST_ASSERT_MSG_EQ(run.GetRecoveries()[0].cluster, 1, "another one is left out");
        if (config.backend != "ns3::collapipe::TorchBackend")
        {
            return;
        }
        const PartRange whole{true, 0, run.GetModelConfig().encoderBlocks, true};
        UnsplitTrainer trainer(run.GetModelConfig(), config.optimizer, run.GetInitialParameters());
        for (uint32_t i = 0; i < config.iterations; ++i)
        {
            trainer.Iterate(run.GetBatches(0)[i]);
            trainer.Step();
        }
        NS_TEST_ASSERT_MSG_LT(GetRelativeDifference(run.GetFinalParameters().Gather(whole),
                                                    trainer.GetParameters().Gather(whole)),
                              TOLERANCE,
                              "the average is not that of the cluster that ended");
    }
};

/**
 * An edge server that has lost power begins again with those that are still there.
 */
class RestartTestCase : public TestCase
{
  public:
    explicit RestartTestCase(const std::string& recovery)
        : TestCase("an edge server does not wait for nodes that are gone for ever, " + recovery),
          m_recovery(recovery)
    {
    }

  private:
    void DoRun() override
    {
        auto config = MakeConfig(m_recovery, 1);
        config.backend = "ns3::collapipe::AnalyticBackend";
        TestRun run(config);
        const auto lose = [](Ptr<MessageApplication> application) {
            const auto interfaces = std::make_shared<InterfaceSwitch>(application->GetNode());
            interfaces->TakeDown();
            application->Crash();
            return interfaces;
        };
        const Ptr<MessageApplication> device = run.GetApplications().clusters[0][3];
        const Ptr<MessageApplication> edge = run.GetApplications().edgeServer;
        const Time back = Seconds(5);
        Simulator::Schedule(Seconds(3), [lose, device] { lose(device); });
        Simulator::Schedule(Seconds(4), [lose, edge, back] {
            const auto interfaces = lose(edge);
            Simulator::Schedule(back - Simulator::Now(), [interfaces, edge] {
                interfaces->BringUp();
                edge->Reboot();
            });
        });
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        const auto& failures = run.GetFailures();
        std::size_t missed = 0;
        while (missed < failures.size() &&
               (failures[missed].node != 3 || failures[missed].reason != CloseReason::UNREACHABLE))
        {
            ++missed;
        }
        NS_TEST_ASSERT_MSG_LT(missed, failures.size(), "nobody misses the device");
        NS_TEST_ASSERT_MSG_LT(run.GetFailureTimes()[missed],
                              back + config.patience + config.heartbeat,
                              "it was waited for");
    }

    std::string m_recovery; //!< policy
};

/**
 * A cluster whose control unit is gone for ever tries again now and then, not all the time, and
 * the edge server says whom it waits for.
 */
class ForeverTestCase : public TestCase
{
  public:
    ForeverTestCase()
        : TestCase("an only cluster that is left out for ever waits for who is gone")
    {
    }

  private:
    void DoRun() override
    {
        auto config = MakeConfig("drop", 0);
        config.backend = "ns3::collapipe::AnalyticBackend";
        TestRun run(config);
        const auto edge = run.GetApplications().edgeServer;
        run.GetApplications().clusters[0][CONTROL_UNIT]->SetStopTime(Seconds(4));
        std::string wait;
        Time progress;
        Simulator::Schedule(Seconds(300), [edge, &wait, &progress] {
            wait = edge->DescribeWait();
            progress = edge->GetLastProgress();
            Simulator::Stop();
        });
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), false, "the run has ended without it");
        NS_TEST_ASSERT_MSG_LT(run.GetFailures().size(),
                              2 + 300 / config.patience.GetSeconds(),
                              "it tries again all the time");
        NS_TEST_ASSERT_MSG_NE(wait.find("c0-cu"),
                              wait.npos,
                              "it does not say who is gone: " << wait);
        NS_TEST_ASSERT_MSG_LT(progress, Seconds(5), "an attempt that comes to nothing is progress");
    }
};

/**
 * A node that sends something damaged in every attempt makes no progress, however often all is
 * begun anew.
 */
class NoProgressTestCase : public TestCase
{
  public:
    explicit NoProgressTestCase(const std::string& recovery)
        : TestCase("attempts that fail for ever are no progress, " + recovery),
          m_recovery(recovery)
    {
    }

  private:
    void DoRun() override
    {
        auto config = MakeConfig(m_recovery, 0);
        config.backend = "ns3::collapipe::AnalyticBackend";
        TestRun run(config);
        const auto edge = run.GetApplications().edgeServer;
        const Ptr<MessageApplication> first = run.GetApplications().clusters[0][CONTROL_UNIT];
        for (Time at = Seconds(4); at < m_end; at += Seconds(3))
        {
            Simulator::Schedule(at, [first] {
                first->Tamper(MessageApplication::Tampering::CORRUPT, Seconds(0), 1);
            });
        }
        Time progress;
        Simulator::Schedule(m_end, [edge, &progress] {
            progress = edge->GetLastProgress();
            Simulator::Stop();
        });
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), false, "the test lets too much through");
        NS_TEST_ASSERT_MSG_GT(run.GetFailures().size(), 20, "it was not tried again and again");
        NS_TEST_ASSERT_MSG_LT(progress,
                              Seconds(10),
                              "an attempt that comes to nothing is progress");
    }

    const Time m_end{Seconds(200)}; //!< of the test
    std::string m_recovery;         //!< policy
};

/**
 * Stages of which nothing is trained have a state of no tensors, which is not lost.
 */
class FrozenTestCase : public TestCase
{
  public:
    FrozenTestCase()
        : TestCase("a cluster with frozen stages goes on from its snapshots under plain sgd")
    {
    }

  private:
    void DoRun() override
    {
        auto config = MakeConfig("wait", 1);
        config.optimizer.name = "sgd";
        config.optimizer.momentum = 0;
        config.adaptModel = [](ModelConfig& model) {
            model.family = "gpt2";
            model.head = ModelHead::CAUSAL_LANGUAGE;
            model.special.pad = -1;
            model.trained = TrainedPart::LAST;
            model.trainedBlocks = 1;
        };
        config.backend = "ns3::collapipe::AnalyticBackend";
        config.rounds = 1;
        TestRun run(config);
        const Ptr<MessageApplication> device = run.GetApplications().clusters[0][2];
        Simulator::Schedule(Seconds(4), [device] {
            device->Tamper(MessageApplication::Tampering::CORRUPT, Seconds(0), 1);
        });
        run.Run();
        NS_TEST_ASSERT_MSG_EQ(run.IsFinished(), true, "the run did not end");
        NS_TEST_ASSERT_MSG_EQ(run.GetRecoveries().size(), 1, "one recovery");
        NS_TEST_ASSERT_MSG_GT(run.GetRecoveries()[0].firstIteration, 0, "all is begun anew");
    }
};

class FailureTestSuite : public TestSuite
{
  public:
    FailureTestSuite()
        : TestSuite("collapipe-failure", Type::UNIT)
    {
        const auto add = [this](const std::string& name,
                                const TestRunConfig& config,
                                Fault fault,
                                NodeIndex node,
                                double atS) {
            AddTestCase(new FailureTestCase(name, config, fault, node, atS));
        };
        for (const uint32_t period : {0, 1, 2})
        {
            const auto suffix = ", replicas every " + std::to_string(period);
            const auto replan = MakeConfig("replan", period);
            const auto wait = MakeConfig("wait", period);
            for (const double atS : {1.0, 4.0, 9.0})
            {
                const auto when = " at " + std::to_string(atS) + suffix;
                add("replan around a device that closes" + when, replan, Fault::STOP, 2, atS);
                add("replan around a device without power" + when, replan, Fault::POWER, 3, atS);
                add("wait for a device that reboots" + when, wait, Fault::REBOOT, 1, atS);
                add("wait for a control unit that reboots" + when, wait, Fault::REBOOT, 0, atS);
            }
            add("replan around a device that stands still" + suffix, replan, Fault::PAUSE, 2, 4);
            add("wait for a device that stands still" + suffix, wait, Fault::PAUSE, 2, 4);
            add("a damaged message, wait" + suffix, wait, Fault::CORRUPT, 3, 4);
            add("a damaged message, replan" + suffix, replan, Fault::CORRUPT, 3, 4);
            add("messages that come twice" + suffix, replan, Fault::DUPLICATE, 2, 0);
        }
        for (const auto trained : {TrainedPart::ALL, TrainedPart::LAST})
        {
            AddLanguageCases(trained);
        }
        AddFlowCases();
        AddCollectedCases();
        AddTestCase(new DropTestCase);
        AddTestCase(new RestartTestCase("replan"));
        AddTestCase(new NoProgressTestCase("wait"));
        AddTestCase(new NoProgressTestCase("replan"));
        AddTestCase(new ForeverTestCase);
        AddTestCase(new FrozenTestCase);
    }

  private:
    /// The same faults where messages are flows: their sockets must fail as TCP's do.
    void AddFlowCases()
    {
        for (const std::string topology : {"hybrid", "lte", "wifi"})
        {
            const auto make = [&topology](const std::string& recovery, uint32_t period) {
                auto config = MakeConfig(recovery, period);
                config.topology = topology;
                config.fidelity = Fidelity::FLOWS;
                return config;
            };
            const auto add = [&](const std::string& name,
                                 const TestRunConfig& config,
                                 Fault fault,
                                 NodeIndex node) {
                const auto full = topology + " over flows: " + name;
                AddTestCase(new FailureTestCase(full, config, fault, node, 4));
            };
            add("a device closes", make("replan", 1), Fault::STOP, 2);
            add("a device loses power", make("replan", 0), Fault::POWER, 3);
            add("a device reboots", make("wait", 1), Fault::REBOOT, 1);
            add("a device stands still", make("wait", 2), Fault::PAUSE, 2);
            add("a damaged message", make("wait", 1), Fault::CORRUPT, 3);
            add("messages that come twice", make("replan", 1), Fault::DUPLICATE, 2);
        }
    }

    /// Faults while the control unit has others' parts, on links on which parameters take seconds
    void AddCollectedCases()
    {
        for (const auto when : {When::DISTRIBUTION, When::UPLOAD})
        {
            for (const double part : {0.1, 0.4, 0.6, 0.9})
            {
                const auto add =
                    [&](const std::string& name, const std::string& recovery, Fault f, int node) {
                        auto config = MakeConfig(recovery, part < 0.5 ? 2 : 0);
                        config.path = UploadPath::COLLECTED;
                        config.network.p2pD2dRate = DataRate("50kbps");
                        config.network.p2pD2eRate = DataRate("200kbps");
                        const std::string phase =
                            when == When::UPLOAD ? " of the upload" : " of the distribution";
                        AddTestCase(new FailureTestCase("collected: " + name + " at " +
                                                            std::to_string(part) + phase,
                                                        config,
                                                        f,
                                                        static_cast<NodeIndex>(node),
                                                        part,
                                                        when));
                    };
                add("replan around a device that closes", "replan", Fault::STOP, 2);
                add("replan around a device without power", "replan", Fault::POWER, 3);
                add("wait for a device that reboots", "wait", Fault::REBOOT, 1);
                add("wait for a control unit that reboots", "wait", Fault::REBOOT, 0);
                add("a control unit that reboots, replan", "replan", Fault::REBOOT, 0);
                add("wait for a device that stands still", "wait", Fault::PAUSE, 2);
                add("wait for a control unit that stands still", "wait", Fault::PAUSE, 0);
                add("messages that come twice", "wait", Fault::DUPLICATE, 2);
                add("messages of the control unit that come twice", "wait", Fault::DUPLICATE, 0);
            }
        }
        for (const int node : {0, 2})
        {
            auto config = MakeConfig("wait", 2);
            config.path = UploadPath::COLLECTED;
            AddTestCase(
                new FailureTestCase("collected: a damaged message of node " + std::to_string(node),
                                    config,
                                    Fault::CORRUPT,
                                    static_cast<NodeIndex>(node),
                                    4));
        }
    }

    /**
     * The same faults where nodes exchange gradients of a table that they share, or credits.
     * @param trained all: a table is shared; the last block: two stages live on credit
     */
    void AddLanguageCases(TrainedPart trained)
    {
        const std::string name =
            trained == TrainedPart::ALL ? ", table on two nodes" : ", last block trained";
        for (const uint32_t period : {0, 2})
        {
            const auto make = [trained, period](const std::string& recovery) {
                auto config = MakeConfig(recovery, period);
                config.adaptModel = [trained](ModelConfig& model) {
                    model.family = "gpt2";
                    model.head = ModelHead::CAUSAL_LANGUAGE;
                    model.special.pad = -1;
                    model.tiedProjection = true;
                    model.trained = trained;
                    model.trainedBlocks = trained == TrainedPart::LAST ? 1 : 0;
                };
                return config;
            };
            const auto suffix = name + ", replicas every " + std::to_string(period);
            const auto add = [&](const std::string& what,
                                 const TestRunConfig& config,
                                 Fault fault,
                                 NodeIndex node,
                                 double atS) {
                AddTestCase(new FailureTestCase(what + " at " + std::to_string(atS) + suffix,
                                                config,
                                                fault,
                                                node,
                                                atS));
            };
            const std::vector<double> times{1.0, 4.0};
            for (const double atS : period == 0 ? std::vector<double>{2.5} : times)
            {
                add("replan around a device that closes", make("replan"), Fault::STOP, 2, atS);
                add("wait for a control unit that reboots", make("wait"), Fault::REBOOT, 0, atS);
                add("wait for a device that reboots", make("wait"), Fault::REBOOT, 3, atS);
                add("a damaged message, wait", make("wait"), Fault::CORRUPT, 0, atS);
            }
            for (NodeIndex node = 0; node < 4 && period > 0; ++node)
            {
                add("messages that come twice from node " + std::to_string(node),
                    make("wait"),
                    Fault::DUPLICATE,
                    node,
                    0);
            }
        }
    }
};

FailureTestSuite g_failureTestSuite;

} // namespace
