/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MODEL_FAMILY_H
#define COLLAPIPE_MODEL_FAMILY_H

#include "collapipe-dataset.h"
#include "collapipe-link-description.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// How parameters begin
struct InitialValues
{
    /// The distributions there are
    enum Kind : uint8_t
    {
        CONSTANT, //!< all are the scale
        NORMAL,   //!< of mean 0; the scale is the standard deviation
        UNIFORM,  //!< between minus the scale and the scale
    };

    Kind kind{CONSTANT}; //!< which
    double scale{0};     //!< of it
};

/// How a trained model's worth is told beside its loss
enum class ScoreKind : uint8_t
{
    NONE,    //!< by its loss only
    BLEU,    //!< of translations
    CLASSES, //!< accuracy and F1
    MATCHES, //!< share of completions that are what they should be, where there are completions
};

/// A model size by name
struct NamedSize
{
    const char* name;     //!< as users give it
    uint32_t blocks;      //!< L
    uint32_t width;       //!< d_model
    uint32_t heads;       //!< attention heads
    uint32_t feedForward; //!< inner width
};

/**
 * @ingroup collapipe
 * What is particular to a kind of model: layout and initial values of its parameters, its work,
 * what a backward pass needs, what its input looks like, and its names in other people's files.
 * Nothing outside a family's own files asks which family it deals with.
 *
 * What LibTorch computes is told apart from it, see TorchFamily, so that planning and sending do
 * without LibTorch. RegisterModelFamily() adds one of one's own.
 */
class ModelFamily
{
  public:
    virtual ~ModelFamily() = default;

    /// @return its name, as in ModelConfig::family
    virtual std::string GetName() const = 0;

    /// @return what a model of the family may be made to do; the first is its usual use
    virtual std::vector<ModelHead> GetHeads() const = 0;

    /**
     * @param config a model of the family whose common dimensions are in order
     * @return empty, or one sentence that says what else does not fit together
     */
    virtual std::string Check(const ModelConfig& config) const;

    /**
     * @param config the model
     * @param link gets what the control unit holds
     */
    virtual void DescribeEmbedding(const ModelConfig& config, LinkDescription& link) const = 0;

    /**
     * @param config the model
     * @param block index
     * @param link gets the block
     */
    virtual void DescribeBlock(const ModelConfig& config,
                               uint32_t block,
                               LinkDescription& link) const = 0;

    /**
     * @param config the model
     * @param link gets what the edge server holds, loss included
     */
    virtual void DescribeHead(const ModelConfig& config, LinkDescription& link) const = 0;

    /**
     * @param config the model
     * @param place a parameter that is no adapter
     * @return how it begins
     */
    virtual InitialValues GetInitialValues(const ModelConfig& config,
                                           const ParameterPlace& place) const = 0;

    /**
     * @param config the model
     * @param sample a sample
     * @return the tokens that the model reads, cut to its sourceLength, not padded
     */
    virtual std::vector<int32_t> GetInput(const ModelConfig& config, const Sample& sample) const;

    /**
     * @param sample a sample
     * @return tokens that GetInput() would give did the model take any number of them
     */
    virtual std::size_t CountInput(const Sample& sample) const;

    /// @return the fewest tokens that make sense as input
    virtual uint32_t GetLeastInput() const;

    /// @return whether tokens attend to those before them only
    virtual bool IsCausal() const;

    /**
     * @param config the model
     * @return how it is scored
     */
    virtual ScoreKind GetScore(const ModelConfig& config) const;

    /// @return sizes by name
    virtual std::vector<NamedSize> GetSizes() const;

    /// @return names of the linear maps that usually get adapters, last words only
    virtual std::vector<std::string> GetAdapterTargets() const;

    /**
     * @return what names of the model's own tensors begin with in Hugging Face's files, with a dot;
     *         files of the bare model, without a head, lack it
     */
    virtual std::string GetForeignPrefix() const;
};

/**
 * @param config a model
 * @return its family; aborts where there is no such family
 */
const ModelFamily& GetModelFamily(const ModelConfig& config);

/**
 * @param name of a family
 * @return the family, or null
 */
const ModelFamily* FindModelFamily(const std::string& name);

/// @return the names of all families
std::vector<std::string> GetModelFamilyNames();

/**
 * Adds a family, or takes another one in the place of one of the same name. Before any model of it
 * is made, from one thread.
 * @param family lives as long as the program
 */
void RegisterModelFamily(std::unique_ptr<ModelFamily> family);

/**
 * @param task a task as users name it: translation, classification, mlm or lm
 * @param head filled in
 * @return whether there is such a task
 */
bool ParseTask(const std::string& task, ModelHead& head);

/**
 * @param config the model
 * @param link a link of its chain
 * @return what its family says of it
 */
LinkDescription DescribeLink(const ModelConfig& config, const ChainLink& link);

/**
 * @param part a run of the chain
 * @return its links in order
 */
std::vector<ChainLink> ListLinks(const PartRange& part);

/**
 * @param config the model
 * @param part the part
 * @return work of one sample: with what is trained, and where a gradient passes
 */
Work GetWork(const ModelConfig& config, const PartRange& part);

/**
 * @param config the model
 * @param part the part
 * @return FLOPs of one sample's forward pass
 */
double GetForwardFlops(const ModelConfig& config, const PartRange& part);

/**
 * beta of formula (1), for what is trained, over the beta of a model of which all is trained: 1
 * where all is, 0 where no gradient passes.
 * @param config the model
 * @param part the part
 * @return the share of a whole backward pass
 */
double GetBackwardShare(const ModelConfig& config, const PartRange& part);

/**
 * @param config the model
 * @param part a part
 * @return whether something in the part or before it is trained, so that it has a backward pass
 */
bool HasBackward(const ModelConfig& config, const PartRange& part);

/**
 * @param config the model
 * @param part a part
 * @return whether something before the part is trained, so that it gives a gradient
 */
bool GivesGradient(const ModelConfig& config, const PartRange& part);

/**
 * @param config the model
 * @param part the part
 * @return shapes of its parameters that are trained, without bytes, in chain order
 */
TensorList GetParameterShapes(const ModelConfig& config, const PartRange& part);

/**
 * Bytes that automatic differentiation keeps of one block for one sample until its backward pass;
 * A_teb of formula (8). Counted from the operations' saved tensors.
 * @param config the model
 * @return bytes per block and sample, of a block through which a gradient passes
 */
double GetSavedActivationBytes(const ModelConfig& config);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MODEL_FAMILY_H */
