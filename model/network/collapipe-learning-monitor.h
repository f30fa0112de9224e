/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LEARNING_MONITOR_H
#define COLLAPIPE_LEARNING_MONITOR_H

#include "ns3/collapipe-aggregator.h"
#include "ns3/collapipe-estimators.h"
#include "ns3/collapipe-gradient-statistics.h"

#include <map>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Estimates the constants of the bound (9) from the statistics that come with the uploads, round
 * after round.
 *
 * - sigma^2: the gradient noise scale of every chain's micro-batches, see GradientNoiseEstimator.
 * - delta^2: how far the chains' gradients lie apart in the first iteration of the round, when all
 *   are at the same point, from their sketches; see DivergenceEstimator.
 * - L_s: the secant from one round's start to the next one's. With gbar = sum rho_m g_m, the
 *   noise of both ends has variance v = sigma^2 sum rho_m^2 / n_m each and is taken off:
 *
 *       L_s^2 = E(|gbar' - gbar|^2 - v' - v) / E|w' - w|^2,
 *
 *   the averages apart, since the quotient's would be biased; the step's norm is a sketch's too. It
 * is the curvature along the path that training takes, a lower bound of the largest one. Where
 * noise hides it, the value of before stays.
 */
class LearningMonitor
{
  public:
    /// How a chain trains in the round
    struct ChainShare
    {
        double weight{1};           //!< of the chain; over all chains the weights sum to 1
        uint32_t microBatches{1};   //!< N
        uint32_t microBatchSize{1}; //!< b
    };

    /**
     * @param chain whose stage this is
     * @param share of the chain
     * @param part the run of the model
     * @param statistics as EncodeStatistics() gave them
     * @return empty, or one sentence that says what is wrong with them
     */
    std::string Add(const Aggregator::ChainId& chain,
                    const ChainShare& share,
                    const PartRange& part,
                    const TensorList& statistics);

    /**
     * Ends a round: what was added enters the estimates.
     * @param config the model
     * @param model that the round started from; virtual where nothing is computed
     * @param learning its constants are brought up to date; the step size is kept
     */
    void EndRound(const ModelConfig& config, const ModelParameters& model, LearningState& learning);

    /// @return all that is to be known to go on with the next round
    TensorList ExportState() const;

    /**
     * @param state as ExportState() gave it
     * @return empty, or one sentence that says what is wrong with it
     */
    std::string ImportState(const TensorList& state);

  private:
    /// @return all averages, in the order of the exported state
    std::vector<ExponentialAverage*> GetAverages();

    /// A chain's statistics, put together from its stages'
    struct Chain
    {
        ChainShare share;                             //!< how it trains
        double watched{0};                            //!< iterations
        double microBatchSquares{0};                  //!< sum over stages
        double squaredNorm{0};                        //!< sum over stages
        std::map<uint32_t, std::vector<float>> links; //!< sketches by place in the model's chain
    };

    /// Feeds sigma^2.
    void AddNoise();
    /// Feeds delta^2 and gives the mean sketch; empty where nothing was computed.
    std::vector<float> AddDivergence();
    /// Feeds L_s.
    void AddSecant(const std::vector<float>& mean, const std::vector<float>& weights);

    std::map<Aggregator::ChainId, Chain> m_chains; //!< of this round
    GradientNoiseEstimator m_noise;                //!< sigma^2
    DivergenceEstimator m_divergence;              //!< delta^2
    ExponentialAverage m_changes{0.9};             //!< of the secants' numerators
    ExponentialAverage m_steps{0.9};               //!< of the secants' denominators
    std::vector<float> m_lastMean;                 //!< sketch of gbar of the last round
    std::vector<float> m_lastWeights;              //!< sketch of what the last round started from
    double m_lastNoise{0};                         //!< v of the last round
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LEARNING_MONITOR_H */
