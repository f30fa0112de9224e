/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-learning-monitor.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return squared distance of two vectors of equal length
double
GetSquaredDistance(const float* left, const float* right, std::size_t count)
{
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i)
    {
        const double difference = static_cast<double>(left[i]) - right[i];
        sum += difference * difference;
    }
    return sum;
}

} // namespace

std::string
LearningMonitor::Add(const Aggregator::ChainId& chain,
                     const ChainShare& share,
                     const PartRange& part,
                     const TensorList& statistics)
{
    GradientStatistics decoded;
    const auto error = DecodeStatistics(part, statistics, decoded);
    if (!error.empty())
    {
        return error;
    }
    auto& target = m_chains[chain];
    target.share = share;
    target.watched = std::max(target.watched, decoded.watched);
    target.microBatchSquares += decoded.microBatchSquares;
    target.squaredNorm += decoded.squaredNorm;
    // Place 0 is the embedding, i + 1 block i, and the decoder comes after them all.
    std::vector<uint32_t> places;
    if (part.embedding)
    {
        places.push_back(0);
    }
    for (uint32_t block = part.firstBlock; block < part.lastBlock; ++block)
    {
        places.push_back(block + 1);
    }
    places.push_back(UINT32_MAX); // only used where the part has the decoder
    for (std::size_t i = 0; i * SKETCH_SIZE < decoded.sketch.size(); ++i)
    {
        const auto begin = decoded.sketch.begin() + static_cast<std::ptrdiff_t>(i * SKETCH_SIZE);
        target.links[places[i]].assign(begin, begin + SKETCH_SIZE);
    }
    return "";
}

void
LearningMonitor::EndRound(const ModelConfig& config,
                          const ModelParameters& model,
                          LearningState& learning)
{
    AddNoise();
    const auto mean = AddDivergence();
    if (!mean.empty())
    {
        const PartRange whole{true, 0, config.encoderBlocks, true};
        AddSecant(mean, SketchGradients(config, whole, model.Gather(whole)));
    }
    m_chains.clear();
    if (m_noise.GetCount() > 0)
    {
        learning.gradientVariance = m_noise.GetVariance();
    }
    if (m_divergence.GetCount() > 0)
    {
        learning.clusterDivergence = m_divergence.GetDivergence();
    }
    if (m_changes.Get() > 0 && m_steps.Get() > 0)
    {
        learning.smoothness = std::sqrt(m_changes.Get() / m_steps.Get());
    }
}

void
LearningMonitor::AddNoise()
{
    for (const auto& [id, chain] : m_chains)
    {
        const double count = chain.share.microBatches;
        if (chain.watched > 0 && count > 1)
        {
            // Micro-batch i's mean gradient is N g_i, as the iteration's normaliser is in g_i.
            m_noise.AddSquaredNorms(count * chain.microBatchSquares,
                                    chain.share.microBatchSize,
                                    chain.squaredNorm,
                                    count * chain.share.microBatchSize);
        }
    }
}

std::vector<float>
LearningMonitor::AddDivergence()
{
    std::vector<std::vector<float>> sketches;
    std::vector<double> rho;
    std::vector<double> samples;
    for (const auto& [id, chain] : m_chains)
    {
        if (chain.watched == 0)
        {
            return {};
        }
        sketches.emplace_back();
        for (const auto& [place, link] : chain.links)
        {
            sketches.back().insert(sketches.back().end(), link.begin(), link.end());
        }
        rho.push_back(chain.share.weight);
        samples.push_back(static_cast<double>(chain.share.microBatches) *
                          chain.share.microBatchSize);
    }
    std::vector<const float*> gradients;
    std::vector<float> mean(sketches.empty() ? 0 : sketches.front().size());
    for (std::size_t m = 0; m < sketches.size(); ++m)
    {
        gradients.push_back(sketches[m].data());
        for (std::size_t i = 0; i < mean.size(); ++i)
        {
            mean[i] += static_cast<float>(rho[m]) * sketches[m].at(i);
        }
    }
    if (gradients.size() > 1)
    {
        m_divergence.AddGradients(gradients, mean.size(), rho, samples, m_noise.GetVariance());
    }
    return mean;
}

void
LearningMonitor::AddSecant(const std::vector<float>& mean, const std::vector<float>& weights)
{
    double noise = 0;
    for (const auto& [id, chain] : m_chains)
    {
        noise += chain.share.weight * chain.share.weight /
                 (static_cast<double>(chain.share.microBatches) * chain.share.microBatchSize);
    }
    noise *= m_noise.GetVariance();
    if (m_lastMean.size() == mean.size())
    {
        m_changes.Add(GetSquaredDistance(mean.data(), m_lastMean.data(), mean.size()) - noise -
                      m_lastNoise);
        m_steps.Add(GetSquaredDistance(weights.data(), m_lastWeights.data(), weights.size()));
    }
    m_lastMean = mean;
    m_lastWeights = weights;
    m_lastNoise = noise;
}

std::vector<ExponentialAverage*>
LearningMonitor::GetAverages()
{
    const auto noise = m_noise.GetAverages();
    return {noise[0], noise[1], &m_divergence.GetAverage(), &m_changes, &m_steps};
}

TensorList
LearningMonitor::ExportState() const
{
    LearningMonitor copy(*this);
    std::vector<double> numbers{m_lastNoise};
    for (const auto* average : copy.GetAverages())
    {
        const auto state = average->GetState();
        numbers.insert(numbers.end(), state.begin(), state.end());
    }
    const auto count = static_cast<uint32_t>(numbers.size());
    const auto sketch = static_cast<uint32_t>(m_lastMean.size());
    return {TensorData::FromVector(DType::FLOAT64, {count}, std::move(numbers)),
            TensorData::FromVector(DType::FLOAT32, {sketch}, std::move(copy.m_lastMean)),
            TensorData::FromVector(DType::FLOAT32, {sketch}, std::move(copy.m_lastWeights))};
}

std::string
LearningMonitor::ImportState(const TensorList& state)
{
    const auto averages = GetAverages();
    const auto count = static_cast<uint32_t>(1 + 3 * averages.size());
    if (state.size() != 3 || state[0].dtype != DType::FLOAT64 ||
        state[0].shape != std::vector<uint32_t>{count} || state[1].dtype != DType::FLOAT32 ||
        state[2].dtype != DType::FLOAT32 || state[1].shape.size() != 1 ||
        state[1].shape != state[2].shape)
    {
        return "the state of the learning estimates must be " + std::to_string(count) +
               " float64 values and two float32 sketches of equal length";
    }
    const auto* numbers = state[0].As<double>();
    m_lastNoise = *numbers++;
    for (auto* average : averages)
    {
        average->SetState({numbers[0], numbers[1], numbers[2]});
        numbers += 3;
    }
    const auto* mean = state[1].As<float>();
    const auto* weights = state[2].As<float>();
    m_lastMean.assign(mean, mean + state[1].GetElementCount());
    m_lastWeights.assign(weights, weights + state[2].GetElementCount());
    return "";
}

} // namespace collapipe
} // namespace ns3
