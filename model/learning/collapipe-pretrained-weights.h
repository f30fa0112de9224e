/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PRETRAINED_WEIGHTS_H
#define COLLAPIPE_PRETRAINED_WEIGHTS_H

#include "collapipe-pretrained-config.h"
#include "collapipe-safetensors.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Where in the chain a pretrained tensor belongs
enum class PretrainedPlace : uint8_t
{
    EMBEDDING, //!< before the first block
    BLOCK,     //!< in one of the blocks
    HEAD,      //!< behind the last block: final norm, pooler, projection
};

/**
 * @ingroup collapipe
 * A tensor of a pretrained model as transformers saves it.
 */
struct PretrainedTensor
{
    std::string name;            //!< as transformers writes it, such as "model.norm.weight"
    std::vector<uint32_t> shape; //!< extents
    PretrainedPlace place{PretrainedPlace::EMBEDDING}; //!< where it belongs
    uint32_t block{0};                                 //!< index of its block
    bool optional{false}; //!< a new task begins without it, as with a classifier
};

/**
 * Names and shapes of everything that a model saves: the layout that transformers reads. Linear
 * layers are [out, in], but in GPT-2 [in, out] (its "Conv1D"). A head that shares the token
 * embedding's table is not saved a second time.
 * @param config the model
 * @param head what it ends in
 * @param classes of a classification
 * @return the tensors in the order of the chain
 */
std::vector<PretrainedTensor> ListPretrainedTensors(const PretrainedConfig& config,
                                                    PretrainedHead head,
                                                    uint32_t classes = 2);

/**
 * @ingroup collapipe
 * The weights in a folder: `model.safetensors`, or the shards that `model.safetensors.index.json`
 * names. Files are mapped, not read. Names may have the architecture's prefix ("transformer.",
 * "bert." ...) or not, and norms may be called gamma and beta, as in the oldest files.
 */
class PretrainedWeights
{
  public:
    /**
     * @param folder with the files
     * @param family whose names they have
     * @throws DataError where there are no weights, a shard is missing or none of the format, or a
     *         tensor comes twice
     */
    PretrainedWeights(const std::string& folder, PretrainedFamily family);

    /**
     * @param name as in PretrainedTensor
     * @return whether there is such a tensor
     */
    bool Contains(const std::string& name) const;

    /**
     * @param tensor wanted
     * @return whether there is such a tensor of that shape
     */
    bool Fits(const PretrainedTensor& tensor) const;

    /**
     * @param tensor wanted
     * @return it as it is stored, a view of the file
     * @throws DataError where it is missing, has another shape, is of no floating-point type or
     *         holds a value that is not finite
     */
    TensorData Get(const PretrainedTensor& tensor) const;

    /**
     * Looks at names, shapes and types of what a model needs, and at no values.
     * @param tensors what is needed
     * @throws DataError that names up to five tensors that are missing, or one that does not fit
     */
    void Check(const std::vector<PretrainedTensor>& tensors) const;

  private:
    /// Opens a file and adds its tensors.
    void Open(const std::string& path);

    /// Opens the shards that an index names.
    void OpenShards(const std::string& folder, const std::string& index);

    /// @return the name without prefix and old endings
    std::string Simplify(std::string name) const;

    /// @return the tensor's description; null where it is missing
    const SafetensorsEntry* Find(const PretrainedTensor& tensor) const;

    /// Throws where a tensor is not as it must be.
    void CheckEntry(const PretrainedTensor& tensor, const SafetensorsEntry& entry) const;

    std::string m_folder;                   //!< for messages
    PretrainedFamily m_family;              //!< decides the prefix
    std::vector<SafetensorsFile> m_files{}; //!< one or several
    /// By simplified name: index of the file and name in it
    std::map<std::string, std::pair<std::size_t, std::string>> m_places{};
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PRETRAINED_WEIGHTS_H */
