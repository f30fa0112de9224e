/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MODEL_CONFIG_H
#define COLLAPIPE_MODEL_CONFIG_H

#include "collapipe-tensor-data.h"

#include <cstdint>
#include <memory>
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

/// What a model is to do, and thereby what stands at its end
enum class ModelHead : uint8_t
{
    TRANSLATION,     //!< decoder blocks and generator
    CLASSIFICATION,  //!< a class of the whole text
    MASKED_LANGUAGE, //!< the tokens that were masked
    CAUSAL_LANGUAGE, //!< after every token the next one
};

/**
 * @ingroup collapipe
 * Which ids have a meaning of their own. By default those of the module's own tokenizer; a
 * pretrained model brings its own.
 */
struct SpecialTokens
{
    int32_t pad{PAD_TOKEN};         //!< padding of texts; -1: any negative id is, and no other
    int32_t unknown{UNKNOWN_TOKEN}; //!< what the tokenizer does not know; -1: there is none
    int32_t begin{BEGIN_TOKEN};     //!< before a text, BERT's [CLS]; -1: nothing
    int32_t end{END_TOKEN};         //!< after a text, BERT's [SEP]; -1: nothing
    int32_t mask{-1};               //!< [MASK]; -1: the last of the vocabulary
};

/// Which parameters learn
enum class TrainedPart : uint8_t
{
    ALL,      //!< every one
    ADAPTERS, //!< those of LoraConfig, and of a classification its last layer
    HEAD,     //!< what comes after the last block, unless it is the embedding's table
    LAST,     //!< the same and the last blocks
};

/**
 * @ingroup collapipe
 * Low-rank adapters (Hu et al. 2021, "LoRA"): a linear map x -> W_0 x becomes
 * W_0 x + (alpha / rank) B A x, with A [rank,in] random and B [out,rank] zero at first.
 */
struct LoraConfig
{
    uint32_t rank{0};                   //!< r; 0: there are none
    double alpha{16};                   //!< scale
    std::vector<std::string> targets{}; //!< last words of the maps' names; empty: the family's own
    double dropout{0};                  //!< share of elements of x dropped before A, in training
    bool freezeA{false};                //!< A stays as it was (Sun et al. 2024, "FFA-LoRA")
};

/// Stretched wave lengths of rotary positions, as Llama 3 has them
struct RotaryStretch
{
    double factor{1};        //!< by how much long waves are stretched; 1: none are
    double lowFrequency{1};  //!< waves longer than originalPositions over this are stretched
    double highFrequency{4}; //!< waves shorter than originalPositions over this are not
    uint32_t originalPositions{8192}; //!< before the stretching
};

class FrozenWeights;

/**
 * @ingroup collapipe
 * Dimensions of a model, whatever its family (see ModelFamily, where it says which of them it
 * reads), and which of its parameters are trained.
 *
 * Every sample is padded or cut to the same lengths, so micro-batches are identical in size and
 * in work, as the flow-shop formula (3) presumes.
 */
struct ModelConfig
{
    uint32_t vocabulary{2000};              //!< pieces, the special tokens included
    uint32_t width{64};                     //!< d_model; a multiple of heads
    uint32_t heads{4};                      //!< attention heads
    uint32_t feedForward{256};              //!< inner width of the feed-forward layer
    uint32_t encoderBlocks{4};              //!< L, the number of encoder blocks (TEBs)
    uint32_t decoderBlocks{1};              //!< decoder blocks on the edge server
    uint32_t sourceLength{32};              //!< tokens of a source sequence, padding included
    uint32_t targetLength{32};              //!< label tokens of a target sequence, padding included
    std::string family{};                   //!< name; empty: the usual one of the head
    ModelHead head{ModelHead::TRANSLATION}; //!< what it is to do
    uint32_t classes{2};                    //!< of a classification
    bool preNorm{false};        //!< norms before attention and feed-forward layers, not after
    bool tiedProjection{false}; //!< the projection to the vocabulary is the embedding's table
    double dropout{0};          //!< share of elements dropped in training; see TorchDropout
    double labelSmoothing{0};   //!< share of a label's weight that all labels get alike
    bool skipPadding{false};    //!< compute on words only; the same results but for rounding
    bool padLeft{false};        //!< padding of texts stands before them, not behind

    // What pretrained models differ in; 0 or empty: the family's own
    uint32_t keyValueHeads{0};   //!< heads of keys and values; 0: as many as heads
    uint32_t headWidth{0};       //!< of a head; 0: width / heads
    uint32_t positions{0};       //!< rows of a learnt table of positions; 0: sourceLength
    uint32_t segments{2};        //!< rows of BERT's table of segments; 0: there is none
    std::string activation{};    //!< relu, gelu, gelu_new (tanh form) or silu
    double normEpsilon{1e-5};    //!< added to the variance in norms
    double rotaryBase{10000};    //!< theta of rotary positions
    RotaryStretch rotaryStretch; //!< of rotary positions
    bool queryBias{false};       //!< biases of query, key and value where the family has none
    bool outputBias{false};      //!< of the attention's output, likewise
    bool feedForwardBias{false}; //!< of the feed-forward layers, likewise
    SpecialTokens special;       //!< ids with a meaning
    /// BERT's pooler is new with a classification, as the classifier is: adapters leave both to be
    /// trained
    bool newPooler{false};

    uint32_t edgeBlocks{0}; //!< blocks after encoderBlocks that the edge server holds

    // Training
    TrainedPart trained{TrainedPart::ALL}; //!< what learns
    uint32_t trainedBlocks{0};             //!< how many of the last blocks, where those learn
    LoraConfig lora;                       //!< adapters
    /// How frozen matrices and tables are held: FLOAT32, FLOAT16, BFLOAT16 or INT8 (a scale per
    /// row)
    DType base{DType::FLOAT32};
    /// Values of what is frozen, shared by all who hold the same; null: there are none, or none are
    /// needed
    std::shared_ptr<const FrozenWeights> frozen{};

    /// @return U, labels of a sample, padding included: see ModelFamily::GetLabelLength()
    uint32_t GetLabelLength() const;

    /// @return all blocks, those of the edge server included
    uint32_t GetAllBlocks() const
    {
        return encoderBlocks + edgeBlocks;
    }

    /// @return heads of keys and values
    uint32_t GetKeyValueHeads() const
    {
        return keyValueHeads > 0 ? keyValueHeads : heads;
    }

    /// @return width of a head
    uint32_t GetHeadWidth() const
    {
        return headWidth > 0 ? headWidth : width / heads;
    }

    /// @return rows of a learnt table of positions
    uint32_t GetPositions() const
    {
        return positions > 0 ? positions : sourceLength;
    }

    /// @return whether the models are alike, that is, whether parameters of one fit the other
    bool operator==(const ModelConfig& other) const;

    /**
     * @return empty where the dimensions fit together, else one sentence that says what does not
     */
    std::string Check() const;

    /// @return names of its linear maps, last words only: what LoraConfig::targets may name
    std::vector<std::string> GetModules() const;

  private:
    /// Check(), of what all families have.
    std::string CheckDimensions() const;

    /// Check(), of what is trained.
    std::string CheckTraining() const;
};

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
 * Parameters of a whole model, per block, since clusters may cut it differently: those that are
 * trained. What is frozen is in ModelConfig::frozen.
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

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MODEL_CONFIG_H */
