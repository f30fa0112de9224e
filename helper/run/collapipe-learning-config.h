/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LEARNING_CONFIG_H
#define COLLAPIPE_LEARNING_CONFIG_H

#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-pretrained-model.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What a run learns and how well that is measured: the part of a RunConfig that tasks and models
 * are about.
 */
struct LearningConfig
{
    // Data
    std::string train;        //!< classification: TSV; mlm: text; empty: gettext catalogs
    std::string validation;   //!< likewise; empty: a share of the training data
    std::string glue{"none"}; //!< the task of GLUE whose files these are, or none
    std::string columns;      //!< of these files, where texts and labels stand; empty: not said
    std::string languages{"da,de,en,es,fi,fr,hr,id,nl,pt_BR,sv,tr,vi"}; //!< to tell apart
    std::string documents{"auto"}; //!< how plain text is cut: auto, lines or paragraphs
    bool pack{true};               //!< documents follow each other in samples

    // Model
    bool preNorm{false};        //!< norms before the layers of a block
    bool tieEmbedding{false};   //!< embedding and projection share their table
    double dropout{0};          //!< share of elements
    double labelSmoothing{0};   //!< share of a label's weight
    bool skipPadding{false};    //!< compute on words only
    std::string family{"auto"}; //!< of the model; auto: the usual one of the task
    uint32_t edgeBlocks{0};     //!< last blocks that the edge server holds

    // Models in other people's form
    std::string pretrained; //!< folder of a model or of adapters to begin with; empty: none
    std::string config;     //!< a config.json, or the name of a model; empty: none
    std::string exportDir;  //!< where the model is written to at the end; empty: nowhere
    bool merge{false};      //!< adapters are folded in before

    // What learns
    std::string trained{"auto"};       //!< auto, all, adapters, head or last:K
    uint32_t lora{0};                  //!< rank of adapters; 0: there are none
    double loraAlpha{16};              //!< their scale
    std::string loraTargets;           //!< linear maps, separated by commas; empty: the family's
    double loraDropout{0};             //!< share of elements of their input
    bool loraFreezeA{false};           //!< A stays as it was
    std::string basePrecision{"fp32"}; //!< in which frozen weights are held
    std::string base{"installed"};     //!< how nodes get them: installed or distributed

    // Learning rate
    uint32_t warmup{0};        //!< optimizer steps
    std::string decay{"none"}; //!< none, inverse-sqrt or linear
    uint32_t decayRounds{0};   //!< over which a linear decay goes; 0: all of the run

    // Quality
    std::string score{"end"};  //!< none, end or rounds: when BLEU, accuracy, F1 are computed
    uint32_t beam{1};          //!< of translations
    double lengthPenalty{0.6}; //!< of translations

    /**
     * Checks what can be checked without data.
     * @param task of the run
     * @throws UserError where something is impossible
     */
    void Validate(const std::string& task) const;

    /// @return the languages to tell apart
    std::vector<std::string> GetLanguages() const;

    /// @return the family as ModelConfig has it
    std::string GetFamily() const;

    /**
     * @return the model to begin with, opened once; null where there is none
     * @throws UserError where it cannot be used
     */
    std::shared_ptr<const PretrainedModel> GetPretrained() const;

    /// @return whether the dimensions come from --pretrained or --config
    bool IsForeign() const;

    /**
     * @return whether adapters are trained: new ones, or those that --pretrained brings
     * @throws UserError where it cannot be used
     */
    bool HasAdapters() const;

    /**
     * @return the dimensions that --pretrained or --config give; only where IsForeign()
     * @throws UserError where they cannot be used
     */
    PretrainedConfig GetForeignConfig() const;

    /**
     * @param task of the run
     * @return the model that --pretrained or --config describe; only where IsForeign()
     * @throws UserError where it cannot be used, or not for the task
     */
    ModelConfig MakeForeignModel(const std::string& task) const;

    /// @return how translations are searched for
    DecodingOptions GetDecodingOptions() const;

    /**
     * @param task of the run
     * @param config the model, to which the choices made here are written
     */
    void Complete(const std::string& task, ModelConfig& config) const;

  private:
    /// Complete(), of what learns and how.
    void CompleteTraining(ModelConfig& config) const;

    mutable std::string m_openedFolder;                      //!< of the next one
    mutable std::shared_ptr<const PretrainedModel> m_opened; //!< once it has been asked for
};

/**
 * @param text what --trained says
 * @return whether it may say so
 */
bool IsTrainedPart(const std::string& text);

/// @return the tasks there are
std::vector<std::string> GetTaskNames();

/**
 * Sizes by name: of a BERT, Turc et al. 2019, "Well-Read Students Learn Better" (tiny, mini, small,
 * medium, base); of a Transformer, Vaswani et al. 2017, table 3 (base, big), the widths of BERT's
 * table, and nano, which is the module's own.
 * @param text a name, or WIDTHxHEADSxFEEDFORWARD
 * @param task what the model is for
 * @param config dimensions filled in, encoder blocks included where a name says how many
 * @return whether text is a known name or three numbers
 */
bool ParseModelSize(const std::string& text, const std::string& task, ModelConfig& config);

/**
 * @param task what a model is for
 * @return names of the sizes that there are
 */
std::vector<std::string> GetModelNames(const std::string& task, const std::string& family);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LEARNING_CONFIG_H */
