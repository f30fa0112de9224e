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
 * The virtual queues (12): one per node and energy budget, Q in J, and one for the convergence
 * requirement, Z in units of phi (a squared gradient norm).
 *
 *     Q_k(t+1) = max(0, Q_k(t) + E_k(t) - Ebar_k)     Z(t+1) = max(0, Z(t) + phi(t) - phibar)
 *
 * From Q(t+1) >= Q(t) + E(t) - Ebar follows, summed over T rounds, that the excess of the time
 * average is at most (Q(T) - Q(0)) / T: a queue that grows slower than T (mean-rate stability)
 * means that the constraint of (11) holds. The queues know nothing of how a plan was made.
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
     * @return Q in J; 0 for a node that is not known
     */
    double GetEnergyQueue(std::size_t cluster, std::size_t node) const;

    /// @return all Q in J
    const NodeValues& GetEnergyQueues() const;

    /// @return Z
    double GetConvergenceQueue() const;

    /**
     * Sets the queues, as when a run is taken up again.
     * @param energyJ all Q, not negative
     * @param convergence Z, not negative
     */
    void Set(const NodeValues& energyJ, double convergence);

    /// @return the Lyapunov function (sum_k Q_k^2 + Z^2) / 2
    double GetLyapunov() const;

    /**
     * @param state a system
     * @return Ebar of every node, in J per round
     */
    static NodeValues GetBudgets(const SystemState& state);

  private:
    NodeValues m_energy;     //!< Q in J
    double m_convergence{0}; //!< Z
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_VIRTUAL_QUEUES_H */
