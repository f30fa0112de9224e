/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-attacker.h"

#include "ns3/inet-socket-address.h"

#include <algorithm>
#include <utility>

namespace ns3
{
namespace collapipe
{
namespace tests
{

namespace
{

constexpr uint16_t PORT = 9000;

} // namespace

Bytes
Serialize(Message message, MessageSeal* seal)
{
    MessageWriter writer(std::move(message), seal);
    Bytes bytes;
    while (writer.GetRemaining() > 0)
    {
        const auto packet = writer.NextPacket(1U << 20);
        const auto begin = bytes.size();
        bytes.resize(begin + packet->GetSize());
        packet->CopyData(bytes.data() + begin, packet->GetSize());
    }
    return bytes;
}

Attacker::Attacker(Ptr<Node> node, uint64_t seed)
    : m_node(node),
      m_random(seed)
{
}

void
Attacker::Send(Ipv4Address victim, const Bytes& bytes)
{
    auto socket = Connection::CreateSocket(m_node, TransportConfig());
    m_sockets[socket] = bytes;
    socket->Bind();
    socket->SetConnectCallback(MakeCallback(&Attacker::HandleConnected, this),
                               MakeNullCallback<void, Ptr<Socket>>());
    socket->Connect(InetSocketAddress(victim, PORT));
}

void
Attacker::SendSomeTime(const std::vector<Ipv4Address>& victims, const Bytes& bytes)
{
    const auto victim = victims[m_random() % victims.size()];
    const double atS = 1 + static_cast<double>(m_random() % 1000) / 100;
    Simulator::Schedule(Seconds(atS), [this, victim, bytes] { Send(victim, bytes); });
}

MessageHeader
Attacker::MakeHeader()
{
    MessageHeader header;
    do
    {
        header.type = static_cast<MessageType>(m_random() % 40);
    } while (ToString(header.type) == "unknown");
    const auto small = [this] { return static_cast<uint16_t>(m_random() % 4); };
    header.runId = m_random() % 8 == 0 ? static_cast<uint32_t>(m_random()) : 1;
    header.cluster = small();
    header.node = m_random() % 4 == 0 ? EDGE_SERVER : small();
    header.chain = m_random() % 8 == 0 ? 0xffff : 0;
    header.stage = small();
    header.round = small();
    header.iteration = m_random() % 4 == 0 ? 0xffffffff : small();
    header.microBatch = m_random() % 4 == 0 ? 0xffffffff : small();
    header.firstBlock = small();
    header.lastBlock = small();
    header.attempt = m_random() % 4 == 0 ? 1 : 0;
    return header;
}

TensorList
Attacker::MakeTensors()
{
    constexpr DType TYPES[] = {DType::FLOAT32, DType::FLOAT64, DType::INT32, DType::UINT8};
    TensorList tensors;
    for (auto count = m_random() % 4; count > 0; --count)
    {
        auto tensor = TensorData::MakeVirtual(TYPES[m_random() % 4], {});
        for (auto rank = m_random() % 4; rank > 0; --rank)
        {
            tensor.shape.push_back(m_random() % 9);
        }
        std::vector<uint8_t> bytes(tensor.GetByteSize() + 1);
        std::generate(bytes.begin(), bytes.end(), [this] { return m_random(); });
        tensors.push_back(TensorData::FromVector(tensor.dtype, tensor.shape, std::move(bytes)));
    }
    return tensors;
}

Bytes
Attacker::MakeBytes()
{
    MessageHeader hello;
    hello.cluster = m_random() % 3;
    hello.node = m_random() % 4;
    hello.runId = 1;
    auto bytes = m_random() % 2 == 0 ? Serialize({hello, {}}) : Bytes();
    const auto message = Serialize({MakeHeader(), MakeTensors()});
    bytes.insert(bytes.end(), message.begin(), message.end());
    if (m_random() % 3 == 0)
    {
        for (auto flips = m_random() % 8; flips > 0; --flips)
        {
            bytes[m_random() % bytes.size()] ^= 1U << m_random() % 8;
        }
    }
    if (m_random() % 4 == 0)
    {
        bytes.resize(m_random() % bytes.size());
    }
    return bytes;
}

void
Attacker::HandleConnected(Ptr<Socket> socket)
{
    const auto& bytes = m_sockets[socket];
    if (!bytes.empty())
    {
        socket->Send(Create<Packet>(bytes.data(), bytes.size()));
    }
}

TestRunConfig
MakeAttackedConfig(bool isSealed, AttackedKind kind)
{
    TestRunConfig config;
    if (kind == AttackedKind::SYNCHRONOUS)
    {
        config.feedsDevices = true;
        config.notesGradients = false;
        config.adaptPlan = [](RoundPlan& plan) { MakeSynchronous(plan, 2, {1}); };
    }
    else if (kind != AttackedKind::TRANSLATION)
    {
        config.adaptModel = [kind](ModelConfig& model) {
            model.family = "gpt2";
            model.head = ModelHead::CAUSAL_LANGUAGE;
            model.special.pad = -1;
            model.tiedProjection = true;
            model.trained = kind == AttackedKind::TABLE ? TrainedPart::ALL : TrainedPart::LAST;
            model.trainedBlocks = kind == AttackedKind::TABLE ? 0 : 1;
        };
        config.sendsBase = kind == AttackedKind::BASE;
    }
    config.segments = {{1, 1}, {1, 1}};
    config.iterations = 4;
    config.rounds = 2;
    if (isSealed)
    {
        config.sessionKey = MessageSeal::MakeKey(1, 1);
    }
    config.profiles = {{"slow", 5e5, 1e-3, 1e12, 5, 23}};
    return config;
}

std::vector<Ipv4Address>
GetVictims(TestRun& run, bool isSealed)
{
    const auto& network = run.GetTopology().GetNetwork();
    std::vector<Ipv4Address> victims{network.edgeAddress};
    if (isSealed)
    {
        victims.push_back(network.clusters[1].addresses[0]);
        victims.push_back(network.clusters[1].addresses[2]);
    }
    return victims;
}

TensorList
GetWeights(TestRun& run)
{
    return run.GetFinalParameters().Gather({true, 0, run.GetModelConfig().encoderBlocks, true});
}

} // namespace tests
} // namespace collapipe
} // namespace ns3
