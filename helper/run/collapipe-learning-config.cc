/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-learning-config.h"

#include "collapipe-run-option.h"

#include <algorithm>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

/// A model size by name
struct NamedSize
{
    const char* name;     //!< as given by --model
    uint32_t blocks;      //!< L
    uint32_t width;       //!< d_model
    uint32_t heads;       //!< attention heads
    uint32_t feedForward; //!< inner width
};

constexpr NamedSize BERT_SIZES[] = {
    {"tiny", 2, 128, 2, 512},
    {"mini", 4, 256, 4, 1024},
    {"small", 4, 512, 8, 2048},
    {"medium", 8, 512, 8, 2048},
    {"base", 12, 768, 12, 3072},
    {"nano", 8, 64, 4, 256},
};

constexpr NamedSize TRANSFORMER_SIZES[] = {
    {"nano", 8, 64, 4, 256},
    {"tiny", 8, 128, 2, 512},
    {"mini", 8, 256, 4, 1024},
    {"small", 8, 512, 8, 2048},
    {"base", 6, 512, 8, 2048},
    {"big", 6, 1024, 16, 4096},
};

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
 * @param sizes a table
 * @param text a name
 * @param config dimensions filled in
 * @return whether the table has that name
 */
template <std::size_t N>
bool
FindSize(const NamedSize (&sizes)[N], const std::string& text, ModelConfig& config)
{
    const auto* size =
        std::find_if(sizes, sizes + N, [&text](const auto& s) { return text == s.name; });
    if (size == sizes + N)
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
    return {"translation", "classification", "mlm"};
}

bool
ParseModelSize(const std::string& text, const std::string& task, ModelConfig& config)
{
    if (task == "translation" ? FindSize(TRANSFORMER_SIZES, text, config)
                              : FindSize(BERT_SIZES, text, config))
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
GetModelNames(const std::string& task)
{
    std::vector<std::string> names;
    const auto add = [&names](const auto& sizes) {
        for (const auto& size : sizes)
        {
            names.emplace_back(size.name);
        }
    };
    if (task == "translation")
    {
        add(TRANSFORMER_SIZES);
    }
    else
    {
        add(BERT_SIZES);
    }
    return names;
}

void
LearningConfig::Validate(const std::string& task) const
{
    RequireOption(train.empty() || task != "translation",
                  "--train is for classification and mlm; translation takes --trainSource and "
                  "--trainTarget");
    RequireOption(validation.empty() || !train.empty(), "--validation goes with --train");
    RequireOption(!tieEmbedding || task == "translation",
                  "--tieEmbedding is for translation: of other models the embedding and the "
                  "projection lie on different nodes");
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

DecodingOptions
LearningConfig::GetDecodingOptions() const
{
    return {beam, lengthPenalty};
}

void
LearningConfig::Complete(const std::string& task, ModelConfig& config) const
{
    config.head = task == "classification" ? ModelHead::CLASSIFICATION
                  : task == "mlm"          ? ModelHead::MASKED_LANGUAGE
                                           : ModelHead::TRANSLATION;
    config.preNorm = preNorm;
    config.tiedProjection = tieEmbedding;
    config.dropout = dropout;
    config.labelSmoothing = labelSmoothing;
    config.skipPadding = skipPadding;
}

} // namespace collapipe
} // namespace ns3
