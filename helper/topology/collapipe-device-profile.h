/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_DEVICE_PROFILE_H
#define COLLAPIPE_DEVICE_PROFILE_H

#include "ns3/collapipe-system-state.h"

#include <iosfwd>
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
    double flops{0};          //!< speed in training all weights in single precision, FLOP/s
    double overheadS{0};      //!< fixed time per micro-batch, o_k of formula (1), s
    double memoryBytes{0};    //!< free for training
    double computePowerW{0};  //!< power while computing, P_k^cmp
    double maxTxPowerDbm{23}; //!< maximum transmit power to the base station
    double energyBudgetJ{0};  //!< per round on average, Ebar_k of (12); 0: none
    double adapterFlops{0};   //!< speed where most weights are frozen, FLOP/s; 0: the same
    /// Parts of its clock at which it can compute beside the full one, which speed, overhead and
    /// power are of; (0, 1]
    std::vector<double> clocks{};
    double staticPart{0};   //!< of the power while computing, what does not depend on the clock
    bool isMeasured{false}; //!< the speed is a measurement; else from data sheets
    std::string source{};   //!< of the speed, and how far it may be off

    /**
     * @param isFrozen whether most weights are
     * @return the speed at such work, FLOP/s
     */
    double GetFlops(bool isFrozen) const
    {
        return isFrozen && adapterFlops > 0 ? adapterFlops : flops;
    }
};

/**
 * @ingroup collapipe
 * What an edge server can do.
 */
struct EdgeProfile
{
    std::string name;       //!< short name, for example "jetson-orin-nano"
    EdgeState state;        //!< speed, overhead and workers
    bool isMeasured{false}; //!< the speed is a measurement; else from data sheets
    std::string source{};   //!< of the speed, and how far it may be off
};

/**
 * @param name of a profile
 * @return the profile
 * @throws std::invalid_argument naming those there are
 */
DeviceProfile GetDeviceProfile(const std::string& name);

/**
 * @param text parts of a full clock, each in (0, 1]
 * @param separator between them
 * @return them
 * @throws std::invalid_argument saying what is none
 */
std::vector<double> ParseClocks(const std::string& text, char separator);

/// @return names of all profiles
std::vector<std::string> GetDeviceProfileNames();

/**
 * @param text name of a profile, or one of one's own: "flops=2e11:workers=4", with overhead (s) if
 *        it is not 0.2 ms
 * @return the profile
 * @throws std::invalid_argument naming those there are, or saying what cannot be
 */
EdgeProfile ParseEdgeProfile(const std::string& text);

/**
 * Prints all profiles of devices and edge servers, with their sources.
 * @param out where
 */
void PrintProfiles(std::ostream& out);

/**
 * @param text names separated by commas; "mixed" for a heterogeneous choice. In a name's place may
 *        stand a device of one's own: "flops=2e10:memory=1e9", with any of adapterFlops (FLOP/s),
 *        overhead (s), power (W), txPower (dBm), clocks (parts of the full one, "0.5/0.75") and
 *        staticPart (of the power, independent of the clock) after further colons
 * @return the profiles, dealt out in turn by those who use them
 * @throws std::invalid_argument for a name or a value that is none
 */
std::vector<DeviceProfile> ParseDeviceProfiles(const std::string& text);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_DEVICE_PROFILE_H */
