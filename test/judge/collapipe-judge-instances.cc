/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-judge-instances.h"

#include "ns3/collapipe-plan.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace ns3
{
namespace collapipe
{
namespace judge
{

InstanceMaker::InstanceMaker(uint64_t number)
    : m_engine(0x9e3779b97f4a7c15ULL + number),
      m_single(number % 2 == 0)
{
}

double
InstanceMaker::Uniform(double low, double high)
{
    return low + (high - low) * static_cast<double>(m_engine() >> 11) / 9007199254740992.0;
}

double
InstanceMaker::Log(double low, double high)
{
    return std::exp(Uniform(std::log(low), std::log(high)));
}

uint32_t
InstanceMaker::Count(uint32_t low, uint32_t high)
{
    return low + static_cast<uint32_t>(m_engine() % (high - low + 1));
}

bool
InstanceMaker::Chance(double probability)
{
    return Uniform(0, 1) < probability;
}

Instance
InstanceMaker::Make()
{
    Instance instance;
    SystemState& state = instance.state;
    MakeModel(state);
    MakeTraining(state.training);
    m_latencyS = Chance(0.5) ? Log(1e-4, 1e-2) : 0;
    m_roominess = Log(0.8, 8);
    state.learning = {0.01, Log(1, 10), Log(0.1, 10), 0};
    const uint32_t clusters = m_single ? 1 : 2;
    state.edge = {Log(1e12, 1e13), Log(1e-5, 1e-3), Count(1, 2)};
    state.uplink = MakePool();
    state.downlink = MakePool();
    const double first = clusters == 1 ? 1 : Uniform(0.2, 0.8);
    for (uint32_t m = 0; m < clusters; ++m)
    {
        state.clusters.push_back(MakeCluster(state, m_single ? Count(2, 5) : Count(2, 3)));
        state.clusters[m].weight = m == 0 ? first : 1 - first;
    }
    MakeQueues(instance);
    if (Chance(0.3))
    {
        MakeOverheads(state);
    }
    return instance;
}

void
InstanceMaker::MakeModel(SystemState& state)
{
    ModelProfile& model = state.model;
    model.blocks = m_single ? Count(3, 8) : Count(2, 4);
    model.blockForwardFlops = Log(3e8, 3e9);
    model.embeddingForwardFlops = Log(1e6, 1e8);
    model.decoderForwardFlops = Log(1e8, 1e10);
    model.activationBits = Log(1e5, 1e7);
    model.targetBits = Chance(0.5) ? Log(1e3, 1e6) : 0;
    model.blockParameterBits = Log(1e7, 3e8);
    model.embeddingParameterBits = Log(1e7, 3e8);
    model.activationBytesPerBlock = Log(1e5, 1e7);
    // By what has been drawn, so that all else is as it is without
    model.distributedPart = std::fmod(model.activationBytesPerBlock, 3) < 1 ? 1.0 / 3 : 1;
}

void
InstanceMaker::MakeTraining(TrainingProfile& training)
{
    training.localIterations = Count(1, 8);
    training.schedule = Chance(0.25) ? "1f1b" : "gpipe";
    const uint32_t small = Count(1, 4);
    const uint32_t most = Count(1, 4);
    for (const uint32_t size : {small, 4 * small})
    {
        for (uint32_t count = 1; count <= most; ++count)
        {
            training.allowedPairs.push_back({count, size});
        }
    }
    training.fixedPair = training.allowedPairs.back();
}

PoolState
InstanceMaker::MakePool()
{
    const double which = Uniform(0, 1);
    const SharingMode mode = which < 0.45  ? SharingMode::FREQUENCY
                             : which < 0.9 ? SharingMode::AIRTIME
                                           : SharingMode::DEDICATED;
    return {mode, Log(5e6, 5e7)};
}

LinkState
InstanceMaker::MakeLink(const PoolState& pool)
{
    LinkState link;
    link.efficiency = Uniform(0.5, 0.9);
    link.snrGap = Log(1, 4);
    link.noiseDensityWPerHz = 2e-20;
    link.maxPowerW = Log(0.05, 0.5);
    const double snr = Log(1, 100) * 3; // at full power and full band
    link.gain = Chance(0.008) ? 0
                              : snr * link.noiseDensityWPerHz * link.snrGap * pool.bandwidthHz /
                                    link.maxPowerW;
    link.latencyS = m_latencyS * Uniform(0, 1);
    link.fixedRateBps = link.gain > 0 ? Log(1e7, 1e9) : 0;
    return link;
}

DeviceState
InstanceMaker::MakeDevice(const SystemState& state)
{
    DeviceState device;
    device.flops = Log(1e10, 1e12);
    device.overheadS = Log(1e-4, 1e-2);
    const ModelProfile& model = state.model;
    const MicroBatchPair& largest = state.training.fixedPair;
    const double block = model.weightCopies * model.blockParameterBits / 8 +
                         largest.count * largest.size * model.activationBytesPerBlock;
    device.memoryBytes = Log(0.1, 10) * m_roominess * model.blocks * block / 4;
    device.computePowerW = Log(1, 20);
    device.energyBudgetJ = Log(1, 100);
    device.batteryJ = 1e6;
    device.uplink = MakeLink(state.uplink);
    device.downlink = MakeLink(state.downlink);
    return device;
}

ClusterState
InstanceMaker::MakeCluster(const SystemState& state, uint32_t devices)
{
    ClusterState cluster;
    cluster.d2d = MakePool();
    cluster.controlUnit = MakeDevice(state);
    cluster.controlUnit.name = "control unit";
    for (uint32_t k = 0; k < devices; ++k)
    {
        cluster.devices.push_back(MakeDevice(state));
        cluster.devices.back().name = "device " + std::to_string(k);
    }
    for (uint32_t i = 0; i <= devices; ++i)
    {
        cluster.d2dLinks.emplace_back();
        for (uint32_t j = 0; j <= devices; ++j)
        {
            cluster.d2dLinks[i].push_back(i == j ? LinkState{} : MakeLink(cluster.d2d));
        }
    }
    return cluster;
}

void
InstanceMaker::MakeOverheads(SystemState& state)
{
    const auto set = [&](LinkState& link) {
        link.overheadBits = state.model.activationBits * Log(0.1, 10);
        link.overheadS = Log(1e-4, 1e-2);
    };
    for (ClusterState& cluster : state.clusters)
    {
        for (NodeIndex node = 0; node <= cluster.devices.size(); ++node)
        {
            auto& device = node == CONTROL_UNIT ? cluster.controlUnit : cluster.devices[node - 1];
            set(device.uplink);
            set(device.downlink);
            std::for_each(cluster.d2dLinks[node].begin(), cluster.d2dLinks[node].end(), set);
        }
    }
}

void
InstanceMaker::MakeQueues(Instance& instance)
{
    instance.penaltyWeight = Log(0.1, 10);
    const double scale = Chance(0.8) ? instance.penaltyWeight * Log(1e-3, 1e-1) : 0;
    for (const ClusterState& cluster : instance.state.clusters)
    {
        instance.energyPrices.emplace_back();
        for (std::size_t node = 0; node <= cluster.devices.size(); ++node)
        {
            instance.energyPrices.back().push_back(Chance(0.7) ? scale * Log(0.1, 10) : 0);
        }
    }
    instance.convergenceTarget = Chance(0.7) ? Log(1e-3, 1e-1) : 0;
    instance.convergencePrice = instance.penaltyWeight * Log(1, 1000);
}

} // namespace judge
} // namespace collapipe
} // namespace ns3
