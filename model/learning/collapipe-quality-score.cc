/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-quality-score.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

QualityScore
ScoreClassification(const std::vector<int32_t>& predicted,
                    const std::vector<int32_t>& actual,
                    uint32_t classes)
{
    NS_ABORT_MSG_IF(predicted.size() != actual.size(),
                    predicted.size() << " predictions of " << actual.size() << " labels");
    QualityScore score;
    if (actual.empty())
    {
        return score;
    }
    std::vector<uint64_t> right(classes);
    std::vector<uint64_t> named(classes); // predicted or actual, counted once for each
    uint64_t allRight = 0;
    for (std::size_t i = 0; i < actual.size(); ++i)
    {
        ++named.at(predicted[i]);
        ++named.at(actual[i]);
        right[actual[i]] += predicted[i] == actual[i];
        allRight += predicted[i] == actual[i];
    }
    const auto getF1 = [&](uint32_t c) { return named[c] > 0 ? 2.0 * right[c] / named[c] : 0.0; };
    score.accuracy = double(allRight) / double(actual.size());
    score.macroF1 = 0;
    for (uint32_t c = 0; c < classes; ++c)
    {
        score.macroF1 += getF1(c) / classes;
    }
    if (classes == 2)
    {
        score.binaryF1 = getF1(1);
    }
    return score;
}

} // namespace collapipe
} // namespace ns3
