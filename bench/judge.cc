/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// DSSDA against the exhaustive judge over 500 random small instances

#include "../test/judge/collapipe-judge-comparison.h"

#include <cstdlib>
#include <iostream>

using namespace ns3::collapipe;

/**
 * Usage: judge [number of instances [first instance]]
 */
int
main(int argc, char** argv)
{
    const uint64_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 500;
    const uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
    judge::ComparisonSummary summary;
    for (uint64_t number = first; number < first + count; ++number)
    {
        summary.Add(judge::Compare(number));
        if ((number - first + 1) % 50 == 0)
        {
            std::cerr << number - first + 1 << " of " << count << std::endl;
        }
    }
    summary.Print(std::cout);
    return summary.IsPassed() ? EXIT_SUCCESS : EXIT_FAILURE;
}
