/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-device-profile.h"

#include "ns3/collapipe-clock-states.h"

#include <cmath>
#include <exception>
#include <iomanip>
#include <map>
#include <ostream>
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

/// Where the measured speeds come from: FLOP over time, 6 per parameter and token in training
const char* const ADAFL = "AdaFL's measurements (github.com/UbiquitousLearning/AdaFL, exps_data): ";
const char* const FABRIC = "QVAC Fabric's LoRA benchmark, batch 1, sequence 128 "
                           "(github.com/tetherto/qvac-rnd-fabric-llm-bitnet): ";

/**
 * @param about cores, clock and data sheet
 * @param check what a measurement says beside, if one is known
 * @return the source of a speed that was calculated
 */
std::string
FromSheet(const std::string& about, const std::string& check = "")
{
    return "0.3 of " + about + " (data sheet)" + (check.empty() ? "" : "; " + check);
}

/**
 * Speeds of data sheets are core count x clock x SIMD width, times USABLE: CPU only for boards and
 * phones, 1 FMA per CUDA core and cycle for the Jetsons. Half of the memory is taken to be free for
 * training. Powers are the makers' figures for the module or board under load, or measured where
 * that is said.
 */
std::vector<DeviceProfile>
MakeProfiles()
{
    std::vector<DeviceProfile> profiles;
    const auto add =
        [&profiles](const char* name, double flops, double overheadS, double gib, double powerW) {
            DeviceProfile profile;
            profile.name = name;
            profile.flops = flops;
            profile.overheadS = overheadS;
            profile.memoryBytes = gib * GIB;
            profile.computePowerW = powerW;
            profiles.push_back(profile);
            return &profiles.back();
        };
    add("raspberry-pi-4", Usable(4, 1.5, 8), 1e-3, 2, 6.4)->source =
        FromSheet("4 Cortex-A72 at 1.5 GHz, one 128-bit FMA each",
                  "DistilBERT measured 14.3 in training all, 14.5 with adapters (AdaFL)");
    add("raspberry-pi-5", Usable(4, 2.4, 16), 0.6e-3, 4, 10)->source =
        FromSheet("4 Cortex-A76 at 2.4 GHz, two 128-bit FMAs each",
                  "an encoder's forward pass in F16 measured 41 (whisper.cpp, issue 89)");
    add("jetson-nano", Usable(128, 0.92, 2), 0.5e-3, 2, 10)->source =
        FromSheet("128 CUDA cores at 0.92 GHz, 10 W",
                  "measured 39 to 53 with LoRA at micro-batches of one sample (EdgeFlowerTune), "
                  "120 in matrix products");
    add("jetson-orin-nano", Usable(1024, 0.625, 2), 0.3e-3, 4, 15)->source =
        FromSheet("1024 CUDA cores at 0.625 GHz, 15 W",
                  "GPT-2 in training all measured 334 to 650");
    add("pixel-6", Usable(2, 2.8, 32), 0.5e-3, 4, 5)->source =
        FromSheet("2 Cortex-X1 at 2.8 GHz, four 128-bit FMAs each");
    add("galaxy-s22", Usable(1, 3.0, 32) + Usable(3, 2.5, 16), 0.5e-3, 4, 5)->source =
        FromSheet("1 Cortex-X2 at 3.0 GHz with four FMAs, 3 Cortex-A710 at 2.5 GHz with two");
    const auto addMeasured =
        [&add](const char* name, double flops, double overheadS, double gib, double powerW) {
            auto* profile = add(name, flops, overheadS, gib, powerW);
            profile->isMeasured = true;
            return profile;
        };
    auto* tx2 = addMeasured("jetson-tx2", 308e9, 0.5e-3, 4, 12);
    tx2->adapterFlops = 323e9;
    tx2->source = ADAFL + std::string("BERT-base in FP32, batch 4, sequence 256: 1.70 s for all, "
                                      "1.08 s with adapters; the power is uncertain");
    auto* nx = addMeasured("jetson-xavier-nx", 310e9, 0.3e-3, 4, 14.3);
    nx->source = "GPT-2 small, training all of it over SQuAD (github.com/Ddaaan, edge-llm-power): "
                 "269 to 523, as batch and sequence are not given";
    auto* meizu = addMeasured("meizu-16t", 40e9, 0.5e-3, 3, 5);
    meizu->source = "Snapdragon 855, four large cores with MNN, batch 16 of AlexNet: 2.27 s "
                    "(github.com/UbiquitousLearning/Benchmark-On-Device-Training); a Transformer "
                    "may differ";
    auto* pixel = addMeasured("pixel-9-gpu", 20e9, 0.5e-3, 4, 5);
    pixel->source = FABRIC + std::string("19 to 22; the framework is the limit, the power assumed");
    auto* galaxy = addMeasured("galaxy-s25-gpu", 35e9, 0.5e-3, 4, 5);
    galaxy->source =
        FABRIC + std::string("34 to 36; the framework is the limit, the power assumed");
    return profiles;
}

const std::vector<DeviceProfile>&
GetProfiles()
{
    static const std::vector<DeviceProfile> profiles = MakeProfiles();
    return profiles;
}

const std::vector<EdgeProfile>&
GetEdgeProfiles()
{
    static const std::vector<EdgeProfile> profiles{
        {"server-cpu",
         {200e9, 0.2e-3, 4},
         false,
         "8 cores of a server processor with 512-bit SIMD for each of 4 workers; our assumption"},
        {"jetson-orin-nano",
         {Usable(1024, 0.625, 2), 0.3e-3, 1},
         false,
         FromSheet("1024 CUDA cores at 0.625 GHz, 15 W",
                   "GPT-2 in training all measured 334 to 650")},
        {"a100",
         {USABLE * 19.5e12 / 4, 0.1e-3, 4},
         false,
         "0.3 of 19.5 TFLOP/s in single precision (NVIDIA A100 data sheet), a quarter for each of "
         "4 workers"},
    };
    return profiles;
}

/// The number of one "key=value"
double
ParseNumber(const std::string& what, const std::string& key, const std::string& value)
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
        throw std::invalid_argument(what + ": " + key + "=" + value + " is no number");
    }
    return number;
}

/**
 * Takes "key=value:key=value" apart.
 * @param text such a text
 * @param what it describes, for messages
 * @param fields where the values go
 * @param clocks where those go; null: there are none
 */
void
SetFields(const std::string& text,
          const std::string& what,
          const std::map<std::string, double*>& fields,
          std::vector<double>* clocks = nullptr)
{
    std::string keys = clocks ? "clocks" : "";
    for (const auto& [key, target] : fields)
    {
        keys += (keys.empty() ? "" : ", ") + key;
    }
    std::istringstream parts(text);
    std::string part;
    while (std::getline(parts, part, ':'))
    {
        const std::string key = part.substr(0, part.find('='));
        if (key == "clocks" && clocks && key != part)
        {
            *clocks = ParseClocks(part.substr(key.size() + 1), '/');
            continue;
        }
        const auto field = fields.find(key);
        if (field == fields.end() || key == part)
        {
            throw std::invalid_argument(what + ": " + part +
                                        " is not of the form key=value, with key one of " + keys);
        }
        *field->second = ParseNumber(what, key, part.substr(key.size() + 1));
    }
}

/// A device written out as "key=value:key=value"
DeviceProfile
ParseFreeForm(const std::string& text)
{
    DeviceProfile profile;
    profile.name = "custom";
    profile.overheadS = 1e-3;
    profile.computePowerW = 5;
    const std::map<std::string, double*> fields{{"flops", &profile.flops},
                                                {"adapterFlops", &profile.adapterFlops},
                                                {"overhead", &profile.overheadS},
                                                {"memory", &profile.memoryBytes},
                                                {"power", &profile.computePowerW},
                                                {"staticPart", &profile.staticPart},
                                                {"txPower", &profile.maxTxPowerDbm}};
    SetFields(text, "device profile", fields, &profile.clocks);
    const std::string error = CheckClocks(profile.clocks, profile.staticPart);
    if (!error.empty())
    {
        throw std::invalid_argument("device profile " + text + " " + error);
    }
    if (profile.clocks.empty() && profile.staticPart > 0)
    {
        throw std::invalid_argument("device profile " + text +
                                    ": staticPart says something where there are clocks only");
    }
    if (profile.flops <= 0 || profile.memoryBytes <= 0 || profile.overheadS < 0 ||
        profile.computePowerW < 0 || profile.adapterFlops < 0)
    {
        throw std::invalid_argument("device profile " + text +
                                    ": flops and memory must be positive, the others not negative");
    }
    return profile;
}

} // namespace

std::vector<double>
ParseClocks(const std::string& text, char separator)
{
    std::vector<double> clocks;
    std::istringstream parts(text);
    std::string part;
    while (std::getline(parts, part, separator))
    {
        clocks.push_back(ParseNumber("clocks " + text, "a clock", part));
    }
    const std::string error = CheckClocks(clocks, 0);
    if (clocks.empty() || !error.empty())
    {
        throw std::invalid_argument("a list of clocks, " + text + ", " +
                                    (error.empty() ? "has none" : error));
    }
    return clocks;
}

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

EdgeProfile
ParseEdgeProfile(const std::string& text)
{
    if (text.find('=') == std::string::npos)
    {
        std::string known;
        for (const auto& profile : GetEdgeProfiles())
        {
            if (profile.name == text)
            {
                return profile;
            }
            known += (known.empty() ? "" : ", ") + profile.name;
        }
        throw std::invalid_argument("there is no edge server " + text + "; there are " + known);
    }
    EdgeProfile profile{"custom", {0, 0.2e-3, 1}, false, "as written"};
    double workers = 1;
    SetFields(text,
              "edge server",
              {{"flops", &profile.state.flops},
               {"overhead", &profile.state.overheadS},
               {"workers", &workers}});
    constexpr double MOST_WORKERS = 1000;
    if (profile.state.flops <= 0 || profile.state.overheadS < 0 || workers < 1 ||
        workers > MOST_WORKERS || workers != std::floor(workers))
    {
        throw std::invalid_argument("edge server " + text +
                                    ": flops must be positive, overhead not negative, workers a "
                                    "whole number from 1 to 1000");
    }
    profile.state.workers = static_cast<uint32_t>(workers);
    return profile;
}

void
PrintProfiles(std::ostream& out)
{
    const auto printSpeed = [&out](double flops) {
        out << std::setw(11) << std::setprecision(4) << flops / 1e9;
    };
    const auto printSource = [&out](bool isMeasured, const std::string& source) {
        out << "  " << (isMeasured ? "measured  " : "data sheet") << "  " << source << '\n';
    };
    out << "Devices (--deviceProfiles; speeds in GFLOP/s of single precision)\n"
        << std::left << std::setw(18) << "name" << std::right << std::setw(11) << "training"
        << std::setw(11) << "adapters" << std::setw(11) << "memory GiB" << std::setw(8) << "power W"
        << "  speed is    source\n";
    for (const auto& profile : GetProfiles())
    {
        out << std::left << std::setw(18) << profile.name << std::right;
        printSpeed(profile.flops);
        printSpeed(profile.GetFlops(true));
        out << std::setw(11) << profile.memoryBytes / GIB << std::setw(8) << profile.computePowerW;
        printSource(profile.isMeasured, profile.source);
    }
    out << "mixed: raspberry-pi-4, galaxy-s22, jetson-nano and raspberry-pi-5 in turn\n\n"
        << "Edge servers (--edge; speed of each worker, which serves one cluster at a time)\n"
        << std::left << std::setw(18) << "name" << std::right << std::setw(11) << "training"
        << std::setw(11) << "workers"
        << "  speed is    source\n";
    for (const auto& profile : GetEdgeProfiles())
    {
        out << std::left << std::setw(18) << profile.name << std::right;
        printSpeed(profile.state.flops);
        out << std::setw(11) << profile.state.workers;
        printSource(profile.isMeasured, profile.source);
    }
}

} // namespace collapipe
} // namespace ns3
