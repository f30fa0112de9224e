/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MODEL_FAMILIES_H
#define COLLAPIPE_MODEL_FAMILIES_H

/**
 * @file
 * @ingroup collapipe
 * Private: the module's own families.
 */

#include "collapipe-model-family.h"

#include <memory>

namespace ns3
{
namespace collapipe
{

/// @return the encoder-decoder Transformer of Vaswani et al. 2017
std::unique_ptr<ModelFamily> MakeTransformerFamily();

/// @return BERT (Devlin et al. 2019)
std::unique_ptr<ModelFamily> MakeBertFamily();

/// Row of an OPT's first position in its table of positions
constexpr uint32_t OPT_FIRST_POSITION = 2;

/// @return DistilBERT (Sanh et al. 2019)
std::unique_ptr<ModelFamily> MakeDistilBertFamily();

/// @return OPT (Zhang et al. 2022), of those sizes whose norms come before the layers
std::unique_ptr<ModelFamily> MakeOptFamily();

/// @return GPT-2 (Radford et al. 2019)
std::unique_ptr<ModelFamily> MakeGpt2Family();

/// @return Llama (Touvron et al. 2023), and what is alike: SmolLM, TinyLlama, Qwen2
std::unique_ptr<ModelFamily> MakeLlamaFamily();

/**
 * @param config a model
 * @param own activation of its family
 * @return the activation that it has
 */
std::string GetActivation(const ModelConfig& config, const std::string& own);

/**
 * @param config a model
 * @param allowed activations that its family computes
 * @return empty, or one sentence that says that its own is none of them
 */
std::string CheckActivation(const ModelConfig& config, const std::vector<std::string>& allowed);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MODEL_FAMILIES_H */
