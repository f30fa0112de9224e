/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_DESCRIPTION_H
#define COLLAPIPE_LINK_DESCRIPTION_H

#include "collapipe-model-config.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What a parameter is for; its initial value follows from it
enum class ParameterKind
{
    TABLE,        //!< embedding table
    MATRIX,       //!< weight of a linear layer
    BIAS,         //!< of a linear layer or a norm
    NORM_WEIGHT,  //!< of a norm
    ADAPTER_DOWN, //!< A of an adapter
    ADAPTER_UP,   //!< B of an adapter
};

/**
 * @ingroup collapipe
 * A tensor of a file in Hugging Face's form that makes up a parameter, or some of its rows: where a
 * parameter has several of these, they lie below each other.
 */
struct ForeignTensor
{
    std::string name;         //!< there
    uint32_t rows{0};         //!< of the parameter, in order
    bool isTransposed{false}; //!< it lies the other way round there, as GPT-2's Conv1D
};

/**
 * @ingroup collapipe
 * One parameter tensor.
 */
struct ParameterPlace
{
    ParameterKind kind;                 //!< what it is for
    TensorData shape;                   //!< float32, without bytes
    std::vector<ForeignTensor> sources; //!< in other people's files
    bool isTrained{true};               //!< it learns
    bool isTied{false};                 //!< embedding and projection hold the same table
    uint32_t firstRow{0};               //!< of an adapter: the first output that it adds to
    bool isInBlock{false};              //!< it belongs to a block, be it the edge server's
    uint32_t block{0};                  //!< which, over all blocks
};

/**
 * @ingroup collapipe
 * Floating-point operations of one sample; a multiply-add counts two. Matrix products only, as
 * usual (Kaplan et al., "Scaling Laws for Neural Language Models", table 1), attention scores
 * included; an embedding counts its scaling and addition.
 */
struct Work
{
    double forward{0};        //!< of the forward pass
    double inputGradient{0};  //!< of the backward pass, for what comes before
    double weightGradient{0}; //!< of the backward pass, for what is trained here

    /// @param other added
    void Add(const Work& other);
};

/// A link of the chain that a model is
struct ChainLink
{
    /// The links there are
    enum Kind : uint8_t
    {
        EMBEDDING,
        BLOCK,
        HEAD,
    };

    Kind kind{BLOCK};  //!< which
    uint32_t block{0}; //!< index of a block
};

/**
 * @ingroup collapipe
 * Linear maps that are computed as one: their weights lie below each other.
 */
struct LinearMap
{
    /// Name in Hugging Face's files, without ".weight", and outputs of each
    std::vector<std::pair<std::string, uint32_t>> modules;
    uint32_t inputs{0};       //!< of all of them
    double rows{0};           //!< computed per sample
    bool hasBias{true};       //!< there are biases
    bool isTransposed{false}; //!< weights lie the other way round in those files
    bool isTaskHead{false};   //!< the last layer of a classification: adapters do without it
    bool isTied{false};       //!< the weight is the embedding's table
    std::string biasName{};   //!< in those files, where it is not the module's

    /// @return outputs of all of them
    uint32_t GetOutputs() const;
};

/**
 * @ingroup collapipe
 * What a family says of one link: its parameters in their order, which of them are trained, its
 * work, and what a backward pass needs of the forward pass. A family describes a link once; all
 * numbers follow.
 */
class LinkDescription
{
  public:
    /**
     * @param config the model
     * @param link which link is described
     */
    LinkDescription(const ModelConfig& config, const ChainLink& link);

    // For families

    /**
     * What follows belongs to a block, though the link may be the head.
     * @param block index over all blocks
     */
    void BeginBlock(uint32_t block);

    /// What follows belongs to no block.
    void EndBlock();

    /**
     * @param name in Hugging Face's files, with ".weight"
     * @param rows its rows
     * @param isTied the projection to the vocabulary is the same table
     */
    void AddTable(const std::string& name, uint32_t rows, bool isTied = false);

    /**
     * @param map linear maps; adapters on them follow by themselves
     */
    void AddLinear(const LinearMap& map);

    /**
     * @param name in Hugging Face's files, without ".weight"
     * @param hasBias it shifts, too
     */
    void AddNorm(const std::string& name, bool hasBias = true);

    /**
     * Scores and weighted sum, all heads.
     * @param queries rows that attend
     * @param keys rows attended to
     * @param width of all heads
     */
    void AddAttention(double queries, double keys, double width);

    /**
     * A product with a table that is described elsewhere in the link, and trained if it is.
     * @param flops of the forward pass
     */
    void AddProduct(double flops);

    /**
     * @param name of a bias of its own, in Hugging Face's files
     * @param width its length
     */
    void AddBias(const std::string& name, uint32_t width);

    /**
     * @param operations of an embedding: scaling and addition
     */
    void AddLookups(double operations);

    /**
     * @param values per sample, float32, that are kept wherever a gradient passes
     */
    void Keep(double values);

    /**
     * @param values per sample that are kept for the weights of linear maps only
     * @param map added before, which reads them
     */
    void KeepInput(double values, const LinearMap& map);

    /**
     * @param values per sample that are kept for the weights of linear maps only
     * @param maps added before, which read them
     */
    void KeepInput(double values, const std::vector<LinearMap>& maps);

    // For all others

    /// @return the parameters in their order
    const std::vector<ParameterPlace>& GetPlaces() const;

    /// @return work per sample
    const Work& GetWork() const;

    /// @return bytes per sample that automatic differentiation keeps where a gradient passes
    double GetKeptBytes() const;

    /// @return names of the linear maps, as adapters may name them: last words, each once
    const std::vector<std::string>& GetModules() const;

  private:
    /// Adds a parameter. @return whether it is trained
    bool Add(ParameterKind kind,
             std::vector<uint32_t> extents,
             std::vector<ForeignTensor> sources,
             bool isTaskHead = false,
             bool isTied = false);

    /// @return whether a parameter of the link is trained
    bool IsTrained(ParameterKind kind, bool isTaskHead, bool isTied) const;

    /// Adds the adapters on some linear maps.
    void AddAdapters(const LinearMap& map);

    /// @return whether maps have an adapter of that name
    bool IsTarget(const std::string& module) const;

    /// @return whether a map's input is kept for its weights
    bool NeedsInput(const LinearMap& map) const;

    const ModelConfig& m_config;          //!< the model
    ChainLink m_link;                     //!< which link
    bool m_isInBlock;                     //!< what is added belongs to a block
    uint32_t m_block;                     //!< which, over all blocks
    std::vector<std::string> m_targets;   //!< of adapters
    std::vector<ParameterPlace> m_places; //!< so far
    std::vector<std::string> m_modules;   //!< names of linear maps so far
    Work m_work;                          //!< so far
    double m_keptValues{0};               //!< so far
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_DESCRIPTION_H */
