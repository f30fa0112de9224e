/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FUZZ_TARGET_H
#define COLLAPIPE_FUZZ_TARGET_H

#include <cstdint>
#include <string>
#include <vector>

/// What a reader is given
using Bytes = std::vector<uint8_t>;

/// What loading LibTorch and computing with it takes of the address space
constexpr uint64_t COMPUTING_BYTES = 1ULL << 33;

/// Something that reads what others have written
struct Target
{
    const char* name;                   //!< on the command line
    std::vector<Bytes> (*makeCorpus)(); //!< correct inputs
    void (*mend)(Bytes& input);         //!< makes checksums right again; null: there are none
    void (*read)(const Bytes& input);   //!< reads one; throws UserError or DataError, or returns
    void (*finish)() = nullptr;         //!< after the last one; null: nothing is left to do
    uint64_t memoryBytes{1ULL << 31};   //!< that it may take, of the address space
};

/// @return the text's bytes
inline Bytes
ToBytes(const std::string& text)
{
    return {text.begin(), text.end()};
}

/// @return the bytes as text
inline std::string
ToText(const Bytes& bytes)
{
    return {bytes.begin(), bytes.end()};
}

/// Makes the checksum of a message's head right again.
void MendMessage(Bytes& input);

/// @return readers of messages
std::vector<Target> GetMessageTargets();

/// @return applications in the middle of a run, whom strangers call
std::vector<Target> GetPeerTargets();

/// @return readers of a run's own files: options, faults, positions, tensors, solver's instances
std::vector<Target> GetFileTargets();

/// @return readers of models, tokenizers and data
std::vector<Target> GetModelTargets();

#endif /* COLLAPIPE_FUZZ_TARGET_H */
