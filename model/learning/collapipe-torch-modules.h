/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_MODULES_H
#define COLLAPIPE_TORCH_MODULES_H

/**
 * @file
 * @ingroup collapipe
 * Private: the Transformer of Vaswani et al., "Attention Is All You Need", in LibTorch operations.
 * b is the number of samples, T and U the source and target lengths, D the width, h the heads, V
 * the vocabulary. Hidden states are [b,T,D] float32. Blocks are post-norm.
 */

#include "collapipe-model-config.h"

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
 * Layer normalisation of a sum, LayerNorm(residual + update), on rows.
 */
class TorchResidualNorm
{
  public:
    /**
     * @param reader gives weight [D] and bias [D]
     */
    explicit TorchResidualNorm(TorchParameterReader& reader);

    /**
     * @param residual [n,D]
     * @param update [n,D]; is written over
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& residual, at::Tensor update) const;

  private:
    at::Tensor m_weight; //!< [D]
    at::Tensor m_bias;   //!< [D]
};

/**
 * The feed-forward layers: linear, ReLU, linear.
 */
class TorchFeedForward
{
  public:
    /**
     * @param reader gives the parameters of both layers
     */
    explicit TorchFeedForward(TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows) const;

  private:
    TorchLinear m_inner; //!< D to F
    TorchLinear m_outer; //!< F to D
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
     * @param rows [b T,D]
     * @param samples b
     * @param mask added to the scores, broadcast to [b,h,T,T]
     * @return [b T,D]
     */
    at::Tensor Forward(const at::Tensor& rows, int64_t samples, const at::Tensor& mask) const;

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
     * @param rows [b U,D]
     * @param memory [b T,D]
     * @param samples b
     * @param mask added to the scores, broadcast to [b,h,U,T]
     * @return [b U,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const at::Tensor& memory,
                       int64_t samples,
                       const at::Tensor& mask) const;

  private:
    int64_t m_heads;        //!< h
    TorchLinear m_query;    //!< D to D
    TorchLinear m_keyValue; //!< D to 2D
    TorchLinear m_output;   //!< D to D
};

/**
 * Token embedding times sqrt(D), plus the sinusoidal positional encoding.
 */
class TorchEmbedding
{
  public:
    /**
     * @param config the model
     * @param reader gives the table [V,D]
     * @param length longest sequence
     */
    TorchEmbedding(const ModelConfig& config, TorchParameterReader& reader, int64_t length);

    /**
     * @param tokens [b,T] int32
     * @return [b,T,D]
     */
    at::Tensor Forward(const at::Tensor& tokens) const;

  private:
    at::Tensor m_table;     //!< [V,D]
    at::Tensor m_positions; //!< [length,D]
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
     * @param rows [b T,D]
     * @param samples b
     * @param mask of MakePaddingMask()
     * @return [b T,D]
     */
    at::Tensor Forward(const at::Tensor& rows, int64_t samples, const at::Tensor& mask) const;

  private:
    TorchSelfAttention m_attention;    //!< to the block's own input
    TorchFeedForward m_feedForward;    //!< the feed-forward layers
    TorchResidualNorm m_attentionNorm; //!< after the attention
    TorchResidualNorm m_outputNorm;    //!< after the feed-forward layers
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
     * @param rows [b U,D]
     * @param memory the encoder's output [b T,D]
     * @param samples b
     * @param causal of MakeCausalMask()
     * @param padding of MakePaddingMask(), for the memory
     * @return [b U,D]
     */
    at::Tensor Forward(const at::Tensor& rows,
                       const at::Tensor& memory,
                       int64_t samples,
                       const at::Tensor& causal,
                       const at::Tensor& padding) const;

  private:
    TorchSelfAttention m_selfAttention;   //!< to earlier target positions
    TorchCrossAttention m_crossAttention; //!< to the encoder's output
    TorchFeedForward m_feedForward;       //!< the feed-forward layers
    TorchResidualNorm m_selfNorm;         //!< after the self attention
    TorchResidualNorm m_crossNorm;        //!< after the cross attention
    TorchResidualNorm m_outputNorm;       //!< after the feed-forward layers
};

/**
 * Target embedding, decoder blocks, generator and loss.
 */
class TorchDecoder
{
  public:
    /**
     * @param config the model
     * @param reader gives its parameters
     */
    TorchDecoder(const ModelConfig& config, TorchParameterReader& reader);

    /**
     * @param memory the encoder's output [b,T,D]
     * @param padding of the source, [b,T] uint8 (1 = padding)
     * @param targets [b,U+1] int32: BEGIN_TOKEN, then the labels; PAD_TOKEN is no label
     * @return the sum of the labels' cross-entropies, nats, float64 scalar
     */
    at::Tensor Forward(const at::Tensor& memory,
                       const at::Tensor& padding,
                       const at::Tensor& targets) const;

  private:
    TorchEmbedding m_embedding;              //!< of the target tokens
    std::vector<TorchDecoderBlock> m_blocks; //!< one after the other
    TorchLinear m_generator;                 //!< D to V
    at::Tensor m_causalMask;                 //!< [U,U]
};

/**
 * The modules of a run of the chain. Parts and the unsplit trainer are made of it.
 */
class TorchLayers
{
  public:
    /**
     * @param config the model
     * @param part the run wanted
     * @param parameters in chain order; used, not copied
     */
    TorchLayers(const ModelConfig& config,
                const PartRange& part,
                const std::vector<at::Tensor>& parameters);

    /**
     * @param tokens [b,T] int32
     * @return hidden state [b,T,D]; the part must have the embedding
     */
    at::Tensor Embed(const at::Tensor& tokens) const;

    /**
     * Through all encoder blocks of the part.
     * @param hidden [b,T,D]
     * @param padding [b,T] uint8 (1 = padding)
     * @return hidden state [b,T,D]
     */
    at::Tensor Encode(const at::Tensor& hidden, const at::Tensor& padding) const;

    /**
     * @param memory [b,T,D]
     * @param padding [b,T] uint8 (1 = padding)
     * @param targets [b,U+1] int32
     * @return of TorchDecoder::Forward(); the part must have the decoder
     */
    at::Tensor Decode(const at::Tensor& memory,
                      const at::Tensor& padding,
                      const at::Tensor& targets) const;

  private:
    std::vector<TorchEmbedding> m_embedding; //!< none or one
    std::vector<TorchEncoderBlock> m_blocks; //!< in order
    std::vector<TorchDecoder> m_decoder;     //!< none or one
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
