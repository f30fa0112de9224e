/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TRAINING_HISTORY_H
#define COLLAPIPE_TRAINING_HISTORY_H

#include "collapipe-learning-monitor.h"

#include "ns3/collapipe-aggregator.h"
#include "ns3/collapipe-compute-backend.h"

#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What was learnt in rounds that need not be computed again: everything in a run that does not
 * follow from the simulation alone. A run that is given a history simulates its rounds with bytes
 * that stand for zeros, takes what was learnt from here, and computes from there on: clocks,
 * connections, queues, random streams and link estimates are then those of a run that was never
 * interrupted.
 */
struct TrainingHistory
{
    std::vector<EvaluationResult> evaluations; //!< [0] is before the first round
    std::vector<double> trainLosses;           //!< by round
    std::vector<LearningState> learning;       //!< by round: estimated up to its end
    ModelState model;                          //!< after the last round
    LearningMonitor monitor;                   //!< after the last round

    /// @return how many rounds
    uint32_t GetRounds() const
    {
        return static_cast<uint32_t>(trainLosses.size());
    }
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TRAINING_HISTORY_H */
