/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PRETRAINED_CONFIG_H
#define COLLAPIPE_PRETRAINED_CONFIG_H

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Architectures of pretrained models that are known
enum class PretrainedFamily : uint8_t
{
    BERT,       //!< encoder; learnt positions and segments, norms after the layers
    DISTILBERT, //!< the same without segments and pooler
    GPT2,       //!< decoder-only; learnt positions, norms before the layers
    OPT,        //!< the same with ReLU and positions that begin at 2
    LLAMA,      //!< decoder-only; RMSNorm, rotary positions, grouped keys and values, SwiGLU
    QWEN2,      //!< the same with biases on queries, keys and values
};

/// How rotary angles are stretched beyond the length that a model was first trained with
struct RotaryScaling
{
    std::string type{"default"};      //!< default (none), linear or llama3
    double factor{1};                 //!< by which positions are stretched
    double lowFrequencyFactor{1};     //!< of llama3
    double highFrequencyFactor{4};    //!< of llama3
    uint32_t originalPositions{8192}; //!< of llama3: length of the first training
};

/**
 * @ingroup collapipe
 * Dimensions and choices of a pretrained model, as a `config.json` in Hugging Face's form has them,
 * whatever each architecture calls them there.
 */
struct PretrainedConfig
{
    PretrainedFamily family{PretrainedFamily::LLAMA}; //!< architecture
    uint32_t vocabulary{0};                           //!< rows of the token embedding
    uint32_t width{0};                                //!< d_model
    uint32_t blocks{0};                               //!< L
    uint32_t heads{0};                                //!< of queries
    uint32_t keyValueHeads{0};                        //!< divides heads; the same in most families
    uint32_t headWidth{0};                            //!< width / heads unless the file says else
    uint32_t feedForward{0};                          //!< inner width of the feed-forward layer
    uint32_t positions{0};                            //!< longest sequence, tokens
    uint32_t segments{0};                             //!< rows of the segment embedding; 0: none
    std::string activation;             //!< gelu, gelu_new (its tanh form), relu or silu
    double normEpsilon{1e-5};           //!< of layer norms or RMSNorm
    bool tied{true};                    //!< the head shares the token embedding's table
    bool attentionBias{true};           //!< queries, keys and values have biases
    bool outputBias{true};              //!< the attention's output has one
    bool feedForwardBias{true};         //!< the feed-forward layers have them
    double rotaryBase{10000};           //!< theta of rotary positions
    RotaryScaling rotaryScaling{};      //!< of rotary positions
    double initializerRange{0.02};      //!< standard deviation of initial weights
    double hiddenDropout{0};            //!< share of elements of layers' outputs
    double attentionDropout{0};         //!< share of attention weights
    int32_t beginToken{-1};             //!< id, or -1 where the model has none
    int32_t padToken{-1};               //!< id, or -1
    std::vector<int32_t> endTokens{};   //!< ids; any of them ends a text
    std::vector<std::string> classes{}; //!< names of a classifier's classes, where the file has any
    std::vector<std::string> architectures{}; //!< names of transformers' classes that saved it

    /// @return whether blocks see earlier tokens only
    bool IsCausal() const;

    /// @return whether positions are rotary, with no table
    bool IsRotary() const;
};

/// @return the model_type values that ReadPretrainedConfig() knows
std::vector<std::string> GetPretrainedModelTypes();

/**
 * @param family an architecture
 * @return its model_type
 */
std::string GetModelType(PretrainedFamily family);

/**
 * @param text of a config.json
 * @param name of the file, for messages
 * @return the model
 * @throws DataError where it is no such file, a needed field is missing or of the wrong type, the
 *         model_type is unknown, or the model has a feature that would be computed wrongly
 */
PretrainedConfig ParsePretrainedConfig(const std::string& text, const std::string& name);

/**
 * @param path of a config.json
 * @return the model
 * @throws DataError as above, and where the file cannot be read
 */
PretrainedConfig ReadPretrainedConfig(const std::string& path);

/// What a saved model ends in
enum class PretrainedHead : uint8_t
{
    LANGUAGE,       //!< predicts tokens: masked ones of an encoder, else the next one
    CLASSIFICATION, //!< names a class of the whole text
};

/**
 * @param config a model
 * @param head what it ends in
 * @return a config.json that transformers reads, and that ParsePretrainedConfig() reads as the same
 *         model
 */
std::string FormatPretrainedConfig(const PretrainedConfig& config, PretrainedHead head);

/// @return names that GetNamedConfig() knows
std::vector<std::string> GetNamedConfigNames();

/**
 * Public models by name, without their weights: dimensions as their authors give them.
 * @param name such as gpt2 or TinyLlama-1.1B; case does not matter
 * @param config filled in
 * @return whether there is such a name
 */
bool GetNamedConfig(const std::string& name, PretrainedConfig& config);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PRETRAINED_CONFIG_H */
