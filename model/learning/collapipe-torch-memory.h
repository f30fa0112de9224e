/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_MEMORY_H
#define COLLAPIPE_TORCH_MEMORY_H

/**
 * @file
 * @ingroup collapipe
 * Private: LibTorch's allocations, charged to accounts.
 */

#include "collapipe-memory-account.h"
#include "collapipe-tensor-data.h"

#include <ATen/ATen.h>
#include <memory>

namespace ns3
{
namespace collapipe
{

/// Once per process, before the first charge: puts the accounting in front of LibTorch's allocator.
void InstallMemoryAccounting();

/**
 * While it lives, what LibTorch allocates on this thread is charged to an account. Scopes nest; the
 * innermost counts. Backward passes on the CPU run on the thread that starts them, so they are
 * covered too.
 */
class MemoryScope
{
  public:
    /**
     * @param account to charge; null: nobody
     * @param kind what for
     */
    MemoryScope(std::shared_ptr<MemoryAccount> account, MemoryKind kind);
    ~MemoryScope();

    MemoryScope(const MemoryScope&) = delete;
    MemoryScope& operator=(const MemoryScope&) = delete;

  private:
    std::shared_ptr<MemoryAccount> m_account; //!< to charge
    MemoryKind m_kind;                        //!< what for
    const MemoryScope* m_outer;               //!< the scope around this one

    friend class AccountingAllocator;
};

/**
 * Hands a result over to the network: from now on its memory is a message's and no longer the
 * device's. Where something else still uses the same memory, the result is a copy of its own, which
 * nobody is charged for.
 * @param tensor the result; the caller's last reference where it is not kept for a backward pass
 * @return the same values
 */
TensorData ReleaseToNetwork(at::Tensor tensor);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_MEMORY_H */
