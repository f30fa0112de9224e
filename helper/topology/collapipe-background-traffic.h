/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_BACKGROUND_TRAFFIC_H
#define COLLAPIPE_BACKGROUND_TRAFFIC_H

#include "ns3/address.h"
#include "ns3/application-container.h"
#include "ns3/data-rate.h"
#include "ns3/ipv4-address.h"
#include "ns3/node.h"
#include "ns3/nstime.h"
#include "ns3/packet.h"
#include "ns3/seq-ts-size-header.h"
#include "ns3/vector.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What other users of a radio do with it
enum class UserTraffic : uint8_t
{
    UDP,   //!< datagrams at a constant rate, both ways
    VOICE, //!< a call: G.711 in talk spurts, both ways
    VIDEO, //!< a film towards the user, frame by frame
};

/// One kind of traffic beside the training
struct BackgroundKind
{
    std::string name;                      //!< as it is written: voice, video, udp:2Mbps
    UserTraffic traffic{UserTraffic::UDP}; //!< what is sent
    DataRate rate{"1Mbps"};                //!< of UDP, each way, per user
};

/**
 * @ingroup collapipe
 * The traffic that runs beside the training.
 */
struct BackgroundConfig
{
    std::vector<BackgroundKind> kinds; //!< which the users take in turn; empty: there is none

    /**
     * @param text "none", or one or several of "udp:RATE" with a rate as ns-3 writes it
     * (udp:2Mbps), "voice" and "video", with commas between them
     * @return what it means
     * @throws std::invalid_argument with a sentence where it means nothing
     */
    static BackgroundConfig Parse(const std::string& text);
};

/// Somebody who shares a radio with the training, and the node that he talks to over it
struct BackgroundUser
{
    std::string name;        //!< lte0-u1: second user of the first cell; wifi2-u0: of a channel
    Ptr<Node> node;          //!< the user's
    Ptr<Node> peer;          //!< the other end
    Ipv4Address address;     //!< by which the peer reaches the user
    Ipv4Address peerAddress; //!< by which the user reaches the peer
};

/**
 * @param position where it stands
 * @return a new node with an Internet stack
 */
Ptr<Node> CreateUserNode(const Vector& position);

/**
 * Gives the Internet stacks of users and peers fixed streams.
 * @param users whose
 * @param stream the first
 * @return number of streams used
 */
int64_t AssignUserStreams(const std::vector<BackgroundUser>& users, int64_t stream);

/**
 * Delays of packets: their mean, and quantiles to 2 % in a histogram of fixed size.
 */
class DelayStatistics
{
  public:
    /// @param delay of a packet
    void Add(Time delay);

    /// @param other statistics whose packets are added to these
    void Add(const DelayStatistics& other);

    /// @return how many there were
    uint64_t GetCount() const;

    /// @return mean in seconds; 0 where there were none
    double GetMeanS() const;

    /**
     * @param share 0..1
     * @return the delay in seconds that this share of packets does not exceed, rounded up by at
     *         most 2 %; 0 where there were none
     */
    double GetQuantileS(double share) const;

  private:
    uint64_t m_count{0};                   //!< packets
    double m_sumS{0};                      //!< of all delays
    std::map<int32_t, uint64_t> m_buckets; //!< by the delay's logarithm
};

/// How one user fared in one direction
struct BackgroundFlow
{
    std::string user;      //!< BackgroundUser::name
    std::string traffic;   //!< BackgroundKind::name
    bool toUser{false};    //!< direction: from the peer to the user
    bool training{false};  //!< while the training ran; else before it
    uint64_t sent{0};      //!< packets
    uint64_t received{0};  //!< packets
    uint64_t lost{0};      //!< packets that a later one overtook and that never came
    uint64_t bytes{0};     //!< received, UDP payload
    double jitterSumS{0};  //!< sum of the differences between the delays of successive packets
    double durationS{0};   //!< of the period
    DelayStatistics delay; //!< from application to application
};

/**
 * @ingroup collapipe
 * Traffic of other users, made of ns-3's own OnOffApplication and PacketSink; each packet carries
 * its number and time. A call is G.711: 160 bytes and an RTP header of 12 every 20 ms, in talk
 * spurts of 1.004 s and pauses of 1.587 s on average, exponential (ITU-T P.59). A film is 30 frames
 * per second, 4 Mb/s on average, the size of a frame a truncated Gaussian with a deviation of
 * 10.5 % between half and one and a half times the mean (3GPP TR 38.838, section 5.1).
 */
class BackgroundTraffic
{
  public:
    /**
     * Installs the applications of all users.
     * @param config what they do, one kind after the other in turn
     * @param users who
     * @param start when they begin
     * @param training when the training begins: flows are counted apart before and from then on
     */
    BackgroundTraffic(const BackgroundConfig& config,
                      const std::vector<BackgroundUser>& users,
                      Time start,
                      Time training);

    BackgroundTraffic(const BackgroundTraffic&) = delete;
    BackgroundTraffic& operator=(const BackgroundTraffic&) = delete;

    /**
     * @param stream first stream index
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

    /// @return how every user fared until now: by user, direction and period
    std::vector<BackgroundFlow> GetFlows() const;

  private:
    /// A direction of a user's: what was sent and received, before the training and from then on
    struct Direction
    {
        BackgroundFlow periods[2]; //!< before, from then on
        uint32_t next{0};          //!< number of the packet that comes next
        Time lastDelay;            //!< of the latest packet of the period
        Time training;             //!< when the training begins

        /// @return the period that it is now
        BackgroundFlow& GetNow();
        void CountSent(Ptr<const Packet> packet);
        void CountReceived(Ptr<const Packet> packet,
                           const Address& from,
                           const Address& to,
                           const SeqTsSizeHeader& header);
    };

    void Install(const BackgroundUser& user,
                 const BackgroundKind& kind,
                 bool toUser,
                 uint16_t port);

    Time m_start;                                         //!< when they begin
    Time m_training;                                      //!< when the training begins
    ApplicationContainer m_sources;                       //!< who sends
    std::vector<std::unique_ptr<Direction>> m_directions; //!< traced
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_BACKGROUND_TRAFFIC_H */
