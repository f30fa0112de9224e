/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_DECIBEL_H
#define COLLAPIPE_DECIBEL_H

#include <cmath>

namespace ns3
{
namespace collapipe
{

/**
 * @param dbm power in dBm
 * @return power in W
 */
inline double
DbmToW(double dbm)
{
    return std::pow(10.0, (dbm - 30) / 10);
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_DECIBEL_H */
