/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JSON_ERROR_H
#define COLLAPIPE_JSON_ERROR_H

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @param text a document that may not be valid JSON
 * @return one sentence that names the field at which it stops being valid, such as "model.blocks",
 *         and the place in the text; empty where it is valid
 */
std::string DescribeJsonError(const std::string& text);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JSON_ERROR_H */
