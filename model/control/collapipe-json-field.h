/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JSON_FIELD_H
#define COLLAPIPE_JSON_FIELD_H

// Private: who includes all headers of the module needs no JSON library for this one.
#if __has_include(<nlohmann/json.hpp>)

#include <cmath>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>

namespace ns3
{
namespace collapipe
{

/// JSON whose members stay in the order in which they were written
using Json = nlohmann::ordered_json;

/// What an input number must be
enum class Range
{
    POSITIVE,     //!< > 0
    NON_NEGATIVE, //!< >= 0
    ANY_COUNT,    //!< integer >= 0
    COUNT,        //!< integer >= 1
};

/// A field that is not as it must be; what() is the sentence
class FieldError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/**
 * @ingroup collapipe
 * A value with its path in the document, as "clusters[0].devices[2]"; what it is asked for and is
 * not throws a FieldError.
 */
class Field
{
  public:
    Field(const Json& json, std::string path)
        : m_json(json),
          m_path(std::move(path))
    {
    }

    bool Has(const std::string& name) const
    {
        RequireObject();
        return m_json.contains(name) && !m_json.at(name).is_null();
    }

    Field Get(const std::string& name) const
    {
        RequireObject();
        const std::string path = m_path.empty() ? name : m_path + "." + name;
        if (!m_json.contains(name))
        {
            throw FieldError(path + " is missing");
        }
        return {m_json.at(name), path};
    }

    std::size_t Size() const
    {
        if (!m_json.is_array())
        {
            throw FieldError(m_path + " must be an array");
        }
        return m_json.size();
    }

    Field At(std::size_t i) const
    {
        return {m_json.at(i), m_path + "[" + std::to_string(i) + "]"};
    }

    double Number(Range range) const
    {
        if (!m_json.is_number())
        {
            throw FieldError(m_path + " must be a number");
        }
        const double value = m_json.get<double>();
        if (!std::isfinite(value))
        {
            throw FieldError(m_path + " must be finite");
        }
        CheckRange(value, range);
        return value;
    }

    uint32_t Count(Range range) const
    {
        return static_cast<uint32_t>(Number(range));
    }

    std::string Text() const
    {
        if (!m_json.is_string())
        {
            throw FieldError(m_path + " must be a string");
        }
        return m_json.get<std::string>();
    }

    bool IsText() const
    {
        return m_json.is_string();
    }

    bool Flag() const
    {
        if (!m_json.is_boolean())
        {
            throw FieldError(m_path + " must be true or false");
        }
        return m_json.get<bool>();
    }

    [[noreturn]] void Fail(const std::string& what) const
    {
        throw FieldError(m_path + " " + what);
    }

  private:
    void RequireObject() const
    {
        if (!m_json.is_object())
        {
            throw FieldError((m_path.empty() ? "the document" : m_path) + " must be an object");
        }
    }

    void CheckRange(double value, Range range) const
    {
        const bool whole = range == Range::COUNT || range == Range::ANY_COUNT;
        if (whole && (value != std::floor(value) || value > std::numeric_limits<int32_t>::max()))
        {
            Fail("must be an integer below 2^31");
        }
        if (value < 0)
        {
            Fail("must not be negative");
        }
        if (value == 0 && (range == Range::POSITIVE || range == Range::COUNT))
        {
            Fail("must be positive");
        }
    }

    const Json& m_json; //!< the value
    std::string m_path; //!< where it is
};

} // namespace collapipe
} // namespace ns3

#endif

#endif /* COLLAPIPE_JSON_FIELD_H */
