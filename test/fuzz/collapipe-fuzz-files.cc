/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Damaged files of a run: faults, scenarios, positions, checkpoints' tensors, instances of the
// solver.

#include "collapipe-fuzz-target.h"

#include "ns3/collapipe-fault-schedule.h"
#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-node-placement.h"
#include "ns3/collapipe-scenario.h"
#include "ns3/collapipe-tensor-file.h"
#include "ns3/collapipe-topology-error.h"
#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <unistd.h>
#include <utility>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

std::vector<Bytes>
MakeFaults()
{
    return {
        ToBytes("[[fault]]\nkind = \"reboot\"\nnode = \"cluster0.device1\"\nat = 1.5\nfor = 2\n"),
        ToBytes("[[fault]]\nkind = \"link\"\nnode = \"cluster0.control\"\npeer = \"edge0\"\n"
                "round = 2\nphase = \"upload\"\n# a comment\n[[fault]]\nkind = 'slow'\n"
                "node = 'edge'\nfactor = 3\nat = 1e2\n")};
}

void
ReadFaults(const Bytes& input)
{
    std::istringstream stream(std::string(input.begin(), input.end()));
    FaultSchedule::Read(stream, "fuzz");
}

std::vector<Bytes>
MakeTensorFiles()
{
    TensorFile file;
    file.metadata = {{"format", "fuzz"}, {"version", "1"}};
    file.tensors.emplace_back(
        "a",
        TensorData::FromVector(DType::FLOAT32, {2}, std::vector<float>{1, 2}));
    file.tensors.emplace_back("text", MakeTextTensor("some text"));
    const auto path = "collapipe-fuzz-" + std::to_string(getpid());
    WriteTensorFile(path, file);
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    std::remove(path.c_str());
    return {ToBytes(text.str())};
}

void
ReadTensors(const Bytes& input)
{
    const auto path = "collapipe-fuzz-" + std::to_string(getpid());
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
    try
    {
        ReadTensorFile(path);
    }
    catch (...)
    {
        std::remove(path.c_str());
        throw;
    }
    std::remove(path.c_str());
}

std::vector<Bytes>
MakeScenarios()
{
    return {
        ToBytes("title = \"A cell\"\ntext = \"\"\"\\\nlong\"\"\"\n[options]\ntopology = \"lte\"\n"
                "clusters = 8\nmemoryShare = 0.4\nfading = true\n"),
        ToBytes("[options]\n\"ns3::collapipe::DssdaController::PenaltyWeight\" = 1e2\n")};
}

void
ReadScenario(const Bytes& input)
{
    std::istringstream stream(ToText(input));
    Scenario::Read(stream, "fuzz");
}

std::vector<Bytes>
MakePositions()
{
    return {ToBytes("node,x,y\nes0,0,0\nc0-cu,10,-2.5\nc0-d1,1e2,3\n"),
            ToBytes("node,x,y,z\r\nc0-d0, 1, 2, 3\r\n\r\n")};
}

void
ReadPlaces(const Bytes& input)
{
    std::istringstream stream(ToText(input));
    try
    {
        ReadPositions(stream, "fuzz");
    }
    catch (const TopologyError& error)
    {
        throw UserError(error.what());
    }
}

std::vector<Bytes>
MakeInstances()
{
    Instance instance;
    auto& state = instance.state;
    state.clusters.resize(2);
    for (auto& cluster : state.clusters)
    {
        cluster.devices.resize(2);
        cluster.d2dLinks.assign(3, std::vector<LinkState>(3));
    }
    return {ToBytes(FormatInstanceJson(instance))};
}

void
ReadInstance(const Bytes& input)
{
    Instance instance;
    ParseInstanceJson(ToText(input), instance);
}

} // namespace

std::vector<Target>
GetFileTargets()
{
    return {{"faults", MakeFaults, nullptr, ReadFaults},
            {"tensors", MakeTensorFiles, nullptr, ReadTensors},
            {"scenario", MakeScenarios, nullptr, ReadScenario},
            {"positions", MakePositions, nullptr, ReadPlaces},
            {"instance", MakeInstances, nullptr, ReadInstance}};
}
