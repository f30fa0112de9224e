/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_HELD_BASE_H
#define COLLAPIPE_HELD_BASE_H

#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Blocks [first, last) of a model
struct BlockRun
{
    uint32_t first{0}; //!< first block
    uint32_t last{0};  //!< one past the last

    /// @return whether both are the same
    bool operator==(const BlockRun& other) const
    {
        return first == other.first && last == other.last;
    }
};

/**
 * @ingroup collapipe
 * Of which parts of a model a node has the frozen weights; see ModelProfile::sendsBase.
 */
struct HeldBase
{
    bool embedding{false};        //!< of the embedding
    bool decoder{false};          //!< of decoder and head
    std::vector<BlockRun> blocks; //!< ascending, none empty, none that touch

    /**
     * @param first of a run of blocks
     * @param last one past its last
     * @return how many of them the node has
     */
    uint32_t Count(uint32_t first, uint32_t last) const;

    /**
     * The node gets a run of blocks.
     * @param first of the run
     * @param last one past its last
     */
    void Add(uint32_t first, uint32_t last);

    /// @return whether both are the same
    bool operator==(const HeldBase& other) const;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_HELD_BASE_H */
