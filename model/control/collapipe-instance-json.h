/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_INSTANCE_JSON_H
#define COLLAPIPE_INSTANCE_JSON_H

#include "collapipe-instance.h"

#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Reads an instance; the schema is the chapter on collapipe-solve.
 *
 * @param text JSON
 * @param instance set where there is no error
 * @return empty, or one sentence that names the field which is missing, of the wrong type or out of
 *         range
 */
std::string ParseInstanceJson(const std::string& text, Instance& instance);

/**
 * @param instance an instance
 * @return it as JSON; ParseInstanceJson() gives back the same numbers
 */
std::string FormatInstanceJson(const Instance& instance);

/// @return over whom a link goes, and what that is called in JSON
const std::vector<std::pair<std::string, Relay>>& GetRelayNames();

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_INSTANCE_JSON_H */
