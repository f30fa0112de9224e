/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PARAMETER_VALUE_H
#define COLLAPIPE_PARAMETER_VALUE_H

#include <cstdint>
#include <string>
#include <variant>

namespace ns3
{
namespace collapipe
{

/// Value of a run's parameter: a word, a whole number, a number, or true or false
using ParameterValue = std::variant<std::string, uint64_t, double, bool>;

/// @return the value as a ParameterValue
inline ParameterValue
ToParameter(const std::string& value)
{
    return value;
}

/// @return the value as a ParameterValue
inline ParameterValue
ToParameter(uint32_t value)
{
    return uint64_t{value};
}

/// @return the value as a ParameterValue
inline ParameterValue
ToParameter(uint64_t value)
{
    return value;
}

/// @return the value as a ParameterValue
inline ParameterValue
ToParameter(double value)
{
    return value;
}

/// @return the value as a ParameterValue
inline ParameterValue
ToParameter(bool value)
{
    return value;
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PARAMETER_VALUE_H */
