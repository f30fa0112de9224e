/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_SUPPORT_H
#define COLLAPIPE_TORCH_SUPPORT_H

/**
 * @file
 * @ingroup collapipe
 * Private: what the users of LibTorch share.
 */

#include "collapipe-tensor-data.h"

#include <ATen/ATen.h>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * Once per process, before LibTorch is used: one thread per operation, in LibTorch and in the BLAS.
 * Operations are run in parallel, not split: a BLAS with threads of its own spins against them.
 */
void SetUpTorch();

/// @return whether the BLAS that LibTorch calls is a fast one (OpenBLAS or MKL)
bool IsTorchBlasFast();

/**
 * OpenBLAS built without threads shares buffers between callers without a lock: two threads that
 * multiply matrices at once get wrong results (seen with 0.3.21, Debian's libopenblas0-serial).
 * @return whether matrix products may be computed on several threads at once
 */
bool IsTorchBlasThreadSafe();

/**
 * @param data a tensor; a virtual one gives zeros
 * @return the same memory, which it keeps alive and which must not be written to; a copy where the
 *         bytes are not aligned for their type
 */
at::Tensor ToTorch(const TensorData& data);

/**
 * @param tensor a tensor of a type that DType has; nothing may write to it any more
 * @return the same memory, which it keeps alive; a copy where it is not contiguous
 */
TensorData FromTorch(const at::Tensor& tensor);

/**
 * @param list tensors
 * @return their values as parameters of their own that gradients are kept for
 */
std::vector<at::Tensor> ToParameters(const TensorList& list);

/**
 * @param parameters leaves of automatic differentiation
 * @return copies of their values
 */
TensorList CopyValues(const std::vector<at::Tensor>& parameters);

/**
 * @param parameters leaves of automatic differentiation
 * @return copies of their gradients; zeros where there is none
 */
TensorList CopyGradients(const std::vector<at::Tensor>& parameters);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_SUPPORT_H */
