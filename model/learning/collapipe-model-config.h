/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MODEL_CONFIG_H
#define COLLAPIPE_MODEL_CONFIG_H

#include "collapipe-tensor-data.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Token ids with a meaning of their own, the same in every vocabulary
enum SpecialToken : int32_t
{
    PAD_TOKEN = 0,
    UNKNOWN_TOKEN = 1,
    BEGIN_TOKEN = 2,
    END_TOKEN = 3,
};

/// What stands at the encoder's end; it decides the family
enum class ModelHead : uint8_t
{
    TRANSLATION,     //!< Transformer: decoder blocks and generator
    CLASSIFICATION,  //!< BERT: pooler on the first token, classifier
    MASKED_LANGUAGE, //!< BERT: predicts the tokens that were masked
};

/**
 * @ingroup collapipe
 * Dimensions of an encoder-decoder Transformer (Vaswani et al., "Attention Is All You Need"), or of
 * a BERT (Devlin et al. 2019): an encoder with learnt position and segment embeddings and GELU.
 *
 * A BERT input is BEGIN_TOKEN (BERT's [CLS]), a text, END_TOKEN (its [SEP]), and optionally a
 * second text with END_TOKEN; what comes after the first END_TOKEN is segment 1. To predict masked
 * tokens, a model has one token more than the pieces of its tokenizer, the last: [MASK].
 *
 * Every sample is padded or cut to the same lengths, so micro-batches are identical in size and
 * in work, as the flow-shop formula (3) presumes.
 */
struct ModelConfig
{
    uint32_t vocabulary{2000}; //!< pieces, the special tokens included
    uint32_t width{64};        //!< d_model; a multiple of heads
    uint32_t heads{4};         //!< attention heads
    uint32_t feedForward{256}; //!< inner width of the feed-forward layer
    uint32_t encoderBlocks{4}; //!< L, the number of encoder blocks (TEBs)
    uint32_t decoderBlocks{1}; //!< decoder blocks on the edge server
    uint32_t sourceLength{32}; //!< tokens of a source sequence, padding included
    uint32_t targetLength{32}; //!< label tokens of a target sequence, padding included
    ModelHead head{ModelHead::TRANSLATION}; //!< what stands at the end
    uint32_t classes{2};                    //!< of a classification
    bool preNorm{false};        //!< norms before attention and feed-forward layers, not after
    bool tiedProjection{false}; //!< generator and target embedding share their table
    double dropout{0};          //!< share of elements dropped in training; see TorchDropout
    double labelSmoothing{0};   //!< share of a label's weight that all labels get alike
    bool skipPadding{false};    //!< compute on words only; the same results but for rounding

    /// @return whether the model is a BERT
    bool IsBert() const
    {
        return head != ModelHead::TRANSLATION;
    }

    /// @return U, labels of a sample, padding included: targetLength, of BERT what its head takes
    uint32_t GetLabelLength() const;

    /// @return whether the models are alike, that is, whether parameters of one fit the other
    bool operator==(const ModelConfig& other) const;

    /**
     * @return empty where the dimensions fit together, else one sentence that says what does not
     */
    std::string Check() const;
};

/**
 * @param tokens of a text, other than those with a meaning of their own
 * @return how many of them are masked: 15 % as in BERT, at least one
 */
uint32_t CountMaskedTokens(uint32_t tokens);

/**
 * @ingroup collapipe
 * A contiguous run of the chain embedding, block 0 .. block L-1, decoder: what one pipeline stage
 * holds. In CollaPipe the control unit holds the embedding, a device a run of blocks, the edge
 * server the decoder; whole-model and two-way cuts are the same kind of thing.
 */
struct PartRange
{
    bool embedding{false};  //!< token and positional embedding included
    uint32_t firstBlock{0}; //!< first encoder block
    uint32_t lastBlock{0};  //!< one past the last encoder block
    bool decoder{false};    //!< decoder, generator and loss included

    /// @return number of encoder blocks
    uint32_t GetBlocks() const
    {
        return lastBlock - firstBlock;
    }
};

/**
 * @ingroup collapipe
 * Parameters of a whole model, per block, since clusters may cut it differently.
 */
struct ModelParameters
{
    TensorList embedding;           //!< of the embedding
    std::vector<TensorList> blocks; //!< of each encoder block
    TensorList decoder;             //!< of decoder blocks and generator

    /**
     * @param part the run wanted
     * @return its parameters in chain order: embedding, blocks, decoder
     */
    TensorList Gather(const PartRange& part) const;

    /**
     * The inverse of Gather().
     * @param part the run that the tensors belong to
     * @param tensors its parameters in chain order; as many as Gather() gives
     */
    void Scatter(const PartRange& part, const TensorList& tensors);
};

/**
 * Forward floating-point operations of a part for one sample; a multiply-add counts two.
 * Matrix products only, as usual (Kaplan et al., "Scaling Laws for Neural Language Models", table
 * 1), attention scores included; the embedding counts its scaling and addition.
 * @param config the model
 * @param part the part
 * @return FLOPs of one sample's forward pass
 */
double GetForwardFlops(const ModelConfig& config, const PartRange& part);

/**
 * @param config the model
 * @param part the part
 * @return shapes of all parameters of the part, without bytes, in chain order
 */
TensorList GetParameterShapes(const ModelConfig& config, const PartRange& part);

/**
 * Bytes that automatic differentiation keeps of one encoder block for one sample until its
 * backward pass; A_teb of formula (8). Counted from the operations' saved tensors.
 * @param config the model
 * @return bytes per block and sample
 */
double GetSavedActivationBytes(const ModelConfig& config);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MODEL_CONFIG_H */
