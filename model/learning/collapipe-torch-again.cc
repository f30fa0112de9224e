/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-again.h"

#include "collapipe-torch-compat.h"
#include "collapipe-torch-memory.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// What the backward pass needs beside tensors, in a form that LibTorch carries
struct Computation : torch::CustomClassHolder
{
    std::function<at::Tensor(const at::Tensor&)> compute; //!< the computation
    std::shared_ptr<MemoryAccount> account;               //!< charged with what it keeps
};

/// Where LibTorch's automatic differentiation finds forward() and backward() by name
struct Again : torch::autograd::Function<Again>
{
    static constexpr const char* COMPUTATION = "computation";

    /// @param trigger has a gradient wanted, so that there is a backward pass in any case
    static at::Tensor forward(torch::autograd::AutogradContext* context,
                              const at::Tensor& input,
                              const at::Tensor& /* trigger */,
                              c10::intrusive_ptr<Computation> computation)
    {
        context->save_for_backward({input});
        auto output = computation->compute(input);
        context->saved_data[COMPUTATION] = c10::IValue::make_capsule(std::move(computation));
        return output;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                   torch::autograd::variable_list gradients)
    {
        const auto computation = c10::static_intrusive_pointer_cast<Computation>(
            context->saved_data[COMPUTATION].toCapsule());
        const auto input =
            context->get_saved_variables()[0].detach().requires_grad_(context->needs_input_grad(0));
        at::Tensor output;
        {
            const torch::AutoGradMode recording(true);
            const MemoryScope scope(computation->account, MemoryKind::ACTIVATIONS);
            output = computation->compute(input);
            computation->account->Settle();
        }
        if (output.requires_grad()) // else nothing in between is trained
        {
            torch::autograd::backward({output}, {gradients[0]});
        }
        return {input.grad(), at::Tensor(), at::Tensor()};
    }
};

} // namespace

at::Tensor
ComputeAgain(const at::Tensor& input,
             std::function<at::Tensor(const at::Tensor&)> compute,
             std::shared_ptr<MemoryAccount> account)
{
    if (!c10::GradMode::is_enabled())
    {
        return compute(input);
    }
    auto computation = c10::make_intrusive<Computation>();
    computation->compute = std::move(compute);
    computation->account = std::move(account);
    const auto trigger = at::empty({0}, at::kFloat).requires_grad_(true);
    return Again::apply(input, trigger, std::move(computation));
}

} // namespace collapipe
} // namespace ns3
