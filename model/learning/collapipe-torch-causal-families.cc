/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-model-families.h"
#include "collapipe-torch-causal.h"
#include "collapipe-torch-functions.h"

#include <cmath>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

/// LayerNorm as a last norm
class LastLayerNorm : public TorchAnyNorm
{
  public:
    LastLayerNorm(const ModelConfig& config, TorchParameterReader& reader)
        : m_norm(config, reader)
    {
    }

    at::Tensor Forward(const at::Tensor& rows) const override
    {
        return m_norm.Forward(rows);
    }

  private:
    TorchNorm m_norm; //!< the norm
};

/// RMSNorm
class RootNorm : public TorchAnyNorm
{
  public:
    RootNorm(const ModelConfig& config, TorchParameterReader& reader)
        : m_epsilon(config.normEpsilon),
          m_weight(reader.Next())
    {
    }

    at::Tensor Forward(const at::Tensor& rows) const override
    {
        return NormaliseRootMeanSquare(rows, m_weight, m_epsilon);
    }

  private:
    double m_epsilon;    //!< added to the mean square
    at::Tensor m_weight; //!< [D]
};

/// @return a norm of a class
template <typename Norm>
std::unique_ptr<TorchAnyNorm>
MakeNorm(const ModelConfig& config, TorchParameterReader& reader)
{
    return std::make_unique<Norm>(config, reader);
}

/**
 * A block of GPT-2.
 */
class Gpt2Block : public TorchBlock
{
  public:
    Gpt2Block(const ModelConfig& config,
              TorchParameterReader& reader,
              const std::string& activation)
        : m_attentionNorm(config, reader),
          m_attention(config.heads, reader),
          m_feedForwardNorm(config, reader),
          m_feedForward(ParseActivation(activation), reader)
    {
    }

    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const TorchSequence& sequence,
                       const TorchDropout& dropout) const override
    {
        const auto attended = m_attention.Forward(m_attentionNorm.Forward(rows),
                                                  layout,
                                                  sequence.mask,
                                                  dropout,
                                                  dropout);
        const auto middle = dropout.Apply(attended, layout, TorchDropout::ATTENTION).add_(rows);
        const auto fed = m_feedForward.Forward(m_feedForwardNorm.Forward(middle), layout, dropout);
        return dropout.Apply(fed, layout, TorchDropout::FEED_FORWARD).add_(middle);
    }

  private:
    TorchNorm m_attentionNorm;      //!< before the attention
    TorchSelfAttention m_attention; //!< to the block's own input
    TorchNorm m_feedForwardNorm;    //!< before the feed-forward layers
    TorchFeedForward m_feedForward; //!< the feed-forward layers
};

/**
 * Rotates pairs of columns i and i + d/2 (Su et al. 2021, "RoFormer", in the form of Hugging Face's
 * weights).
 * @param grid [b,L,...,d]
 * @param sequence cosines and sines
 * @return rotated
 */
at::Tensor
Rotate(const at::Tensor& grid, const TorchSequence& sequence)
{
    const auto halves = grid.chunk(2, -1);
    return at::cat({halves[0] * sequence.cosines - halves[1] * sequence.sines,
                    halves[1] * sequence.cosines + halves[0] * sequence.sines},
                   -1);
}

/**
 * Attention with rotary positions, of which several heads share keys and values (Ainslie et al.
 * 2023).
 */
class GroupedAttention
{
  public:
    GroupedAttention(const ModelConfig& config, TorchParameterReader& reader)
        : m_groups(config.GetKeyValueHeads()),
          m_heads(config.heads),
          m_headWidth(config.GetHeadWidth()),
          m_projection(reader, config.queryBias),
          m_output(reader, config.outputBias)
    {
    }

    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const TorchSequence& sequence,
                       const TorchDropout& dropout) const
    {
        const int64_t samples = layout.GetSamples();
        const int64_t length = layout.GetLength();
        const int64_t share = m_heads / m_groups;
        const auto grid =
            layout.Spread(m_projection.Forward(rows, layout, dropout)).view({samples, length, -1});
        const auto parts = grid.split_with_sizes(
            {m_heads * m_headWidth, m_groups * m_headWidth, m_groups * m_headWidth},
            -1);
        const auto query =
            Rotate(parts[0].view({samples, length, m_groups, share, m_headWidth}), sequence)
                .permute({0, 2, 3, 1, 4})
                .reshape({samples * m_groups, share * length, m_headWidth});
        const auto lie = [&](const at::Tensor& tensor) {
            return tensor.permute({0, 2, 3, 1, 4})
                .reshape({samples * m_groups, length, m_headWidth});
        };
        const std::vector<int64_t> shape{samples, length, m_groups, 1, m_headWidth};
        const auto key = lie(Rotate(parts[1].view(shape), sequence));
        const auto value = lie(parts[2].view(shape)).contiguous();
        const double scale = 1 / std::sqrt(double(m_headWidth));
        const auto scores =
            at::bmm(query, key.transpose(1, 2)).view({samples, m_heads, length, length});
        const auto probabilities =
            dropout.ApplyToProbabilities(at::add(sequence.mask, scores, scale).softmax(-1),
                                         layout.GetFirstSample(),
                                         layout.GetFirst());
        const auto attended =
            at::bmm(probabilities.view({samples * m_groups, share * length, length}), value)
                .view({samples, m_heads, length, m_headWidth})
                .transpose(1, 2)
                .reshape({samples * length, m_heads * m_headWidth});
        return m_output.Forward(layout.Collect(attended), layout, dropout);
    }

  private:
    int64_t m_groups;         //!< of heads that share keys and values
    int64_t m_heads;          //!< of queries
    int64_t m_headWidth;      //!< d
    TorchLinear m_projection; //!< to queries, keys, values
    TorchLinear m_output;     //!< back to D
};

/**
 * A block of Llama.
 */
class LlamaBlock : public TorchBlock
{
  public:
    LlamaBlock(const ModelConfig& config, TorchParameterReader& reader)
        : m_attentionNorm(config, reader),
          m_attention(config, reader),
          m_feedForwardNorm(config, reader),
          m_gate(reader, config.feedForwardBias),
          m_down(reader, config.feedForwardBias)
    {
    }

    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const TorchSequence& sequence,
                       const TorchDropout& dropout) const override
    {
        const auto middle =
            m_attention.Forward(m_attentionNorm.Forward(rows), layout, sequence, dropout)
                .add_(rows);
        const auto gated =
            GateBySilu(m_gate.Forward(m_feedForwardNorm.Forward(middle), layout, dropout));
        return m_down.Forward(gated, layout, dropout).add_(middle);
    }

  private:
    RootNorm m_attentionNorm;     //!< before the attention
    GroupedAttention m_attention; //!< to the block's own input
    RootNorm m_feedForwardNorm;   //!< before the feed-forward layers
    TorchLinear m_gate;           //!< to gate and value
    TorchLinear m_down;           //!< back to D
};

/**
 * GPT-2, and OPT.
 */
class TorchGpt2 : public TorchFamily
{
  public:
    /**
     * @param name of the family
     * @param activation its own
     * @param firstPosition row of the first position
     */
    TorchGpt2(const char* name, const char* activation, int64_t firstPosition)
        : m_name(name),
          m_activation(activation),
          m_firstPosition(firstPosition)
    {
    }

    std::string GetName() const override
    {
        return m_name;
    }

    std::unique_ptr<TorchInput> MakeInput(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        LearntEmbeddingParts parts;
        parts.positions = true;
        parts.firstPosition = m_firstPosition;
        return std::make_unique<TorchLearntEmbedding>(config, reader, parts);
    }

    std::unique_ptr<TorchBlock> MakeBlock(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        return std::make_unique<Gpt2Block>(config, reader, GetActivation(config, m_activation));
    }

    std::unique_ptr<TorchHead> MakeHead(const ModelConfig& config,
                                        TorchParameterReader& reader) const override
    {
        return std::make_unique<TorchCausalHead>(config, *this, reader, MakeNorm<LastLayerNorm>);
    }

  private:
    const char* m_name;       //!< of the family
    const char* m_activation; //!< its own
    int64_t m_firstPosition;  //!< row of the first position
};

/**
 * @param config the model
 * @return how far a pair of columns turns per position [d/2] float64
 */
at::Tensor
GetRotations(const ModelConfig& config)
{
    const int64_t width = config.GetHeadWidth();
    const auto& stretch = config.rotaryStretch;
    const auto exponents = at::arange(0, width, 2, at::kDouble) / double(width);
    const auto rates = at::pow(config.rotaryBase, exponents).reciprocal();
    if (stretch.factor == 1)
    {
        return rates;
    }
    // Between the two frequencies, a mean of stretched and not, as Llama 3.1's authors have it
    constexpr double TURN = 6.283185307179586;
    const auto turns = rates * (stretch.originalPositions / TURN);
    const auto share =
        ((turns - stretch.lowFrequency) / (stretch.highFrequency - stretch.lowFrequency))
            .clamp(0, 1);
    return rates * (share + (1 - share) / stretch.factor);
}

/**
 * Llama.
 */
class TorchLlama : public TorchFamily
{
  public:
    std::string GetName() const override
    {
        return "llama";
    }

    std::unique_ptr<TorchInput> MakeInput(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        LearntEmbeddingParts parts;
        parts.dropout = false;
        return std::make_unique<TorchLearntEmbedding>(config, reader, parts);
    }

    std::unique_ptr<TorchBlock> MakeBlock(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        return std::make_unique<LlamaBlock>(config, reader);
    }

    std::unique_ptr<TorchHead> MakeHead(const ModelConfig& config,
                                        TorchParameterReader& reader) const override
    {
        return std::make_unique<TorchCausalHead>(config, *this, reader, MakeNorm<RootNorm>);
    }

    TorchSequence MakeSequence(const ModelConfig& config, const at::Tensor& padding) const override
    {
        auto sequence = TorchFamily::MakeSequence(config, padding);
        const int64_t length = padding.size(1);
        // With padding behind the tokens, positions are the same in all samples
        const auto positions = config.padLeft ? CountTokensBefore(padding)
                                              : at::arange(length, at::kLong).unsqueeze(0);
        const auto angles =
            positions.to(at::kDouble).unsqueeze(-1) * GetRotations(config).view({1, 1, -1});
        const auto widen = [](const at::Tensor& values) {
            return values.to(at::kFloat).unsqueeze(2).unsqueeze(2);
        };
        sequence.cosines = widen(angles.cos());
        sequence.sines = widen(angles.sin());
        return sequence;
    }
};

} // namespace

std::unique_ptr<TorchFamily>
MakeTorchGpt2()
{
    return std::make_unique<TorchGpt2>("gpt2", "gelu_new", 0);
}

std::unique_ptr<TorchFamily>
MakeTorchOpt()
{
    return std::make_unique<TorchGpt2>("opt", "relu", OPT_FIRST_POSITION);
}

std::unique_ptr<TorchFamily>
MakeTorchLlama()
{
    return std::make_unique<TorchLlama>();
}

} // namespace collapipe
} // namespace ns3
