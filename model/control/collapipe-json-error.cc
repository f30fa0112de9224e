/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-json-error.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::json;

/// Follows a parser and remembers in which field it is
class FieldTracker : public nlohmann::json_sax<Json>
{
  public:
    bool null() override
    {
        return EndValue();
    }

    bool boolean(bool) override
    {
        return EndValue();
    }

    bool number_integer(number_integer_t) override
    {
        return EndValue();
    }

    bool number_unsigned(number_unsigned_t) override
    {
        return EndValue();
    }

    bool number_float(number_float_t, const string_t&) override
    {
        return EndValue();
    }

    bool string(string_t&) override
    {
        return EndValue();
    }

    bool binary(binary_t&) override
    {
        return EndValue();
    }

    bool start_object(std::size_t) override
    {
        m_levels.push_back({false, 0, ""});
        return true;
    }

    bool key(string_t& name) override
    {
        m_levels.back().key = name;
        return true;
    }

    bool end_object() override
    {
        m_levels.pop_back();
        return EndValue();
    }

    bool start_array(std::size_t) override
    {
        m_levels.push_back({true, 0, ""});
        return true;
    }

    bool end_array() override
    {
        m_levels.pop_back();
        return EndValue();
    }

    bool parse_error(std::size_t position, const std::string&, const Json::exception&) override
    {
        m_position = position;
        return false;
    }

    /// @return where the parser stopped, in bytes from 1
    std::size_t GetPosition() const
    {
        return m_position;
    }

    /// @return the field, such as "clusters[0].weight"; empty at the top
    std::string GetField() const
    {
        std::string field;
        for (const Level& level : m_levels)
        {
            if (level.array)
            {
                field += "[" + std::to_string(level.index) + "]";
            }
            else if (!level.key.empty())
            {
                field += (field.empty() ? "" : ".") + level.key;
            }
        }
        return field;
    }

  private:
    /// An object or array that is not yet closed
    struct Level
    {
        bool array{false};    //!< which
        std::size_t index{0}; //!< of the present entry of an array
        std::string key;      //!< of the present entry of an object; empty between two
    };

    bool EndValue()
    {
        if (!m_levels.empty())
        {
            ++m_levels.back().index;
            m_levels.back().key.clear();
        }
        return true;
    }

    std::vector<Level> m_levels; //!< outermost first
    std::size_t m_position{0};   //!< of the error
};

/// @return the word of letters, digits, signs and dots around a place in a text
std::string
GetWord(const std::string& text, std::size_t place)
{
    const auto belongs = [&](std::size_t i) {
        return i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) ||
                                   text[i] == '-' || text[i] == '+' || text[i] == '.');
    };
    std::size_t begin = place;
    while (begin > 0 && belongs(begin - 1))
    {
        --begin;
    }
    std::size_t end = place;
    while (belongs(end))
    {
        ++end;
    }
    return end > begin ? text.substr(begin, end - begin) : text.substr(place, 1);
}

std::string
GetLineAndColumn(const std::string& text, std::size_t place)
{
    const auto here = text.begin() + static_cast<std::ptrdiff_t>(place);
    const auto lines = std::count(text.begin(), here, '\n');
    const std::size_t before = place > 0 ? text.rfind('\n', place - 1) : std::string::npos;
    const std::size_t column = before == std::string::npos ? place + 1 : place - before;
    return "line " + std::to_string(lines + 1) + ", column " + std::to_string(column);
}

} // namespace

std::string
DescribeJsonError(const std::string& text)
{
    FieldTracker tracker;
    if (Json::sax_parse(text, &tracker))
    {
        return "";
    }
    const std::string field = tracker.GetField().empty() ? "the document" : tracker.GetField();
    if (tracker.GetPosition() > text.size())
    {
        return field + " is not complete: the text ends there";
    }
    const std::size_t place = tracker.GetPosition() > 0 ? tracker.GetPosition() - 1 : 0;
    return field + " is not valid JSON: \"" + GetWord(text, place) + "\" at " +
           GetLineAndColumn(text, place) + "; numbers must be finite, text in quotes";
}

} // namespace collapipe
} // namespace ns3
