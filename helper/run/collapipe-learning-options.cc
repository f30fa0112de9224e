/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The options about what is learnt, from what, and how well

#include "collapipe-learning-config.h"
#include "collapipe-run-options.h"

#include "ns3/collapipe-labelled-files.h"
#include "ns3/collapipe-model-family.h"

#include <algorithm>
#include <sstream>
#include <string>

namespace ns3
{
namespace collapipe
{

namespace
{

using Options = std::vector<RunOption>;
using Group = OptionGroup;

const std::vector<std::string> TRANSLATION{"translation"};
const std::vector<std::string> CLASSIFICATION{"classification"};
const std::vector<std::string> LANGUAGE{"lm"};
/// Backends that compute nothing, to which what is learnt and how well means nothing
const std::vector<std::string> NO_COMPUTATION{"analytic"};
constexpr const char* OWN_DATA = "this program brings data of its own, which take no such option";

void
AddModel(RunConfig& config, Options& options)
{
    auto& learning = config.learning;
    const Options own{
        RunOption(Group::MODEL,
                  "task",
                  &config.task,
                  "what is learnt: translation, classification (of languages, or as --train says), "
                  "mlm (masked tokens, as BERT) or lm (the next token, as GPT)")
            .OneOf(GetTaskNames())
            .Basic(),
        RunOption(
            Group::MODEL,
            "model",
            &config.model,
            "size: pico, nano, tiny, mini, small, base, big (translation), medium (others), or "
            "WIDTHxHEADSxFEEDFORWARD")
            .NotWith("pretrained")
            .NotWith("config")
            .Basic()
            .Usually(BERTS, "tiny")
            .Usually({"languages"}, "pico"),
        RunOption(Group::MODEL,
                  "blocks",
                  &config.blocks,
                  "encoder blocks of the model; if not given, as many as its name stands for")
            .From(1)
            .To(1000)
            .NotWith("pretrained")
            .NotWith("config")
            .Basic(),
        RunOption(Group::MODEL,
                  "decoderBlocks",
                  &config.decoderBlocks,
                  "decoder blocks on the edge server")
            .From(1)
            .To(1000)
            .With("task", TRANSLATION),
        RunOption(Group::MODEL,
                  "sequenceLength",
                  &config.sequenceLength,
                  "length to which sentences are padded or cut")
            .WithUnit("tokens")
            .From(3)
            .To(4096)
            .Usually(BERTS, "32")
            .Usually({"languages"}, "12")
            .Usually(FOREIGN,
                     [&learning] {
                         return std::to_string(
                             std::min(64U, learning.GetForeignConfig().positions));
                     }),
        RunOption(Group::MODEL, "vocabulary", &config.vocabulary, "pieces of the tokenizer")
            .From(8)
            .To(200000)
            .NotWith("pretrained")
            .Where(!config.ownCorpus, OWN_DATA)
            .Usually(BERTS, "4000")
            .Usually({"languages"}, "4000")
            .Usually(FOREIGN,
                     [&learning] {
                         return std::to_string(
                             std::min(4000U, learning.GetForeignConfig().vocabulary));
                     }),
        RunOption(Group::MODEL,
                  "preNorm",
                  &learning.preNorm,
                  "layer norms before the layers of a block, not after them")
            .NotWith("task", LANGUAGE)
            .NotWith("pretrained")
            .NotWith("config"),
        RunOption(Group::MODEL,
                  "tieEmbedding",
                  &learning.tieEmbedding,
                  "the embedding and the output projection share their weights (of a translation, "
                  "the decoder's)")
            .With("task", {"translation", "mlm", "lm"})
            .NotWith("pretrained")
            .NotWith("config"),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddTrained(RunConfig& config, Options& options)
{
    auto& learning = config.learning;
    auto families = GetModelFamilyNames();
    families.insert(families.begin(), "auto");
    const Options own{
        RunOption(Group::MODEL,
                  "family",
                  &learning.family,
                  "kind of model; auto: as is usual for the task")
            .OneOf(families)
            .NotWith("pretrained")
            .NotWith("config")
            .Off("auto"),
        RunOption(Group::MODEL,
                  "edgeBlocks",
                  &learning.edgeBlocks,
                  "how many of --blocks, the last ones, the edge server holds; of decoder-only "
                  "families")
            .To(999)
            .Off("0"),
        RunOption(
            Group::MODEL,
            "trained",
            &learning.trained,
            "what learns: all, adapters, head, or last:K, which is the head and K of the last "
            "blocks; auto: adapters where there are any, else all. --train with one of these "
            "words means the same")
            .Off("auto"),
        RunOption(Group::MODEL,
                  "lora",
                  &learning.lora,
                  "rank of low-rank adapters (LoRA), which learn while the model is frozen; 0: "
                  "there are none")
            .To(1024)
            .Off("0"),
        RunOption(Group::MODEL,
                  "loraAlpha",
                  &learning.loraAlpha,
                  "scale of the adapters: what they add is multiplied by this over their rank")
            .Above(0)
            .To(4096)
            .With("lora"),
        RunOption(Group::MODEL,
                  "loraTargets",
                  &learning.loraTargets,
                  "linear maps that get adapters, such as q_proj,v_proj, separated by commas; "
                  "empty: as is usual for the model's family")
            .With("lora"),
        RunOption(Group::MODEL,
                  "loraDropout",
                  &learning.loraDropout,
                  "share of elements dropped before adapters in training")
            .From(0)
            .Below(1)
            .With("lora")
            .NotWith("compute", NO_COMPUTATION),
        RunOption(Group::MODEL,
                  "loraFreezeA",
                  &learning.loraFreezeA,
                  "of the adapters' two matrices, the first stays as it was (FFA-LoRA): averages "
                  "are exact, and half the bytes travel")
            .With("lora"),
        RunOption(Group::MODEL,
                  "basePrecision",
                  &learning.basePrecision,
                  "in which devices hold frozen matrices, and compute with in fp32 (int8: a scale "
                  "per row)")
            .OneOf({"fp32", "fp16", "bf16", "int8"}),
        RunOption(Group::MODEL,
                  "base",
                  &learning.base,
                  "how nodes get frozen weights: installed, they are there before the run; "
                  "distributed, the edge server sends them to a node that is to hold blocks which "
                  "it has not had")
            .OneOf({"installed", "distributed"})
            .Off("installed"),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddOptimizer(RunConfig& config, Options& options)
{
    auto& learning = config.learning;
    const Options own{
        RunOption(Group::LEARNING, "optimizer", &config.optimizer, "how weights are updated")
            .OneOf({"adam", "sgd"}),
        RunOption(Group::LEARNING,
                  "learningRate",
                  &config.learningRate,
                  "the optimizer's step size")
            .Above(0)
            .To(1)
            .NotWith("compute", NO_COMPUTATION)
            .Basic()
            .Usually(BERTS, "0.002")
            .Usually({"languages"}, "0.005")
            .Usually(FOREIGN,
                     [&learning] {
                         // Adapters begin at nothing (Hu et al. 2021, appendix D)
                         return learning.HasAdapters()        ? "0.002"
                                : learning.pretrained.empty() ? "0.001"
                                                              : "0.0002";
                     }),
        RunOption(Group::LEARNING, "momentum", &config.momentum, "momentum of sgd")
            .From(0)
            .Below(1)
            .With("optimizer", {"sgd"})
            .NotWith("compute", NO_COMPUTATION),
        RunOption(Group::LEARNING,
                  "warmup",
                  &learning.warmup,
                  "optimizer steps over which the step size rises to --learningRate")
            .To(1000000000)
            .Off("0")
            .NotWith("compute", NO_COMPUTATION)
            .Usually(BERTS, "50")
            .Usually({"languages"}, "20")
            .Usually(FOREIGN, "10"),
        RunOption(Group::LEARNING,
                  "decay",
                  &learning.decay,
                  "how the step size falls after that: none, inverse-sqrt, or linear to 0 at the "
                  "end")
            .OneOf({"none", "inverse-sqrt", "linear"})
            .Off("none")
            .NotWith("compute", NO_COMPUTATION)
            .Usually(BERTS, "linear")
            .Usually({"languages"}, "linear"),
        RunOption(Group::LEARNING,
                  "decayRounds",
                  &learning.decayRounds,
                  "rounds after which a linear decay is at 0, for runs that are to go on from a "
                  "checkpoint later; 0: --rounds")
            .To(1000000)
            .Off("0")
            .With("decay", {"linear"})
            .NotWith("compute", NO_COMPUTATION),
        RunOption(Group::LEARNING,
                  "clipNorm",
                  &config.clipNorm,
                  "gradients are scaled down to this norm, taken over the whole model: every stage "
                  "tells the edge server its own part, at the price of a message each way per "
                  "iteration; 0: never")
            .From(0)
            .To(1e9),
        RunOption(Group::LEARNING,
                  "keepOptimizerState",
                  &config.keepOptimizerState,
                  "average optimizer state over rounds instead of starting afresh")
            .Usually(BERTS, "true")
            .Usually({"languages"}, "true"),
        RunOption(Group::LEARNING,
                  "dropout",
                  &learning.dropout,
                  "share of elements dropped in training")
            .From(0)
            .Below(1)
            .Off("0")
            .NotWith("compute", NO_COMPUTATION)
            .Usually(BERTS, "0.1")
            .Usually(FOREIGN,
                     [&learning] {
                         std::ostringstream text;
                         text.precision(17);
                         text << (learning.HasAdapters()
                                      ? 0
                                      : learning.GetForeignConfig().hiddenDropout);
                         return text.str();
                     }),
        RunOption(Group::LEARNING,
                  "labelSmoothing",
                  &learning.labelSmoothing,
                  "share of a label's weight that all labels get alike in training")
            .From(0)
            .Below(1)
            .Off("0")
            .NotWith("compute", NO_COMPUTATION),
        RunOption(Group::LEARNING,
                  "skipPadding",
                  &learning.skipPadding,
                  "compute on words only: quicker, and the same but for rounding; simulated "
                  "devices still spend the time and send the bytes of padded sentences")
            .NotWith("compute", NO_COMPUTATION)
            .Usually(BERTS, "true")
            .Usually({"languages"}, "true"),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddQuality(RunConfig& config, Options& options)
{
    auto& learning = config.learning;
    const Options own{
        RunOption(Group::LEARNING,
                  "score",
                  &learning.score,
                  "when BLEU or accuracy and F1 are computed on validation and test data: none, "
                  "end or rounds")
            .OneOf({"none", "end", "rounds"})
            .Off("none")
            .NotWith("task", {"mlm"})
            .NotWith("compute", NO_COMPUTATION)
            .Usually({"languages"}, "rounds"),
        RunOption(Group::LEARNING,
                  "beam",
                  &learning.beam,
                  "hypotheses that decoding keeps at every position; 1: greedy")
            .From(1)
            .To(64)
            .With("task", TRANSLATION)
            .NotWith("score", {"none"})
            .NotWith("compute", NO_COMPUTATION),
        RunOption(Group::LEARNING,
                  "lengthPenalty",
                  &learning.lengthPenalty,
                  "exponent of decoding's length penalty; 0: none")
            .From(0)
            .To(10)
            .With("task", TRANSLATION)
            .NotWith("score", {"none"})
            .NotWith("compute", NO_COMPUTATION),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddFiles(RunConfig& config, Options& options)
{
    auto& learning = config.learning;
    const bool isFree = !config.ownCorpus;
    auto glueTasks = GetGlueTasks();
    glueTasks.insert(glueTasks.begin(), "none");
    const Options own{
        RunOption(Group::DATA,
                  "train",
                  &learning.train,
                  "training data of classification (TSV as GLUE has it, with or without header), "
                  "mlm (text, one a line) or lm (text, or JSON Lines with text or prompt and "
                  "completion); empty: gettext catalogs")
            .With("task", {"classification", "mlm", "lm"})
            .Where(isFree, OWN_DATA)
            .Basic(),
        RunOption(Group::DATA,
                  "validation",
                  &learning.validation,
                  "validation data in the same form; empty: a share of the others")
            .With("task", {"classification", "mlm", "lm"})
            .With("train")
            .Basic(),
        RunOption(Group::DATA,
                  "glue",
                  &learning.glue,
                  "--train and --validation are this task's train.tsv and dev.tsv of GLUE; STS-B's "
                  "scores are rounded to whole ones")
            .OneOf(glueTasks)
            .Off("none")
            .With("task", CLASSIFICATION)
            .With("train"),
        RunOption(Group::DATA,
                  "columns",
                  &learning.columns,
                  "where texts and labels stand in --train and --validation: TEXT,LABEL or "
                  "TEXT,TEXT2,LABEL, by the names in the header, or by numbers from 1 in files "
                  "without one")
            .With("task", CLASSIFICATION)
            .With("train")
            .NotWith("glue"),
        RunOption(Group::DATA,
                  "languages",
                  &learning.languages,
                  "languages that classification tells apart where there is no --train, separated "
                  "by commas")
            .With("task", CLASSIFICATION)
            .NotWith("train")
            .Where(isFree, OWN_DATA)
            .Usually({"languages"}, "de,en,es,fr,nl,sv"),
        RunOption(Group::DATA,
                  "language",
                  &config.language,
                  "language of the gettext catalogs that are the default data (of lm, the English "
                  "messages of its catalogs)")
            .With("task", {"translation", "mlm", "lm"})
            .NotWith("train")
            .NotWith("trainSource")
            .Where(isFree, OWN_DATA),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddDocuments(RunConfig& config, Options& options)
{
    auto& learning = config.learning;
    const Options own{
        RunOption(Group::DATA,
                  "documents",
                  &learning.documents,
                  "where documents of plain text end: at the end of lines, at blank lines "
                  "(paragraphs), or auto: at blank lines where some stand between others")
            .OneOf({"auto", "lines", "paragraphs"})
            .Off("auto")
            .With("task", LANGUAGE)
            .With("train"),
        RunOption(
            Group::DATA,
            "pack",
            &learning.pack,
            "documents follow each other in samples of full length, and none is padded (prompts "
            "with completions are never packed)")
            .With("task", LANGUAGE)
            .Where(!config.ownCorpus, OWN_DATA),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddPretrained(RunConfig& config, Options& options)
{
    auto& learning = config.learning;
    const bool isFree = !config.ownCorpus;
    const Options own{
        RunOption(
            Group::MODEL,
            "pretrained",
            &learning.pretrained,
            "folder of a model in Hugging Face's form (config.json, model.safetensors and its "
            "tokenizer), or of PEFT's adapters, to begin with")
            .Where(isFree, OWN_DATA)
            .Basic(),
        RunOption(Group::MODEL,
                  "config",
                  &learning.config,
                  "dimensions without weights: a config.json, or the name of a model, such as gpt2 "
                  "or SmolLM2-135M")
            .Where(isFree, OWN_DATA),
        RunOption(Group::MODEL,
                  "export",
                  &learning.exportDir,
                  "folder to which the model is written at the end, as transformers reads it, or "
                  "its adapters, as PEFT does")
            .Local()
            .NotWith("compute", NO_COMPUTATION)
            .Where(isFree, OWN_DATA)
            .Basic(),
        RunOption(Group::MODEL,
                  "merge",
                  &learning.merge,
                  "adapters are folded into the weights that --export writes")
            .Local()
            .With("export"),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddAlignedFiles(RunConfig& config, Options& options)
{
    const bool isFree = !config.ownCorpus;
    const Options own{
        RunOption(Group::DATA,
                  "trainSource",
                  &config.trainSource,
                  "file with source sentences, one a line")
            .With("task", TRANSLATION)
            .Where(isFree, OWN_DATA)
            .Basic(),
        RunOption(Group::DATA,
                  "trainTarget",
                  &config.trainTarget,
                  "file with their translations, line by line")
            .With("task", TRANSLATION)
            .Where(isFree, OWN_DATA)
            .Basic(),
        RunOption(Group::DATA,
                  "valSource",
                  &config.valSource,
                  "source sentences for validation; none: a share of the others")
            .With("task", TRANSLATION)
            .Where(isFree, OWN_DATA)
            .Basic(),
        RunOption(Group::DATA, "valTarget", &config.valTarget, "their translations")
            .With("task", TRANSLATION)
            .Where(isFree, OWN_DATA)
            .Basic(),
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
AddSamples(RunConfig& config, Options& options)
{
    const Options own{
        RunOption(Group::DATA, "maxPairs", &config.maxPairs, "use at most so many samples; 0: all")
            .Off("0")
            .Where(!config.ownCorpus, OWN_DATA),
        RunOption(Group::DATA,
                  "maxValidation",
                  &config.maxValidation,
                  "evaluate on at most so many samples; 0: all"),
        RunOption(Group::DATA,
                  "dirichletAlpha",
                  &config.dirichletAlpha,
                  "how alike the clusters' data are (Dirichlet); small: unlike, 0: IID")
            .From(0)
            .To(1e6),
    };
    options.insert(options.end(), own.begin(), own.end());
}

} // namespace

void
AddLearningOptions(RunConfig& config, std::vector<RunOption>& options)
{
    AddModel(config, options);
    AddPretrained(config, options);
    AddTrained(config, options);
    AddOptimizer(config, options);
    AddQuality(config, options);
    AddFiles(config, options);
    AddDocuments(config, options);
    AddAlignedFiles(config, options);
    AddSamples(config, options);
}

} // namespace collapipe
} // namespace ns3
