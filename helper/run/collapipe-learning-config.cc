/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-learning-config.h"

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

void
LearningConfig::AppendOptions(std::vector<RunOption>& options)
{
    const std::vector<RunOption> own{
        {"train",
         "training data of classification (TSV as GLUE has it, with or without header) or mlm "
         "(text, one a line); empty: gettext catalogs",
         &train},
        {"validation",
         "validation data in the same form; empty: a share of the others",
         &validation},
        {"languages",
         "languages that classification tells apart where there is no --train, separated by commas",
         &languages},
        {"preNorm", "layer norms before the layers of a block, not after them", &preNorm},
        {"tieEmbedding",
         "the decoder's embedding and its output projection share their weights",
         &tieEmbedding},
        {"dropout", "share of elements dropped in training, 0 to 1", &dropout},
        {"labelSmoothing",
         "share of a label's weight that all labels get alike in training, 0 to 1",
         &labelSmoothing},
        {"skipPadding",
         "compute on words only: quicker, and the same but for rounding; simulated devices still "
         "spend the time and send the bytes of padded sentences",
         &skipPadding},
        {"warmup", "optimizer steps over which the step size rises to --learningRate", &warmup},
        {"decay",
         "how the step size falls after that: none, inverse-sqrt, or linear to 0 at the end",
         &decay},
        {"score",
         "when BLEU or accuracy and F1 are computed on validation and test data: none, end or "
         "rounds",
         &score},
        {"beam", "hypotheses that decoding keeps at every position; 1: greedy", &beam},
        {"lengthPenalty", "exponent of decoding's length penalty; 0: none", &lengthPenalty},
    };
    options.insert(options.end(), own.begin(), own.end());
}

void
LearningConfig::Validate(const std::string& task) const
{
    const auto tasks = GetTaskNames();
    RequireOption(std::find(tasks.begin(), tasks.end(), task) != tasks.end(),
                  "--task=" + task +
                      ": there is no such task; take translation, classification or mlm");
    RequireOption(train.empty() || task != "translation",
                  "--train is for classification and mlm; translation takes --trainSource and "
                  "--trainTarget");
    RequireOption(validation.empty() || !train.empty(), "--validation goes with --train");
    RequireOption(dropout >= 0 && dropout < 1,
                  "--dropout: this must be at least 0 and less than 1");
    RequireOption(labelSmoothing >= 0 && labelSmoothing < 1,
                  "--labelSmoothing: this must be at least 0 and less than 1");
    RequireOption(decay == "none" || decay == "inverse-sqrt" || decay == "linear",
                  "--decay=" + decay + ": take none, inverse-sqrt or linear");
    RequireOption(score == "none" || score == "end" || score == "rounds",
                  "--score=" + score + ": take none, end or rounds");
    RequireOption(beam >= 1 && beam <= 64, "--beam: this must be 1 to 64");
    RequireOption(lengthPenalty >= 0 && lengthPenalty <= 10,
                  "--lengthPenalty: this must be 0 to 10");
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
