/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_FUNCTIONS_H
#define COLLAPIPE_TORCH_FUNCTIONS_H

/**
 * @file
 * @ingroup collapipe
 * Private: functions whose backward pass keeps less of the forward pass than LibTorch's operations
 * put together would.
 */

#include <ATen/ATen.h>

namespace ns3
{
namespace collapipe
{

/**
 * Root mean square normalisation (Zhang and Sennrich 2019): x / sqrt(mean(x^2) + epsilon) * w.
 * @param rows x [n,D]
 * @param weight w [D]
 * @param epsilon added to the mean square
 * @return [n,D]
 */
at::Tensor NormaliseRootMeanSquare(const at::Tensor& rows,
                                   const at::Tensor& weight,
                                   double epsilon);

/**
 * SwiGLU (Shazeer 2020): silu(g) * u.
 * @param rows g and u side by side [n,2F]
 * @return [n,F]
 */
at::Tensor GateBySilu(const at::Tensor& rows);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_FUNCTIONS_H */
