/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Applications in the middle of a run. Of "peers" every input is what a stranger says over a
// connection of its own: a thousand of them call in one run, whose end and weights are those of a
// run without them. Of "members" it is what a node of the run says in its own name, after a hello
// that is newer than its last one: it may spoil its cluster's work, as a node that fails does, and
// no node of another cluster is taken for one that failed.

#include "collapipe-attacker.h"
#include "collapipe-fuzz-target.h"

#include "ns3/collapipe-message.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::tests;

namespace
{

constexpr std::size_t CALLERS = 1000; //!< of one run
constexpr std::size_t LIES = 50;      //!< of members in one run
constexpr double PATIENCE_S = 3;      //!< of runs whose members lie

// ---------------------------------------------------------------- strangers

/// What distinguishes the runs: whether they seal their messages, and what they train
using RunKey = std::pair<bool, AttackedKind>;

constexpr RunKey RUNS[] = {{false, AttackedKind::TRANSLATION},
                           {true, AttackedKind::TRANSLATION},
                           {false, AttackedKind::TABLE},
                           {true, AttackedKind::LAST},
                           {false, AttackedKind::BASE},
                           {true, AttackedKind::TABLE},
                           {false, AttackedKind::LAST},
                           {true, AttackedKind::BASE}};

/// The calls that wait for a run, and how many runs there were
struct Calls
{
    std::vector<Bytes> waiting;
    uint64_t runs{0};
    uint64_t refused{0}; //!< connections that were closed for what came over them
    uint64_t skipped{0}; //!< messages that were passed over
};

Calls&
GetCalls()
{
    static Calls calls;
    return calls;
}

/// @return the weights of a run, none where nothing is computed
TensorList
GetEnd(TestRun& run)
{
    return HasTorch() ? GetWeights(run) : TensorList();
}

/// @return the weights of a run that nobody disturbs
const TensorList&
GetUndisturbed(const RunKey& key)
{
    static std::map<RunKey, TensorList> known;
    const auto found = known.find(key);
    if (found != known.end())
    {
        return found->second;
    }
    TestRun run(MakeAttackedConfig(key.first, key.second));
    run.Run();
    return known[key] = GetEnd(run);
}

/// A node of the run, and the stranger there
struct Stranger
{
    uint32_t cluster{0};
    NodeIndex node{0};
    std::unique_ptr<Attacker> attacker;
};

/**
 * Where messages bear no seal, an address is all that tells who calls: from a node's own one, a
 * hello in its name and with a number that its own ones have not reached is its own, as that of a
 * program which was begun anew. That is no stranger's call but a member's lie, see below.
 *
 * @param call what is said first
 * @param stranger who says it
 * @return whether it is such a hello
 */
bool
IsInOwnName(const Bytes& call, const Stranger& stranger)
{
    wire::HeaderBytes head;
    MessageHeader hello;
    if (call.size() < head.size())
    {
        return false;
    }
    std::copy_n(call.begin(), head.size(), head.begin());
    return wire::DecodeHeader(head, hello).empty() && hello.type == MessageType::HELLO &&
           hello.cluster == stranger.cluster && hello.node == stranger.node && hello.iteration > 0;
}

/// @return a stranger at every node of a run
std::vector<Stranger>
MakeStrangers(TestRun& run, uint64_t seed)
{
    const auto& clusters = run.GetTopology().GetNetwork().clusters;
    std::vector<Stranger> strangers;
    for (uint32_t c = 0; c < clusters.size(); ++c)
    {
        for (NodeIndex node = 0; node <= clusters[c].devices.size(); ++node)
        {
            auto attacker =
                std::make_unique<Attacker>(clusters[c].GetNode(node), seed + strangers.size());
            strangers.push_back({c, node, std::move(attacker)});
        }
    }
    return strangers;
}

/// Runs once, with all callers that wait.
void
RunUnderAttack()
{
    Calls& calls = GetCalls();
    if (calls.waiting.empty())
    {
        return;
    }
    const uint64_t number = calls.runs++;
    const RunKey& key = RUNS[number % std::size(RUNS)];
    const TensorList& undisturbed = GetUndisturbed(key);
    TestRun run(MakeAttackedConfig(key.first, key.second));
    const auto strangers = MakeStrangers(run, number);
    for (std::size_t i = 0; i < calls.waiting.size(); ++i)
    {
        const bool isOwn = IsInOwnName(calls.waiting[i], strangers[i % strangers.size()]);
        const auto& stranger = strangers[(i + (isOwn ? 1 : 0)) % strangers.size()];
        stranger.attacker->SendSomeTime(GetVictims(run, key.first), calls.waiting[i]);
    }
    calls.waiting.clear();
    run.Run();
    for (const auto& application : run.GetApplications().GetAll())
    {
        calls.refused += application->GetRefused();
        calls.skipped += application->GetSkipped();
    }
    const bool isSame = run.IsFinished() && AreSame(GetEnd(run), undisturbed);
    if (!isSame)
    {
        std::cerr << "collapipe-fuzz: run " << number << " under attack "
                  << (run.IsFinished() ? "has other weights" : "did not end") << std::endl;
        throw std::runtime_error("peers");
    }
}

/// Runs with those that are left, and tells what became of all.
void
Finish()
{
    RunUnderAttack();
    const Calls& calls = GetCalls();
    std::cout << "peers: " << calls.runs << " runs, " << calls.refused << " connections closed, "
              << calls.skipped << " messages passed over, all ended"
              << (HasTorch() ? " with the weights of a run without strangers\n"
                             : "; without LibTorch there are no weights to compare\n");
}

void
Call(const Bytes& input)
{
    GetCalls().waiting.push_back(input);
    if (GetCalls().waiting.size() == CALLERS)
    {
        RunUnderAttack();
    }
}

// ---------------------------------------------------------------- members

/// What members are about to say, and what became of it
struct Lies
{
    std::vector<Bytes> waiting;
    uint64_t runs{0};
    uint64_t ended{0};    //!< of them
    uint64_t refused{0};  //!< connections that were closed for what came over them
    uint64_t taken{0};    //!< messages that were taken
    uint64_t failures{0}; //!< that edge servers saw

    void Take(const MessageHeader& /* head */, uint64_t /* bytes */)
    {
        ++taken;
    }
};

Lies&
GetLies()
{
    static Lies lies;
    return lies;
}

/// @return the input in a node's own name, behind a hello of that number
Bytes
Sign(Bytes input, uint16_t cluster, NodeIndex node, uint32_t number)
{
    MessageHeader hello;
    hello.runId = 1;
    hello.cluster = cluster;
    hello.node = static_cast<uint16_t>(node);
    hello.iteration = number;
    wire::HeaderBytes head;
    MessageHeader header;
    if (input.size() >= head.size())
    {
        std::copy_n(input.begin(), head.size(), head.begin());
        if (wire::DecodeHeader(head, header).empty())
        {
            header.cluster = hello.cluster;
            header.node = hello.node;
            head = wire::EncodeHeader(header);
            std::copy(head.begin(), head.end(), input.begin());
        }
    }
    auto bytes = Serialize({hello, {}});
    bytes.insert(bytes.end(), input.begin(), input.end());
    return bytes;
}

/// Runs once, with all lies that wait, under one policy after the other.
void
RunWithLiars()
{
    constexpr const char* POLICIES[] = {"wait", "drop", "replan"};
    Lies& lies = GetLies();
    const uint64_t number = lies.runs;
    TestRunConfig config =
        MakeAttackedConfig(false, RUNS[number / std::size(POLICIES) % std::size(RUNS)].second);
    config.recovery = POLICIES[number % std::size(POLICIES)];
    config.heartbeat = Seconds(1);
    config.patience = Seconds(PATIENCE_S);
    TestRun run(config);
    const auto& network = run.GetTopology().GetNetwork();
    const auto cluster = static_cast<uint16_t>(number % network.clusters.size());
    const auto& members = network.clusters[cluster];
    std::vector<Ipv4Address> victims = members.addresses;
    victims.resize(members.devices.size() + 1);
    victims.insert(victims.end(), 2 * victims.size(), network.edgeAddress);
    std::vector<std::unique_ptr<Attacker>> liars;
    for (NodeIndex node = 0; node <= members.devices.size(); ++node)
    {
        liars.push_back(std::make_unique<Attacker>(members.GetNode(node), number + node));
    }
    for (std::size_t i = 0; i < lies.waiting.size(); ++i)
    {
        const auto node = static_cast<NodeIndex>(i % liars.size());
        const auto count = static_cast<uint32_t>(100 + i);
        liars[node]->SendSomeTime(victims, Sign(lies.waiting[i], cluster, node, count));
    }
    lies.waiting.clear();
    const auto applications = run.GetApplications().GetAll();
    for (const auto& application : applications)
    {
        application->TraceConnectWithoutContext("Rx", MakeCallback(&Lies::Take, &lies));
    }
    run.Run();
    for (const auto& application : applications)
    {
        lies.refused += application->GetRefused();
    }
    for (const auto& failure : run.GetFailures())
    {
        if (failure.cluster != cluster)
        {
            std::cerr << "collapipe-fuzz: members of cluster " << cluster << " lied, and "
                      << failure.text << std::endl;
            throw std::runtime_error("members");
        }
    }
    lies.failures += run.GetFailures().size();
    lies.ended += run.IsFinished();
    ++lies.runs;
}

void
Lie(const Bytes& input)
{
    GetLies().waiting.push_back(input);
    if (GetLies().waiting.size() == LIES)
    {
        RunWithLiars();
    }
}

/// Runs with those that are left, and tells what became of all.
void
FinishLies()
{
    if (!GetLies().waiting.empty())
    {
        RunWithLiars();
    }
    const Lies& lies = GetLies();
    std::cout << "members: " << lies.runs << " runs, " << lies.ended << " of them to their end, "
              << lies.taken << " messages taken, " << lies.refused << " connections closed, "
              << lies.failures << " failures seen\n";
}

// ---------------------------------------------------------------- what is said

/// Keeps the heads of all messages that come, of each kind and place once.
class HeadRecorder
{
  public:
    void Record(const MessageHeader& head, uint64_t /* bytes */)
    {
        const auto place = std::make_tuple(head.type,
                                           head.cluster,
                                           head.node,
                                           head.round,
                                           head.iteration,
                                           head.microBatch);
        if (m_known.insert(place).second)
        {
            m_heads.push_back(head);
        }
    }

    const std::vector<MessageHeader>& GetHeads() const
    {
        return m_heads;
    }

  private:
    std::set<std::tuple<MessageType, uint16_t, NodeIndex, uint32_t, uint32_t, uint32_t>> m_known;
    std::vector<MessageHeader> m_heads;
};

/// @return the heads of the messages of an undisturbed run
std::vector<MessageHeader>
GetRealHeads()
{
    HeadRecorder recorder;
    TestRun run(MakeAttackedConfig(false, AttackedKind::TABLE));
    for (const auto& application : run.GetApplications().GetAll())
    {
        application->TraceConnectWithoutContext("Rx",
                                                MakeCallback(&HeadRecorder::Record, &recorder));
    }
    run.Run();
    return recorder.GetHeads();
}

/// Hellos and messages of any kind, and real heads with contents of their size or without
std::vector<Bytes>
MakeCalls()
{
    std::vector<Bytes> corpus;
    Attacker speaker(nullptr, 1);
    for (int i = 0; i < 500; ++i)
    {
        corpus.push_back(speaker.MakeBytes());
    }
    for (const auto& head : GetRealHeads())
    {
        MessageHeader hello;
        hello.runId = head.runId;
        hello.cluster = head.cluster;
        hello.node = head.node;
        const auto size = static_cast<uint32_t>(std::min<uint64_t>(head.payloadBytes, 1U << 12));
        auto bytes = Serialize({hello, {}});
        const auto message = Serialize(
            {head, {TensorData::FromVector(DType::UINT8, {size}, std::vector<uint8_t>(size))}});
        bytes.insert(bytes.end(), message.begin(), message.end());
        corpus.push_back(std::move(bytes));
        corpus.push_back(Serialize({head, {}}));
    }
    return corpus;
}

/// The same heads as MakeCalls(), with contents as they may be
std::vector<Bytes>
MakeLies()
{
    std::vector<Bytes> corpus;
    Attacker speaker(nullptr, 2);
    for (const auto& head : GetRealHeads())
    {
        corpus.push_back(Serialize({head, {}}));
        corpus.push_back(Serialize({head, speaker.MakeTensors()}));
        corpus.push_back(Serialize({speaker.MakeHeader(), speaker.MakeTensors()}));
    }
    return corpus;
}

/// Mends the head that comes first, and the one behind a hello.
void
MendCall(Bytes& input)
{
    MendMessage(input);
    if (input.size() >= 2 * wire::HEADER_BYTES)
    {
        Bytes rest(input.begin() + wire::HEADER_BYTES, input.end());
        MendMessage(rest);
        std::copy(rest.begin(), rest.end(), input.begin() + wire::HEADER_BYTES);
    }
}

} // namespace

std::vector<Target>
GetPeerTargets()
{
    return {{"peers", MakeCalls, MendCall, Call, Finish, COMPUTING_BYTES},
            {"members", MakeLies, MendMessage, Lie, FinishLies, COMPUTING_BYTES}};
}
