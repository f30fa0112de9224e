/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-profile.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-part-shapes.h"

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double BITS_PER_BYTE = 8;

/// Tells a profile what is trained.
void
SetTrained(const ModelConfig& model, double backwardRatio, ModelProfile& profile)
{
    if (model.trained == TrainedPart::ALL && model.lora.rank == 0)
    {
        return;
    }
    const PartRange embedding{true, 0, 0, false};
    const PartRange decoder{false, model.encoderBlocks, model.encoderBlocks, true};
    const PartRange block{false, model.encoderBlocks - 1, model.encoderBlocks, false};
    profile.embeddingBackwardRatio = backwardRatio * GetBackwardShare(model, embedding);
    profile.decoderBackwardRatio = backwardRatio * GetBackwardShare(model, decoder);
    profile.trainsEmbedding = HasBackward(model, embedding);
    const auto getFrozen = [&model](const PartRange& part) {
        return static_cast<double>(GetFrozenBytes(model, part));
    };
    profile.frozenBlockBytes = getFrozen(block);
    profile.untrainedBlockBytes = getFrozen({false, 0, 1, false});
    profile.frozenEmbeddingBytes = getFrozen(embedding);
    profile.frozenDecoderBytes = getFrozen(decoder);
    auto& first = profile.firstTrainedBlock;
    while (first < model.encoderBlocks &&
           GetParameterShapes(model, {false, first, first + 1, false}).empty())
    {
        ++first;
    }
}

} // namespace

ModelProfile
MakeModelProfile(const ModelConfig& model,
                 const OptimizerConfig& optimizer,
                 double backwardRatio,
                 const WirePrecision& precision,
                 bool keepOptimizerState)
{
    const PartRange block{false, model.encoderBlocks - 1, model.encoderBlocks, false};
    const PartRange embedding{true, 0, 0, false};
    const PartRange decoder{false, 0, 0, true};
    ModelProfile profile;
    profile.blocks = model.encoderBlocks;
    profile.blockForwardFlops = GetForwardFlops(model, block);
    profile.backwardRatio = backwardRatio * GetBackwardShare(model, block);
    SetTrained(model, backwardRatio, profile);
    profile.embeddingForwardFlops = GetForwardFlops(model, embedding);
    profile.decoderForwardFlops = GetForwardFlops(model, decoder);
    // Hidden state in the precision of the wire, padding mask in bytes.
    const double hidden = static_cast<double>(model.sourceLength) * model.width;
    profile.activationBits =
        BITS_PER_BYTE * (hidden * GetElementSize(precision.activations) + model.sourceLength);
    profile.gradientBits = BITS_PER_BYTE * hidden * GetElementSize(precision.gradients);
    profile.targetBits = BITS_PER_BYTE * 4.0 * (model.GetLabelLength() + 1);
    // Weights in the precision of the wire; an optimizer's state, where it travels, in float32.
    const bool isSgd = optimizer.name == "sgd";
    const double states = !isSgd ? 2 : optimizer.momentum > 0 ? 1 : 0;
    const double wire =
        GetElementSize(precision.parameters) / 4.0 + (keepOptimizerState ? states : 0);
    const auto getBits = [&](const PartRange& part) {
        return BITS_PER_BYTE * wire * GetByteSize(GetParameterShapes(model, part));
    };
    profile.blockParameterBits = getBits(block);
    profile.embeddingParameterBits = getBits(embedding);
    profile.decoderParameterBits = getBits(decoder);
    profile.distributedPart = GetElementSize(precision.parameters) / 4.0 / wire;
    profile.gradientPart = GetElementSize(precision.gradients) / 4.0 / wire;
    const PartShapes first(model, embedding, optimizer);
    for (const auto& table : first.GetTiedGradient())
    {
        profile.tableGradientBits =
            BITS_PER_BYTE * GetElementSize(precision.gradients) * table.GetElementCount();
    }
    profile.weightCopies = (2 + states) / wire; // in memory all of it is float32
    profile.activationBytesPerBlock = GetSavedActivationBytes(model);
    profile.segmentInputBytes = 4 * hidden + model.sourceLength;
    return profile;
}

ModelProfile
MakeModelProfile(const TrainingContext& context)
{
    auto profile = MakeModelProfile(context.model,
                                    context.optimizer,
                                    context.backwardRatio,
                                    context.precision,
                                    context.keepOptimizerState);
    profile.sendsBase = context.sendsBase;
    return profile;
}

} // namespace collapipe
} // namespace ns3
