/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_OPTION_H
#define COLLAPIPE_RUN_OPTION_H

#include <cstdint>
#include <stdexcept>
#include <string>
#include <variant>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Something that the user asked for cannot be done. what() is one sentence that says what was wrong
 * and, where it is not obvious, what to do.
 */
class UserError : public std::runtime_error
{
  public:
    using std::runtime_error::runtime_error;
};

/**
 * @ingroup collapipe
 * One option of the command line.
 */
struct RunOption
{
    /// Where an option's value is
    using Target = std::variant<std::string*, uint32_t*, uint64_t*, double*, bool*>;

    std::string name; //!< without dashes
    std::string help; //!< with unit
    Target target;    //!< value
};

/**
 * @param condition what must hold
 * @param sentence what to say where it does not
 * @throws UserError where it does not
 */
inline void
RequireOption(bool condition, const std::string& sentence)
{
    if (!condition)
    {
        throw UserError(sentence);
    }
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_OPTION_H */
