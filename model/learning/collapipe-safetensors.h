/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SAFETENSORS_H
#define COLLAPIPE_SAFETENSORS_H

#include "collapipe-tensor-data.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A tensor in a safetensors file, as the file's head describes it.
 */
struct SafetensorsEntry
{
    std::string name;            //!< unique in the file
    std::string type;            //!< the format's name of the element type, such as "BF16"
    std::vector<uint64_t> shape; //!< extents; empty for a scalar
    uint64_t begin{0};           //!< offset of its first byte behind the head
    uint64_t end{0};             //!< offset behind its last byte
};

/**
 * @ingroup collapipe
 * What stands before the tensors in a safetensors file.
 */
struct SafetensorsHead
{
    std::map<std::string, std::string> metadata; //!< texts by name
    std::vector<SafetensorsEntry> entries;       //!< in the order of their bytes
    uint64_t size{0};                            //!< offset of the tensors in the file, bytes
};

/**
 * Reads and checks the head of a safetensors file
 * (https://github.com/huggingface/safetensors, "Format"): 8 bytes with the length of a JSON object
 * (little-endian, at most 100 MB), the object (which begins with a brace and may be padded with
 * spaces), then the bytes of the tensors without gaps.
 * @param bytes of the file
 * @param size how many there are
 * @param name of the file, for messages
 * @return the head
 * @throws DataError where it breaks the format: truncated, names that come twice, offsets that
 *         overlap, leave a gap, do not match the shape or pass the end of the file
 */
SafetensorsHead ParseSafetensorsHead(const uint8_t* bytes, uint64_t size, const std::string& name);

/**
 * @ingroup collapipe
 * A safetensors file that is open for reading. It is mapped into memory: opening costs the head
 * only, and tensors are views of the mapping, which lives as long as the last of them.
 */
class SafetensorsFile
{
  public:
    /**
     * @param path of the file
     * @throws DataError where it cannot be read or is no such file, see ParseSafetensorsHead()
     */
    explicit SafetensorsFile(const std::string& path);

    /**
     * @param bytes of a file; shared, not copied
     * @param size how many there are
     * @param name of the file, for messages
     * @throws DataError as above
     */
    SafetensorsFile(std::shared_ptr<const uint8_t> bytes, uint64_t size, const std::string& name);

    /// @return the file's path
    const std::string& GetName() const;

    /// @return its head
    const SafetensorsHead& GetHead() const;

    /**
     * @param name of a tensor
     * @return its description, or null where there is none of that name
     */
    const SafetensorsEntry* Find(const std::string& name) const;

    /**
     * The bytes are copied only where they lie in the file at a place that is no multiple of the
     * element's size.
     * @param name of a tensor
     * @return the tensor
     * @throws DataError where there is none of that name, or its element type or extents are beyond
     *         what a TensorData can hold
     */
    TensorData Get(const std::string& name) const;

  private:
    /// Reads the head and indexes it.
    void Index();

    std::string m_name;                                 //!< the file's path
    std::shared_ptr<const uint8_t> m_bytes;             //!< the whole file
    uint64_t m_size{0};                                 //!< its bytes
    SafetensorsHead m_head;                             //!< its head
    std::map<std::string, std::size_t> m_indexByName{}; //!< into the head's entries
};

/**
 * @param tensor of a floating-point type
 * @return whether none of its elements is NaN or infinite; true for integers
 */
bool IsFinite(const TensorData& tensor);

/**
 * @param tensor of FLOAT32, FLOAT64, FLOAT16 or BFLOAT16
 * @return its values as FLOAT32; the same tensor, not copied, where it is that already
 * @throws DataError for other element types
 */
TensorData ToFloat32(const TensorData& tensor);

/// Tensors with their names
using NamedTensors = std::vector<std::pair<std::string, TensorData>>;

/**
 * Writes a file as a whole or not at all. As the format's own writer does, tensors stand in the
 * order of falling element size, then of names, and the first byte of each at a multiple of its
 * element's size.
 * @param path of the file; its folder must be there
 * @param tensors with bytes, of distinct names
 * @param metadata texts by name; transformers wants {"format": "pt"}
 * @throws DataError where it cannot be written, a name comes twice, or a tensor has no bytes
 */
void WriteSafetensors(const std::string& path,
                      const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SAFETENSORS_H */
