/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_USER_ERROR_H
#define COLLAPIPE_USER_ERROR_H

#include <stdexcept>
#include <string>

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

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_USER_ERROR_H */
