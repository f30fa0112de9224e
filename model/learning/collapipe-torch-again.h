/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_AGAIN_H
#define COLLAPIPE_TORCH_AGAIN_H

#include "collapipe-memory-account.h"

#include <functional>
#include <memory>
#include <torch/types.h>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Private: computes without recording, and once more, recorded, when the backward pass gets there
 * (Chen et al. 2016): of what lies between input and output only the input is kept.
 * @param input of the computation
 * @param compute it, with results that depend on the input alone; called twice
 * @param account charged with what the second computation keeps until its backward pass is over
 * @return its output, through which gradients reach the input and what compute() uses
 */
at::Tensor ComputeAgain(const at::Tensor& input,
                        std::function<at::Tensor(const at::Tensor&)> compute,
                        std::shared_ptr<MemoryAccount> account);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_AGAIN_H */
