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

#include <cstddef>
#include <vector>

namespace ns3
{
namespace collapipe
{

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
 *   its place for the attribute Grace; else whoever has the longer window would get the more. After
 *   that it keeps no credit, and pays off what it owes with its share of the time that passes.
 * - Were all links that have something to send in debt, all are raised until one is not.
 * - A link that holds credit and does not use it (its receiver does not answer) holds up the others
 *   for the attribute Patience at most, and never collects more than MaxCredit.
 *
 * All this is work-conserving. Without the attribute WorkConserving shares are reserved instead: a
 * link earns its share of the time that passes while it has something to send, and pays for each
 * frame and for what an exchange takes beside it (the attribute ExchangeOverhead); what a link does
 * not use is lost, and nobody gets more than his share of the time.
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
     * @param account of a link
     * @param isBacklogged whether it has something to send from now on
     */
    void SetBacklogged(Account account, bool isBacklogged);

    /**
     * @param account of a link
     * @return whether it may send
     */
    bool MaySend(Account account) const;

    /**
     * Pays for a frame.
     * @param account of its link
     * @param airtime that it takes
     */
    void Charge(Account account, Time airtime);

    /// @return whether airtime that a link does not use goes to others
    bool IsWorkConserving() const;

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
    /// A link's account; times in s
    struct Entry
    {
        double share{0};          //!< 0: none
        double balance{0};        //!< negative: has to wait
        double charged{0};        //!< in all
        bool isBacklogged{false}; //!< has something to send
        bool isCompeting{false};  //!< has, or had a moment ago
        Time lastActive;          //!< when it last had, or the end of its last frame
        Time earnedUntil;         //!< reserved: up to when its share is in the balance
        Callback<void> wake;      //!< whom to tell
        EventId waking;           //!< about to be told
    };

    // Reserved shares
    double GetEarned(const Entry& entry) const;
    void Earn(Entry& entry);
    void ChargeReserved(Entry& entry, double airtimeS);
    void WakeWhenEarned(Entry& entry);

    void Join(Account account);
    void Leave(Account account);
    void DropIdle();
    void ShareOut(double airtimeS);
    void Settle();
    void AwaitGrace();
    void Wake(Entry& entry);
    void Watch();
    void LosePatience();

    Time m_grace;                     //!< attribute
    Time m_patience;                  //!< attribute
    Time m_maxCredit;                 //!< attribute
    bool m_workConserving{true};      //!< attribute
    Time m_exchangeOverhead;          //!< attribute
    std::vector<Entry> m_entries;     //!< by account
    std::vector<Account> m_competing; //!< those with a share that do
    Time m_lastCharge;                //!< when
    EventId m_watch;                  //!< runs while somebody waits
    EventId m_graceEnd; //!< runs while somebody waits for one that has nothing to send
    TracedCallback<std::size_t, Time, Time> m_chargeTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_AIRTIME_LEDGER_H */
