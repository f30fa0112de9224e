/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_MODULES_H
#define COLLAPIPE_TORCH_MODULES_H

/**
 * @file
 * @ingroup collapipe
 * Private: what the Transformer of Vaswani et al., "Attention Is All You Need", and the BERT of
 * Devlin et al. 2019 are made of, in LibTorch operations.
 * b is the number of samples, T and U the source and target lengths, D the width, h the heads, V
 * the vocabulary. Hidden states are rows [n,D], see TorchRows.
 */

#include "collapipe-model-config.h"
#include "collapipe-torch-rows.h"

#include <ATen/ATen.h>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Hands out parameters in chain order, so that constructors read like GetParameterShapes().
 */
class TorchParameterReader
{
  public:
    /**
     * @param parameters in chain order
     */
    explicit TorchParameterReader(const std::vector<at::Tensor>& parameters);

    /// @return the next parameter
    at::Tensor Next();

  private:
    const std::vector<at::Tensor>& m_parameters; //!< all of them
    size_t m_next{0};                            //!< which comes next
};

/**
 * A linear layer, x W^T + c, on rows.
 */
class TorchLinear
{
  public:
    /**
     * @param reader gives weight [outputs,inputs] and bias [outputs]
     */
    explicit TorchLinear(TorchParameterReader& reader);

    /**
     * @param rows [n,inputs]
     * @return [n,outputs]
     */
    at::Tensor Forward(const at::Tensor& rows) const;

  private:
    at::Tensor m_weight; //!< [outputs,inputs]
    at::Tensor m_bias;   //!< [outputs]
};

/**
 * Layer normalisation (Ba et al. 2016), on rows.
 */
class TorchNorm
{
  public:
    /**
     * @param reader gives weight [D] and bias [D]
     */
    explicit TorchNorm(TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows) const;

  private:
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

/**
 * The feed-forward layers: linear, ReLU or BERT's GELU, linear.
 */
class TorchFeedForward
{
  public:
    /**
     * @param config the model
     * @param reader gives the parameters of both layers
     */
    TorchFeedForward(const ModelConfig& config, TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows) const;

  private:
    bool m_gelu;         //!< GELU, not ReLU
    TorchLinear m_inner; //!< D to F
    TorchLinear m_outer; //!< F to D
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
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const at::Tensor& mask,
                       const TorchDropout& dropout = {}) const;

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
 * Of a Transformer: token embedding times sqrt(D), plus the sinusoidal positional encoding. Of a
 * BERT: token, position and segment embedding, and a norm of their sum.
 */
class TorchEmbedding
{
  public:
    /**
     * @param config the model
     * @param reader gives the parameters
     * @param length longest sequence
     */
    TorchEmbedding(const ModelConfig& config, TorchParameterReader& reader, int64_t length);

    /**
     * @param tokens [b,T] int32
     * @param layout the positions wanted
     * @param dropout of the sums
     * @return rows [n,D]
     */
    at::Tensor Forward(const at::Tensor& tokens,
                       const TorchRows& layout,
                       const TorchDropout& dropout = {}) const;

    /**
     * One position of every sample.
     * @param tokens [b] int32
     * @param position which
     * @return [b,D]; of a Transformer only
     */
    at::Tensor Step(const at::Tensor& tokens, int64_t position) const;

    /// @return the table [V,D]
    const at::Tensor& GetTable() const;

  private:
    at::Tensor m_table;             //!< [V,D]
    at::Tensor m_positions;         //!< [length,D]
    at::Tensor m_segments;          //!< [2,D]; of a BERT
    std::vector<TorchNorm> m_norms; //!< none or one
    double m_scale;                 //!< of the tokens' embedding
};

/**
 * An encoder block (TEB).
 */
class TorchEncoderBlock
{
  public:
    /**
     * @param config the model
     * @param reader gives its parameters
     */
    TorchEncoderBlock(const ModelConfig& config, TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @param layout what they stand for
     * @param mask of MakePaddingMask()
     * @param dropout of this block
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const at::Tensor& mask,
                       const TorchDropout& dropout = {}) const;

  private:
    bool m_dropsProbabilities;         //!< as BERT does
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
 * @return where they are PAD_TOKEN, [b,T] uint8
 */
at::Tensor MakePadding(const at::Tensor& tokens);

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
