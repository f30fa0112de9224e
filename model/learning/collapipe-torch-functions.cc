/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-functions.h"

#include "collapipe-torch-compat.h"

#include <torch/csrc/autograd/custom_function.h>

namespace ns3
{
namespace collapipe
{

namespace
{

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// See NormaliseRootMeanSquare()
class RootMeanSquareNorm : public torch::autograd::Function<RootMeanSquareNorm>
{
  public:
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& rows,
                              const at::Tensor& weight,
                              double epsilon)
    {
        const auto inverse = rows.square().mean(-1, true).add_(epsilon).rsqrt_();
        context->save_for_backward({rows, weight});
        context->saved_data["inverse"] = inverse;
        context->saved_data["learns"] = weight.requires_grad();
        return (rows * inverse).mul_(weight);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients)
    {
        const auto saved = context->get_saved_variables();
        const auto inverse = context->saved_data["inverse"].toTensor();
        const auto& gradient = gradients.front();
        const auto unit = saved[0] * inverse;
        const auto scaled = gradient * saved[1];
        const auto share = (scaled * unit).mean(-1, true);
        at::Tensor ofWeight;
        if (context->saved_data["learns"].toBool())
        {
            ofWeight = (gradient * unit).sum(0);
        }
        return {(scaled - unit * share) * inverse, ofWeight, at::Tensor()};
    }
};

/// See GateBySilu()
class SiluGate : public torch::autograd::Function<SiluGate>
{
  public:
    static at::Tensor forward(AutogradContext* context, const at::Tensor& rows)
    {
        context->save_for_backward({rows});
        const auto halves = rows.chunk(2, -1);
        return at::silu(halves[0]).mul_(halves[1]);
    }

    static variable_list backward(AutogradContext* context, variable_list gradients)
    {
        const auto halves = context->get_saved_variables().front().chunk(2, -1);
        const auto& gradient = gradients.front();
        const auto sigmoid = halves[0].sigmoid();
        const auto silu = halves[0] * sigmoid;
        // silu' = sigmoid + silu (1 - sigmoid)
        const auto slope = sigmoid + silu * (1 - sigmoid);
        return {at::cat({gradient * halves[1] * slope, gradient * silu}, -1)};
    }
};

} // namespace

at::Tensor
NormaliseRootMeanSquare(const at::Tensor& rows, const at::Tensor& weight, double epsilon)
{
    return RootMeanSquareNorm::apply(rows, weight, epsilon);
}

at::Tensor
GateBySilu(const at::Tensor& rows)
{
    return SiluGate::apply(rows);
}

} // namespace collapipe
} // namespace ns3
