/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-unsplit-trainer.h"

#include "collapipe-batch.h"
#include "collapipe-part-shapes.h"
#include "collapipe-torch-compat.h"
#include "collapipe-torch-gradient-watch.h"
#include "collapipe-torch-layers.h"
#include "collapipe-torch-optimizer.h"
#include "collapipe-torch-support.h"
#include "collapipe-torch-tie.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

/// What LibTorch knows
struct TorchUnsplitTrainer::State
{
    /**
     * @param modelConfig the model
     * @param steps the optimizer
     * @param initial parameters of the whole model
     * @param start where in the training this begins
     */
    State(const ModelConfig& modelConfig,
          const OptimizerConfig& steps,
          const ModelParameters& initial,
          const TrainingPosition& start)
        : config(modelConfig),
          optimizerConfig(steps),
          whole{true, 0, modelConfig.encoderBlocks, true},
          layout(initial),
          parameters(ToParameters(initial.Gather(whole))),
          layers(modelConfig, whole, parameters),
          optimizer(steps, parameters, start.step),
          tie(modelConfig, whole, parameters),
          stream(start.stream)
    {
    }

    /// @return the gradients that there are
    std::vector<at::Tensor> GetGradients() const
    {
        std::vector<at::Tensor> gradients;
        for (const auto& parameter : parameters)
        {
            if (parameter.grad().defined())
            {
                gradients.push_back(parameter.grad());
            }
        }
        return gradients;
    }

    ModelConfig config;                 //!< the model
    OptimizerConfig optimizerConfig;    //!< of the optimizer
    PartRange whole;                    //!< all of it
    ModelParameters layout;             //!< how many tensors every block has
    std::vector<at::Tensor> parameters; //!< in chain order
    TorchLayers layers;                 //!< the modules
    TorchOptimizer optimizer;           //!< the optimizer
    TorchTie tie;                       //!< of embedding and projection
    uint64_t stream;                    //!< key of the random stream
};

TorchUnsplitTrainer::TorchUnsplitTrainer(const ModelConfig& config,
                                         const OptimizerConfig& optimizer,
                                         const ModelParameters& parameters,
                                         const TrainingPosition& start,
                                         const TensorList& optimizerState)
{
    SetUpTorch();
    const PartRange whole{true, 0, config.encoderBlocks, true};
    PartShapes(config, whole, optimizer).CheckParameters(parameters.Gather(whole));
    m_state = std::make_unique<State>(config, optimizer, parameters, start);
    m_state->optimizer.ImportState(optimizerState);
}

TorchUnsplitTrainer::~TorchUnsplitTrainer() = default;

double
TorchUnsplitTrainer::Iterate(const std::vector<Sample>& samples)
{
    const TrainingPosition position{m_state->stream, m_state->optimizer.GetSteps()};
    const Batch batch = MakeBatch(m_state->config, samples, position);
    NS_ABORT_MSG_IF(batch.labelTokens == 0, "An iteration without labels");
    m_state->optimizer.DropGradients();
    m_state->tie.EndIteration();
    const torch::AutoGradMode recording(true);
    const auto& layers = m_state->layers;
    const auto tokens = ToTorch(batch.source);
    const auto padding = MakePadding(tokens, m_state->config.special.pad);
    const TorchRows layout(padding, m_state->config.skipPadding, 0);
    const auto dropout = layers.GetDropout(position);
    const auto rows = layers.Embed(tokens, layout, dropout);
    const auto memory = layers.Encode(rows, layout, padding, dropout);
    const auto sum = layers.Decode(memory, layout, padding, ToTorch(batch.target), dropout);
    const auto loss = sum / double(batch.labelTokens);
    loss.backward();
    m_state->tie.Join();
    return loss.item<double>();
}

TensorList
TorchUnsplitTrainer::GetGradients() const
{
    return CopyGradients(m_state->parameters);
}

void
TorchUnsplitTrainer::Step()
{
    double squaredNorm = -m_state->tie.GetSurplus();
    for (const auto& gradient : m_state->GetGradients())
    {
        squaredNorm += GetSquaredNorm(gradient);
    }
    const double factor = GetClipFactor(m_state->optimizerConfig, squaredNorm);
    if (factor < 1)
    {
        for (auto& gradient : m_state->GetGradients())
        {
            gradient.mul_(factor);
        }
    }
    m_state->optimizer.Step();
    m_state->tie.EndIteration();
}

TensorList
TorchUnsplitTrainer::GetOptimizerState() const
{
    return m_state->optimizer.ExportState();
}

ModelParameters
TorchUnsplitTrainer::GetParameters() const
{
    ModelParameters parameters = m_state->layout;
    parameters.Scatter(m_state->whole, CopyValues(m_state->parameters));
    return parameters;
}

} // namespace collapipe
} // namespace ns3
