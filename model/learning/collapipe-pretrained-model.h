/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PRETRAINED_MODEL_H
#define COLLAPIPE_PRETRAINED_MODEL_H

#include "collapipe-model-config.h"
#include "collapipe-pretrained-config.h"
#include "collapipe-pretrained-tokenizer.h"
#include "collapipe-pretrained-weights.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @param config a pretrained model
 * @param head what it is to do here
 * @return the same model as this module has it: all of its blocks on devices, texts as long as it
 *         has positions
 * @throws DataError where its family cannot do that
 */
ModelConfig MakeModelConfig(const PretrainedConfig& config, ModelHead head);

/**
 * @param config a pretrained model
 * @return what it was saved for: to classify; else, decoder-only models continue texts and encoders
 *         predict masked tokens
 */
ModelHead GetUsualHead(const PretrainedConfig& config);

/**
 * The inverse of MakeModelConfig(), for models that were trained here.
 * @param model of any family
 * @return as a config.json has it
 * @throws DataError where transformers has no such model, with the reason
 */
PretrainedConfig MakePretrainedConfig(const ModelConfig& model);

/**
 * @param head what a model is to do
 * @return what it ends in when it is saved
 */
PretrainedHead GetPretrainedHead(ModelHead head);

/**
 * Takes a model's parameters from files by the names that its family gives them.
 * @param weights the files
 * @param pretrained the model as the files have it; says which of them must be there
 * @param config the same model, head and classes set
 * @param initial every parameter, float32; adapters, and the last layer of a task that the files
 *        do not have, stay as they are here
 * @return every parameter; what is float32 and lies as it does in the files is a view of them
 * @throws DataError where one is missing or does not fit
 */
ModelParameters ReadPretrainedParameters(const PretrainedWeights& weights,
                                         const PretrainedConfig& pretrained,
                                         const ModelConfig& config,
                                         const ModelParameters& initial);

/// Metadata of adapter_model.safetensors, written here only: a JSON list of the classes' names
constexpr const char* ADAPTER_CLASSES = "classes";

/**
 * @ingroup collapipe
 * Adapters as PEFT keeps them: `adapter_config.json` and `adapter_model.safetensors`.
 */
class PretrainedAdapter
{
  public:
    /**
     * @param folder of a model or of adapters
     * @return whether there are adapters
     */
    static bool IsIn(const std::string& folder);

    /**
     * @param folder with both files
     * @throws DataError where they are damaged, or adapters of a kind that is not known
     */
    explicit PretrainedAdapter(const std::string& folder);

    /// @return the folder of the model that they belong to; may be empty
    const std::string& GetBase() const;

    /// @return rank, scale and targets
    const LoraConfig& GetConfig() const;

    /**
     * @param name of a tensor of the model
     * @return whether the file has it beside the adapters
     */
    bool Contains(const std::string& name) const;

    /**
     * @return names of the classes that the last layer of a classification tells apart, numbers
     *         where the file does not name them; none where it has no such layer
     */
    const std::vector<std::string>& GetClasses() const;

    /// @return whether the file names the classes
    bool NamesClasses() const;

    /**
     * @param config the model, with these adapters
     * @param parameters every parameter; adapters, and the last layer of a classification where the
     *        file has it, are replaced
     * @throws DataError where the adapters are not those of the model
     */
    void Apply(const ModelConfig& config, ModelParameters& parameters) const;

  private:
    /// Reads adapter_config.json.
    void ReadConfig(const std::string& path);

    /// Finds out from the tensors' names which modules are adapted.
    void FindTargets();

    /// Finds the last layer of a classification.
    void FindClasses();

    std::string m_folder;                    //!< for messages
    std::string m_base;                      //!< folder of the model
    LoraConfig m_config;                     //!< rank, scale, targets
    std::vector<std::string> m_classes;      //!< of a classification
    bool m_namesClasses{false};              //!< they are no mere numbers
    std::unique_ptr<SafetensorsFile> m_file; //!< the tensors
};

/**
 * @ingroup collapipe
 * A folder in Hugging Face's form: `config.json`, weights, tokenizer; or adapters, which name such
 * a folder. Opening costs no more than the heads of the files.
 */
class PretrainedModel
{
  public:
    /**
     * @param folder of a model, or of adapters
     * @throws DataError where something is missing or damaged
     */
    explicit PretrainedModel(const std::string& folder);

    /// @return the folder of the model, which is another one where adapters were given
    const std::string& GetFolder() const;

    /// @return its config.json, with the classes that adapters have learnt to tell apart
    const PretrainedConfig& GetConfig() const;

    /// @return what the model, or its adapters, were saved for
    ModelHead GetHead() const;

    /// @return its tokenizer
    const std::shared_ptr<const PretrainedTokenizer>& GetTokenizer() const;

    /// @return adapters, or null
    const PretrainedAdapter* GetAdapter() const;

    /**
     * @param head what the model is to do
     * @return the model, with the ids of its tokenizer's special tokens, and with its adapters
     *         where it has some
     * @throws DataError where it cannot do that
     */
    ModelConfig MakeConfig(ModelHead head) const;

    /**
     * @param config of MakeConfig(), perhaps with edge blocks, adapters, classes
     * @param initial see ReadPretrainedParameters()
     * @return every parameter
     * @throws DataError where one is missing or does not fit
     */
    ModelParameters ReadParameters(const ModelConfig& config, const ModelParameters& initial) const;

    /**
     * Looks at names, shapes and types of what a model needs, and at no values.
     * @param config as above
     * @throws DataError where something is missing or does not fit
     */
    void Check(const ModelConfig& config) const;

    /**
     * @param config as above
     * @return the maps of the head, such as "classifier", that the folder does not have: they begin
     *         with random values, and are trained
     */
    std::vector<std::string> ListNewMaps(const ModelConfig& config) const;

  private:
    std::string m_folder;                                   //!< of the model
    std::unique_ptr<PretrainedAdapter> m_adapter;           //!< or null
    PretrainedConfig m_config;                              //!< dimensions
    std::shared_ptr<const PretrainedTokenizer> m_tokenizer; //!< of texts
    std::unique_ptr<PretrainedWeights> m_weights;           //!< the files
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PRETRAINED_MODEL_H */
