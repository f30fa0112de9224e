/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-unsplit-trainer.h"

#include "collapipe-compute-library.h"

namespace ns3
{
namespace collapipe
{

UnsplitTrainer::UnsplitTrainer(const ModelConfig& config,
                               const OptimizerConfig& optimizer,
                               const ModelParameters& parameters,
                               const TrainingPosition& start,
                               const TensorList& optimizerState)
    : m_engine(GetComputeLibrary()
                   .createUnsplitEngine(config, optimizer, parameters, start, optimizerState))
{
}

UnsplitTrainer::~UnsplitTrainer() = default;

double
UnsplitTrainer::Iterate(const std::vector<Sample>& samples)
{
    return m_engine->Iterate(samples);
}

TensorList
UnsplitTrainer::GetGradients() const
{
    return m_engine->GetGradients();
}

void
UnsplitTrainer::Step()
{
    m_engine->Step();
}

TensorList
UnsplitTrainer::GetOptimizerState() const
{
    return m_engine->GetOptimizerState();
}

ModelParameters
UnsplitTrainer::GetParameters() const
{
    return m_engine->GetParameters();
}

} // namespace collapipe
} // namespace ns3
