/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_MODEL_H
#define COLLAPIPE_LINK_MODEL_H

#include "collapipe-system-state.h"

namespace ns3
{
namespace collapipe
{

/**
 * Rate of a link, formulas (5) and (6), or its fixed rate.
 *
 * @param link the link
 * @param pool its medium
 * @param share of the medium, 0..1
 * @param powerW transmit power in W
 * @return bit/s
 */
double GetRateBps(const LinkState& link, const PoolState& pool, double share, double powerW);

/**
 * What a message takes of its medium beside its payload: overheadBits, and the bits that the link
 * would carry in overheadS with the whole medium. With them (2) is d + (a + n h) / r for n
 * messages, h what is returned; so a share of the airtime stretches overheadS as it does the
 * payload's time. Shares of a spectrum have no such time.
 *
 * @param link the link
 * @param pool its medium
 * @param powerW transmit power in W
 * @return bits
 */
double GetMessageOverheadBits(const LinkState& link, const PoolState& pool, double powerW);

/**
 * As GetMessageOverheadBits(), but for the message's own head: for who counts whole messages.
 *
 * @param link the link
 * @param pool its medium
 * @param powerW transmit power in W
 * @return bits that a message's transport takes beside the message
 */
double GetTransportOverheadBits(const LinkState& link, const PoolState& pool, double powerW);

/**
 * Time on the air of a payload: a / r under frequency shares and in a dedicated pool, the share of
 * that under airtime shares.
 *
 * @param link the link
 * @param pool its medium
 * @param share of the medium, 0..1
 * @param powerW transmit power in W
 * @param bits payload
 * @return seconds
 */
double GetAirTimeS(const LinkState& link,
                   const PoolState& pool,
                   double share,
                   double powerW,
                   double bits);

/**
 * What a sender draws while it is on the air (7'): circuits, and the amplifier for what it
 * radiates.
 *
 * @param link the link
 * @param pool its medium; where it is dedicated the link radiates its full power
 * @param powerW transmit power in W
 * @return W
 */
double GetTransmitPowerW(const LinkState& link, const PoolState& pool, double powerW);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_MODEL_H */
