/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_INSTANCE_H
#define COLLAPIPE_INSTANCE_H

#include "collapipe-system-state.h"

#include <algorithm>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * One round's problem (13): minimise, over the plans that satisfy (11),
 *
 *     V tau + sum_k Q_k (E_k / Ebar_k - 1) + Z (phi(n) / phibar - 1).
 *
 * Whether the user fixes n or b is said by `state.training.allowedPairs` alone: the pairs with
 * N b = n, or those with one b. How the numbers enter:
 *
 * - tau: (4). A transfer of payload a occupies its link for a / r and arrives a latency d later: it
 *   takes d + a / r (2) in distribution, upload and in the sums of (3), while the maxima of (3) see
 *   a / r only: a latency keeps no link busy, so those of successive micro-batches overlap, and (3)
 *   is exact that way. Links with no payload take no time. Under GPipe tau_iter is (3), with the
 * stages embedding, transfer, segment, transfer, ..., segment, transfer, decoder forward, and their
 * mirror images backward; o_cu and o_es count as o_k does. Under 1F1B tau_iter is the exact
 * recurrence.
 * - Targets (b targetBits per micro-batch, control unit to edge server, phase TRAINING, uplink
 *   pool) travel beside the activations, one micro-batch after the other; the decoder's forward
 * pass of a micro-batch waits for both. With t = a / r, f = o_es + b F_dec / f_es the forward pass
 * of an iteration takes at least d + t + f + (N - 1) max(t, f). With targetBits = 0 that link does
 * not exist.
 * - The edge server serves `workers` clusters at once. With M clusters a cluster has
 *   min(1, workers / M) of a worker: o_es + b F_dec / f_es is multiplied by max(1, M / workers).
 * - FREQUENCY: r = e w B log2(1 + p g / (Gamma N0 w B)), energy of a bits p a / r.
 *   AIRTIME: r = e w B log2(1 + p g / (Gamma N0 B)), energy p w a / r: the transmitter is on the
 * air the share w of the time, so the share does not enter the energy. DEDICATED: r = fixedRateBps,
 * energy pmax a / r; share and power are not decided. Latencies d cost no energy. What the edge
 * server sends has power pmax and costs no energy (it has no queue).
 * - E_k: (7), with o_k inside t_k. E of the control unit: H N [(t_emb^f + t_emb^b) P^cmp + energy
 * of the activations to the first device + energy of the targets] + energy of the upload of W_emb.
 *   Nodes outside the chain have E = 0; their Ebar_k counts in (13) all the same.
 * - mem_k: (8), devices only; n_k = N under GPipe, min(N, P - s + 1) under 1F1B at compute stage s
 *   of P, control unit s = 1, edge server s = P.
 * - phi: (10) with n_m = N_m b_m; phibar <= 0: no requirement, the term is 0.
 */
struct Instance
{
    SystemState state;                             //!< the system
    std::vector<std::vector<double>> energyPrices; //!< Q_k / Ebar_k in 1/J: per cluster [0]
    double convergencePrice{0};                    //!< Z / phibar
    double penaltyWeight{1};                       //!< V
    double convergenceTarget{0};                   //!< phibar

    /**
     * @param cluster the cluster
     * @param node 0 for its control unit, k + 1 for device k
     * @return Q_k / Ebar_k in 1/J; 0 where none is stated
     */
    double GetEnergyPrice(std::size_t cluster, std::size_t node) const
    {
        return cluster < energyPrices.size() && node < energyPrices[cluster].size()
                   ? energyPrices[cluster][node]
                   : 0;
    }

    /// @return whether any node's energy counts in (13)
    bool HasEnergyPrice() const
    {
        return std::any_of(energyPrices.begin(), energyPrices.end(), [](const auto& cluster) {
            return std::any_of(cluster.begin(), cluster.end(), [](double q) { return q > 0; });
        });
    }
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_INSTANCE_H */
