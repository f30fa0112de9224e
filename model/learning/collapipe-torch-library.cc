/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-compute-library.h"
#include "collapipe-torch-backend.h"
#include "collapipe-torch-unsplit-trainer.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return a new backend
ComputeBackend*
CreateBackend()
{
    return new TorchBackend;
}

/**
 * @param config the model
 * @param optimizer the optimizer
 * @param parameters initial parameters of the whole model
 * @param start where in the training this begins
 * @param optimizerState of an earlier trainer; empty: a new optimizer
 * @return what computes for an UnsplitTrainer
 */
std::unique_ptr<UnsplitEngine>
CreateUnsplitEngine(const ModelConfig& config,
                    const OptimizerConfig& optimizer,
                    const ModelParameters& parameters,
                    const TrainingPosition& start,
                    const TensorList& optimizerState)
{
    return std::make_unique<TorchUnsplitTrainer>(config,
                                                 optimizer,
                                                 parameters,
                                                 start,
                                                 optimizerState);
}

/// What this library offers
const ComputeLibrary g_library{COLLAPIPE_RELEASE, &CreateBackend, &CreateUnsplitEngine};

} // namespace

} // namespace collapipe
} // namespace ns3

/// The one function that is looked up by name: ns3::collapipe::GET_COMPUTE_LIBRARY.
extern "C" const ns3::collapipe::ComputeLibrary*
CollapipeGetComputeLibrary()
{
    return &ns3::collapipe::g_library;
}
