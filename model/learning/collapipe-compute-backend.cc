/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-compute-backend.h"

#include "ns3/abort.h"

#include <cmath>
#include <numeric>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(ComputeBackend);

namespace
{

/**
 * @param sets what Average() was given
 * @param weights likewise
 */
void
CheckSets(const std::vector<TensorList>& sets, const std::vector<double>& weights)
{
    NS_ABORT_MSG_IF(sets.empty() || sets.size() != weights.size(),
                    "Average needs one weight per parameter set: " << sets.size() << " sets, "
                                                                   << weights.size() << " weights");
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    NS_ABORT_MSG_IF(std::abs(total - 1) > 1e-6, "The weights sum to " << total << ", not to 1");
    for (const auto& set : sets)
    {
        NS_ABORT_MSG_IF(set.size() != sets.front().size(),
                        "Parameter sets of different length: " << set.size() << " and "
                                                               << sets.front().size());
    }
}

/**
 * @param tensor one of a set
 * @param first the one at the same place in the first set
 */
void
CheckTensor(const TensorData& tensor, const TensorData& first)
{
    NS_ABORT_MSG_IF(tensor.dtype != DType::FLOAT32, "Only float32 parameters can be averaged");
    NS_ABORT_MSG_IF(tensor.shape != first.shape, "Parameters of different shape");
    NS_ABORT_MSG_IF(tensor.IsVirtual() != first.IsVirtual(),
                    "Virtual and computed parameters cannot be averaged with each other");
}

/**
 * @param sets all sets
 * @param index which tensor of each set
 * @param weights one per set
 * @return that tensor's weighted mean
 */
TensorData
AverageTensor(const std::vector<TensorList>& sets, size_t index, const std::vector<double>& weights)
{
    const TensorData& first = sets.front()[index];
    for (const auto& set : sets)
    {
        CheckTensor(set[index], first);
    }
    if (first.IsVirtual())
    {
        return first;
    }
    std::vector<double> sums(first.GetElementCount());
    for (size_t s = 0; s < sets.size(); s++)
    {
        const float* values = sets[s][index].As<float>();
        for (size_t i = 0; i < sums.size(); i++)
        {
            sums[i] += weights[s] * values[i];
        }
    }
    return TensorData::FromVector(DType::FLOAT32,
                                  first.shape,
                                  std::vector<float>(sums.begin(), sums.end()));
}

} // namespace

double
GetClipFactor(const OptimizerConfig& optimizer, double squaredNorm)
{
    const double norm = std::sqrt(squaredNorm);
    return optimizer.clipNorm > 0 && norm > optimizer.clipNorm ? optimizer.clipNorm / norm : 1;
}

TypeId
ComputeBackend::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::ComputeBackend").SetParent<Object>().SetGroupName("CollaPipe");
    return tid;
}

std::vector<std::string>
ComputeBackend::GetWarnings() const
{
    return {};
}

bool
ComputeBackend::IsThreadSafe() const
{
    return true;
}

std::vector<std::vector<int32_t>>
ComputeBackend::Translate(const ModelConfig& /* config */,
                          const ModelParameters& /* parameters */,
                          const std::vector<Sample>& /* samples */,
                          const DecodingOptions& /* options */) const
{
    return {};
}

std::vector<std::vector<int32_t>>
ComputeBackend::Generate(const ModelConfig& /* config */,
                         const ModelParameters& /* parameters */,
                         const std::vector<std::vector<int32_t>>& prompts,
                         const GenerationOptions& /* options */) const
{
    return std::vector<std::vector<int32_t>>(prompts.size());
}

std::vector<std::vector<float>>
ComputeBackend::GetLogits(const ModelConfig& /* config */,
                          const ModelParameters& /* parameters */,
                          const std::vector<Sample>& samples) const
{
    return std::vector<std::vector<float>>(samples.size());
}

std::vector<int32_t>
ComputeBackend::Classify(const ModelConfig& /* config */,
                         const ModelParameters& /* parameters */,
                         const std::vector<Sample>& /* samples */) const
{
    return {};
}

TensorList
ComputeBackend::Average(const std::vector<TensorList>& sets, const std::vector<double>& weights)
{
    CheckSets(sets, weights);
    TensorList mean;
    for (size_t i = 0; i < sets.front().size(); i++)
    {
        mean.push_back(AverageTensor(sets, i, weights));
    }
    return mean;
}

} // namespace collapipe
} // namespace ns3
