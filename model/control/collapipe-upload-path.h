/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_UPLOAD_PATH_H
#define COLLAPIPE_UPLOAD_PATH_H

#include <cstdint>
#include <string>

namespace ns3
{
namespace collapipe
{

/// Who carries a cluster's parameters between the edge server and its devices (section 1)
enum class UploadPath : uint8_t
{
    DIRECT,    //!< every node its own
    COLLECTED, //!< the control unit the whole, which its devices get and give over D2D
};

/// Which of them a controller may plan
enum class UploadRule : uint8_t
{
    DIRECT,    //!< that alone
    COLLECTED, //!< that alone
    AUTO,      //!< either, for every cluster
};

/**
 * @param path a path
 * @return its name: direct, collected
 */
std::string ToString(UploadPath path);

/**
 * @param rule a rule
 * @return its name: direct, collected, auto
 */
std::string ToString(UploadRule rule);

/**
 * @param name direct, collected
 * @param path set, where the name is one of these
 * @return whether it is
 */
bool ParseUploadPath(const std::string& name, UploadPath& path);

/**
 * @param name direct, collected, auto
 * @param rule set, where the name is one of these
 * @return whether it is
 */
bool ParseUploadRule(const std::string& name, UploadRule& rule);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_UPLOAD_PATH_H */
