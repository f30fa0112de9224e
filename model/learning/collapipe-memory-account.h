/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MEMORY_ACCOUNT_H
#define COLLAPIPE_MEMORY_ACCOUNT_H

#include <array>
#include <cstdint>
#include <mutex>

namespace ns3
{
namespace collapipe
{

/// What memory is held for
enum class MemoryKind : uint8_t
{
    PARAMETERS = 0,  //!< weights
    GRADIENTS = 1,   //!< accumulated gradients
    OPTIMIZER = 2,   //!< the optimizer's state
    ACTIVATIONS = 3, //!< what automatic differentiation keeps for backward passes
};

constexpr std::size_t MEMORY_KINDS = 4; //!< number of MemoryKind

/// Bytes held, by kind
struct MemoryUse
{
    std::array<uint64_t, MEMORY_KINDS> bytes{}; //!< by MemoryKind

    /// @return bytes of one kind
    uint64_t Get(MemoryKind kind) const
    {
        return bytes[static_cast<std::size_t>(kind)];
    }

    /// @return bytes of all kinds
    uint64_t GetTotal() const;
};

/**
 * @ingroup collapipe
 * What a ModelPart's memory came to.
 */
struct MemoryReport
{
    /// What was held between two passes or steps, at the moment when that was most: formula (8)
    MemoryUse kept;
    /// The most that was ever held, intermediate results of a pass or step included, bytes
    uint64_t peakBytes{0};
};

/**
 * @ingroup collapipe
 * Bytes that are allocated on behalf of one simulated device. Whoever allocates says so here; what
 * is freed is credited to the account it was charged to. Safe to use from several threads; the
 * report depends on the order of calls alone, so it is deterministic where a part's work is one
 * sequence.
 */
class MemoryAccount
{
  public:
    /**
     * @param kind what for
     * @param bytes how many were allocated
     */
    void Charge(MemoryKind kind, uint64_t bytes);

    /**
     * @param kind what for; as charged
     * @param bytes how many were freed
     */
    void Credit(MemoryKind kind, uint64_t bytes);

    /// A pass or step has ended: what is still held is kept, the rest was intermediate.
    void Settle();

    /// @return what is held now
    MemoryUse GetUse() const;

    /// @return the account since it was opened
    MemoryReport GetReport() const;

  private:
    mutable std::mutex m_mutex; //!< guards all below
    MemoryUse m_use;            //!< held now
    uint64_t m_total{0};        //!< sum of the kinds held now
    MemoryReport m_report;      //!< so far
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MEMORY_ACCOUNT_H */
