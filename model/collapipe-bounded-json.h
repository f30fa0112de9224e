/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BOUNDED_JSON_H
#define COLLAPIPE_BOUNDED_JSON_H

#include <string>

namespace ns3
{
namespace collapipe
{

/// Arrays and objects within each other beyond which no JSON text here has a meaning
constexpr int MAX_JSON_DEPTH = 64;

/**
 * Parses JSON that somebody else has written. A text with millions of nested arrays is read without
 * trouble, but copying, writing and destroying it is recursive: it is refused at the depth where it
 * begins to make no sense.
 * @tparam Json nlohmann::json or nlohmann::ordered_json
 * @tparam Text what its parse() takes: a text, or a stream
 * @param text what to parse
 * @param throws whether what is no JSON is an exception, not a discarded value
 * @return the value; `is_discarded()` where it is no JSON, or too deep
 * @throws Json::exception where it is no JSON, or too deep
 */
template <typename Json, typename Text>
Json
ParseBoundedJson(Text&& text, bool throws = true)
{
    bool isTooDeep = false;
    auto json = Json::parse(
        text,
        [&isTooDeep](int depth, typename Json::parse_event_t /* event */, Json& /* value */) {
            isTooDeep |= depth > MAX_JSON_DEPTH;
            return !isTooDeep; // what is refused is not kept
        },
        throws);
    if (isTooDeep)
    {
        // an error like that of any other text that is no JSON
        return Json::parse(std::string("["), nullptr, throws);
    }
    return json;
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BOUNDED_JSON_H */
