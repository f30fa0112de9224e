/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A pipeline schedule of one's own: all forward passes, then the backward passes from the last
// micro-batch to the first, so that what was kept last is used first.
//
//     ./collapipe run own-schedule --topology=p2p --rounds=2

#include "ns3/collapipe-program.h"
#include "ns3/collapipe-schedule.h"
#include "ns3/collapipe-training-run.h"

#include <iostream>

using namespace ns3;
using namespace ns3::collapipe;

/// GPipe with the backward passes in reverse.
class LastInFirstOutSchedule : public Schedule
{
  public:
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ns3::LastInFirstOutSchedule")
                                .SetParent<Schedule>()
                                .AddConstructor<LastInFirstOutSchedule>();
        return tid;
    }

    // What stage `stage` of `stages` does in one iteration, in order.
    ActionList Generate(uint32_t /* stages */,
                        uint32_t /* stage */,
                        uint32_t microBatches) const override
    {
        ActionList actions;
        for (uint32_t microBatch = 0; microBatch < microBatches; ++microBatch)
        {
            actions.push_back({Action::FORWARD, microBatch});
        }
        for (uint32_t microBatch = microBatches; microBatch > 0; --microBatch)
        {
            actions.push_back({Action::BACKWARD, microBatch - 1});
        }
        actions.push_back({Action::FLUSH, 0}); // the optimizer's step
        return actions;
    }
};

NS_OBJECT_ENSURE_REGISTERED(LastInFirstOutSchedule);

int
main(int argc, char* argv[])
{
    // Print it, and have it checked: every pass once, and no stage waits for ever.
    constexpr uint32_t STAGES = 3;
    constexpr uint32_t MICRO_BATCHES = 4;
    const auto schedule = CreateObject<LastInFirstOutSchedule>();
    std::vector<ActionList> actions;
    for (uint32_t stage = 0; stage < STAGES; ++stage)
    {
        actions.push_back(schedule->Generate(STAGES, stage, MICRO_BATCHES));
        std::cout << ToString(actions.back(), stage) << "\n";
    }
    const auto mistake = CheckSchedule(actions, MICRO_BATCHES);
    if (!mistake.empty())
    {
        std::cerr << "collapipe-own-schedule: " << mistake << "\n";
        return 1;
    }

    // Train with it.
    return RunProgram("collapipe-own-schedule", [&] {
        RunConfig config;
        config.schedule = "ns3::LastInFirstOutSchedule";
        config.controller = "uniform-pipeline";
        config.compare = "none";
        config.Parse(argc, argv);
        TrainingRun run(config);
        run.Run();
        PrintTable(std::cout, run.GetSummary(), run.GetRecorder().GetRounds());
        FinishOutput();
        return run.GetExitStatus();
    });
}
