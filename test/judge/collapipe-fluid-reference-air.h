/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLUID_REFERENCE_AIR_H
#define COLLAPIPE_FLUID_REFERENCE_AIR_H

#include "collapipe-fluid-reference-links.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/// Something on the air
struct Sending
{
    Radio radio;
    double left{0}; //!< bits
    int kind{0};    //!< 0 forward, 1 backward, 2 targets, 3 parameters
    int stage{0};   //!< before the hop
    uint32_t number{0};
    double messages{1};
    double rate{0}; //!< bit/s now
    double share{0};
};

/// All that is on the air, and what each of it gets
class Air
{
  public:
    /**
     * @param links of the system; they must outlive this
     * @param clusters how many there are
     */
    Air(const Links& links, std::size_t clusters)
        : m_links(links),
          m_clusters(clusters)
    {
    }

    /// (14), (15) and (5), (6) for all that is on the air now
    void SetRates();

    /// @return power in W that a sending of these now takes by (7'), on average
    double GetPowerW(const Sending& one) const;

    std::vector<Sending> sendings; //!< in the order in which they began

  private:
    /// @return how many links of its node have something to send with the same reservation
    double CountTurns(const Radio& radio) const;

    /// Adds what acknowledgements and relays of a sending take of other pools, by pool
    void AddAcks(const Sending& one, std::vector<double>& acks) const;

    const Links& m_links;
    std::size_t m_clusters;
};

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLUID_REFERENCE_AIR_H */
