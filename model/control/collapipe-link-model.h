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
 * Energy of a payload: the power times the time on the air, which is a / r under frequency shares
 * and the share of that under airtime shares.
 *
 * @param link the link
 * @param pool its medium
 * @param share of the medium, 0..1
 * @param powerW transmit power in W
 * @param bits payload
 * @return J
 */
double GetTransferEnergyJ(const LinkState& link,
                          const PoolState& pool,
                          double share,
                          double powerW,
                          double bits);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_MODEL_H */
