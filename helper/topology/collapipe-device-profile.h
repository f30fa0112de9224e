/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_DEVICE_PROFILE_H
#define COLLAPIPE_DEVICE_PROFILE_H

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What a node can do.
 */
struct DeviceProfile
{
    std::string name;         //!< short name, for example "raspberry-pi-4"
    double flops{0};          //!< usable speed in single precision, FLOP/s
    double overheadS{0};      //!< fixed time per micro-batch, o_k of formula (1), s
    double memoryBytes{0};    //!< free for training
    double computePowerW{0};  //!< power while computing, P_k^cmp
    double maxTxPowerDbm{23}; //!< maximum transmit power to the base station
    double energyBudgetJ{0};  //!< per round on average, Ebar_k of (12); 0: none
};

/**
 * @param name of a profile
 * @return the profile
 * @throws std::invalid_argument naming those there are
 */
DeviceProfile GetDeviceProfile(const std::string& name);

/// @return names of all profiles
std::vector<std::string> GetDeviceProfileNames();

/**
 * @param text names separated by commas; "mixed" for a heterogeneous choice. In a name's place may
 *        stand a device of one's own: "flops=2e10:memory=1e9", with any of overhead (s), power (W)
 *        and txPower (dBm) after further colons
 * @return the profiles, dealt out in turn by those who use them
 * @throws std::invalid_argument for a name or a value that is none
 */
std::vector<DeviceProfile> ParseDeviceProfiles(const std::string& text);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_DEVICE_PROFILE_H */
