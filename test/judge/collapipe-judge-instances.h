/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_JUDGE_INSTANCES_H
#define COLLAPIPE_JUDGE_INSTANCES_H

#include "ns3/collapipe-instance.h"

#include <cstdint>
#include <random>

namespace ns3
{
namespace collapipe
{
namespace judge
{

/**
 * Small random instances, the same on every machine: even numbers have one cluster of up to five
 * devices and eight blocks, odd ones two clusters of up to three devices and four blocks; up to
 * four micro-batches of two sizes; speeds, gains, memories and queues spread over two orders of
 * magnitude; memory and dead links make some infeasible. A quarter is scheduled by 1F1B.
 */
class InstanceMaker
{
  public:
    /// @param number of the instance, its seed
    explicit InstanceMaker(uint64_t number);

    /// @return the instance
    Instance Make();

    /// @return a number whose logarithm is uniform
    double Log(double low, double high);

  private:
    double Uniform(double low, double high);
    uint32_t Count(uint32_t low, uint32_t high);
    bool Chance(double probability);
    void MakeModel(SystemState& state);
    void MakeTraining(TrainingProfile& training);
    PoolState MakePool();
    LinkState MakeLink(const PoolState& pool);
    DeviceState MakeDevice(const SystemState& state);
    ClusterState MakeCluster(const SystemState& state, uint32_t devices);
    void MakeQueues(Instance& instance);
    void MakeOverheads(SystemState& state);

    std::mt19937_64 m_engine; //!< whose output is the standard's
    bool m_single;            //!< one cluster
    double m_latencyS{0};     //!< largest link latency
    double m_roominess{1};    //!< memory of the devices, relative to what they need together
};

} // namespace judge
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_JUDGE_INSTANCES_H */
