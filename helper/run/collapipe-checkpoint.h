/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CHECKPOINT_H
#define COLLAPIPE_CHECKPOINT_H

#include "collapipe-run-config.h"

#include "ns3/collapipe-dataset.h"
#include "ns3/collapipe-tokenizer.h"
#include "ns3/collapipe-training-history.h"

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
 * A training run as it stands after a round: what was learnt, and what it was learnt from and with.
 *
 * On disk it is one file, `collapipe.safetensors`, in a folder of its own; see TensorFile. Its
 * tensors are
 *
 * | name                                       | holds                                           |
 * |--------------------------------------------|-------------------------------------------------|
 * | embedding.I, block.B.I, decoder.I          | parameters in the order of GetParameterShapes() |
 * | optimizer.K.embedding.I ...                | optimizer state, where it is kept over rounds   |
 * | counter.I                                  | what an optimizer has once, likewise            |
 * | monitor.I                                  | estimates of the bound's constants              |
 * | text.tokenizer                             | SentencePiece's model, as bytes                 |
 * | text.rounds, text.devices                  | rounds.csv and devices.csv so far               |
 *
 * and its texts `format` (collapipe-checkpoint), `version` (1), `options` (the run's options, a
 * JSON object of texts), `model` (dimensions, a JSON object), `history` (losses by round, JSON),
 * `vocabulary` (pieces of the tokenizer) and `data` (CRC-32 of the training and validation data).
 */
struct Checkpoint
{
    std::vector<std::pair<std::string, std::string>> options; //!< as RunConfig::List()
    ModelConfig model;                                        //!< the model's dimensions
    TrainingHistory history;                                  //!< what was learnt
    std::string tokenizer;                                    //!< SentencePiece's model
    uint32_t vocabulary{0};                                   //!< its pieces
    std::string rounds;                                       //!< rounds.csv
    std::string devices;                                      //!< devices.csv
    uint32_t dataCrc{0};                                      //!< of GetDataCrc()

    /**
     * Writes the checkpoint whole or not at all; an earlier one is replaced.
     * @param folder made where it is not there
     * @throws UserError where it cannot be written
     */
    void Write(const std::string& folder) const;

    /**
     * @param folder as given to Write()
     * @return the checkpoint
     * @throws UserError, one sentence, where there is none, or it is damaged, foreign or of another
     *         version
     */
    static std::shared_ptr<const Checkpoint> Read(const std::string& folder);

    /**
     * @param folder where a checkpoint is to be written
     * @throws UserError where that would overwrite something which is no checkpoint
     */
    static void CheckTarget(const std::string& folder);

    /**
     * @param config options of a run that was given this checkpoint
     * @return names of the options that make it another run than the one that was interrupted; none
     *         where it can go on as if it had never been
     */
    std::vector<std::string> FindChanges(const RunConfig& config) const;

    /**
     * @param dataset a data set
     * @return CRC-32 of its training and validation samples
     */
    static uint32_t GetDataCrc(const Dataset& dataset);
};

/**
 * Puts the rows of earlier rounds back into a file of results whose rows were written again by a
 * replay, which knows everything but what was computed.
 * @param path of the file
 * @param earlier the file as it was: a head line and the rows
 * @throws UserError where it cannot be written
 */
void RestoreRows(const std::string& path, const std::string& earlier);

/**
 * @param path of a file
 * @return its bytes
 * @throws UserError where it cannot be read
 */
std::string ReadWholeFile(const std::string& path);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CHECKPOINT_H */
