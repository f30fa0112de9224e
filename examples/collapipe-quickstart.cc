/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Trains a Transformer across simulated devices and shows what every round cost and learnt.
//
//     CU (data, embedding) -> device 1 -> ... -> device K -> edge server (decoder, loss)
//
// in each of several clusters, averaged per block at the edge server after every round.

#include "ns3/collapipe-comparison.h"
#include "ns3/collapipe-program.h"
#include "ns3/collapipe-training-run.h"

#include <iostream>

using namespace ns3::collapipe;

int
main(int argc, char* argv[])
{
    return RunProgram("collapipe-quickstart", [&] {
        RunConfig config;
        config.Parse(argc, argv);
        TrainingRun run(config);
        Comparison comparison(config, run, argc, argv); // a second run beside this one
        run.Simulate();
        comparison.Wait();
        run.Save();
        PrintTable(std::cout, run.GetSummary(), run.GetRecorder().GetRounds());
        comparison.Print(std::cout);
        FinishOutput();
        return run.GetExitStatus();
    });
}
