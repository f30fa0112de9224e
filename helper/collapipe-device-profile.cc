/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-device-profile.h"

#include <sstream>
#include <stdexcept>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double GIB = 1024.0 * 1024 * 1024;

/// Share of the arithmetic peak that dense kernels reach on small processors; our assumption.
constexpr double USABLE = 0.3;

/**
 * @param cores number of them
 * @param gigahertz their clock
 * @param flopsPerCycle single precision, per core
 * @return usable FLOP/s
 */
constexpr double
Usable(double cores, double gigahertz, double flopsPerCycle)
{
    return USABLE * cores * gigahertz * 1e9 * flopsPerCycle;
}

/**
 * Speeds are core count x clock x SIMD width from the makers' data sheets, times USABLE: CPU only
 * for the boards and phones, 1 FMA per CUDA core and cycle for the Jetsons. Half of the memory is
 * taken to be free for training. Powers are the makers' figures for the module or board under load.
 */
const std::vector<DeviceProfile>&
GetProfiles()
{
    static const std::vector<DeviceProfile> profiles{
        // BCM2711: 4 Cortex-A72, 1.5 GHz, one 128-bit FMA (Raspberry Pi 4 product brief)
        {"raspberry-pi-4", Usable(4, 1.5, 8), 1e-3, 2 * GIB, 6.4, 23},
        // BCM2712: 4 Cortex-A76, 2.4 GHz, two 128-bit FMAs (Raspberry Pi 5 product brief)
        {"raspberry-pi-5", Usable(4, 2.4, 16), 0.6e-3, 4 * GIB, 10, 23},
        // Jetson Nano: 128 CUDA cores, 0.92 GHz, 4 GB, 10 W mode (NVIDIA data sheet)
        {"jetson-nano", Usable(128, 0.92, 2), 0.5e-3, 2 * GIB, 10, 23},
        // Jetson Orin Nano 8GB: 1024 CUDA cores, 0.625 GHz, 15 W mode (NVIDIA data sheet)
        {"jetson-orin-nano", Usable(1024, 0.625, 2), 0.3e-3, 4 * GIB, 15, 23},
        // Google Tensor G1: 2 Cortex-X1 at 2.8 GHz, four 128-bit FMAs each; 8 GB
        {"pixel-6", Usable(2, 2.8, 32), 0.5e-3, 4 * GIB, 5, 23},
        // Snapdragon 8 Gen 1: Cortex-X2 at 3.0 GHz, four FMAs, 3 Cortex-A710 at 2.5 GHz, two; 8 GB
        {"galaxy-s22", Usable(1, 3.0, 32) + Usable(3, 2.5, 16), 0.5e-3, 4 * GIB, 5, 23},
    };
    return profiles;
}

} // namespace

std::vector<std::string>
GetDeviceProfileNames()
{
    std::vector<std::string> names;
    for (const auto& profile : GetProfiles())
    {
        names.push_back(profile.name);
    }
    return names;
}

DeviceProfile
GetDeviceProfile(const std::string& name)
{
    std::string known;
    for (const auto& profile : GetProfiles())
    {
        if (profile.name == name)
        {
            return profile;
        }
        known += (known.empty() ? "" : ", ") + profile.name;
    }
    throw std::invalid_argument("there is no device profile " + name + "; there are " + known);
}

std::vector<DeviceProfile>
ParseDeviceProfiles(const std::string& text)
{
    std::istringstream names(
        text == "mixed" ? "raspberry-pi-4,galaxy-s22,jetson-nano,raspberry-pi-5" : text);
    std::vector<DeviceProfile> profiles;
    std::string name;
    while (std::getline(names, name, ','))
    {
        profiles.push_back(GetDeviceProfile(name));
    }
    if (profiles.empty())
    {
        throw std::invalid_argument("at least one device profile is needed");
    }
    return profiles;
}

} // namespace collapipe
} // namespace ns3
