/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a build without LibTorch has in place of the files collapipe-torch-*: the names, so that
// programs link, and a sentence for those who ask for a computation. There is no TorchBackend in it.

#include "collapipe-unsplit-trainer.h"

#include "ns3/abort.h"

namespace ns3
{
namespace collapipe
{

namespace
{

/// Ends the program.
[[noreturn]] void
Refuse()
{
    NS_ABORT_MSG("This build of CollaPipe has no LibTorch: install it and build again, or take "
                 "what computes nothing (AnalyticBackend, --compute=analytic)");
}

} // namespace

/// Nothing
struct UnsplitTrainer::State
{
};

UnsplitTrainer::UnsplitTrainer(const ModelConfig& /* config */,
                               const OptimizerConfig& /* optimizer */,
                               const ModelParameters& /* parameters */,
                               const TrainingPosition& /* start */,
                               const TensorList& /* optimizerState */)
{
    Refuse();
}

UnsplitTrainer::~UnsplitTrainer() = default;

double
UnsplitTrainer::Iterate(const std::vector<Sample>& /* samples */)
{
    Refuse();
}

TensorList
UnsplitTrainer::GetGradients() const
{
    Refuse();
}

void
UnsplitTrainer::Step()
{
    Refuse();
}

TensorList
UnsplitTrainer::GetOptimizerState() const
{
    Refuse();
}

ModelParameters
UnsplitTrainer::GetParameters() const
{
    Refuse();
}

} // namespace collapipe
} // namespace ns3
