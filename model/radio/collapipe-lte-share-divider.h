/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_SHARE_DIVIDER_H
#define COLLAPIPE_LTE_SHARE_DIVIDER_H

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * What one user wants of a band in one TTI, and what it gets. The unit is whatever the band is
 * divided into: resource blocks on the uplink, groups of them on the downlink.
 */
struct ShareClaim
{
    double weight{1};      //!< relative to the others'; positive
    bool capped{false};    //!< may not have more than its share of the band
    bool ranked{false};    //!< whether it has a priority; who has none waits for nobody
    uint8_t priority{0};   //!< where ranked: the highest goes first
    uint32_t demand{0};    //!< units it can fill
    uint32_t minimum{0};   //!< fewer units are of no use to it; at most the demand
    uint32_t used{0};      //!< units it has in this TTI already, for retransmissions
    double lag{0};         //!< units it is behind its share; carried from TTI to TTI
    uint32_t granted{0};   //!< result: further units
    double entitlement{0}; //!< working value: its share of this TTI
    double target{0};      //!< working value: units it should get
    bool due{false};       //!< working value: what it is owed makes a useful grant
};

/**
 * Turns priorities into weights: users of one priority keep their proportion, and have together
 * `floor` times the weight of all who go before them. What those cannot fill is theirs as always.
 * Users that are not ranked keep their weights.
 * @param claims whose weights are set
 * @param floor positive
 */
void WeighPriorities(std::vector<ShareClaim>& claims, double floor);

/// How users share a band when they want more than there is
enum class ShareManner
{
    TOGETHER, //!< each gets its share of every TTI, as far as all fit into one
    IN_TURNS, //!< each gets all it can fill when its turn comes, and turns by its weight
};

/**
 * @ingroup collapipe
 * Divides the units of a band by weight, TTI after TTI (deficit-weighted).
 *
 * Together: what a user lags behind its share is made up over the next few TTIs: at once, a
 * retransmission over the whole band would be followed by one of the next user over the whole band,
 * and users that shared the band would take turns from then on. Where not all users fit into a TTI,
 * those come first that are owed a useful grant, farthest behind first.
 *
 * In turns: first whoever wants little and is not far ahead of its share, so that a short message
 * does not wait for the turns of others; then who is farthest behind, with all that it can fill.
 * One large block carries more than several small ones, where the power of a unit does not depend
 * on how many a user has.
 */
class ShareDivider
{
  public:
    /// @param manner how users share the band
    explicit ShareDivider(ShareManner manner = ShareManner::TOGETHER);

    /**
     * Sets granted and lag of every claim.
     *
     * Work-conserving: weights are relative to the sum over the claims, and what a user does not
     * need goes to the others. Else a weight is a share of the band: a capped user gets no more on
     * average, and what is left goes to those that are not capped; weights that sum to more than 1
     * are scaled down.
     * @param claims of the users that have something to send; lag of a new one is 0
     * @param available units that are free; the claims' used units come on top
     * @param workConserving whether no unit stays empty that somebody can fill
     */
    void Divide(std::vector<ShareClaim>& claims, uint32_t available, bool workConserving);

  private:
    void SetTargets(std::vector<ShareClaim>& claims, uint32_t total, bool workConserving);
    bool IsMoreUrgent(const ShareClaim& a, const ShareClaim& b, uint32_t total) const;
    bool ServeInOrder(std::vector<ShareClaim>& claims, double available);
    void ShareRest(std::vector<ShareClaim>& claims, double rest);
    void Round(std::vector<ShareClaim>& claims);
    void Account(std::vector<ShareClaim>& claims, uint32_t total, bool workConserving);

    ShareManner m_manner;          //!< how users share the band
    std::vector<uint32_t> m_order; //!< claims by urgency
    std::vector<double> m_amounts; //!< units by claim, before rounding
    double m_rest{0};              //!< units that nobody was given
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_SHARE_DIVIDER_H */
