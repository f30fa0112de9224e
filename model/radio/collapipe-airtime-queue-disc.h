/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_AIRTIME_QUEUE_DISC_H
#define COLLAPIPE_AIRTIME_QUEUE_DISC_H

#include "collapipe-airtime-ledger.h"
#include "collapipe-overtaking-acks.h"

#include "ns3/mac48-address.h"
#include "ns3/queue-disc.h"
#include "ns3/wifi-mac-header.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-ppdu.h"
#include "ns3/wifi-psdu.h"
#include "ns3/wifi-tx-vector.h"

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Gives a Wi-Fi station's links their shares of the channel's airtime: a queue for each receiver,
 * whose packets go to the MAC only while the AirtimeLedger lets that link send. Links without a
 * share are not held back. The MAC's own queue should be short, since what is in it cannot be held
 * back any more: a full A-MPDU is enough.
 *
 * Receivers take turns of a burst each, not of a packet: an A-MPDU goes to one receiver, and the
 * MAC makes it of what its short queue holds for that one.
 *
 * A link is charged for the data frames, RTS and block acknowledgment requests that the PHY really
 * sends to its receiver, at their length on the air, retransmissions included.
 *
 * Packets of up to ExpressBytes (TCP acknowledgments, connection set-up) never wait for airtime,
 * else the data of one direction would wait for the share of the other. Data never overtake others
 * of their connection, however small. Where shares are reserved
 * they are not paid for either: the rates that shares are planned with are those of TCP, its
 * acknowledgments included.
 *
 * Where shares are reserved, a link earns the airtime of what it sends as one frame before it sends
 * it. A message must not wait until the next ones are earned, too: what TCP gets at once ends with
 * a segment that is not full, so a packet shorter than the link's largest ends a batch, which may
 * go when it is earned.
 */
class AirtimeQueueDisc : public QueueDisc
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    AirtimeQueueDisc();
    ~AirtimeQueueDisc() override;

    /**
     * @param device whose disc it is, and whose frames it charges
     * @param ledger of the device's channel
     */
    void Attach(Ptr<WifiNetDevice> device, Ptr<AirtimeLedger> ledger);

    /**
     * @param to receiver
     * @param share of the channel's airtime, 0..1; 0: none, the link takes what is free
     */
    void SetShare(Mac48Address to, double share);

    /**
     * Who goes first (15), see AirtimeLedger::SetPriority.
     * @param to receiver
     * @param priority of the link from now on
     */
    void SetPriority(Mac48Address to, uint8_t priority);

    /**
     * @param to receiver
     * @return its link's priority
     */
    uint8_t GetPriority(Mac48Address to) const;

    /**
     * @param to receiver
     * @return its link's share
     */
    double GetShare(Mac48Address to) const;

    /// @return the ledger of the device's channel; null before Attach
    Ptr<AirtimeLedger> GetLedger() const;

    /**
     * @param to receiver
     * @return airtime of the frames sent to it while its link had a share
     */
    Time GetAirtime(Mac48Address to) const;

  protected:
    void DoDispose() override;

  private:
    /// The packets for one receiver
    struct Link
    {
        std::size_t queue{0};              //!< internal queue
        AirtimeLedger::Account account{0}; //!< in the ledger
        bool isWaiting{false};             //!< has packets
        std::deque<AirtimeBatch> batches;  //!< of these, see AddToBatch
        bool isBatchOpen{false};           //!< whether the next packet belongs to the last batch
        uint32_t largest{0};               //!< packet so far, bytes
        OvertakingAcks overtaking;         //!< sent while these were waiting
    };

    bool DoEnqueue(Ptr<QueueDiscItem> item) override;
    Ptr<QueueDiscItem> DoDequeue() override;
    bool CheckConfig() override;
    void InitializeParams() override;

    Link& GetLink(Mac48Address to);
    std::size_t AddQueue();

    /// @return whether so little waits for a receiver that it need wait for nobody
    bool IsSmall(const Link& link) const;

    /// A packet joins the batches of its link: one for each message, as far as packets tell.
    static void AddToBatch(Link& link, uint32_t bytes);

    /// A packet leaves them. @return it, as the part of a batch that it is
    static AirtimeBatch TakeFromBatch(Link& link, uint32_t bytes);

    /// @return what is to be sent to a receiver as one frame
    AirtimeBatch GetBatch(const Link& link) const;

    /// @return whether all that is in a frame never waits for airtime
    bool IsExpress(Ptr<const WifiPsdu> psdu) const;

    /// Begins a burst.
    void TakeTurn(std::size_t turn);

    void ChargeFrame(WifiConstPsduMap psdus, WifiTxVector txVector, double powerW);

    uint32_t m_expressBytes{0};                                      //!< attribute
    uint32_t m_smallBytes{0};                                        //!< attribute
    uint32_t m_burst{0};                                             //!< attribute
    Ptr<WifiNetDevice> m_device;                                     //!< whose disc it is
    Ptr<AirtimeLedger> m_ledger;                                     //!< of its channel
    std::size_t m_expressQueue{0};                                   //!< internal queue
    std::unordered_map<Mac48Address, Link, WifiAddressHash> m_links; //!< by receiver
    std::vector<Link*> m_waiting;                                    //!< those with packets
    std::size_t m_turn{0};                                           //!< of these, whose turn it is
    uint32_t m_left{0};                                              //!< of that one's burst
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_AIRTIME_QUEUE_DISC_H */
