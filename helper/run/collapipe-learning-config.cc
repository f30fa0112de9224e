/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-learning-config.h"

#include "collapipe-run-option.h"
#include "collapipe-suggestion.h"

#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-text-files.h"
#include "ns3/collapipe-wire-precision.h"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * @param text decimal digits
 * @param value filled in
 * @return whether text is a number that a dimension may be
 */
bool
ParseDimension(const std::string& text, uint32_t& value)
{
    if (text.empty() || text.size() > 7 || text.find_first_not_of("0123456789") != text.npos)
    {
        return false;
    }
    value = static_cast<uint32_t>(std::stoul(text));
    return value <= 1U << 20;
}

/**
 * @param text words, separated by commas
 * @return the words
 */
std::vector<std::string>
SplitWords(const std::string& text)
{
    std::vector<std::string> words;
    std::istringstream stream(text);
    for (std::string word; std::getline(stream, word, ',');)
    {
        words.push_back(word);
    }
    return words;
}

/// What --trained=last:K begins with
const std::string LAST_BLOCKS = "last:";

/**
 * @param text auto, all, adapters, head or last:K
 * @param config gets what is trained
 */
void
SetTrained(const std::string& text, ModelConfig& config)
{
    const bool hasAdapters = text == "auto" && config.lora.rank > 0;
    config.trained = text == "adapters" || hasAdapters ? TrainedPart::ADAPTERS
                     : text == "head"                  ? TrainedPart::HEAD
                                                       : TrainedPart::ALL;
    if (text.rfind(LAST_BLOCKS, 0) == 0)
    {
        config.trained = TrainedPart::LAST;
        ParseDimension(text.substr(LAST_BLOCKS.size()), config.trainedBlocks);
    }
}

/**
 * @param text a name
 * @param config dimensions filled in
 * @return whether the model's family has a size of that name
 */
bool
FindSize(const std::string& text, ModelConfig& config)
{
    const auto sizes = GetModelFamily(config).GetSizes();
    const auto size =
        std::find_if(sizes.begin(), sizes.end(), [&text](const auto& s) { return text == s.name; });
    if (size == sizes.end())
    {
        return false;
    }
    config.encoderBlocks = size->blocks;
    config.width = size->width;
    config.heads = size->heads;
    config.feedForward = size->feedForward;
    return true;
}

} // namespace

std::vector<std::string>
GetTaskNames()
{
    return {"translation", "classification", "mlm", "lm"};
}

bool
IsTrainedPart(const std::string& text)
{
    uint32_t blocks = 0;
    return text == "auto" || text == "all" || text == "adapters" || text == "head" ||
           (text.rfind(LAST_BLOCKS, 0) == 0 &&
            ParseDimension(text.substr(LAST_BLOCKS.size()), blocks) && blocks > 0);
}

bool
ParseModelSize(const std::string& text, const std::string& task, ModelConfig& config)
{
    ParseTask(task, config.head);
    if (FindSize(text, config))
    {
        return true;
    }
    std::istringstream stream(text);
    std::string part;
    for (auto* target : {&config.width, &config.heads, &config.feedForward})
    {
        if (!std::getline(stream, part, 'x') || !ParseDimension(part, *target))
        {
            return false;
        }
    }
    return stream.eof();
}

std::vector<std::string>
GetModelNames(const std::string& task, const std::string& family)
{
    ModelConfig config;
    config.family = family;
    ParseTask(task, config.head);
    std::vector<std::string> names;
    for (const auto& size : GetModelFamily(config).GetSizes())
    {
        names.emplace_back(size.name);
    }
    return names;
}

void
LearningConfig::Validate(const std::string& task) const
{
    RequireOption(train.empty() || task != "translation",
                  "--train is for classification, mlm and lm; translation takes --trainSource and "
                  "--trainTarget");
    RequireOption(IsTrainedPart(trained),
                  "--trained=" + trained +
                      ": take all, adapters, head or last:K, K of the last blocks");
    RequireOption(pretrained.empty() || config.empty(),
                  "--pretrained brings its own config.json: leave --config out");
    const auto model = GetPretrained();
    const bool hasAdapter = model && model->GetAdapter();
    RequireOption(!hasAdapter || lora == 0,
                  "--pretrained=" + pretrained +
                      " has adapters, which go on learning: leave --lora out, or give the folder "
                      "of the model without them");
    RequireOption(!hasAdapter || trained == "auto" || trained == "adapters",
                  "--trained=" + trained +
                      " goes without adapters, which --pretrained=" + pretrained + " has");
    RequireOption(!merge || lora > 0 || hasAdapter,
                  "--merge folds adapters in, and there are none: give --lora");
    RequireOption(exportDir.empty() || lora == 0 || merge || !pretrained.empty(),
                  "--export=" + exportDir +
                      " would hold adapters of a model that is nowhere: give --merge, which writes "
                      "the whole model");
    RequireOption(exportDir.empty() || exportDir != pretrained,
                  "--export=" + exportDir + " is the folder of --pretrained: give another one");
    RequireOption(lora == 0 || trained == "auto" || trained == "adapters",
                  "--trained=" + trained + " goes without --lora: with adapters, they alone learn");
    RequireOption(validation.empty() || !train.empty(), "--validation goes with --train");
    RequireOption(task != "classification" || !train.empty() || GetLanguages().size() >= 2,
                  "--languages=" + languages + ": at least two are needed");
}

std::vector<std::string>
LearningConfig::GetLanguages() const
{
    std::vector<std::string> list;
    std::istringstream stream(languages);
    for (std::string language; std::getline(stream, language, ',');)
    {
        if (std::find(list.begin(), list.end(), language) == list.end())
        {
            list.push_back(language);
        }
    }
    return list;
}

std::string
LearningConfig::GetFamily() const
{
    return FindModelFamily(family) ? family : "";
}

std::shared_ptr<const PretrainedModel>
LearningConfig::GetPretrained() const
{
    if (pretrained != m_openedFolder)
    {
        try
        {
            m_opened = pretrained.empty() ? nullptr : std::make_shared<PretrainedModel>(pretrained);
            m_openedFolder = pretrained;
        }
        catch (const DataError& error)
        {
            throw UserError("--pretrained=" + pretrained + ": " + error.what());
        }
    }
    return m_opened;
}

bool
LearningConfig::IsForeign() const
{
    return !pretrained.empty() || !config.empty();
}

bool
LearningConfig::HasAdapters() const
{
    const auto opened = GetPretrained();
    return lora > 0 || (opened && opened->GetAdapter());
}

PretrainedConfig
LearningConfig::GetForeignConfig() const
{
    if (const auto model = GetPretrained())
    {
        return model->GetConfig();
    }
    PretrainedConfig foreign;
    if (GetNamedConfig(config, foreign))
    {
        return foreign;
    }
    std::error_code error;
    if (!std::filesystem::exists(config, error))
    {
        const auto names = GetNamedConfigNames();
        throw UserError("--config=" + config + ": there is no such file, and no such model" +
                        Suggest(config, names) + "; known are " + JoinWords(names));
    }
    try
    {
        foreign = ReadPretrainedConfig(config);
    }
    catch (const DataError& problem)
    {
        throw UserError("--config=" + config + ": " + problem.what());
    }
    return foreign;
}

ModelConfig
LearningConfig::MakeForeignModel(const std::string& task) const
{
    ModelHead head{};
    ParseTask(task, head);
    ModelConfig model;
    try
    {
        const auto opened = GetPretrained();
        model = opened ? opened->MakeConfig(head) : MakeModelConfig(GetForeignConfig(), head);
        const auto adapters = model.lora;
        CompleteTraining(model);
        if (adapters.rank > 0)
        {
            model.lora.rank = adapters.rank;
            model.lora.alpha = adapters.alpha;
            model.lora.targets = adapters.targets;
            model.trained = TrainedPart::ADAPTERS;
        }
    }
    catch (const DataError& error)
    {
        throw UserError((pretrained.empty() ? "--config=" + config : "--pretrained=" + pretrained) +
                        " with --task=" + task + ": " + error.what());
    }
    return model;
}

DecodingOptions
LearningConfig::GetDecodingOptions() const
{
    return {beam, lengthPenalty};
}

void
LearningConfig::Complete(const std::string& task, ModelConfig& config) const
{
    ParseTask(task, config.head);
    config.family = GetFamily();
    config.preNorm = preNorm;
    config.tiedProjection = tieEmbedding;
    CompleteTraining(config);
}

void
LearningConfig::CompleteTraining(ModelConfig& config) const
{
    config.dropout = dropout;
    config.labelSmoothing = labelSmoothing;
    config.skipPadding = skipPadding;
    config.lora.rank = lora;
    config.lora.alpha = loraAlpha;
    config.lora.targets = SplitWords(loraTargets);
    config.lora.dropout = loraDropout;
    config.lora.freezeA = loraFreezeA;
    config.edgeBlocks = edgeBlocks;
    ParsePrecision(basePrecision, config.base);
    SetTrained(trained, config);
}

} // namespace collapipe
} // namespace ns3
