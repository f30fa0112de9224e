/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// DSSDA over thousands of rounds: latency, energy and queues over V

#include "../test/gtest/collapipe-longrun.h"

#include <cstdlib>
#include <iomanip>
#include <iostream>

using namespace ns3::collapipe;

/**
 * Usage: tradeoff [rounds [largest V]]
 *
 * The least latency is not known. Where the gap is c / V, half of it goes from V to 2 V, and V
 * times that fall is c / 2 whatever V.
 */
int
main(int argc, char** argv)
{
    const auto rounds = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 5000);
    const double largest = argc > 2 ? std::atof(argv[2]) : 512;
    std::cout
        << "V, mean latency (s) and mean queues over targets (second half), queues / V, "
           "V / 2 times the latency's fall from V / 2, worst excess over a target (%), bound of "
           "the excess Q(T)/T (%)\n";
    double before = 0;
    for (double v = 8; v <= largest; v *= 2)
    {
        test::LongRun run(1);
        const test::LongRunResult r = run.Run(v, rounds);
        double excess = r.phi / r.phiTarget - 1;
        double bound = r.finalConvergence / r.phiTarget / rounds;
        for (std::size_t node = 0; node < r.energyJ.size(); ++node)
        {
            excess = std::max(excess, r.energyJ[node] / r.budgetJ[node] - 1);
            bound = std::max(bound, r.finalQueueJ[node] / r.budgetJ[node] / rounds);
        }
        const double fall = before > 0 ? v / 2 * (before - r.settledLatencyS) : 0;
        before = r.settledLatencyS;
        std::cout << v << ", " << std::setprecision(6) << r.settledLatencyS << ", " << r.queue
                  << ", " << r.queue / v << ", " << fall << ", " << 100 * excess << ", "
                  << 100 * bound << std::endl;
    }
    return EXIT_SUCCESS;
}
