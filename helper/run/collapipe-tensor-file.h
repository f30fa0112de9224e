/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TENSOR_FILE_H
#define COLLAPIPE_TENSOR_FILE_H

#include "ns3/collapipe-tensor-data.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Named tensors and texts in one file, in the safetensors format
 * (https://github.com/huggingface/safetensors): the length of a JSON head (8 bytes, little-endian),
 * the head with each tensor's type, shape and place, then the tensors' bytes. Other programs read
 * it without knowing this one. Every tensor has a CRC-32, and so has the head; both are among the
 * head's texts, as `crc32`, a JSON object.
 */
struct TensorFile
{
    std::map<std::string, std::string> metadata;             //!< texts by name
    std::vector<std::pair<std::string, TensorData>> tensors; //!< in order; none virtual

    /**
     * @param name of a tensor
     * @return the tensor, or null where there is none of that name
     */
    const TensorData* Find(const std::string& name) const;
};

/**
 * Writes a file as a whole or not at all: under another name first, then renamed.
 * @param path of the file; its folder must be there
 * @param file what to write
 * @throws UserError where it cannot be written
 */
void WriteTensorFile(const std::string& path, const TensorFile& file);

/**
 * @param path of a file
 * @return what it holds, every CRC checked
 * @throws UserError, one sentence, where it cannot be read, is no such file or is damaged
 */
TensorFile ReadTensorFile(const std::string& path);

/**
 * @param text any bytes
 * @return them as an uint8 tensor
 */
TensorData MakeTextTensor(const std::string& text);

/**
 * @param tensor of uint8
 * @return its bytes
 */
std::string GetText(const TensorData& tensor);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TENSOR_FILE_H */
