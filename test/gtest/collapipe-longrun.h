/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LONGRUN_H
#define COLLAPIPE_LONGRUN_H

#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-round-solver.h"
#include "ns3/collapipe-virtual-queues.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace test
{

/// Time averages of a long run
struct LongRunResult
{
    double latencyS{0};             //!< of tau
    double settledLatencyS{0};      //!< of tau, over the second half
    double queue{0};                //!< of the sum of queues over their targets, second half
    std::vector<double> energyJ;    //!< of E per node, [0] control unit
    std::vector<double> budgetJ;    //!< Ebar
    double phi{0};                  //!< of phi
    double phiTarget{0};            //!< phibar
    std::vector<double> finalQueue; //!< Q(T)
    double finalConvergence{0};     //!< Z(T)
    std::vector<double> meanQueues; //!< of Q per node and, last, of Z; second half
};

/**
 * DSSDA on the model alone, round after round: one cluster of three devices whose links fade anew
 * every round (exponential power gains, bounded), whose measured energies differ from the planned
 * ones by a factor of mean 1, and whose budgets are tight.
 */
class LongRun
{
  public:
    /**
     * @param seed of fading and measurements
     * @param radioOnly one device that holds all, whose computation is free, and one pair (N, b):
     *        only shares and powers are decided, which is quick
     */
    explicit LongRun(uint64_t seed, bool radioOnly = false)
        : m_engine(seed)
    {
        MakeSystem();
        if (radioOnly)
        {
            LeaveRadio();
        }
        SetBudgets();
    }

    /**
     * @param penaltyWeight V
     * @param rounds T
     * @param start queues at the start, as LongRunResult::meanQueues; where empty, none. What holds
     *        in the long run does not depend on them, but when it begins to hold does.
     * @return averages
     */
    LongRunResult Run(double penaltyWeight, uint32_t rounds, const std::vector<double>& start = {})
    {
        StartQueues(start);
        LongRunResult result;
        result.budgetJ = VirtualQueues::GetBudgets(m_instance.state)[0];
        result.phiTarget = m_instance.convergenceTarget;
        result.energyJ.assign(result.budgetJ.size(), 0);
        result.meanQueues.assign(result.budgetJ.size() + 1, 0);
        for (uint32_t t = 0; t < rounds; ++t)
        {
            const double before = result.latencyS;
            Step(penaltyWeight, result);
            if (2 * t >= rounds)
            {
                AddQueues(2.0 / rounds, result.meanQueues);
                result.settledLatencyS += 2 * (result.latencyS - before) / rounds;
                result.queue += 2 * SumQueues() / rounds;
            }
        }
        result.latencyS /= rounds;
        result.phi /= rounds;
        for (double& energy : result.energyJ)
        {
            energy /= rounds;
        }
        result.finalQueue = m_queues.GetEnergyQueues()[0];
        result.finalConvergence = m_queues.GetConvergenceQueue();
        return result;
    }

  private:
    void StartQueues(const std::vector<double>& start)
    {
        m_queues.Reset(m_instance.state);
        if (start.empty())
        {
            return;
        }
        auto measured = VirtualQueues::GetBudgets(m_instance.state);
        for (std::size_t node = 0; node < measured[0].size(); ++node)
        {
            measured[0][node] += start[node];
        }
        const double target = m_instance.convergenceTarget;
        m_queues.UpdateEnergy(measured, VirtualQueues::GetBudgets(m_instance.state));
        m_queues.UpdateConvergence(target + start.back(), target);
    }

    /// @return Q of every node, and Z
    std::vector<double> GetQueues() const
    {
        std::vector<double> queues = m_queues.GetEnergyQueues()[0];
        queues.push_back(m_queues.GetConvergenceQueue());
        return queues;
    }

    void AddQueues(double part, std::vector<double>& sums) const
    {
        const std::vector<double> queues = GetQueues();
        for (std::size_t i = 0; i < queues.size(); ++i)
        {
            sums[i] += part * queues[i];
        }
    }

    double Uniform()
    {
        return (static_cast<double>(m_engine() >> 11) + 0.5) / 9007199254740992.0;
    }

    LinkState MakeLink(double snr, double maxPowerW) const
    {
        LinkState link;
        link.noiseDensityWPerHz = 1e-20;
        link.maxPowerW = maxPowerW;
        link.efficiency = 0.75;
        link.gain = snr * link.noiseDensityWPerHz * 2e7 / maxPowerW;
        return link;
    }

    DeviceState MakeDevice(double flops, double powerW, double snr) const
    {
        DeviceState device;
        device.flops = flops;
        device.overheadS = 1e-3;
        device.memoryBytes = 4.5 * 4e8;
        device.computePowerW = powerW;
        device.uplink = MakeLink(snr, 0.2);
        device.downlink = MakeLink(4 * snr, 1);
        return device;
    }

    void LeaveRadio()
    {
        ClusterState& cluster = m_nominal.clusters[0];
        cluster.devices.resize(1);
        cluster.devices[0].memoryBytes = 1e12;
        cluster.devices[0].computePowerW = cluster.controlUnit.computePowerW = 0;
        cluster.d2dLinks.assign(2, std::vector<LinkState>(2, MakeLink(20, 0.1)));
        m_nominal.training.allowedPairs = {{2, 4}};
        m_budgetPart = 0.5;
        m_instance.state = m_nominal;
    }

    void MakeSystem()
    {
        SystemState& state = m_instance.state;
        state.model.blocks = 6;
        state.model.blockForwardFlops = 1e9;
        state.model.embeddingForwardFlops = 1e7;
        state.model.decoderForwardFlops = 1e8;
        state.model.activationBits = 1e6;
        state.model.blockParameterBits = 8e7;
        state.model.embeddingParameterBits = 8e7;
        state.model.activationBytesPerBlock = 1e7;
        state.training.localIterations = 4;
        for (uint32_t count = 1; count <= 4; ++count)
        {
            state.training.allowedPairs.push_back({count, 4});
            state.training.allowedPairs.push_back({count, 8});
        }
        state.training.fixedPair = {4, 8};
        state.learning = {0.01, 2, 300, 0};
        state.edge = {2e12, 1e-4, 1};
        state.uplink = {SharingMode::FREQUENCY, 2e7};
        state.downlink = {SharingMode::FREQUENCY, 2e7};
        ClusterState cluster;
        cluster.d2d = {SharingMode::AIRTIME, 4e7};
        cluster.controlUnit = MakeDevice(1e11, 4, 30);
        cluster.devices = {MakeDevice(2e11, 12, 20),
                           MakeDevice(1e11, 5, 40),
                           MakeDevice(5e10, 2, 10)};
        cluster.d2dLinks.assign(4, std::vector<LinkState>(4, MakeLink(20, 0.1)));
        state.clusters.push_back(cluster);
        m_nominal = state;
    }

    /**
     * Budgets from what the nodes spend with eight samples per iteration and no queues: less for
     * the devices that work most, enough for the others, so that all can be met together.
     */
    void SetBudgets()
    {
        m_instance.state.training.allowedPairs = {{2, 4}, {1, 8}};
        const LongRunResult free = Run(1, 100);
        const double most = *std::max_element(free.energyJ.begin() + 1, free.energyJ.end());
        ClusterState& cluster = m_nominal.clusters[0];
        cluster.controlUnit.energyBudgetJ = 1.2 * free.energyJ[0];
        for (std::size_t k = 0; k < cluster.devices.size(); ++k)
        {
            cluster.devices[k].energyBudgetJ =
                std::max(m_budgetPart * free.energyJ[k + 1], 0.5 * most);
        }
        m_instance.convergenceTarget = 1.1 * free.phi;
        m_instance.state = m_nominal;
    }

    void Fade(LinkState& link, const LinkState& nominal)
    {
        link.gain = nominal.gain * std::min(4.0, std::max(0.1, -std::log(Uniform())));
    }

    void FadeAll()
    {
        ClusterState& cluster = m_instance.state.clusters[0];
        const ClusterState& nominal = m_nominal.clusters[0];
        for (std::size_t k = 0; k < cluster.devices.size(); ++k)
        {
            Fade(cluster.devices[k].uplink, nominal.devices[k].uplink);
            Fade(cluster.devices[k].downlink, nominal.devices[k].downlink);
        }
        for (std::size_t i = 0; i < cluster.d2dLinks.size(); ++i)
        {
            for (std::size_t j = 0; j < i; ++j)
            {
                Fade(cluster.d2dLinks[i][j], nominal.d2dLinks[i][j]);
                cluster.d2dLinks[j][i].gain = cluster.d2dLinks[i][j].gain;
            }
        }
    }

    /// One round: fade, decide, measure, update
    void Step(double penaltyWeight, LongRunResult& result)
    {
        FadeAll();
        m_instance.penaltyWeight = penaltyWeight;
        m_instance.energyPrices = m_queues.GetEnergyPrices(m_instance.state);
        m_instance.convergencePrice = m_queues.GetConvergencePrice(m_instance.convergenceTarget);
        const RoundSolution solution = m_solver.Solve(m_instance);
        const Evaluation evaluation = EvaluatePlan(m_instance, solution.plan);
        std::vector<std::vector<double>> measured(1);
        for (const NodeEvaluation& node : evaluation.clusters[0].nodes)
        {
            measured[0].push_back(node.energyJ * (0.9 + 0.2 * Uniform()));
            result.energyJ[measured[0].size() - 1] += measured[0].back();
        }
        result.latencyS += evaluation.latencyS;
        result.phi += evaluation.phi;
        m_queues.UpdateEnergy(measured, VirtualQueues::GetBudgets(m_instance.state));
        m_queues.UpdateConvergence(evaluation.phi, m_instance.convergenceTarget);
    }

    /// @return sum of the queues
    double SumQueues() const
    {
        double sum = m_queues.GetConvergenceQueue();
        for (const double queue : m_queues.GetEnergyQueues()[0])
        {
            sum += queue;
        }
        return sum;
    }

    std::mt19937_64 m_engine;  //!< of fading and measurement
    double m_budgetPart{0.85}; //!< of what a device spends without queues
    SystemState m_nominal;     //!< without fading
    Instance m_instance;       //!< the present round
    VirtualQueues m_queues;    //!< (12)
    RoundSolver m_solver;      //!< DSSDA
};

} // namespace test
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LONGRUN_H */
