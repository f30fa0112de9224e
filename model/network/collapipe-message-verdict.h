/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MESSAGE_VERDICT_H
#define COLLAPIPE_MESSAGE_VERDICT_H

#include "collapipe-message.h"

#include <functional>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What becomes of a message, decided when its head and the shapes of its tensors are known and
 * nothing was allocated for its payload yet.
 */
struct MessageVerdict
{
    /// The three ways
    enum Kind : uint8_t
    {
        TAKE,   //!< it is read and handled
        SKIP,   //!< late, or here already: its bytes are passed over, the connection goes on
        REFUSE, //!< no member of the run sends this: the connection is closed
    };

    Kind kind{TAKE};    //!< which
    std::string reason; //!< one sentence for the other two

    /// @return the message is welcome
    static MessageVerdict Take()
    {
        return {};
    }

    /**
     * @param reason one sentence
     * @return the message is passed over
     */
    static MessageVerdict Skip(std::string reason)
    {
        return {SKIP, std::move(reason)};
    }

    /**
     * @param reason one sentence
     * @return the message ends its connection
     */
    static MessageVerdict Refuse(std::string reason)
    {
        return {REFUSE, std::move(reason)};
    }
};

/// Most calls between two hellos of a node that somebody hears: one a second for half a year
constexpr uint32_t MOST_CALLS = 1U << 24;

/**
 * A node counts its calls, to whomever they go, so that a hello which is repeated is known. A
 * number that leaps beyond all calls is nobody's: it would lock out the node in whose name it
 * comes, where messages are not sealed.
 * @param hasGreeted whether the node has said hello before
 * @param latest number of its latest hello
 * @param number of another one in its name
 * @return whether that is its next
 */
inline bool
IsNextHello(bool hasGreeted, uint32_t latest, uint32_t number)
{
    return hasGreeted ? number > latest && number - latest <= MOST_CALLS : number <= MOST_CALLS;
}

/// Decides on a message by its head and its tensors, which have no bytes yet
using MessageCheck =
    std::function<MessageVerdict(const MessageHeader& header, const TensorList& shapes)>;

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MESSAGE_VERDICT_H */
