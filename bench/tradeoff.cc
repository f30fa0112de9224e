/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// DSSDA over thousands of rounds: latency, energy and queues over V

#include "../test/gtest/collapipe-longrun.h"

#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <string>
#include <vector>

using namespace ns3::collapipe;

/**
 * Usage: tradeoff [rounds [largest V [radio]]]; with "radio", the scenario where only shares and
 * powers are decided, whose rounds are quick and whose queues are long: V from 1/64
 *
 * The least latency is not known. Where the gap is c / V, half of it goes from V to 2 V, and V
 * times that fall is c / 2 whatever V. Every run starts with twice the mean queues of the one
 * before, as queues that have yet to grow lend latency to the rounds in which they do.
 */
int
main(int argc, char** argv)
{
    const auto rounds = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 5000);
    const double largest = argc > 2 ? std::atof(argv[2]) : 6.4;
    const bool radio = argc > 3 && std::string(argv[3]) == "radio";
    std::cout
        << "V, mean latency (s) and mean queues (second half), queues / V, "
           "V / 2 times the latency's fall from V / 2, worst excess over a target (%), bound of "
           "the excess (Q(T) - Q(0))/T (%)\n";
    double before = 0;
    std::vector<double> start;
    for (double v = radio ? 0.015625 : 0.1; v <= largest; v *= 2)
    {
        test::LongRun run(1, radio);
        const test::LongRunResult r = run.Run(v, rounds, start);
        start.resize(r.meanQueues.size(), 0);
        double excess = r.phi / r.phiTarget - 1;
        double bound = (r.finalConvergence - start.back()) / rounds;
        for (std::size_t node = 0; node < r.energyJ.size(); ++node)
        {
            if (r.budgetJ[node] > 0)
            {
                excess = std::max(excess, r.energyJ[node] / r.budgetJ[node] - 1);
                bound = std::max(bound, (r.finalQueue[node] - start[node]) / rounds);
            }
        }
        for (std::size_t i = 0; i < start.size(); ++i)
        {
            start[i] = 2 * r.meanQueues[i];
        }
        const double fall = before > 0 ? v / 2 * (before - r.settledLatencyS) : 0;
        before = r.settledLatencyS;
        std::cout << v << ", " << std::setprecision(6) << r.settledLatencyS << ", " << r.queue
                  << ", " << r.queue / v << ", " << fall << ", " << 100 * excess << ", "
                  << 100 * bound << std::endl;
    }
    return EXIT_SUCCESS;
}
