/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PRETRAINED_EXPORT_H
#define COLLAPIPE_PRETRAINED_EXPORT_H

#include "collapipe-model-config.h"
#include "collapipe-pretrained-config.h"
#include "collapipe-tokenizer.h"

#include <map>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * What is written for Hugging Face's libraries, and what of it.
 */
struct PretrainedExport
{
    std::string folder; //!< made where it is not there
    /// The model that the run began with; null: one of its own
    const PretrainedConfig* original{nullptr};
    std::string base;                           //!< folder of that model, for PEFT; may be empty
    std::map<std::string, std::string> files{}; //!< of the tokenizer, by name
    std::vector<std::string> classes{};         //!< names of a classification's classes
    bool merges{false}; //!< adapters are folded into the weights, which are written as a whole
};

/**
 * @param model a model, its frozen weights included
 * @param trained what it has learnt
 * @return every parameter but the adapters, which are folded in: W = W_0 + (alpha / rank) B A
 */
ModelParameters MergeAdapters(const ModelConfig& model, const ModelParameters& trained);

/**
 * @param tokenizer of a model
 * @return files that transformers makes it of, by name; none where there is no tokenizer
 */
std::map<std::string, std::string> ListTokenizerFiles(const Tokenizer& tokenizer);

/**
 * Checks what can be checked before anything has been learnt.
 * @param folder to write to
 * @param model to be written
 * @throws DataError where transformers knows no such model, or the folder holds something that is
 * no export
 */
void CheckExport(const std::string& folder, const ModelConfig& model);

/**
 * Writes a model with `config.json` and `model.safetensors`; or, where it has adapters that are not
 * to be folded in, `adapter_config.json` and `adapter_model.safetensors` as PEFT has them; and the
 * tokenizer's files. Every file is written as a whole or not at all, the weights last.
 * @param what see there
 * @param model the model, its frozen weights included
 * @param trained what it has learnt
 * @throws DataError where it cannot be written
 */
void WritePretrained(const PretrainedExport& what,
                     const ModelConfig& model,
                     const ModelParameters& trained);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PRETRAINED_EXPORT_H */
