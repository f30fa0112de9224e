/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ns3/test.h"

/**
 * The stand-alone build's test runner: ns-3's own, with this module's suites.
 *
 * @param argc number of arguments
 * @param argv arguments, see --help
 * @return 0 where every test passed
 */
int
main(int argc, char* argv[])
{
    return ns3::TestRunner::Run(argc, argv);
}
