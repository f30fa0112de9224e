/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-device-profile.h"

#include <cmath>
#include <exception>
#include <map>
#include <sstream>
#include <stdexcept>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double GIB = 1024.0 * 1024 * 1024;

/**
 * Share of the arithmetic peak that dense kernels reach on small processors; our assumption. A
 * check: High Performance Linpack on a Raspberry Pi 4 gives 8 GFLOP/s in double precision
 * (https://feiereisen.net/?page_id=924), so twice that in single; this share gives 14.4.
 */
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

/// The number of one "key=value"
double
ParseNumber(const std::string& key, const std::string& value)
{
    std::size_t used = 0;
    double number = 0;
    try
    {
        number = std::stod(value, &used);
    }
    catch (const std::exception&)
    {
        used = 0;
    }
    if (used == 0 || used != value.size() || !std::isfinite(number))
    {
        throw std::invalid_argument("device profile: " + key + "=" + value + " is no number");
    }
    return number;
}

/// A device written out as "key=value:key=value"
DeviceProfile
ParseFreeForm(const std::string& text)
{
    DeviceProfile profile{"custom", 0, 1e-3, 0, 5, 23};
    const std::map<std::string, double*> fields{{"flops", &profile.flops},
                                                {"overhead", &profile.overheadS},
                                                {"memory", &profile.memoryBytes},
                                                {"power", &profile.computePowerW},
                                                {"txPower", &profile.maxTxPowerDbm}};
    std::istringstream parts(text);
    std::string part;
    while (std::getline(parts, part, ':'))
    {
        const std::string key = part.substr(0, part.find('='));
        const auto field = fields.find(key);
        if (field == fields.end() || key == part)
        {
            throw std::invalid_argument("device profile: " + part +
                                        " is not of the form key=value, with key one of flops, "
                                        "memory, overhead, power, txPower");
        }
        *field->second = ParseNumber(key, part.substr(key.size() + 1));
    }
    if (profile.flops <= 0 || profile.memoryBytes <= 0 || profile.overheadS < 0 ||
        profile.computePowerW < 0)
    {
        throw std::invalid_argument("device profile " + text +
                                    ": flops and memory must be positive, overhead and power not "
                                    "negative");
    }
    return profile;
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
        profiles.push_back(name.find('=') == std::string::npos ? GetDeviceProfile(name)
                                                               : ParseFreeForm(name));
    }
    if (profiles.empty())
    {
        throw std::invalid_argument("at least one device profile is needed");
    }
    return profiles;
}

} // namespace collapipe
} // namespace ns3
