/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-background-traffic.h"

#include "ns3/boolean.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/inet-socket-address.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/log.h"
#include "ns3/node-container.h"
#include "ns3/on-off-helper.h"
#include "ns3/onoff-application.h"
#include "ns3/packet-sink-helper.h"
#include "ns3/pointer.h"
#include "ns3/random-variable-stream.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeBackgroundTraffic");

namespace
{

constexpr uint16_t FIRST_PORT = 40000;    //!< user i sends to FIRST_PORT + 2 i, + 1 the other way
constexpr uint32_t DATAGRAM_BYTES = 1200; //!< of UDP and video: fits every link here

constexpr uint32_t CALL_BYTES = 160 + 12; //!< G.711 and RTP header
constexpr double CALL_PERIOD_S = 0.02;    //!< of a packet
constexpr double TALK_S = 1.004;          //!< mean length of a talk spurt (ITU-T P.59)
constexpr double PAUSE_S = 1.587;         //!< mean length of a pause (ITU-T P.59)

constexpr double FRAMES_PER_S = 30;       //!< of a film
constexpr double FILM_BPS = 4e6;          //!< its mean rate
constexpr double FRAME_DEVIATION = 0.105; //!< of a frame's size (3GPP TR 38.838)
constexpr double FRAME_BOUND = 0.5;       //!< farthest from the mean, likewise
constexpr double FRAME_BPS = 100e6;       //!< at which the encoder hands a frame to the network

/// Width of a bucket of delays: 2 %
const double BUCKET = std::log(1.02);

Ptr<RandomVariableStream>
MakeConstant(double value)
{
    auto variable = CreateObject<ConstantRandomVariable>();
    variable->SetAttribute("Constant", DoubleValue(value));
    return variable;
}

Ptr<RandomVariableStream>
MakeExponential(double mean)
{
    auto variable = CreateObject<ExponentialRandomVariable>();
    variable->SetAttribute("Mean", DoubleValue(mean));
    return variable;
}

/// Normal, as far from the mean as the bound allows
Ptr<RandomVariableStream>
MakeFrameTime(double meanS)
{
    auto variable = CreateObject<NormalRandomVariable>();
    const double deviation = FRAME_DEVIATION * meanS;
    variable->SetAttribute("Mean", DoubleValue(meanS));
    variable->SetAttribute("Variance", DoubleValue(deviation * deviation));
    variable->SetAttribute("Bound", DoubleValue(FRAME_BOUND * meanS));
    return variable;
}

/// @return the kind that a word names
BackgroundKind
ParseKind(const std::string& word)
{
    if (word == "voice")
    {
        return {word, UserTraffic::VOICE, DataRate()};
    }
    if (word == "video")
    {
        return {word, UserTraffic::VIDEO, DataRate()};
    }
    // DataRate aborts the program where it cannot read a text.
    const std::string udp = "udp:";
    const std::string rate = word.substr(0, udp.size()) == udp ? word.substr(udp.size()) : "";
    const std::size_t digits = rate.find_first_not_of("0123456789.");
    const std::string unit = digits == std::string::npos ? "" : rate.substr(digits);
    const bool known = unit == "bps" || unit == "kbps" || unit == "Mbps" || unit == "Gbps";
    const double number = known && digits > 0 ? std::atof(rate.c_str()) : 0;
    if (!(number > 0) || std::count(rate.begin(), rate.end(), '.') > 1)
    {
        throw std::invalid_argument(
            "\"" + word +
            "\" is no traffic: take none, or voice, video and udp:RATE with a rate in bps, kbps, "
            "Mbps or Gbps such as udp:2Mbps, several with commas between them");
    }
    return {word, UserTraffic::UDP, DataRate(rate)};
}

/// Installs what sends one kind of traffic to an address.
ApplicationContainer
MakeSource(const BackgroundKind& kind, Ptr<Node> node, const Address& to)
{
    OnOffHelper source("ns3::UdpSocketFactory", to);
    source.SetAttribute("EnableSeqTsSizeHeader", BooleanValue(true));
    const bool isCall = kind.traffic == UserTraffic::VOICE;
    DataRate rate = kind.rate;
    Ptr<RandomVariableStream> on = MakeConstant(1);
    Ptr<RandomVariableStream> off = MakeConstant(0);
    if (isCall)
    {
        rate = DataRate(static_cast<uint64_t>(std::llround(CALL_BYTES * 8 / CALL_PERIOD_S)));
        on = MakeExponential(TALK_S);
        off = MakeExponential(PAUSE_S);
    }
    else if (kind.traffic == UserTraffic::VIDEO)
    {
        const double frameS = FILM_BPS / FRAMES_PER_S / FRAME_BPS;
        rate = DataRate(static_cast<uint64_t>(FRAME_BPS));
        on = MakeFrameTime(frameS);
        off = MakeConstant(1 / FRAMES_PER_S - frameS);
    }
    source.SetAttribute("PacketSize", UintegerValue(isCall ? CALL_BYTES : DATAGRAM_BYTES));
    source.SetAttribute("DataRate", DataRateValue(rate));
    const ApplicationContainer made = source.Install(node);
    // The helper copies an attribute's text, and with it not the variable itself.
    made.Get(0)->SetAttribute("OnTime", PointerValue(on));
    made.Get(0)->SetAttribute("OffTime", PointerValue(off));
    return made;
}

} // namespace

BackgroundConfig
BackgroundConfig::Parse(const std::string& text)
{
    BackgroundConfig config;
    if (text == "none")
    {
        return config;
    }
    std::istringstream words(text + ',');
    for (std::string word; std::getline(words, word, ',');)
    {
        config.kinds.push_back(ParseKind(word));
    }
    return config;
}

Ptr<Node>
CreateUserNode(const Vector& position)
{
    auto node = CreateObject<Node>();
    auto mobility = CreateObject<ConstantPositionMobilityModel>();
    mobility->SetPosition(position);
    node->AggregateObject(mobility);
    InternetStackHelper internet;
    internet.SetIpv6StackInstall(false);
    internet.Install(node);
    return node;
}

int64_t
AssignUserStreams(const std::vector<BackgroundUser>& users, int64_t stream)
{
    NodeContainer nodes;
    for (const auto& user : users)
    {
        nodes.Add(user.node);
    }
    return nodes.GetN() > 0 ? InternetStackHelper().AssignStreams(nodes, stream) : 0;
}

void
DelayStatistics::Add(Time delay)
{
    const double seconds = delay.GetSeconds();
    ++m_count;
    m_sumS += seconds;
    ++m_buckets[static_cast<int32_t>(std::ceil(std::log(std::max(seconds, 1e-9)) / BUCKET))];
}

void
DelayStatistics::Add(const DelayStatistics& other)
{
    m_count += other.m_count;
    m_sumS += other.m_sumS;
    for (const auto& [bucket, count] : other.m_buckets)
    {
        m_buckets[bucket] += count;
    }
}

uint64_t
DelayStatistics::GetCount() const
{
    return m_count;
}

double
DelayStatistics::GetMeanS() const
{
    return m_count > 0 ? m_sumS / m_count : 0;
}

double
DelayStatistics::GetQuantileS(double share) const
{
    double left = share * m_count;
    for (const auto& [bucket, count] : m_buckets)
    {
        left -= count;
        if (left <= 0)
        {
            return std::exp(bucket * BUCKET);
        }
    }
    return 0;
}

BackgroundFlow&
BackgroundTraffic::Direction::GetNow()
{
    return periods[Simulator::Now() >= training ? 1 : 0];
}

void
BackgroundTraffic::Direction::CountSent(Ptr<const Packet> /* packet */)
{
    ++GetNow().sent;
}

void
BackgroundTraffic::Direction::CountReceived(Ptr<const Packet> /* packet */,
                                            const Address& /* from */,
                                            const Address& /* to */,
                                            const SeqTsSizeHeader& header)
{
    BackgroundFlow& now = GetNow();
    ++now.received;
    now.bytes += header.GetSize();
    const Time delay = Simulator::Now() - header.GetTs();
    now.delay.Add(delay);
    // As ns-3's FlowMonitor has it, after RFC 3393
    now.jitterSumS += now.received > 1 ? Abs(delay - lastDelay).GetSeconds() : 0;
    lastDelay = delay;
    if (header.GetSeq() >= next)
    {
        now.lost += header.GetSeq() - next;
        next = header.GetSeq() + 1;
    }
    else if (now.lost > 0)
    {
        --now.lost; // it was late, not lost
    }
}

BackgroundTraffic::BackgroundTraffic(const BackgroundConfig& config,
                                     const std::vector<BackgroundUser>& users,
                                     Time start,
                                     Time training)
    : m_start(start),
      m_training(training)
{
    NS_LOG_FUNCTION(this << users.size());
    for (std::size_t i = 0; i < users.size() && !config.kinds.empty(); ++i)
    {
        const BackgroundKind& kind = config.kinds[i % config.kinds.size()];
        const uint16_t port = FIRST_PORT + 2 * i;
        Install(users[i], kind, true, port);
        if (kind.traffic != UserTraffic::VIDEO)
        {
            Install(users[i], kind, false, port + 1);
        }
    }
}

void
BackgroundTraffic::Install(const BackgroundUser& user,
                           const BackgroundKind& kind,
                           bool toUser,
                           uint16_t port)
{
    m_directions.push_back(std::make_unique<Direction>());
    Direction* direction = m_directions.back().get();
    direction->training = m_training;
    for (int training = 0; training < 2; ++training)
    {
        direction->periods[training].user = user.name;
        direction->periods[training].traffic = kind.name;
        direction->periods[training].toUser = toUser;
        direction->periods[training].training = training == 1;
    }
    const Ptr<Node> from = toUser ? user.peer : user.node;
    const Ptr<Node> to = toUser ? user.node : user.peer;
    const Ipv4Address address = toUser ? user.address : user.peerAddress;
    PacketSinkHelper sink("ns3::UdpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), port));
    sink.SetAttribute("EnableSeqTsSizeHeader", BooleanValue(true));
    ApplicationContainer sinks = sink.Install(to);
    sinks.Start(m_start);
    sinks.Get(0)->TraceConnectWithoutContext("RxWithSeqTsSize",
                                             MakeCallback(&Direction::CountReceived, direction));
    ApplicationContainer sources = MakeSource(kind, from, InetSocketAddress(address, port));
    sources.Start(m_start);
    sources.Get(0)->TraceConnectWithoutContext("Tx",
                                               MakeCallback(&Direction::CountSent, direction));
    m_sources.Add(sources);
}

int64_t
BackgroundTraffic::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    for (auto it = m_sources.Begin(); it != m_sources.End(); ++it)
    {
        stream += DynamicCast<OnOffApplication>(*it)->AssignStreams(stream);
    }
    return stream - first;
}

std::vector<BackgroundFlow>
BackgroundTraffic::GetFlows() const
{
    std::vector<BackgroundFlow> flows;
    const Time now = Simulator::Now();
    for (const auto& direction : m_directions)
    {
        for (const BackgroundFlow& period : direction->periods)
        {
            flows.push_back(period);
            const Time begin = period.training ? m_training : m_start;
            const Time end = period.training ? now : std::min(now, m_training);
            flows.back().durationS = std::max(Time(0), end - begin).GetSeconds();
        }
    }
    return flows;
}

} // namespace collapipe
} // namespace ns3
