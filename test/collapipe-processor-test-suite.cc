/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Simulated processors: time of work, and what other programs leave of their speed.

#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-processor.h"
#include "ns3/double.h"
#include "ns3/simulator.h"
#include "ns3/test.h"

#include <cmath>
#include <functional>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

Ptr<BackgroundLoad>
MakeLoad(double programs, double durationS, int64_t stream)
{
    auto load = CreateObject<BackgroundLoad>();
    load->SetAttribute("MeanPrograms", DoubleValue(programs));
    load->SetAttribute("MeanDuration", TimeValue(Seconds(durationS)));
    load->AssignStreams(stream);
    return load;
}

/// Calls a function at regular times.
void
Sample(double stepS, uint32_t count, const std::function<void()>& sample)
{
    for (uint32_t i = 0; i < count; ++i)
    {
        ScheduleCall(Seconds(i * stepS), sample);
    }
    Simulator::Run();
    Simulator::Destroy();
}

/**
 * @ingroup collapipe-tests
 * The number of programs is that of an M/M/infinity queue: Poisson distributed from the beginning
 * on, forgotten with time constant the mean duration, and its share (1 - exp(-rho)) / rho on
 * average.
 */
class BackgroundLoadTestCase : public TestCase
{
  public:
    /// @param programs rho
    explicit BackgroundLoadTestCase(double programs)
        : TestCase("background load of " + std::to_string(programs)),
          m_programs(programs)
    {
    }

  private:
    void DoRun() override
    {
        // Samples a time constant apart; standard errors are those of independent ones times two.
        constexpr uint32_t COUNT = 40000;
        const auto load = MakeLoad(m_programs, 3, 0);
        double sum = 0;
        double squares = 0;
        double products = 0;
        double shares = 0;
        double previous = m_programs;
        Sample(3, COUNT, [&] {
            const double k = load->GetPrograms();
            sum += k;
            squares += (k - m_programs) * (k - m_programs);
            products += (k - m_programs) * (previous - m_programs);
            shares += load->GetShare();
            previous = k;
        });
        const double error = 2 * std::sqrt(m_programs / COUNT);
        NS_TEST_EXPECT_MSG_EQ_TOL(sum / COUNT, m_programs, 4 * error, "mean rho");
        NS_TEST_EXPECT_MSG_EQ_TOL(squares / COUNT / m_programs, 1, 0.1, "variance rho");
        NS_TEST_EXPECT_MSG_EQ_TOL(products / squares, std::exp(-1), 0.05, "memory");
        const double share = (1 - std::exp(-m_programs)) / m_programs;
        NS_TEST_EXPECT_MSG_EQ_TOL(shares / COUNT, share, 4 * 2 * 0.5 / std::sqrt(COUNT), "share");
        ExpectStationaryBeginning();
    }

    void ExpectStationaryBeginning()
    {
        constexpr uint32_t COUNT = 4000;
        double sum = 0;
        for (uint32_t i = 0; i < COUNT; ++i)
        {
            sum += MakeLoad(m_programs, 3, 2 * i)->GetPrograms();
        }
        NS_TEST_EXPECT_MSG_EQ_TOL(sum / COUNT,
                                  m_programs,
                                  4 * std::sqrt(m_programs / COUNT),
                                  "already at the beginning");
    }

    double m_programs; //!< rho
};

/**
 * @ingroup collapipe-tests
 * Who asks more often sees the same.
 */
class AskingTestCase : public TestCase
{
  public:
    AskingTestCase()
        : TestCase("the load does not depend on who asks")
    {
    }

  private:
    static std::vector<uint32_t> Observe(uint32_t times)
    {
        const auto load = MakeLoad(2, 1, 7);
        std::vector<uint32_t> seen;
        uint32_t asked = 0;
        Sample(1.0 / times, 50 * times, [&] {
            const uint32_t programs = load->GetPrograms();
            if (asked++ % times == 0)
            {
                seen.push_back(programs);
            }
        });
        return seen;
    }

    void DoRun() override
    {
        NS_TEST_EXPECT_MSG_EQ((Observe(1) == Observe(16)), true, "same stream, same programs");
    }
};

/**
 * @ingroup collapipe-tests
 * Formula (1), with the speed that is left when a piece of work begins.
 */
class DurationTestCase : public TestCase
{
  public:
    DurationTestCase()
        : TestCase("time of work beside other programs")
    {
    }

  private:
    void DoRun() override
    {
        const auto load = MakeLoad(1, 2, 11);
        auto processor = CreateObject<Processor>();
        processor->SetAttribute("Flops", DoubleValue(1e9));
        processor->SetAttribute("Overhead", TimeValue(MilliSeconds(3)));
        processor->SetBackgroundLoad(load);
        uint32_t checked = 0;
        std::function<void()> next = [&] {
            if (checked++ == 200)
            {
                return;
            }
            const double expectedS = 3e-3 + 0.5 * (1 + load->GetPrograms());
            const Time begin = Simulator::Now();
            NS_TEST_EXPECT_MSG_EQ(processor->GetUsableFlops(), 1e9 * load->GetShare(), "speed");
            processor->Run(
                5e8,
                [] {},
                [&, begin, expectedS] {
                    const double tookS = (Simulator::Now() - begin).GetSeconds();
                    NS_TEST_EXPECT_MSG_EQ_TOL(tookS, expectedS, 1e-8, "o + a / (f share)");
                    next();
                });
        };
        next();
        Simulator::Run();
        Simulator::Destroy();
        NS_TEST_EXPECT_MSG_EQ(checked, 201, "all work done");
    }
};

/**
 * @ingroup collapipe-tests
 * Processors.
 */
class ProcessorTestSuite : public TestSuite
{
  public:
    ProcessorTestSuite()
        : TestSuite("collapipe-processor", Type::UNIT)
    {
        for (const double programs : {0.3, 1.0, 4.0})
        {
            AddTestCase(new BackgroundLoadTestCase(programs));
        }
        AddTestCase(new AskingTestCase);
        AddTestCase(new DurationTestCase);
    }
};

ProcessorTestSuite g_processorTestSuite; //!< the suite

} // namespace
