/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EARLY_INPUTS_H
#define COLLAPIPE_EARLY_INPUTS_H

#include "collapipe-message.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <tuple>
#include <utility>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Shows a stage's real inputs to what computes it while the network still simulates their way
 * there. Computation then has the whole transfer to get done, and the event loop does not wait for
 * it. What is shown is what is sent; when the message is there, the stage compares the two. No
 * simulated time depends on this: a stage begins when its inputs have arrived.
 */
class EarlyInputs
{
  public:
    /// Called with the head of the message under way and its tensors
    using Taker = std::function<void(const MessageHeader& header, const TensorList& tensors)>;

    /// Ends the taking when it goes
    using Registration = std::shared_ptr<void>;

    /**
     * @param header of messages to the stage, as far as it says cluster, chain and round
     * @param stage of the chain that takes inputs; one at a time
     * @param taker whom to show them
     * @return to be held as long as they are wanted
     */
    Registration Register(const MessageHeader& header, uint32_t stage, Taker taker);

    /**
     * Shows an input to the stage that it is sent to, where that is there. Tensors without bytes
     * are not shown: nothing is computed from them.
     * @param header of the message
     * @param stage of the chain that it goes to
     * @param tensors of the message; must not change any more
     */
    void Offer(const MessageHeader& header, uint32_t stage, const TensorList& tensors) const;

  private:
    /// Round, attempt at the round, cluster, chain, stage
    using Key = std::tuple<uint32_t, uint32_t, uint32_t, uint32_t, uint32_t>;
    /// Who takes, and a number of his own, by which his registration knows him
    using Takers = std::map<Key, std::pair<uint64_t, Taker>>;

    static Key MakeKey(const MessageHeader& header, uint32_t stage);

    uint64_t m_registrations{0}; //!< so far
    /// Outlives this where a stage does
    std::shared_ptr<Takers> m_takers{std::make_shared<Takers>()};
};

/**
 * @param left tensors
 * @param right others
 * @return whether types, shapes and all bytes are the same
 */
bool AreSame(const TensorList& left, const TensorList& right);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EARLY_INPUTS_H */
