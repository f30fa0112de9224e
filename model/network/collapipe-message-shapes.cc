/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-message-shapes.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-gradient-statistics.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-part-shapes.h"
#include "ns3/collapipe-sample-form.h"
#include "ns3/collapipe-tied-table.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr PartRange EMBEDDING{true, 0, 0, false};

} // namespace

bool
AreAlike(const TensorList& shapes, const TensorList& expected)
{
    return std::equal(shapes.begin(),
                      shapes.end(),
                      expected.begin(),
                      expected.end(),
                      [](const auto& left, const auto& right) {
                          return left.dtype == right.dtype && left.shape == right.shape;
                      });
}

TensorList
GetActivationShapes(const TrainingContext& context, uint32_t samples)
{
    const auto output =
        PartShapes(context.model, EMBEDDING, context.optimizer).GetForwardOutput(samples);
    TensorList encoded;
    AppendEncoded(encoded, output.front(), context.precision.activations);
    encoded.insert(encoded.end(), output.begin() + 1, output.end());
    return encoded;
}

TensorList
GetTargetShapes(const TrainingContext& context, uint32_t samples)
{
    return {TensorData::MakeVirtual(DType::INT32, {samples, context.model.GetLabelLength() + 1}),
            TensorData::MakeVirtual(DType::FLOAT32, {1})};
}

TensorList
GetGradientShapes(const TrainingContext& context, uint32_t samples, uint32_t lastBlock)
{
    TensorList encoded;
    if (GivesGradient(context.model, {false, lastBlock, lastBlock, false}))
    {
        // Of the output's shape
        const auto output =
            PartShapes(context.model, EMBEDDING, context.optimizer).GetForwardOutput(samples);
        AppendEncoded(encoded, output.front(), context.precision.gradients);
    }
    return encoded;
}

TensorList
GetTableGradientShapes(const TrainingContext& context, const PartRange& part)
{
    const PartShapes shapes(context.model, part, context.optimizer);
    TensorList encoded;
    for (const auto& shape : shapes.GetTiedGradient())
    {
        AppendEncoded(encoded, shape, context.precision.gradients);
    }
    return encoded;
}

TensorList
GetShareShapes(const TrainingContext& context, const PartRange& part)
{
    const auto gradients = PartShapes(context.model, part, context.optimizer).GetParameters();
    return EncodeParameters(gradients, gradients.size(), context.precision.gradients);
}

bool
AreParameters(const TrainingContext& context, const PartRange& part, const TensorList& shapes)
{
    const PartShapes known(context.model, part, context.optimizer);
    const auto count = known.GetParameters().size();
    for (const bool withOptimizer : {false, true})
    {
        for (const auto dtype : {context.precision.parameters, DType::FLOAT32})
        {
            if (AreAlike(shapes, EncodeParameters(known.GetExport(withOptimizer), count, dtype)))
            {
                return true;
            }
        }
    }
    return false;
}

TensorList
GetSnapshotShapes(const TrainingContext& context, const PartRange& part)
{
    return PartShapes(context.model, part, context.optimizer).GetExport(true);
}

TensorList
GetUploadShapes(const TrainingContext& context, const PartRange& part)
{
    const PartShapes known(context.model, part, context.optimizer);
    auto shapes = EncodeParameters(known.GetExport(context.keepOptimizerState),
                                   known.GetParameters().size(),
                                   context.precision.parameters);
    const auto statistics = GetStatisticsShapes(part);
    shapes.insert(shapes.end(), statistics.begin(), statistics.end());
    if (part.decoder)
    {
        shapes.push_back(TensorData::MakeVirtual(DType::FLOAT64, {1}));
    }
    return shapes;
}

std::vector<uint32_t>
ListMissingBase(const ModelConfig& config, const PartRange& range, const HeldBase& held)
{
    std::vector<uint32_t> missing;
    const auto look = [&](uint32_t number, bool isHeld) {
        if (!isHeld && !GetFrozenShapes(config, ToBaseLink(config, number)).empty())
        {
            missing.push_back(number);
        }
    };
    if (range.embedding)
    {
        look(0, held.embedding);
    }
    for (uint32_t block = range.firstBlock; block < range.lastBlock; ++block)
    {
        look(1 + block, held.Count(block, block + 1) > 0);
    }
    if (range.decoder)
    {
        look(1 + config.encoderBlocks, held.decoder);
    }
    return missing;
}

PartRange
ToBaseLink(const ModelConfig& config, uint32_t number)
{
    if (number == 0)
    {
        return EMBEDDING;
    }
    return number <= config.encoderBlocks
               ? PartRange{false, number - 1, number, false}
               : PartRange{false, config.encoderBlocks, config.encoderBlocks, true};
}

void
AddBaseLink(const ModelConfig& config, uint32_t number, HeldBase& held)
{
    const auto link = ToBaseLink(config, number);
    held.embedding |= link.embedding;
    held.Add(link.firstBlock, link.lastBlock);
    held.decoder |= link.decoder;
}

TensorList
GetBaseWeights(const ModelConfig& config, uint32_t number)
{
    const auto link = ToBaseLink(config, number);
    return EncodeFrozen(config.frozen ? config.frozen->Gather(link)
                                      : GetFrozenShapes(config, link));
}

bool
IsScalar(const TensorList& shapes)
{
    return AreAlike(shapes, {TensorData::MakeVirtual(DType::FLOAT64, {1})});
}

bool
IsWholeModel(const TrainingContext& context, const TensorList& shapes)
{
    const PartShapes whole(context.model, WholeModel(context.model), context.optimizer);
    for (const bool withOptimizer : {false, true})
    {
        if (AreAlike(shapes, WithoutSecondTable(context.model, whole.GetExport(withOptimizer))))
        {
            return true;
        }
    }
    return false;
}

TensorList
EncodeWholeModel(const TrainingContext& context, const ModelState& model)
{
    return WithoutSecondTable(context.model, model.Gather(WholeModel(context.model)));
}

TensorData
EncodeLoss(double loss, bool isKnown)
{
    return isKnown ? MakeScalar(loss) : TensorData::MakeVirtual(DType::FLOAT64, {1});
}

std::string
DecodeLoss(const TensorData& tensor, double& loss)
{
    loss = std::nan("");
    if (tensor.IsVirtual())
    {
        return AreAlike({tensor}, {EncodeLoss(loss, false)}) ? "" : "must be one float64 value";
    }
    double value = 0;
    auto error = ReadScalar({tensor}, value);
    if (error.empty() && value < 0)
    {
        error = "is negative";
    }
    // A device whose training has diverged says so: it breaks no rule.
    loss = error.empty() && std::isfinite(value) ? value : loss;
    return error;
}

PartRange
ToPartRange(const StagePlan& stage)
{
    return {stage.embedding, stage.firstBlock, stage.lastBlock, stage.decoder};
}

std::string
CheckTargets(const ModelConfig& config, const TensorList& targets)
{
    if (targets[0].IsVirtual() || targets[1].IsVirtual())
    {
        return "";
    }
    const auto* tokens = targets[0].As<int32_t>();
    // A class c travels as the token c + 1.
    const int64_t limit = config.head == ModelHead::CLASSIFICATION
                              ? std::max<int64_t>(config.classes, BEGIN_TOKEN) + 1
                              : config.vocabulary;
    const auto isKnown = [limit, none = GetNoLabel(config)](int32_t token) {
        return token == none || (token >= 0 && token < limit);
    };
    if (!std::all_of(tokens, tokens + targets[0].GetElementCount(), isKnown))
    {
        return "targets have a token or class that the model does not know";
    }
    const float normaliser = *targets[1].As<float>();
    return std::isfinite(normaliser) && normaliser >= 0 ? "" : "targets have no normaliser";
}

} // namespace collapipe
} // namespace ns3
