/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TORCH_FAMILY_H
#define COLLAPIPE_TORCH_FAMILY_H

/**
 * @file
 * @ingroup collapipe
 * What LibTorch computes for a family. Programs that add a family of their own include this file
 * and link LibTorch; the module's public headers do without.
 */

#include "collapipe-torch-heads.h"

#include <memory>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Makes the modules of a ModelFamily. Their constructors take the parameters from the reader in the
 * order in which the family describes them.
 */
class TorchFamily
{
  public:
    virtual ~TorchFamily() = default;

    /// @return the ModelFamily's name
    virtual std::string GetName() const = 0;

    /**
     * @param config the model
     * @param reader gives the parameters
     * @return what the control unit computes
     */
    virtual std::unique_ptr<TorchInput> MakeInput(const ModelConfig& config,
                                                  TorchParameterReader& reader) const = 0;

    /**
     * @param config the model
     * @param reader gives the parameters
     * @return a block
     */
    virtual std::unique_ptr<TorchBlock> MakeBlock(const ModelConfig& config,
                                                  TorchParameterReader& reader) const = 0;

    /**
     * @param config the model
     * @param reader gives the parameters
     * @return what the edge server computes
     */
    virtual std::unique_ptr<TorchHead> MakeHead(const ModelConfig& config,
                                                TorchParameterReader& reader) const = 0;

    /**
     * @param config the model
     * @param padding of the source, as long as the rows' grid [b,L] uint8 (1 = padding)
     * @return what blocks are to know of it: which keys they may attend to, to begin with
     */
    virtual TorchSequence MakeSequence(const ModelConfig& config, const at::Tensor& padding) const;
};

/**
 * @param config a model
 * @return its family; aborts where LibTorch computes nothing for it
 */
const TorchFamily& GetTorchFamily(const ModelConfig& config);

/**
 * Adds what is computed for a family of one's own. Before any model of it is made, from one thread.
 * @param family lives as long as the program
 */
void RegisterTorchFamily(std::unique_ptr<TorchFamily> family);

/// @return what is computed for a Transformer
std::unique_ptr<TorchFamily> MakeTorchTransformer();

/// @return what is computed for a BERT
std::unique_ptr<TorchFamily> MakeTorchBert();

/// @return what is computed for a GPT-2
std::unique_ptr<TorchFamily> MakeTorchGpt2();

/// @return what is computed for an OPT
std::unique_ptr<TorchFamily> MakeTorchOpt();

/// @return what is computed for a DistilBERT
std::unique_ptr<TorchFamily> MakeTorchDistilBert();

/// @return what is computed for a Llama
std::unique_ptr<TorchFamily> MakeTorchLlama();

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TORCH_FAMILY_H */
