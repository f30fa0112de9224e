/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_QUALITY_SCORE_H
#define COLLAPIPE_QUALITY_SCORE_H

#include <cstdint>
#include <limits>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * How good a model is at its task, beyond its loss. NaN: unknown, or not of this task.
 */
struct QualityScore
{
    double bleu{std::numeric_limits<double>::quiet_NaN()};     //!< corpus BLEU, 0 to 100
    double accuracy{std::numeric_limits<double>::quiet_NaN()}; //!< share of right classes, 0 to 1
    double macroF1{std::numeric_limits<double>::quiet_NaN()};  //!< mean F1 of the classes, 0 to 1
    double binaryF1{
        std::numeric_limits<double>::quiet_NaN()}; //!< F1 of the second of two classes, 0 to 1
    double exactMatch{
        std::numeric_limits<double>::quiet_NaN()}; //!< share of completions word for word, 0 to 1
};

/**
 * Accuracy and F1 of a classification. The F1 of a class is 2 TP / (2 TP + FP + FN), and 0 where
 * that is 0 / 0, as for a class that neither occurs nor is predicted.
 * @param predicted classes, from 0
 * @param actual as many; the program is aborted where they are not
 * @param classes number of classes
 * @return the score; all NaN where there is nothing to score
 */
QualityScore ScoreClassification(const std::vector<int32_t>& predicted,
                                 const std::vector<int32_t>& actual,
                                 uint32_t classes);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_QUALITY_SCORE_H */
