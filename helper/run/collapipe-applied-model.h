/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_APPLIED_MODEL_H
#define COLLAPIPE_APPLIED_MODEL_H

#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-tokenizer.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A model with all that it takes to apply it to texts.
 */
struct AppliedModel
{
    ModelConfig config;               //!< its dimensions, with what is frozen
    ModelParameters parameters;       //!< what was trained
    Tokenizer tokenizer;              //!< of texts
    std::vector<std::string> classes; //!< names of a classification's; none where nobody knows

    /**
     * @param folder of a checkpoint (`--save`), of a model in Hugging Face's form, or of adapters
     * @param backend makes what the folder does not have
     * @return the model, which does what it was saved for
     * @throws UserError or DataError, one sentence, where it is damaged, or lacks weights of what
     * it is to do
     */
    static AppliedModel Open(const std::string& folder, const ComputeBackend& backend);

    /**
     * @param folder any
     * @return whether it holds a model in Hugging Face's form, or adapters
     */
    static bool IsForeign(const std::string& folder);

    /**
     * @param text any
     * @return its tokens as a Sample's source has them: framed as the model's tokenizer frames
     *         texts, without an end where it is to go on, masked where GetMask() stands
     */
    std::vector<int32_t> Encode(const std::string& text) const;

    /// @return what stands for a masked token in a text
    std::string GetMask() const;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_APPLIED_MODEL_H */
