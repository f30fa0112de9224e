/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// LTE's scheduler against ns-3's, Wi-Fi with and without the airtime disc: CPU time and goodput

#include "../test/collapipe-lte-cell.h"
#include "../test/collapipe-wifi-cell.h"

#include "ns3/rng-seed-manager.h"

#include <cstdlib>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <utility>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

constexpr uint32_t REPETITIONS = 3; //!< each another run of the same seed

/// What a run cost and delivered
struct Result
{
    double cpuSecondsPerTti;
    double megabitsPerSecond;
};

double
GetCpuSeconds()
{
    return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/**
 * A cell in which all UEs send, or all receive.
 * @param scheduler TypeId
 * @param ues how many
 * @param uplink whether they send
 * @param bitsPerSecond of each; 0: backlogged
 * @param duration to simulate
 */
Result
RunCell(const std::string& scheduler,
        uint32_t ues,
        bool uplink,
        double bitsPerSecond,
        Time duration)
{
    TopologyConfig config = tests::LteCell::MakeConfig(ues, 100);
    config.lteScheduler = scheduler;
    tests::LteCell cell(config);
    for (uint32_t ue = 0; ue < ues; ++ue)
    {
        uplink ? cell.AddUplinkFlow(ue, bitsPerSecond) : cell.AddDownlinkFlow(ue, bitsPerSecond);
    }
    cell.Run(Seconds(0.5));
    cell.ResetCounters();
    const double start = GetCpuSeconds();
    cell.Run(duration);
    Result result{(GetCpuSeconds() - start) / duration.GetMilliSeconds(), 0};
    for (uint32_t ue = 0; ue < ues; ++ue)
    {
        result.megabitsPerSecond += cell.GetCounters(ue).bytes * 8e-6 / duration.GetSeconds();
    }
    return result;
}

const std::vector<std::string> SCHEDULERS{"ns3::collapipe::WeightedFfMacScheduler",
                                          "ns3::PfFfMacScheduler",
                                          "ns3::RrFfMacScheduler"};

/**
 * Our scheduler, PF and RR in turn, in several runs: what else the machine does hits all alike. The
 * least CPU time counts, and the mean goodput.
 */
std::vector<Result>
Compare(uint32_t ues, bool uplink, double bitsPerSecond, Time duration)
{
    std::vector<Result> best(SCHEDULERS.size(), {1e9, 0});
    for (uint32_t repetition = 0; repetition < REPETITIONS; ++repetition)
    {
        RngSeedManager::SetRun(repetition + 1);
        for (std::size_t i = 0; i < SCHEDULERS.size(); ++i)
        {
            const Result result = RunCell(SCHEDULERS[i], ues, uplink, bitsPerSecond, duration);
            best[i].cpuSecondsPerTti = std::min(best[i].cpuSecondsPerTti, result.cpuSecondsPerTti);
            best[i].megabitsPerSecond += result.megabitsPerSecond / REPETITIONS;
        }
    }
    return best;
}

/// A line of the table; ratios are ours to PF's and to RR's
void
Print(uint32_t ues, bool uplink, const std::string& load, const std::vector<Result>& results)
{
    std::cout << std::fixed << ues << (uplink ? ", up, " : ", down, ") << load << ", "
              << std::setprecision(0) << 1e6 * results[0].cpuSecondsPerTti << ", "
              << std::setprecision(1) << results[0].megabitsPerSecond << std::setprecision(2);
    for (const std::size_t other : {1, 2})
    {
        const double cpu = results[0].cpuSecondsPerTti / results[other].cpuSecondsPerTti;
        const double goodput = results[0].megabitsPerSecond / results[other].megabitsPerSecond;
        std::cout << "; " << cpu << ", " << goodput << ", " << cpu / goodput;
    }
    std::cout << std::endl;
}

/**
 * Each size of cell and direction twice: where all send as much as they can, to compare goodput;
 * and at equal load, half of what PF then carries, to compare what a TTI costs.
 */
void
CompareSchedulers(const std::vector<uint32_t>& sizes, Time duration)
{
    std::cout << "LTE, 100 resource blocks, TCP, equal weights; one TTI is 1 ms\n"
                 "UEs, direction, load, CPU us per TTI, Mb/s; CPU, goodput and CPU per byte as "
                 "ratios to PF; to RR\n";
    for (const uint32_t ues : sizes)
    {
        for (const bool uplink : {true, false})
        {
            const std::vector<Result> backlogged = Compare(ues, uplink, 0, duration);
            Print(ues, uplink, "backlogged", backlogged);
            const double half = 0.5e6 * backlogged[1].megabitsPerSecond / ues;
            Print(ues, uplink, "half", Compare(ues, uplink, half, duration));
        }
    }
}

/// Stations that all send to one of their own, or one that sends to all; with equal shares where
/// the disc takes shares
Result
RunChannel(const std::string& disc, uint32_t links, bool hasOneSender, Time duration)
{
    TopologyConfig config = tests::WifiCell::MakeConfig(2 * links + 1, 80);
    config.wifiQueueDisc = disc;
    tests::WifiCell cell(config);
    std::vector<LinkPlan> plan;
    for (NodeIndex link = 1; link <= links; ++link)
    {
        const auto to = static_cast<NodeIndex>(link + links);
        const NodeIndex from = hasOneSender ? CONTROL_UNIT : link;
        cell.AddFlow({from, to});
        plan.push_back({Phase::TRAINING, from, to, 1.0 / links, 0});
    }
    cell.Apply(plan);
    // Until TCP's windows keep all senders backlogged
    cell.Run(Seconds(0.5));
    cell.ResetCounters();
    const double start = GetCpuSeconds();
    cell.Run(duration);
    Result result{(GetCpuSeconds() - start) / duration.GetMilliSeconds(), 0};
    for (const auto& link : plan)
    {
        result.megabitsPerSecond +=
            cell.GetCounters({link.from, link.to}).bytes * 8e-6 / duration.GetSeconds();
    }
    return result;
}

/// With and without the airtime disc in turn, likewise
void
CompareDiscs(Time duration)
{
    std::cout << "Wi-Fi, 802.11ax ad hoc, 80 MHz, TCP backlogged, equal shares\n"
                 "senders and receivers; Mb/s and CPU us per ms with the airtime disc; as ratios "
                 "to those without; "
                 "CPU per byte as a ratio\n";
    const std::vector<std::pair<uint32_t, bool>> channels{{1, false},
                                                          {2, false},
                                                          {4, false},
                                                          {8, false},
                                                          {2, true},
                                                          {4, true}};
    for (const auto& [links, hasOneSender] : channels)
    {
        Result with{1e9, 0};
        Result without{1e9, 0};
        for (uint32_t repetition = 0; repetition < REPETITIONS; ++repetition)
        {
            RngSeedManager::SetRun(repetition + 1);
            for (Result* best : {&with, &without})
            {
                const bool hasDisc = best == &with;
                const Result result =
                    RunChannel(hasDisc ? "ns3::collapipe::AirtimeQueueDisc" : "ns3::FifoQueueDisc",
                               links,
                               hasOneSender,
                               duration);
                best->cpuSecondsPerTti = std::min(best->cpuSecondsPerTti, result.cpuSecondsPerTti);
                best->megabitsPerSecond += result.megabitsPerSecond / REPETITIONS;
            }
        }
        const double goodput = with.megabitsPerSecond / without.megabitsPerSecond;
        const double cpu = with.cpuSecondsPerTti / without.cpuSecondsPerTti;
        std::cout << std::fixed << (hasOneSender ? 1 : links) << " to " << links << "; "
                  << std::setprecision(1) << with.megabitsPerSecond << ", " << std::setprecision(0)
                  << 1e6 * with.cpuSecondsPerTti << "; " << std::setprecision(2) << goodput << ", "
                  << cpu << "; " << cpu / goodput << std::endl;
    }
}

} // namespace

/**
 * Usage: radio [simulated seconds [UEs]]; with 0 UEs, the part about Wi-Fi alone
 */
int
main(int argc, char** argv)
{
    const Time duration = Seconds(argc > 1 ? std::atof(argv[1]) : 1);
    std::vector<uint32_t> sizes{2, 8, 20, 60};
    if (argc > 2)
    {
        sizes = {static_cast<uint32_t>(std::atoi(argv[2]))};
    }
    CompareDiscs(duration);
    if (sizes.front() == 0)
    {
        return EXIT_SUCCESS;
    }
    CompareSchedulers(sizes, duration);
    return EXIT_SUCCESS;
}
