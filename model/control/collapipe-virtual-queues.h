/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_VIRTUAL_QUEUES_H
#define COLLAPIPE_VIRTUAL_QUEUES_H

#include "collapipe-system-state.h"

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The virtual queues (12): one per node and energy budget, Q in its budgets, and one for the
 * convergence requirement, Z in targets; so that one V of (13) weighs all of them.
 *
 *     Q_k(t+1) = max(0, Q_k(t) + E_k(t) / Ebar_k - 1)    Z(t+1) = max(0, Z(t) + phi(t) / phibar -
 * 1)
 *
 * From Q(t+1) >= Q(t) + E(t) / Ebar - 1 follows, summed over T rounds, that the time average
 * exceeds its budget by at most the part (Q(T) - Q(0)) / T: a queue that grows slower than T
 * (mean-rate stability) means that the constraint of (11) holds. The queues know nothing of how a
 * plan was made.
 *
 * Nodes of a cluster are numbered as NodeIndex: 0 is the control unit, k + 1 is device k.
 */
class VirtualQueues
{
  public:
    /// Values per cluster and node: [m][0] control unit, [m][k + 1] device k
    using NodeValues = std::vector<std::vector<double>>;

    VirtualQueues() = default;

    /**
     * Queues that start empty.
     * @param nodes number of nodes, control unit included, of every cluster
     */
    explicit VirtualQueues(const std::vector<std::size_t>& nodes);

    /**
     * Empties the queues and makes one for every node of a system.
     * @param state the system
     */
    void Reset(const SystemState& state);

    /**
     * Keeps the queues, makes empty ones for nodes and clusters that are new, drops those that left
     * at the end.
     * @param state the system
     */
    void Fit(const SystemState& state);

    /**
     * One step of (12) with what a round really cost. Values that are missing, or not finite, count
     * as exactly on budget: nothing was measured.
     *
     * @param energyJ E_k(t), measured energy of every node, in J
     * @param budgetJ Ebar_k of every node, in J per round; 0 where there is none (its queue stays
     * 0)
     */
    void UpdateEnergy(const NodeValues& energyJ, const NodeValues& budgetJ);

    /**
     * One step of (12) for the convergence requirement.
     * @param phi phi(n(t)) of formula (10) for the samples really taken
     * @param phiTarget phibar; 0 or less: no requirement (Z stays 0)
     */
    void UpdateConvergence(double phi, double phiTarget);

    /**
     * @param cluster m
     * @param node 0 for the control unit, k + 1 for device k
     * @return Q in budgets; 0 for a node that is not known
     */
    double GetEnergyQueue(std::size_t cluster, std::size_t node) const;

    /// @return all Q in budgets
    const NodeValues& GetEnergyQueues() const;

    /**
     * What multiplies a node's energy in J in (13): Q_k / Ebar_k; Q_k where a node has no budget.
     * @param state the system
     * @return it for every node, in 1/J
     */
    NodeValues GetEnergyPrices(const SystemState& state) const;

    /**
     * @param phiTarget phibar
     * @return what multiplies phi in (13): Z / phibar; 0 where there is no requirement
     */
    double GetConvergencePrice(double phiTarget) const;

    /// @return Z
    double GetConvergenceQueue() const;

    /**
     * Sets the queues, as when a run is taken up again.
     * @param energy all Q in budgets, not negative
     * @param convergence Z in targets, not negative
     */
    void Set(const NodeValues& energy, double convergence);

    /**
     * Sets the queues to those that have given prices.
     * @param state the system
     * @param energyPrices as GetEnergyPrices() gives them, not negative
     * @param convergencePrice as GetConvergencePrice() gives it, not negative
     * @param phiTarget phibar
     */
    void SetPrices(const SystemState& state,
                   const NodeValues& energyPrices,
                   double convergencePrice,
                   double phiTarget);

    /// @return the Lyapunov function (sum_k Q_k^2 + Z^2) / 2
    double GetLyapunov() const;

    /**
     * @param state a system
     * @return Ebar of every node, in J per round
     */
    static NodeValues GetBudgets(const SystemState& state);

  private:
    NodeValues m_energy;     //!< Q in budgets
    double m_convergence{0}; //!< Z in targets
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_VIRTUAL_QUEUES_H */
