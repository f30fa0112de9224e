/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A family of models of one's own: decoder-only blocks whose attention and feed-forward layers
// stand side by side, x + attention(norm(x)) + feedForward(norm(x)), as in GPT-J (Wang and
// Komatsuzaki 2021). One class says what a model is made of, from which sizes, work, memory,
// messages, names in files and adapters follow; the other one computes.
//
//     ./collapipe run torch-own-family --topology=p2p

#include "ns3/collapipe-causal-family.h"
#include "ns3/collapipe-program.h"
#include "ns3/collapipe-torch-causal.h"
#include "ns3/collapipe-torch-family.h"
#include "ns3/collapipe-training-run.h"

#include <iostream>

using namespace ns3::collapipe;

constexpr const char* NAME = "parallel";

/// What such a model is made of. Let T be the tokens, D the width, F the feed-forward width.
class ParallelFamily : public CausalFamily
{
  public:
    std::string GetName() const override
    {
        return NAME;
    }

    void DescribeEmbedding(const ModelConfig& config, LinkDescription& link) const override
    {
        link.AddTable("table.weight", config.vocabulary, IsTied(config));
        link.AddTable("positions.weight", config.GetPositions());
        link.AddLookups(2.0 * config.sourceLength * config.width);
    }

    void DescribeBlock(const ModelConfig& config,
                       uint32_t block,
                       LinkDescription& link) const override
    {
        const std::string name = "layers." + std::to_string(block) + ".";
        const uint32_t width = config.width;
        const double rows = config.sourceLength;
        const LinearMap projection{{{name + "projection", 3 * width}}, width, rows};
        const LinearMap output{{{name + "output", width}}, width, rows};
        const LinearMap inner{{{name + "inner", config.feedForward}}, width, rows};
        const LinearMap outer{{{name + "outer", width}}, config.feedForward, rows};
        link.AddNorm(name + "norm");
        link.AddLinear(projection);
        link.AddAttention(rows, rows, width);
        link.AddLinear(output);
        link.AddLinear(inner);
        link.AddLinear(outer);
        // What a backward pass needs: the norm's input, mean and deviation; query, key, value and
        // probabilities; inputs of linear layers whose weights learn; the activation's input
        link.Keep(rows * (width + 2.0));
        link.KeepInput(rows * width, {projection, inner});
        link.Keep(3 * rows * width + config.heads * rows * rows);
        link.KeepInput(rows * width, output);
        link.Keep(rows * config.feedForward);
        link.KeepInput(rows * config.feedForward, outer);
    }

    std::vector<NamedSize> GetSizes() const override
    {
        return {{"nano", 8, 64, 4, 256}, {"tiny", 8, 128, 4, 512}};
    }

    std::vector<std::string> GetAdapterTargets() const override
    {
        return {"projection"};
    }

  protected:
    void DescribeFinalNorm(LinkDescription& link) const override
    {
        link.AddNorm("norm");
    }

    std::string GetTableName() const override
    {
        return "table";
    }
};

/// A block; members take their parameters in the order in which the family describes them.
class ParallelBlock : public TorchBlock
{
  public:
    ParallelBlock(const ModelConfig& config, TorchParameterReader& reader)
        : m_norm(config, reader),
          m_attention(config.heads, reader),
          m_feedForward(TorchActivation::GELU_TANH, reader)
    {
    }

    at::Tensor Forward(const at::Tensor& rows,
                       const TorchRows& layout,
                       const TorchSequence& sequence,
                       const TorchDropout& dropout) const override
    {
        const auto input = m_norm.Forward(rows);
        const auto attended = m_attention.Forward(input, layout, sequence.mask, dropout, dropout);
        return m_feedForward.Forward(input, layout, dropout) + attended + rows;
    }

  private:
    TorchNorm m_norm;
    TorchSelfAttention m_attention;
    TorchFeedForward m_feedForward;
};

/// The norm behind the last block
class LastNorm : public TorchAnyNorm
{
  public:
    LastNorm(const ModelConfig& config, TorchParameterReader& reader)
        : m_norm(config, reader)
    {
    }

    at::Tensor Forward(const at::Tensor& rows) const override
    {
        return m_norm.Forward(rows);
    }

  private:
    TorchNorm m_norm;
};

/// What LibTorch computes for the family
class TorchParallel : public TorchFamily
{
  public:
    std::string GetName() const override
    {
        return NAME;
    }

    std::unique_ptr<TorchInput> MakeInput(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        LearntEmbeddingParts parts;
        parts.positions = true;
        return std::make_unique<TorchLearntEmbedding>(config, reader, parts);
    }

    std::unique_ptr<TorchBlock> MakeBlock(const ModelConfig& config,
                                          TorchParameterReader& reader) const override
    {
        return std::make_unique<ParallelBlock>(config, reader);
    }

    std::unique_ptr<TorchHead> MakeHead(const ModelConfig& config,
                                        TorchParameterReader& reader) const override
    {
        return std::make_unique<TorchCausalHead>(
            config,
            *this,
            reader,
            [](const ModelConfig& model,
               TorchParameterReader& next) -> std::unique_ptr<TorchAnyNorm> {
                return std::make_unique<LastNorm>(model, next);
            });
    }
};

int
main(int argc, char* argv[])
{
    RegisterModelFamily(std::make_unique<ParallelFamily>());
    RegisterTorchFamily(std::make_unique<TorchParallel>());
    return RunProgram("collapipe-torch-own-family", [&] {
        RunConfig config;
        config.task = "lm";
        config.learning.family = NAME;
        config.rounds = 3;
        config.compare = "none";
        config.Parse(argc, argv);
        TrainingRun run(config);
        run.Run();
        PrintTable(std::cout, run.GetSummary(), run.GetRecorder().GetRounds());
        FinishOutput();
        return run.GetExitStatus();
    });
}
