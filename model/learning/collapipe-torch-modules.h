/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_MODULES_H
#define COLLAPIPE_TORCH_MODULES_H

/**
 * @file
 * @ingroup collapipe
 * Private: what models of more than one family are made of, in LibTorch operations.
 * b is the number of samples, T and U the source and target lengths, D the width, h the heads, V
 * the vocabulary. Hidden states are rows [n,D], see TorchRows.
 */

#include "collapipe-model-config.h"
#include "collapipe-torch-rows.h"
#include "collapipe-torch-weights.h"

#include <ATen/ATen.h>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * A linear layer, x W^T + c, on rows, with adapters where there are any.
 */
class TorchLinear
{
  public:
    /**
     * @param reader gives weight [outputs,inputs], bias [outputs] and adapters
     * @param hasBias whether there is a bias
     */
    explicit TorchLinear(TorchParameterReader& reader, bool hasBias = true);

    /**
     * @param rows [n,inputs]
     * @param layout what they stand for
     * @param dropout of the adapters' inputs
     * @return [n,outputs]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const TorchDropout& dropout = {}) const;

    /**
     * @param rows [n,inputs]
     * @return [n,outputs]; nothing is dropped
     */
    at::Tensor Forward(const at::Tensor& rows) const;

  private:
    /// @return what adapters make of the product
    at::Tensor Adapt(at::Tensor product,
                     const at::Tensor& rows,
                     const TorchRows& layout,
                     const TorchDropout& dropout) const;

    TorchWeight m_weight;                 //!< [outputs,inputs]
    at::Tensor m_bias;                    //!< [outputs]; undefined: none
    std::vector<TorchAdapter> m_adapters; //!< on some outputs
    double m_adapterScale;                //!< of them
};

/**
 * Layer normalisation (Ba et al. 2016), on rows.
 */
class TorchNorm
{
  public:
    /**
     * @param config the model
     * @param reader gives weight [D] and bias [D]
     */
    TorchNorm(const ModelConfig& config, TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows) const;

  private:
    double m_epsilon;    //!< added to the variance
    at::Tensor m_weight; //!< [D]
    at::Tensor m_bias;   //!< [D]
};

/**
 * What is around every layer of a block: LayerNorm(x + layer(x)), or, of a pre-norm model,
 * x + layer(LayerNorm(x)) (Xiong et al. 2020).
 */
class TorchResidual
{
  public:
    /**
     * @param config the model
     * @param reader gives the norm's parameters
     */
    TorchResidual(const ModelConfig& config, TorchParameterReader& reader);

    /**
     * @tparam Layer function from rows [n,D] to rows [n,D], which are written over
     * @param rows [n,D]
     * @param layer the layer, dropout included
     * @return [n,D]
     */
    template <typename Layer>
    at::Tensor Forward(const at::Tensor& rows, Layer layer) const
    {
        if (m_preNorm)
        {
            return layer(m_norm.Forward(rows)).add_(rows);
        }
        return m_norm.Forward(layer(rows).add_(rows));
    }

  private:
    bool m_preNorm;   //!< before the layer, not after it
    TorchNorm m_norm; //!< the norm
};

/// What is between two linear layers
enum class TorchActivation : uint8_t
{
    RELU,
    GELU,      //!< Hendrycks and Gimpel 2016, exactly
    GELU_TANH, //!< their approximation
    SILU,      //!< x times its sigmoid, also theirs
};

/**
 * @param name relu, gelu, gelu_new or silu
 * @return the activation; aborts where it has no such name
 */
TorchActivation ParseActivation(const std::string& name);

/**
 * @param activation any
 * @param inner [n,F], which nobody else uses
 * @return [n,F]
 */
at::Tensor Activate(TorchActivation activation, at::Tensor inner);

/**
 * The feed-forward layers: linear, activation, linear.
 */
class TorchFeedForward
{
  public:
    /**
     * @param activation between the layers
     * @param reader gives the parameters of both layers
     */
    TorchFeedForward(TorchActivation activation, TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @param layout what they stand for
     * @param dropout of adapters
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const TorchDropout& dropout = {}) const;

  private:
    TorchActivation m_activation; //!< between the layers
    TorchLinear m_inner;          //!< D to F
    TorchLinear m_outer;          //!< F to D
};

/**
 * Keys and values that attention goes back to.
 */
struct TorchPast
{
    at::Tensor keys;   //!< [b h,u,D/h]; undefined where there are none
    at::Tensor values; //!< [b h,u,D/h]
};

/**
 * Multi-head self attention with one product for query, key and value.
 */
class TorchSelfAttention
{
  public:
    /**
     * @param heads h
     * @param reader gives the fused projection [3D,D] and the output projection [D,D]
     */
    TorchSelfAttention(int64_t heads, TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @param layout what they stand for
     * @param mask added to the scores, broadcast to [b,h,L,L]
     * @param dropout of the attention weights
     * @param ofAdapters dropout of adapters
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const at::Tensor& mask,
                       const TorchDropout& dropout = {},
                       const TorchDropout& ofAdapters = {}) const;

    /**
     * One position more.
     * @param rows [b,D], its rows
     * @param past keys and values of the positions before; the position's are added
     * @return [b,D]
     */
    at::Tensor Step(const at::Tensor& rows, TorchPast& past) const;

  private:
    int64_t m_heads;          //!< h
    TorchLinear m_projection; //!< D to 3D
    TorchLinear m_output;     //!< D to D
};

/**
 * Multi-head attention of the decoder to the encoder's output.
 */
class TorchCrossAttention
{
  public:
    /**
     * @param heads h
     * @param reader gives the projections of the query [D,D], of key and value [2D,D] and of the
     *        output [D,D]
     */
    TorchCrossAttention(int64_t heads, TorchParameterReader& reader);

    /**
     * @param rows of the target [n,D]
     * @param layout what they stand for
     * @param memory rows of the source [m,D]
     * @param memoryLayout what they stand for
     * @param mask added to the scores, broadcast to [b,h,U,T]
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const at::Tensor& memory,
                       const TorchRows& memoryLayout,
                       const at::Tensor& mask) const;

    /**
     * @param memory rows of the source [m,D]
     * @param memoryLayout what they stand for
     * @return its keys and values
     */
    TorchPast Project(const at::Tensor& memory, const TorchRows& memoryLayout) const;

    /**
     * One position.
     * @param rows [b,D], its rows
     * @param memory of Project()
     * @param mask added to the scores, broadcast to [b,h,1,T]
     * @return [b,D]
     */
    at::Tensor Step(const at::Tensor& rows, const TorchPast& memory, const at::Tensor& mask) const;

  private:
    int64_t m_heads;        //!< h
    TorchLinear m_query;    //!< D to D
    TorchLinear m_keyValue; //!< D to 2D
    TorchLinear m_output;   //!< D to D
};

/**
 * What makes rows of tokens.
 */
class TorchInput
{
  public:
    virtual ~TorchInput() = default;

    /**
     * @param tokens [b,T] int32; negative ones are padding
     * @param layout the positions wanted
     * @param dropout of the sums
     * @return rows [n,D]
     */
    virtual at::Tensor Forward(const at::Tensor& tokens,
                               const TorchRows& layout,
                               const TorchDropout& dropout = {}) const = 0;
};

/**
 * What attention needs to know of the positions of a micro-batch.
 */
struct TorchSequence
{
    /**
     * @param mask see MakePaddingMask()
     */
    TorchSequence(at::Tensor mask = {})
        : mask(std::move(mask))
    {
    }

    at::Tensor mask;    //!< added to the scores, broadcast to [b,h,L,L]
    at::Tensor cosines; //!< of rotary positions [L,1,1,d/2] or [b,L,1,1,d/2]; else undefined
    at::Tensor sines;   //!< likewise
};

/**
 * A block: rows of hidden states to the like.
 */
class TorchBlock
{
  public:
    virtual ~TorchBlock() = default;

    /**
     * @param rows [n,D]
     * @param layout what they stand for
     * @param sequence what its family made of the positions
     * @param dropout of this block
     * @return [n,D]
     */
    virtual at::Tensor Forward(const at::Tensor& rows,
                               const TorchRows& layout,
                               const TorchSequence& sequence,
                               const TorchDropout& dropout = {}) const = 0;
};

/**
 * Token embedding times sqrt(D), plus the sinusoidal positional encoding.
 */
class TorchEmbedding : public TorchInput
{
  public:
    /**
     * @param config the model
     * @param reader gives the parameters
     * @param length longest sequence
     * @param countsTokens padding may stand before them, and then a position counts them alone
     */
    TorchEmbedding(const ModelConfig& config,
                   TorchParameterReader& reader,
                   int64_t length,
                   bool countsTokens = false);

    at::Tensor Forward(const at::Tensor& tokens,
                       const TorchRows& layout,
                       const TorchDropout& dropout = {}) const override;

    /**
     * One position of every sample.
     * @param tokens [b] int32
     * @param position which
     * @return [b,D]
     */
    at::Tensor Step(const at::Tensor& tokens, int64_t position) const;

    /// @return the table [V,D]
    const TorchWeight& GetTable() const;

  private:
    bool m_countsTokens;    //!< padding may stand before them
    int32_t m_pad;          //!< padding
    TorchWeight m_table;    //!< [V,D]
    at::Tensor m_positions; //!< [length,D]
    double m_scale;         //!< of the tokens' embedding
};

/// What a TorchLearntEmbedding has beside its table
struct LearntEmbeddingParts
{
    bool positions{false};    //!< a table of positions
    int64_t firstPosition{0}; //!< row of the first one
    bool segments{false};     //!< a table of segments
    bool norm{false};         //!< a norm of the sum
    bool dropout{true};       //!< dropout of the sum
    int32_t end{END_TOKEN};   //!< behind the first one, segment 1 begins
};

/**
 * Token embedding, plus what is learnt of positions and segments, and a norm of their sum. A
 * position counts the tokens before, not the padding.
 */
class TorchLearntEmbedding : public TorchInput
{
  public:
    /**
     * @param config the model
     * @param reader gives the parameters
     * @param parts what there is
     */
    TorchLearntEmbedding(const ModelConfig& config,
                         TorchParameterReader& reader,
                         const LearntEmbeddingParts& parts);

    at::Tensor Forward(const at::Tensor& tokens,
                       const TorchRows& layout,
                       const TorchDropout& dropout = {}) const override;

  private:
    LearntEmbeddingParts m_parts;   //!< what there is
    bool m_countsTokens;            //!< padding may stand before them
    int32_t m_pad;                  //!< padding
    TorchWeight m_table;            //!< [V,D]
    TorchWeight m_positions;        //!< [P,D]
    TorchWeight m_segments;         //!< [2,D]
    std::vector<TorchNorm> m_norms; //!< none or one
};

/// What distinguishes encoder blocks
struct EncoderBlockStyle
{
    TorchActivation activation{TorchActivation::RELU}; //!< of the feed-forward layers
    bool dropsProbabilities{false};                    //!< dropout reaches attention weights
};

/**
 * An encoder block (TEB).
 */
class TorchEncoderBlock : public TorchBlock
{
  public:
    /**
     * @param config the model
     * @param reader gives its parameters
     * @param style its own
     */
    TorchEncoderBlock(const ModelConfig& config,
                      TorchParameterReader& reader,
                      const EncoderBlockStyle& style = {});

    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const TorchSequence& sequence,
                       const TorchDropout& dropout = {}) const override;

  private:
    bool m_dropsProbabilities;         //!< dropout reaches attention weights
    TorchSelfAttention m_attention;    //!< to the block's own input
    TorchFeedForward m_feedForward;    //!< the feed-forward layers
    TorchResidual m_attentionResidual; //!< around the attention
    TorchResidual m_outputResidual;    //!< around the feed-forward layers
};

/**
 * A decoder block.
 */
class TorchDecoderBlock
{
  public:
    /**
     * @param config the model
     * @param reader gives its parameters
     */
    TorchDecoderBlock(const ModelConfig& config, TorchParameterReader& reader);

    /**
     * @param rows of the target [n,D]
     * @param layout what they stand for
     * @param memory rows of the encoder's output [m,D]
     * @param memoryLayout what they stand for
     * @param causal of MakeCausalMask()
     * @param padding of MakePaddingMask(), for the memory
     * @param dropout of this block
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const at::Tensor& memory,
                       const TorchRows& memoryLayout,
                       const at::Tensor& causal,
                       const at::Tensor& padding,
                       const TorchDropout& dropout = {}) const;

    /**
     * @param memory rows of the encoder's output [m,D]
     * @param memoryLayout what they stand for
     * @return what Step() takes of it
     */
    TorchPast Project(const at::Tensor& memory, const TorchRows& memoryLayout) const;

    /**
     * One position of every sample.
     * @param rows [b,D]
     * @param past of this block; the position is added
     * @param memory of Project()
     * @param padding of MakePaddingMask(), for the memory
     * @return [b,D]
     */
    at::Tensor Step(const at::Tensor& rows,
                    TorchPast& past,
                    const TorchPast& memory,
                    const at::Tensor& padding) const;

  private:
    TorchSelfAttention m_selfAttention;   //!< to earlier target positions
    TorchCrossAttention m_crossAttention; //!< to the encoder's output
    TorchFeedForward m_feedForward;       //!< the feed-forward layers
    TorchResidual m_selfResidual;         //!< around the self attention
    TorchResidual m_crossResidual;        //!< around the cross attention
    TorchResidual m_outputResidual;       //!< around the feed-forward layers
};

/**
 * @param tokens [b,T] int32
 * @param pad the token that is padding; -1: all negative ones
 * @return where there is padding, [b,T] uint8
 */
at::Tensor MakePadding(const at::Tensor& tokens, int32_t pad = PAD_TOKEN);

/**
 * @param padding [b,T] uint8 (1 = padding)
 * @return of each token how many come before it in its sample, [b,T] int64; 0 for padding before
 *         the first
 */
at::Tensor CountTokensBefore(const at::Tensor& padding);

/**
 * @param padding [b,T] uint8 (1 = padding)
 * @return 0, or where padded so large a negative number that the probability becomes exactly 0
 *         beside any key that is not padded; [b,1,1,T]. It is finite: a row with padding only
 *         attends to all alike instead of becoming NaN
 */
at::Tensor MakePaddingMask(const at::Tensor& padding);

/**
 * @param length U
 * @return the same for keys later than the query, [U,U]
 */
at::Tensor MakeCausalMask(int64_t length);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_MODULES_H */
