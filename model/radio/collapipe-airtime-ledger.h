/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_AIRTIME_LEDGER_H
#define COLLAPIPE_AIRTIME_LEDGER_H

#include "ns3/callback.h"
#include "ns3/event-id.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy-band.h"
#include "ns3/wifi-ppdu.h"
#include "ns3/wifi-tx-vector.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What a link is about to send; only where shares are reserved it matters
struct AirtimeBatch
{
    uint32_t bytes{0};      //!< waiting
    bool isBegun{true};     //!< whether some of the same message were sent before
    uint32_t frameBytes{0}; //!< most that the MAC takes as one frame
};

/**
 * @ingroup collapipe
 * Who owes whom airtime on one Wi-Fi channel.
 *
 * Each link with a share has an account. A frame that takes the channel for a time T costs its link
 * T, and the links that have something to send share T out among themselves in proportion to their
 * shares; a link whose balance is negative has to wait. So of the airtime that the waiting links
 * use together each gets its share, whatever its rate, and none is left unused: this is deficit
 * round robin (M. Shreedhar and G. Varghese, IEEE/ACM Trans. Networking 4(3), 1996) with airtime in
 * the place of bytes, and without its rounds. Everything happens when frames are sent; there is no
 * work in between.
 *
 * - A link that has nothing to send for a moment, such as TCP that waits for acknowledgments, keeps
 *   its credit for the attribute Grace; else whoever has the longer window would get the more.
 * After that it keeps none, and pays off what it owes with its share of the time that passes. The
 * others wait for it, and share the airtime with it, only until the channel has been silent for the
 *   attribute AckTime: a pipeline's next link often has nothing to send because the one before it
 *   has to wait, and the channel would stand still for both.
 * - Were all links that have something to send in debt, all are raised until one is not.
 * - A link that holds credit and does not use it (its receiver does not answer) holds up the others
 *   for the attribute Patience at most, and never collects more than MaxCredit.
 * - Links of a lower priority than one that competes are held back, but for a small floor. All that
 *   is said above then holds among those of the highest.
 *
 * All this is work-conserving. Without the attribute WorkConserving shares are reserved instead: a
 * link earns its share of the time that passes while it has something to send, and pays for what it
 * sends; what a link does not use is lost, and nobody gets more than his share of the time. A frame
 * costs its airtime times the attribute TransferFactor, a message also two accesses (the attributes
 * ExchangeOverhead and ReplyOverhead): as much of a link's time as it takes alone on the channel,
 * which is what (6) has shares of. A frame is earned before it is sent, all but what is earned
 * while it is on the air: so even a message that is a single frame has arrived no sooner than (6)
 * has it. What a byte takes is known from the link's last frames; the very first one is paid for
 * afterwards.
 *
 * The ledger is one object for all stations of a channel: each knows what the others sent, as if it
 * had heard all of it.
 */
class AirtimeLedger : public Object
{
  public:
    /// Number of an account
    using Account = std::size_t;

    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param wake called, not from within one of these methods, when the account may send again
     * @return a new account, without a share
     */
    Account Open(Callback<void> wake);

    /**
     * @param account of a link
     * @param share of the airtime, 0..1; 0: none, the link may always send and is not charged
     */
    void SetShare(Account account, double share);

    /**
     * @param account of a link
     * @return its share
     */
    double GetShare(Account account) const;

    /**
     * Who goes first (15). While a link of a higher priority competes, those of lower ones are held
     * back: together they get the PriorityFloor of the airtime that it takes, saved up for frames.
     * Without a meaning where shares are reserved, and for links without a share.
     * @param account of a link
     * @param priority from now on; the highest goes first
     */
    void SetPriority(Account account, uint8_t priority);

    /**
     * @param account of a link
     * @return its priority
     */
    uint8_t GetPriority(Account account) const;

    /**
     * @param account of a link
     * @return whether one of a higher priority competes
     */
    bool IsHeldBack(Account account) const;

    /**
     * @param account of a link
     * @param isBacklogged whether it has something to send from now on
     */
    void SetBacklogged(Account account, bool isBacklogged);

    /**
     * Where shares are reserved and it may not, it is woken when it may.
     * @param account of a link
     * @param batch that it is about to send
     * @return whether it may send
     */
    bool MaySend(Account account, const AirtimeBatch& batch = AirtimeBatch());

    /**
     * Where shares are reserved, whether a small packet may go though its airtime is not earned: if
     * the link owes no more than one.
     * @param account of a link
     * @param bytes of the packet
     * @return whether it may
     */
    bool MayOwe(Account account, uint32_t bytes) const;

    /**
     * Bytes are on their way to the air. Without a meaning where the medium is work-conserving.
     * @param account of their link
     * @param batch bytes that the MAC was given, and whether they are not the first of a message;
     *              for the first the link pays what a message takes beside its frames
     */
    void HandOver(Account account, const AirtimeBatch& batch);

    /**
     * Pays for a frame.
     * @param account of its link
     * @param airtime that it takes
     * @param bytes in it, of those that were handed over
     */
    void Charge(Account account, Time airtime, uint32_t bytes = 0);

    /// @return whether airtime that a link does not use goes to others
    bool IsWorkConserving() const;

    /// @param device of a station on the channel that has no accounts
    void Overhear(Ptr<WifiNetDevice> device);

    /**
     * @return the part of the time, 0..1, that stations which are overheard were on the air since
     * the last call, exchange overhead included, while a link with a share had something to send;
     * NaN where none had
     */
    double TakeOthersPart();

    /**
     * @param account of a link
     * @return airtime that it was charged so far, without overhead; 0 while it has no share
     */
    Time GetCharged(Account account) const;

    /**
     * Signature of the Charge trace.
     * @param account that pays
     * @param airtime for what
     * @param balance after that
     */
    typedef void (*ChargeTracedCallback)(std::size_t account, Time airtime, Time balance);

  protected:
    void DoDispose() override;

  private:
    /// How long after the frame that pays for it a link is woken
    static const Time WAKE_DELAY;

    /// A link's account; times in s
    struct Entry
    {
        double share{0};          //!< 0: none
        uint8_t priority{0};      //!< the highest goes first
        double balance{0};        //!< negative: has to wait
        double charged{0};        //!< in all
        bool isBacklogged{false}; //!< has something to send
        bool isCompeting{false};  //!< has, or had a moment ago
        Time lastActive;          //!< when it last had, or the end of its last frame
        double silenceS{0};       //!< how long the channel had been silent in all until then
        Time earnedUntil;         //!< reserved: up to when its share is in the balance
        AirtimeBatch waiting;     //!< reserved: that it said it is about to send
        uint32_t handedBytes{0};  //!< reserved: of the MAC, not yet on the air
        Time lastHanded;          //!< reserved: when the MAC last got or sent some
        double sentS{0};          //!< reserved: airtime of its last frames
        double sentBytes{0};      //!< reserved: bytes in these
        Callback<void> wake;      //!< whom to tell
        EventId waking;           //!< about to be told
    };

    // Reserved shares
    double GetEarned(const Entry& entry) const;
    double GetAirtimeS(const Entry& entry, uint32_t bytes) const;
    double GetMessageS() const;
    double GetHandedS(const Entry& entry) const;
    double GetPriceS(const Entry& entry) const;
    void Earn(Entry& entry);
    void KeepForHanded(Entry& entry);
    bool HasEarned(Entry& entry, const AirtimeBatch& batch);
    void ChargeReserved(Entry& entry, double airtimeS, uint32_t bytes);
    void WakeWhenEarned(Entry& entry);

    void Join(Account account);
    void Leave(Account account);
    void DropIdle();
    // Others on the channel
    static bool Wants(const Entry& entry);
    void CountBacklog(bool before, bool now);
    void HandleOthers(WifiPhyBand band,
                      WifiConstPsduMap psdus,
                      WifiTxVector txVector,
                      double powerW);

    void Rank();
    bool IsHeldBack(const Entry& entry) const;
    double GetNeededS(const Entry& entry) const;
    void ShareOut(double airtimeS, bool isHeldBack);
    void Settle();
    void RaisePresent(double raiseS);
    void AwaitSilence();
    double GetSilenceS() const;
    bool IsPresent(const Entry& entry) const;
    void Wake(Entry& entry);
    void Watch();
    void LosePatience();

    Time m_grace;                     //!< attribute
    Time m_ackTime;                   //!< attribute
    Time m_patience;                  //!< attribute
    Time m_maxCredit;                 //!< attribute
    bool m_workConserving{true};      //!< attribute
    Time m_exchangeOverhead;          //!< attribute
    Time m_replyOverhead;             //!< attribute
    double m_transferFactor{1};       //!< attribute
    double m_priorityFloor{0};        //!< attribute
    Time m_priorityBurst;             //!< attribute
    uint8_t m_top{0};                 //!< highest priority of those that compete
    std::vector<Entry> m_entries;     //!< by account
    std::vector<Account> m_competing; //!< those with a share that do
    Time m_lastCharge;                //!< when
    uint32_t m_backlogs{0};           //!< links with a share that have something to send
    Time m_backlogSince;              //!< since when m_backlogS is up to date
    double m_backlogS{0};             //!< time in which there were some
    double m_othersS{0};              //!< of it, that others took
    EventId m_watch;                  //!< runs while somebody waits
    EventId m_silenceEnd; //!< runs while somebody waits for one that has nothing to send
    Time m_freeAt;        //!< end of the last frame of a link with a share
    double m_silenceS{0}; //!< time that the channel was free in all, until that frame began
    TracedCallback<std::size_t, Time, Time> m_chargeTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_AIRTIME_LEDGER_H */
