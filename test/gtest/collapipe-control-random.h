/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTROL_RANDOM_H
#define COLLAPIPE_CONTROL_RANDOM_H

#include "ns3/collapipe-instance.h"
#include "ns3/collapipe-radio-problem.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace ns3
{
namespace collapipe
{
namespace test
{

/// What a random instance is like
struct RandomShape
{
    uint32_t clusters{1};          //!< M
    uint32_t devices{4};           //!< K of every cluster
    uint32_t blocks{8};            //!< L
    uint32_t microBatches{4};      //!< largest N; all from 1 on are allowed
    bool frequency{true};          //!< frequency shares (else airtime) in half of the pools
    bool dedicated{false};         //!< every tenth pool is dedicated
    bool queues{true};             //!< energy queues in half of the instances
    bool targets{true};            //!< targets in half of the instances
    bool latencies{true};          //!< link latencies in half of the instances
    double tightMemory{0.5};       //!< part of the instances where memory binds
    double spread{100};            //!< ratio of the largest to the smallest device
    std::string schedule{"gpipe"}; //!< schedule
};

/**
 * Random instances that are the same on every machine: the engine's output is the standard's, and
 * is turned into numbers here.
 */
class RandomInstance
{
  public:
    explicit RandomInstance(uint64_t seed)
        : m_engine(seed)
    {
    }

    double Uniform(double low, double high)
    {
        return low + (high - low) * static_cast<double>(m_engine() >> 11) / 9007199254740992.0;
    }

    double Log(double low, double high)
    {
        return std::exp(Uniform(std::log(low), std::log(high)));
    }

    uint32_t Count(uint32_t low, uint32_t high)
    {
        return low + static_cast<uint32_t>(m_engine() % (high - low + 1));
    }

    bool Chance(double probability)
    {
        return Uniform(0, 1) < probability;
    }

    Instance Make(const RandomShape& shape)
    {
        Instance instance;
        SystemState& state = instance.state;
        MakeModel(shape, state.model);
        MakeTraining(shape, state.training);
        state.learning = {0.01, Log(1, 10), Log(0.1, 10), 0};
        state.edge = {Log(1e12, 1e13), Log(1e-5, 1e-3), Count(1, 2)};
        state.uplink = MakePool(shape);
        state.downlink = MakePool(shape);
        m_latency = shape.latencies && Chance(0.5) ? 1e-3 : 0;
        m_overhead = Chance(0.3) ? state.model.activationBits * Log(0.1, 10) : 0;
        const bool tight = Chance(shape.tightMemory);
        const double memory = tight ? Log(0.7, 2) * shape.blocks / shape.devices : shape.blocks;
        for (uint32_t m = 0; m < shape.clusters; ++m)
        {
            state.clusters.push_back(MakeCluster(shape, state, tight ? memory : 1e3));
        }
        MakeWeights(state);
        MakeControl(shape, instance);
        return instance;
    }

    /**
     * Freezes most of the model, sends it, and lets devices have some of it.
     * @param instance of which all is trained
     * @param isAlike whether something of every block stays trained
     */
    void AddBase(Instance& instance, bool isAlike = false)
    {
        ModelProfile& model = instance.state.model;
        model.sendsBase = true;
        model.frozenBlockBytes = Log(1e6, 1e8);
        model.firstTrainedBlock = !isAlike && Chance(0.5) ? Count(0, model.blocks) : 0;
        model.trainsEmbedding = model.firstTrainedBlock == 0;
        // No more than a block takes of which something is trained
        model.untrainedBlockBytes =
            Uniform(0.1, 1) *
            (model.frozenBlockBytes + model.weightCopies * model.blockParameterBits / 8);
        model.frozenEmbeddingBytes = Log(1e6, 1e8);
        for (auto& cluster : instance.state.clusters)
        {
            cluster.controlUnit.heldBase.embedding = Chance(0.5);
            for (auto& device : cluster.devices)
            {
                device.memoryBytes *= Uniform(1, 3);
                for (uint32_t block = 0; block < model.blocks; ++block)
                {
                    device.heldBase.Add(block, block + (Chance(0.4) ? 1 : 0));
                }
            }
        }
    }

    /**
     * Lets all links between nodes go through one reserved cell, over the sender's uplink.
     * @param instance of any kind
     */
    void SendThroughCell(Instance& instance)
    {
        SystemState& state = instance.state;
        const bool frequency = Chance(0.7);
        state.uplink.mode = frequency ? SharingMode::FREQUENCY : SharingMode::AIRTIME;
        for (auto& cluster : state.clusters)
        {
            cluster.d2d = state.uplink;
            for (std::size_t i = 0; i < cluster.d2dLinks.size(); ++i)
            {
                LinkState& uplink =
                    i == 0 ? cluster.controlUnit.uplink : cluster.devices[i - 1].uplink;
                uplink = MakeLink(state.uplink);
                for (auto& link : cluster.d2dLinks[i])
                {
                    link = uplink;
                    link.efficiency *= Uniform(0.7, 1); // as each was fitted
                    link.latencyS = m_latency * Uniform(0.1, 2);
                    link.relay = Relay::BASE_STATION;
                }
            }
        }
    }

    /// A choice that need not be a good one; memory is not looked at
    RoundChoice MakeChoice(const Instance& instance)
    {
        RoundChoice choice;
        for (const auto& cluster : instance.state.clusters)
        {
            ClusterChoice c;
            const auto& pairs = instance.state.training.allowedPairs;
            c.pair = pairs[Count(0, static_cast<uint32_t>(pairs.size()) - 1)];
            const auto devices = static_cast<uint32_t>(cluster.devices.size());
            const uint32_t used = Count(1, std::min(devices, instance.state.model.blocks));
            for (uint32_t k = 0; k < devices; ++k)
            {
                c.segments.push_back({static_cast<NodeIndex>(k + 1), 1});
            }
            for (uint32_t k = devices; k-- > 1;)
            {
                std::swap(c.segments[k], c.segments[Count(0, k)]);
            }
            c.segments.resize(used);
            for (uint32_t l = used; l < instance.state.model.blocks; ++l)
            {
                ++c.segments[Count(0, used - 1)].blocks;
            }
            choice.push_back(c);
        }
        return choice;
    }

  private:
    void MakeModel(const RandomShape& shape, ModelProfile& model)
    {
        model.blocks = shape.blocks;
        model.blockForwardFlops = Log(1e8, 1e9);
        model.backwardRatio = 2;
        model.embeddingForwardFlops = Log(1e5, 1e7);
        model.decoderForwardFlops = Log(1e8, 1e9);
        model.activationBits = Log(1e5, 4e6);
        model.targetBits = shape.targets && Chance(0.5) ? Log(1e3, 1e5) : 0;
        model.blockParameterBits = Log(1e7, 2e8);
        model.embeddingParameterBits = Log(1e7, 2e8);
        model.weightCopies = 4;
        model.activationBytesPerBlock = Log(1e5, 1e7);
        // By what has been drawn, so that all else is as it is without
        model.distributedPart = std::fmod(model.activationBytesPerBlock, 3) < 1 ? 1.0 / 3 : 1;
    }

    void MakeTraining(const RandomShape& shape, TrainingProfile& training)
    {
        training.localIterations = Count(1, 8);
        training.schedule = shape.schedule;
        const uint32_t size = Count(2, 8);
        for (uint32_t n = 1; n <= shape.microBatches; ++n)
        {
            training.allowedPairs.push_back({n, size});
            training.allowedPairs.push_back({n, 2 * size});
        }
        training.fixedPair = training.allowedPairs.back();
    }

    PoolState MakePool(const RandomShape& shape)
    {
        PoolState pool;
        const bool frequency = shape.frequency && Chance(0.5);
        pool.mode = frequency ? SharingMode::FREQUENCY : SharingMode::AIRTIME;
        pool.mode = shape.dedicated && Chance(0.1) ? SharingMode::DEDICATED : pool.mode;
        pool.bandwidthHz = Log(5e6, 8e7);
        return pool;
    }

    LinkState MakeLink(const PoolState& pool)
    {
        LinkState link;
        link.efficiency = Uniform(0.4, 0.9);
        link.snrGap = Uniform(1, 3);
        link.noiseDensityWPerHz = 4e-21 * Uniform(2, 8);
        link.maxPowerW = Uniform(0.05, 0.3);
        const double snr = Log(0.5, 1000);
        link.gain = snr * link.snrGap * link.noiseDensityWPerHz * pool.bandwidthHz / link.maxPowerW;
        link.latencyS = m_latency * Uniform(0.1, 2);
        link.overheadBits = m_overhead * Uniform(0.1, 2);
        // As much again, at 100 Mb/s
        link.overheadS = pool.mode == SharingMode::FREQUENCY ? 0 : 1e-8 * link.overheadBits;
        link.fixedRateBps = Log(5e6, 5e8);
        return link;
    }

    DeviceState MakeDevice(const RandomShape& shape, const SystemState& state, double blocks)
    {
        DeviceState device;
        const auto& model = state.model;
        const auto& pair = state.training.allowedPairs.back();
        device.flops = Log(1e12 / shape.spread, 1e12);
        device.overheadS = Chance(0.5) ? Log(1e-4, 1e-2) : 0;
        const double perBlock = model.weightCopies * model.blockParameterBits / 8 +
                                0.6 * pair.count * pair.size * model.activationBytesPerBlock;
        device.memoryBytes = blocks * Log(0.3, 2) * perBlock;
        device.computePowerW = Uniform(1, 15);
        device.energyBudgetJ = Log(1, 100);
        device.uplink = MakeLink(state.uplink);
        device.downlink = MakeLink(state.downlink);
        return device;
    }

    ClusterState MakeCluster(const RandomShape& shape, const SystemState& state, double blocks)
    {
        ClusterState cluster;
        cluster.weight = Uniform(0.5, 1);
        cluster.controlUnit = MakeDevice(shape, state, 1);
        for (uint32_t k = 0; k < shape.devices; ++k)
        {
            cluster.devices.push_back(MakeDevice(shape, state, blocks));
        }
        cluster.d2d = MakePool(shape);
        cluster.d2dLinks.resize(shape.devices + 1);
        for (auto& row : cluster.d2dLinks)
        {
            for (uint32_t k = 0; k <= shape.devices; ++k)
            {
                row.push_back(MakeLink(cluster.d2d));
            }
        }
        return cluster;
    }

    static void MakeWeights(SystemState& state)
    {
        double sum = 0;
        for (const auto& cluster : state.clusters)
        {
            sum += cluster.weight;
        }
        for (auto& cluster : state.clusters)
        {
            cluster.weight /= sum;
        }
    }

    void MakeControl(const RandomShape& shape, Instance& instance)
    {
        instance.penaltyWeight = Log(0.1, 10);
        instance.convergenceTarget = Log(1e-4, 1e-2);
        instance.convergencePrice = Chance(0.5) ? Log(1, 1e4) : 0;
        const bool queues = shape.queues && Chance(0.5);
        for (const auto& cluster : instance.state.clusters)
        {
            instance.energyPrices.emplace_back();
            for (std::size_t k = 0; k <= cluster.devices.size(); ++k)
            {
                const bool waits = queues && Chance(0.7);
                instance.energyPrices.back().push_back(waits ? Log(1e-3, 3) : 0);
            }
        }
    }

    std::mt19937_64 m_engine; //!< its output is fixed by the standard
    double m_latency{0};      //!< scale of the links' latencies
    double m_overhead{0};     //!< scale of their messages' overheads, bits
};

} // namespace test
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTROL_RANDOM_H */
