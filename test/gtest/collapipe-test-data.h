/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TEST_DATA_H
#define COLLAPIPE_TEST_DATA_H

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * Finds data that are no part of the project: in the folder that the environment variable
 * COLLAPIPE_SHARED names, else in `../shared/data` beside the checkout.
 * @param name of a file or folder
 * @return its path; empty where it is not there, and a test should be skipped
 */
std::string FindSharedData(const std::string& name);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TEST_DATA_H */
