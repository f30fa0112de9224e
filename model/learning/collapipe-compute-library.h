/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COMPUTE_LIBRARY_H
#define COLLAPIPE_COMPUTE_LIBRARY_H

#include "collapipe-dataset.h"
#include "collapipe-model-part.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

class ComputeBackend;

/**
 * @ingroup collapipe
 * What computes for an UnsplitTrainer, whose functions these are.
 */
class UnsplitEngine
{
  public:
    virtual ~UnsplitEngine() = default;

    /**
     * @param samples of one iteration
     * @return training loss: mean cross-entropy per label that is not padding, nats
     */
    virtual double Iterate(const std::vector<Sample>& samples) = 0;

    /// @return the gradients of the last iteration in chain order
    virtual TensorList GetGradients() const = 0;

    /// Optimizer step with the last iteration's gradients.
    virtual void Step() = 0;

    /// @return the optimizer's state
    virtual TensorList GetOptimizerState() const = 0;

    /// @return the parameters
    virtual ModelParameters GetParameters() const = 0;
};

/**
 * @ingroup collapipe
 * What the library with LibTorch has to offer. LibTorch takes most of a second to load, which
 * programs that compute nothing should not have to wait for: so the module is not linked to it, and
 * opens the library (libcollapipe-torch, beside the module's own) when somebody asks for a
 * computation. The type ns3::collapipe::TorchBackend is registered by the module, by name.
 */
struct ComputeLibrary
{
    /// Release that the library was built for; it must be the module's own
    const char* version;

    /// @return a new TorchBackend, as a TypeId's constructor makes it
    ComputeBackend* (*createBackend)();

    /// @return what computes for an UnsplitTrainer; parameters as of its constructor
    std::unique_ptr<UnsplitEngine> (*createUnsplitEngine)(const ModelConfig& config,
                                                          const OptimizerConfig& optimizer,
                                                          const ModelParameters& parameters,
                                                          const TrainingPosition& start,
                                                          const TensorList& optimizerState);
};

/// The function of that library, and its name there
using GetComputeLibraryFunction = const ComputeLibrary* (*)();
constexpr const char* GET_COMPUTE_LIBRARY = "CollapipeGetComputeLibrary";

/**
 * Opens the library, the first time.
 * @return why TorchBackend cannot be had, and what to do: a sentence without full stop; empty where
 *         it can be had
 */
const std::string& GetComputeLibraryError();

/**
 * Opens the library, the first time. Aborts where it cannot be had.
 * @return what it offers
 */
const ComputeLibrary& GetComputeLibrary();

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_COMPUTE_LIBRARY_H */
