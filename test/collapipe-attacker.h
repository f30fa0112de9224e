/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ATTACKER_H
#define COLLAPIPE_ATTACKER_H

#include "collapipe-test-run.h"

#include "ns3/collapipe-message-seal.h"
#include "ns3/ipv4-address.h"
#include "ns3/node.h"
#include "ns3/socket.h"

#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/// Bytes on a wire
using Bytes = std::vector<uint8_t>;

/**
 * @param message any
 * @param seal of a connection; null: none
 * @return the message as it travels
 */
Bytes Serialize(Message message, MessageSeal* seal = nullptr);

/// Calls applications from a node of the run, and says what it likes.
class Attacker
{
  public:
    /**
     * @param node from which it calls
     * @param seed of what it says
     */
    Attacker(Ptr<Node> node, uint64_t seed);

    /// Opens a connection and sends bytes.
    void Send(Ipv4Address victim, const Bytes& bytes);

    /// Opens one at a random time of the run, to a random one of the victims.
    void SendSomeTime(const std::vector<Ipv4Address>& victims, const Bytes& bytes);

    /// @return a head of any contents
    MessageHeader MakeHeader();

    /// @return tensors of any shapes, small ones
    TensorList MakeTensors();

    /// @return a hello in somebody's name, and a message after it; or damaged; or no message at all
    Bytes MakeBytes();

  private:
    void HandleConnected(Ptr<Socket> socket);

    Ptr<Node> m_node;
    std::mt19937_64 m_random;
    std::map<Ptr<Socket>, Bytes> m_sockets; //!< with what each is to say
};

/// What a run under attack trains
enum class AttackedKind
{
    TRANSLATION, //!< a translation, all of it
    TABLE,       //!< a language model whose table lies on two nodes
    LAST,        //!< one of whose stages most live on credit
    BASE,        //!< the same, whose frozen weights are sent
    SYNCHRONOUS, //!< a translation by two chains that step together
};

/**
 * @param isSealed whether messages are sealed
 * @param kind what it trains
 * @return a small run of two clusters
 */
TestRunConfig MakeAttackedConfig(bool isSealed, AttackedKind kind);

/**
 * @param run made of MakeAttackedConfig()
 * @param isSealed whether it seals its messages: devices are called then, too
 * @return whom strangers call
 */
std::vector<Ipv4Address> GetVictims(TestRun& run, bool isSealed);

/// @return a run's weights
TensorList GetWeights(TestRun& run);

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ATTACKER_H */
