/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_COMPAT_H
#define COLLAPIPE_TORCH_COMPAT_H

/**
 * @file
 * @ingroup collapipe
 * Private: the one place that knows where releases of LibTorch (1.13 to 2.x) differ. What differs
 * is asked of the declarations themselves, not of a version number: distributions carry patches.
 *
 * Beside that it brings torch::NoGradGuard, torch::AutoGradMode and c10::GradMode, which are found
 * under these names in every release; they have gone from namespace at.
 */

#include <c10/core/Allocator.h>
#include <c10/core/GradMode.h>
#include <cstddef>
#include <cstring>
#include <torch/types.h>
#include <torch/utils.h>

namespace ns3
{
namespace collapipe
{

/// @return that LibTorch's function that allocates is const, as it was up to 2.2
constexpr bool
IsAllocateConst(c10::DataPtr (c10::Allocator::* /* allocate */)(std::size_t) const)
{
    return true;
}

/// @return that it is not
constexpr bool
IsAllocateConst(c10::DataPtr (c10::Allocator::* /* allocate */)(std::size_t))
{
    return false;
}

/// What an allocator has to provide beside allocate(): newer releases ask for copy_data().
class TorchAllocatorParts : public c10::Allocator
{
  public:
    // Overrides where there is something to override.
    virtual void copy_data(void* target, const void* source, std::size_t bytes) const
    {
        std::memcpy(target, source, bytes);
    }

  protected:
    /**
     * @param bytes how many, at least 0
     * @return memory of that size, on the CPU
     */
    virtual c10::DataPtr Allocate(std::size_t bytes) const = 0;
};

/**
 * Provides allocate(), which is const in some releases of LibTorch and not in others.
 * @tparam Parts TorchAllocatorParts
 * @tparam isConst whether it is const here
 */
template <typename Parts, bool isConst>
class TorchAllocatorBase : public Parts
{
  public:
    c10::DataPtr allocate(std::size_t bytes) const override
    {
        return this->Allocate(bytes);
    }
};

/**
 * The same where it is not const.
 * @tparam Parts TorchAllocatorParts
 */
template <typename Parts>
class TorchAllocatorBase<Parts, false> : public Parts
{
  public:
    c10::DataPtr allocate(std::size_t bytes) override
    {
        return this->Allocate(bytes);
    }
};

/**
 * An allocator on the CPU for every release: derive from it, override Allocate() and, where the
 * memory's address is all that its deleter needs, raw_deleter().
 */
using TorchAllocator =
    TorchAllocatorBase<TorchAllocatorParts, IsAllocateConst(&c10::Allocator::allocate)>;

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_COMPAT_H */
