/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-test-data.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace ns3
{
namespace collapipe
{

std::string
FindSharedData(const std::string& name)
{
    const char* given = std::getenv("COLLAPIPE_SHARED");
    const std::string folder = given ? given : COLLAPIPE_SOURCE_DIR "/../shared/data";
    std::error_code error;
    const auto path = std::filesystem::path(folder) / name;
    return std::filesystem::exists(path, error) ? path.string() : std::string();
}

} // namespace collapipe
} // namespace ns3
