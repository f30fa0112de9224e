/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_HEADS_H
#define COLLAPIPE_TORCH_HEADS_H

/**
 * @file
 * @ingroup collapipe
 * Private: what stands at the encoder's end, loss included. The memory is what the encoder gives,
 * as rows. A loss is a sum over labels, in nats, float64.
 */

#include "collapipe-torch-modules.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * A head, whatever the task.
 */
class TorchHead
{
  public:
    virtual ~TorchHead() = default;

    /**
     * @param memory rows of the encoder's output [n,D]
     * @param layout what they stand for
     * @param padding of the source [b,T] uint8 (1 = padding)
     * @param targets [b,U+1] int32: BEGIN_TOKEN, then the labels; GetNoLabel() is none
     * @param labelSmoothing share of a label's weight that all labels get alike
     * @param dropout of the step
     * @return the sum of the labels' cross-entropies, nats, float64 scalar
     */
    virtual at::Tensor Forward(const at::Tensor& memory,
                               const TorchRows& layout,
                               const at::Tensor& padding,
                               const at::Tensor& targets,
                               double labelSmoothing,
                               const TorchDropout& dropout) const = 0;
};

/**
 * The norm at the end of a pre-norm model's encoder or decoder.
 */
class TorchFinalNorm
{
  public:
    /**
     * @param config the model; post-norm: there is no such norm
     * @param reader gives its parameters
     */
    TorchFinalNorm(const ModelConfig& config, TorchParameterReader& reader);

    /**
     * @param rows [n,D]
     * @return [n,D]
     */
    at::Tensor Forward(const at::Tensor& rows) const;

  private:
    std::vector<TorchNorm> m_norm; //!< none or one
};

/**
 * Target embedding, decoder blocks and generator.
 */
class TorchDecoder : public TorchHead
{
  public:
    /**
     * @param config the model
     * @param reader gives its parameters
     */
    TorchDecoder(const ModelConfig& config, TorchParameterReader& reader);

    at::Tensor Forward(const at::Tensor& memory,
                       const TorchRows& layout,
                       const at::Tensor& padding,
                       const at::Tensor& targets,
                       double labelSmoothing,
                       const TorchDropout& dropout) const override;

    /// What is kept between the positions of a translation
    struct State
    {
        std::vector<TorchPast> past;   //!< by block: of the target
        std::vector<TorchPast> memory; //!< by block: of the source
        at::Tensor padding;            //!< of MakePaddingMask(), for the source
        int64_t position{0};           //!< the next one
    };

    /**
     * @param memory rows of the encoder's output [n,D]
     * @param layout what they stand for
     * @param padding of the source [b,T] uint8 (1 = padding)
     * @return before the first position
     */
    State Begin(const at::Tensor& memory, const TorchRows& layout, const at::Tensor& padding) const;

    /**
     * @param tokens at the next position [b] int32
     * @param state goes on by a position
     * @return log-probabilities of what comes then [b,V]
     */
    at::Tensor Step(const at::Tensor& tokens, State& state) const;

    /**
     * Rearranges what is kept of the target: row i becomes what row index[i] was.
     * @param state rearranged; the source stays
     * @param index [b] int64
     */
    void Select(State& state, const at::Tensor& index) const;

  private:
    /**
     * @param rows [n,D]
     * @return [n,V]
     */
    at::Tensor Generate(const at::Tensor& rows) const;

    int64_t m_heads;                         //!< h
    bool m_skipPadding;                      //!< compute on words only
    TorchFinalNorm m_memoryNorm;             //!< of the encoder
    TorchEmbedding m_embedding;              //!< of the target tokens
    std::vector<TorchDecoderBlock> m_blocks; //!< one after the other
    TorchFinalNorm m_outputNorm;             //!< of the decoder
    TorchWeight m_weight;                    //!< of the generator [V,D]
    at::Tensor m_bias;                       //!< of the generator [V]
};

/**
 * A head that classifies.
 */
class TorchClassifyingHead : public TorchHead
{
  public:
    /**
     * @param memory rows of what comes before [n,D]
     * @param layout what they stand for
     * @param padding of the source [b,T] uint8 (1 = padding)
     * @param dropout of the step
     * @return logits of the classes [b,C]
     */
    virtual at::Tensor Classify(const at::Tensor& memory,
                                const TorchRows& layout,
                                const at::Tensor& padding,
                                const TorchDropout& dropout) const = 0;
};

/**
 * BERT's pooler, on the first token, and a classifier.
 */
class TorchPooledClassifier : public TorchClassifyingHead
{
  public:
    /// What is between pooler and classifier
    enum Pooling : uint8_t
    {
        TANH, //!< BERT
        RELU, //!< DistilBERT
    };

    /**
     * @param config the model
     * @param reader gives its parameters
     * @param pooling what is between the layers
     */
    TorchPooledClassifier(const ModelConfig& config, TorchParameterReader& reader, Pooling pooling);

    at::Tensor Forward(const at::Tensor& memory,
                       const TorchRows& layout,
                       const at::Tensor& padding,
                       const at::Tensor& targets,
                       double labelSmoothing,
                       const TorchDropout& dropout) const override;

    at::Tensor Classify(const at::Tensor& memory,
                        const TorchRows& layout,
                        const at::Tensor& padding,
                        const TorchDropout& dropout) const override;

  private:
    bool m_padLeft;              //!< the first token is not the first position
    Pooling m_pooling;           //!< between the layers
    TorchFinalNorm m_memoryNorm; //!< of the encoder
    TorchLinear m_pooler;        //!< D to D
    TorchLinear m_classifier;    //!< D to C
};

/**
 * BERT's prediction of masked tokens: linear, GELU, norm, projection.
 */
class TorchMaskedLanguageHead : public TorchHead
{
  public:
    /**
     * @param config the model
     * @param reader gives its parameters
     */
    TorchMaskedLanguageHead(const ModelConfig& config, TorchParameterReader& reader);

    at::Tensor Forward(const at::Tensor& memory,
                       const TorchRows& layout,
                       const at::Tensor& padding,
                       const at::Tensor& targets,
                       double labelSmoothing,
                       const TorchDropout& dropout) const override;

    /**
     * @param memory rows of what comes before [n,D]
     * @param layout what they stand for
     * @param wanted indices of rows [m] int64
     * @param ofStep dropout of the step
     * @return logits of the tokens that stand there [m,V]
     */
    at::Tensor Predict(const at::Tensor& memory,
                       const TorchRows& layout,
                       const at::Tensor& wanted,
                       const TorchDropout& ofStep) const;

  private:
    TorchActivation m_activation; //!< behind the transform
    TorchFinalNorm m_memoryNorm;  //!< of the encoder
    TorchLinear m_transform;      //!< D to D
    TorchNorm m_norm;             //!< of the transform
    TorchLinear m_projection;     //!< D to V
};

/**
 * @param logits [n,C]
 * @param labels [n] int64
 * @param smoothing share of a label's weight that all labels get alike (Szegedy et al. 2016)
 * @return sum of the cross-entropies, float64
 */
at::Tensor SumCrossEntropies(const at::Tensor& logits, const at::Tensor& labels, double smoothing);

/**
 * @param logits of classes [b,C]
 * @param targets [b,2] int32: the second column is 1 + the class, or 0 where there is none
 * @param smoothing as above
 * @return sum of the cross-entropies, float64
 */
at::Tensor SumClassLosses(const at::Tensor& logits, const at::Tensor& targets, double smoothing);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_HEADS_H */
