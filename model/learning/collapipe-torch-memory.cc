/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-memory.h"

#include "collapipe-torch-compat.h"
#include "collapipe-torch-support.h"

#include <c10/core/CPUAllocator.h>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// The innermost scope of this thread
thread_local const MemoryScope* g_scope = nullptr;

/**
 * What is known of an allocation; it stands in front of the memory. LibTorch also allocates without
 * keeping more than the address (oneDNN does so), which leaves no other place for it.
 */
struct alignas(64) Allocation
{
    std::shared_ptr<MemoryAccount> account; //!< charged; null: nobody, or handed over
    MemoryKind kind;                        //!< what for
    uint64_t bytes;                         //!< how many

    /// Ends the charge.
    void Credit()
    {
        if (account)
        {
            account->Credit(kind, bytes);
            account.reset();
        }
    }
};

/// The allocator that memory comes from
c10::Allocator* g_inner = nullptr;

/// @return what is known of memory that AccountingAllocator gave
Allocation*
GetAllocation(void* memory)
{
    return static_cast<Allocation*>(memory) - 1;
}

/// Frees memory that AccountingAllocator gave.
void
Free(void* memory)
{
    if (!memory)
    {
        return;
    }
    auto* allocation = GetAllocation(memory);
    allocation->Credit();
    allocation->~Allocation();
    g_inner->raw_deallocate(allocation);
}

} // namespace

/**
 * Charges allocations to the scope they are made in, if any.
 */
class AccountingAllocator : public TorchAllocator
{
  protected:
    c10::DataPtr Allocate(std::size_t bytes) const override
    {
        const auto account = g_scope ? g_scope->m_account : nullptr;
        const auto kind = g_scope ? g_scope->m_kind : MemoryKind::ACTIVATIONS;
        if (bytes == 0)
        {
            return {nullptr, nullptr, &Free, at::Device(at::kCPU)};
        }
        void* place = g_inner->raw_allocate(sizeof(Allocation) + bytes);
        auto* allocation = new (place) Allocation{account, kind, bytes};
        if (account)
        {
            account->Charge(kind, bytes);
        }
        void* memory = allocation + 1;
        return {memory, memory, &Free, at::Device(at::kCPU)};
    }

  public:
    c10::DeleterFnPtr raw_deleter() const override
    {
        return &Free;
    }
};

void
InstallMemoryAccounting()
{
    static std::once_flag done;
    std::call_once(done, [] {
        g_inner = c10::GetCPUAllocator();
        // Lives as long as the process: tensors may be freed after everything else has gone.
        c10::SetCPUAllocator(new AccountingAllocator, UINT8_MAX);
    });
}

MemoryScope::MemoryScope(std::shared_ptr<MemoryAccount> account, MemoryKind kind)
    : m_account(std::move(account)),
      m_kind(kind),
      m_outer(g_scope)
{
    g_scope = this;
}

MemoryScope::~MemoryScope()
{
    g_scope = m_outer;
}

TensorData
ReleaseToNetwork(at::Tensor tensor)
{
    const MemoryScope nobody(nullptr, MemoryKind::ACTIVATIONS);
    tensor = tensor.detach();
    auto& memory = tensor.storage().unsafeGetStorageImpl()->data_ptr();
    const bool isCharged = memory.get_deleter() == &Free && memory.get();
    if (isCharged && (tensor.storage().use_count() > 1 || !tensor.is_contiguous()))
    {
        return FromTorch(tensor.contiguous().clone());
    }
    if (isCharged)
    {
        GetAllocation(memory.get())->Credit();
    }
    return FromTorch(tensor);
}

} // namespace collapipe
} // namespace ns3
