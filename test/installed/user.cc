/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A program of somebody who has the module installed: trains, and watches the plans being made.

#include "ns3/collapipe-module.h"
#include "ns3/core-module.h"

#include <iostream>

using namespace ns3;
using namespace ns3::collapipe;

void
PrintPlan(const SystemState& state, const RoundPlan& plan)
{
    std::cout << "plan " << Simulator::Now().GetSeconds() << " " << state.clusters.size() << " "
              << plan.clusters.size() << std::endl;
}

int
main(int argc, char* argv[])
{
    try
    {
        RunConfig config;
        config.topology = "p2p";
        config.rounds = 2;
        config.Parse(argc, argv);
        TrainingRun run(config);
        run.GetApplications().loops.front()->TraceConnectWithoutContext("Plan",
                                                                        MakeCallback(&PrintPlan));
        run.Run();
        for (const RoundRow& row : run.GetRecorder().GetRounds())
        {
            std::cout << "round " << row.round << " " << row.latencyS << std::endl;
        }
    }
    catch (const UserError& error)
    {
        std::cerr << "user: " << error.what() << std::endl;
        return 2;
    }
    return 0;
}
