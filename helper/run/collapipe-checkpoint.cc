/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-checkpoint.h"

#include "collapipe-run-options.h"
#include "collapipe-tensor-file.h"

#include "ns3/collapipe-bounded-json.h"
#include "ns3/collapipe-model-family.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <zlib.h>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* FORMAT = "collapipe-checkpoint";
constexpr const char* VERSION = "1";

std::string
GetPath(const std::string& folder)
{
    return (fs::path(folder) / "collapipe.safetensors").string();
}

/// @return the number, or null where it is none: JSON has no NaN
Json
ToJson(double value)
{
    return std::isfinite(value) ? Json(value) : Json(nullptr);
}

double
ToNumber(const Json& json)
{
    return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

Json
ToJson(const EvaluationResult& result)
{
    return {{"loss", ToJson(result.loss)},
            {"labelTokens", result.labelTokens},
            {"bleu", ToJson(result.quality.bleu)},
            {"accuracy", ToJson(result.quality.accuracy)},
            {"macroF1", ToJson(result.quality.macroF1)},
            {"binaryF1", ToJson(result.quality.binaryF1)},
            {"exactMatch", ToJson(result.quality.exactMatch)}};
}

EvaluationResult
ToEvaluation(const Json& json)
{
    EvaluationResult result;
    result.loss = ToNumber(json.at("loss"));
    result.labelTokens = json.at("labelTokens").get<uint64_t>();
    result.quality.bleu = ToNumber(json.at("bleu"));
    result.quality.accuracy = ToNumber(json.at("accuracy"));
    result.quality.macroF1 = ToNumber(json.at("macroF1"));
    result.quality.binaryF1 = ToNumber(json.at("binaryF1"));
    result.quality.exactMatch = ToNumber(json.value("exactMatch", Json()));
    return result;
}

Json
ToJson(const LearningState& state)
{
    return {{"stepSize", state.stepSize},
            {"smoothness", state.smoothness},
            {"gradientVariance", state.gradientVariance},
            {"clusterDivergence", state.clusterDivergence}};
}

LearningState
ToLearning(const Json& json)
{
    return {json.at("stepSize").get<double>(),
            json.at("smoothness").get<double>(),
            json.at("gradientVariance").get<double>(),
            json.at("clusterDivergence").get<double>()};
}

Json
ToJson(const TrainingHistory& history)
{
    Json json{{"evaluations", Json::array()},
              {"trainLosses", Json::array()},
              {"learning", Json::array()}};
    for (const auto& result : history.evaluations)
    {
        json["evaluations"].push_back(ToJson(result));
    }
    for (const double loss : history.trainLosses)
    {
        json["trainLosses"].push_back(ToJson(loss));
    }
    for (const auto& state : history.learning)
    {
        json["learning"].push_back(ToJson(state));
    }
    return json;
}

void
ReadHistory(const Json& json, TrainingHistory& history)
{
    for (const auto& result : json.at("evaluations"))
    {
        history.evaluations.push_back(ToEvaluation(result));
    }
    for (const auto& loss : json.at("trainLosses"))
    {
        history.trainLosses.push_back(ToNumber(loss));
    }
    for (const auto& state : json.at("learning"))
    {
        history.learning.push_back(ToLearning(state));
    }
}

Json
ToJson(const ModelConfig& model)
{
    return {{"vocabulary", model.vocabulary},
            {"width", model.width},
            {"heads", model.heads},
            {"feedForward", model.feedForward},
            {"encoderBlocks", model.encoderBlocks},
            {"decoderBlocks", model.decoderBlocks},
            {"sourceLength", model.sourceLength},
            {"targetLength", model.targetLength},
            {"head", static_cast<int>(model.head)},
            {"classes", model.classes},
            {"preNorm", model.preNorm},
            {"tiedProjection", model.tiedProjection},
            {"family", model.family},
            {"keyValueHeads", model.keyValueHeads},
            {"headWidth", model.headWidth},
            {"positions", model.positions},
            {"segments", model.segments},
            {"activation", model.activation},
            {"queryBias", model.queryBias},
            {"outputBias", model.outputBias},
            {"feedForwardBias", model.feedForwardBias},
            {"newPooler", model.newPooler},
            {"edgeBlocks", model.edgeBlocks},
            {"trained", static_cast<int>(model.trained)},
            {"trainedBlocks", model.trainedBlocks},
            {"loraRank", model.lora.rank},
            {"loraTargets", model.lora.targets},
            {"loraFreezeA", model.lora.freezeA}};
}

ModelConfig
ToModelConfig(const Json& json)
{
    ModelConfig model;
    json.at("vocabulary").get_to(model.vocabulary);
    json.at("width").get_to(model.width);
    json.at("heads").get_to(model.heads);
    json.at("feedForward").get_to(model.feedForward);
    json.at("encoderBlocks").get_to(model.encoderBlocks);
    json.at("decoderBlocks").get_to(model.decoderBlocks);
    json.at("sourceLength").get_to(model.sourceLength);
    json.at("targetLength").get_to(model.targetLength);
    model.head = static_cast<ModelHead>(json.at("head").get<int>());
    json.at("classes").get_to(model.classes);
    json.at("preNorm").get_to(model.preNorm);
    json.at("tiedProjection").get_to(model.tiedProjection);
    // Checkpoints of earlier releases hold models of which all of this was fixed.
    const auto take = [&json](const char* name, auto& value) {
        if (json.contains(name))
        {
            json.at(name).get_to(value);
        }
    };
    take("family", model.family);
    take("keyValueHeads", model.keyValueHeads);
    take("headWidth", model.headWidth);
    take("positions", model.positions);
    take("segments", model.segments);
    take("activation", model.activation);
    take("queryBias", model.queryBias);
    take("outputBias", model.outputBias);
    take("feedForwardBias", model.feedForwardBias);
    take("newPooler", model.newPooler);
    take("edgeBlocks", model.edgeBlocks);
    take("trainedBlocks", model.trainedBlocks);
    take("loraRank", model.lora.rank);
    take("loraTargets", model.lora.targets);
    take("loraFreezeA", model.lora.freezeA);
    model.trained = static_cast<TrainedPart>(json.value("trained", 0));
    return model;
}

/// Calls a function with the name and the tensors of each link of the chain.
template <typename Parameters, typename Function>
void
ForEachLink(Parameters& parameters, Function function)
{
    function("embedding.", parameters.embedding);
    for (std::size_t block = 0; block < parameters.blocks.size(); ++block)
    {
        function("block." + std::to_string(block) + ".", parameters.blocks[block]);
    }
    function("decoder.", parameters.decoder);
}

/// Adds a model's tensors to a file.
void
AddParameters(TensorFile& file, const std::string& prefix, const ModelParameters& parameters)
{
    ForEachLink(parameters, [&](const std::string& name, const TensorList& tensors) {
        for (std::size_t i = 0; i < tensors.size(); ++i)
        {
            file.tensors.emplace_back(prefix + name + std::to_string(i), tensors[i]);
        }
    });
}

/// @return tensors PREFIX0, PREFIX1 and so on, as many as there are
TensorList
ReadList(const TensorFile& file, const std::string& prefix)
{
    TensorList list;
    while (const auto* tensor = file.Find(prefix + std::to_string(list.size())))
    {
        list.push_back(*tensor);
    }
    return list;
}

ModelParameters
ReadParameters(const TensorFile& file, const std::string& prefix, uint32_t blocks)
{
    ModelParameters parameters;
    parameters.blocks.resize(blocks);
    ForEachLink(parameters, [&](const std::string& name, TensorList& tensors) {
        tensors = ReadList(file, prefix + name);
    });
    return parameters;
}

/// @return whether parameters have the shapes of the model's
bool
FitsModel(const ModelParameters& parameters, const ModelConfig& model)
{
    const PartRange whole{true, 0, model.encoderBlocks, true};
    const auto shapes = GetParameterShapes(model, whole);
    const auto tensors = parameters.Gather(whole);
    return std::equal(tensors.begin(),
                      tensors.end(),
                      shapes.begin(),
                      shapes.end(),
                      [](const auto& left, const auto& right) {
                          return left.dtype == right.dtype && left.shape == right.shape;
                      });
}

/**
 * Checks a model before anything is made of its numbers.
 * @param model as a file describes it
 * @param tensors that the file holds
 * @return empty, or one sentence
 */
std::string
CheckModel(const ModelConfig& model, std::size_t tensors)
{
    const auto head = static_cast<int>(model.head);
    if (head < 0 || head > static_cast<int>(ModelHead::CAUSAL_LANGUAGE))
    {
        return "there is no such head of a model";
    }
    const auto trained = static_cast<int>(model.trained);
    if (trained < 0 || trained > static_cast<int>(TrainedPart::LAST))
    {
        return "there is no such part of a model to train";
    }
    constexpr uint32_t MOST_BLOCKS = 1000; // as --blocks allows
    // Every block has a tensor at least where all is trained
    const bool isWhole = model.trained == TrainedPart::ALL;
    if ((isWhole && (model.encoderBlocks > tensors || model.decoderBlocks > tensors)) ||
        model.encoderBlocks > MOST_BLOCKS || model.edgeBlocks > MOST_BLOCKS ||
        model.decoderBlocks > MOST_BLOCKS)
    {
        return "the model has more blocks than the file has tensors";
    }
    constexpr uint32_t MOST = 1U << 24;
    for (const auto number : {model.vocabulary,
                              model.width,
                              model.heads,
                              model.feedForward,
                              model.sourceLength,
                              model.targetLength,
                              model.keyValueHeads,
                              model.headWidth,
                              model.positions,
                              model.segments,
                              model.lora.rank,
                              model.classes})
    {
        if (number > MOST)
        {
            return "the model has a dimension beyond reason";
        }
    }
    return model.Check();
}

/// Puts together what a checked file holds. @throws nlohmann::json::exception, std::out_of_range
void
Fill(Checkpoint& checkpoint, const TensorFile& file)
{
    const auto text = [&](const std::string& name) {
        const auto* tensor = file.Find("text." + name);
        return tensor ? GetText(*tensor) : throw std::out_of_range(name);
    };
    const auto options = ParseBoundedJson<Json>(file.metadata.at("options"));
    for (const auto& [name, value] : options.items())
    {
        checkpoint.options.emplace_back(name, value.get<std::string>());
    }
    checkpoint.model = ToModelConfig(ParseBoundedJson<Json>(file.metadata.at("model")));
    const auto problem = CheckModel(checkpoint.model, file.tensors.size());
    if (!problem.empty())
    {
        throw std::out_of_range(problem);
    }
    checkpoint.dataCrc = std::stoul(file.metadata.at("data"));
    checkpoint.vocabulary = std::stoul(file.metadata.at("vocabulary"));
    ReadHistory(ParseBoundedJson<Json>(file.metadata.at("history")), checkpoint.history);
    checkpoint.tokenizer = text("tokenizer");
    checkpoint.rounds = text("rounds");
    checkpoint.devices = text("devices");
    auto& state = checkpoint.history.model;
    state.parameters = ReadParameters(file, "", checkpoint.model.encoderBlocks);
    for (uint32_t kind = 0;; ++kind)
    {
        const auto prefix = "optimizer." + std::to_string(kind) + ".";
        if (!file.Find(prefix + "embedding.0"))
        {
            break;
        }
        state.optimizer.push_back(ReadParameters(file, prefix, checkpoint.model.encoderBlocks));
    }
    state.counters = ReadList(file, "counter.");
}

} // namespace

void
Checkpoint::Write(const std::string& folder) const
{
    TensorFile file;
    Json texts;
    for (const auto& [name, value] : options)
    {
        texts[name] = value;
    }
    file.metadata = {{"format", FORMAT},
                     {"version", VERSION},
                     {"options", texts.dump()},
                     {"model", ToJson(model).dump()},
                     {"history", ToJson(history).dump()},
                     {"vocabulary", std::to_string(vocabulary)},
                     {"data", std::to_string(dataCrc)}};
    AddParameters(file, "", history.model.parameters);
    for (std::size_t kind = 0; kind < history.model.optimizer.size(); ++kind)
    {
        AddParameters(file,
                      "optimizer." + std::to_string(kind) + ".",
                      history.model.optimizer[kind]);
    }
    const auto addList = [&file](const std::string& prefix, const TensorList& list) {
        for (std::size_t i = 0; i < list.size(); ++i)
        {
            file.tensors.emplace_back(prefix + std::to_string(i), list[i]);
        }
    };
    addList("counter.", history.model.counters);
    addList("monitor.", history.monitor.ExportState());
    file.tensors.emplace_back("text.tokenizer", MakeTextTensor(tokenizer));
    file.tensors.emplace_back("text.rounds", MakeTextTensor(rounds));
    file.tensors.emplace_back("text.devices", MakeTextTensor(devices));
    std::error_code error;
    fs::create_directories(folder, error);
    CheckTarget(folder);
    WriteTensorFile(GetPath(folder), file);
}

void
Checkpoint::CheckTarget(const std::string& folder)
{
    const auto path = GetPath(folder);
    std::error_code error;
    if (!fs::exists(path, error))
    {
        return;
    }
    std::ifstream stream(path, std::ios::binary);
    std::string beginning(1U << 20, '\0');
    stream.read(beginning.data(), static_cast<std::streamsize>(beginning.size()));
    if (beginning.find(FORMAT) == beginning.npos)
    {
        throw UserError("--save=" + folder + ": " + path +
                        " is there and is no checkpoint of CollaPipe's; it is left as it is");
    }
}

std::shared_ptr<const Checkpoint>
Checkpoint::Read(const std::string& folder)
{
    const auto path = GetPath(folder);
    std::error_code ignored;
    if (!fs::exists(path, ignored))
    {
        throw UserError("--load=" + folder + ": there is no checkpoint (" + path + " is missing)");
    }
    const auto file = ReadTensorFile(path);
    const auto format = file.metadata.find("format");
    if (format == file.metadata.end() || format->second != FORMAT)
    {
        throw UserError("--load=" + folder + ": " + path + " is no checkpoint of CollaPipe's");
    }
    const auto version = file.metadata.find("version");
    if (version == file.metadata.end() || version->second != VERSION)
    {
        throw UserError("--load=" + folder + ": this checkpoint has format version " +
                        (version == file.metadata.end() ? "?" : version->second) +
                        ", this program reads version " + VERSION);
    }
    auto checkpoint = std::make_shared<Checkpoint>();
    std::string problem;
    try
    {
        Fill(*checkpoint, file);
        problem = checkpoint->history.monitor.ImportState(ReadList(file, "monitor."));
    }
    catch (const std::exception& error) // of JSON or of a missing entry
    {
        problem = error.what();
    }
    const auto& history = checkpoint->history;
    const bool hasOddOptimizer =
        problem.empty() && std::any_of(history.model.optimizer.begin(),
                                       history.model.optimizer.end(),
                                       [&checkpoint](const auto& kind) {
                                           return !FitsModel(kind, checkpoint->model);
                                       });
    if (problem.empty() && (hasOddOptimizer || history.model.optimizer.size() > 2 ||
                            !FitsModel(history.model.parameters, checkpoint->model) ||
                            history.evaluations.size() != history.trainLosses.size() + 1 ||
                            history.learning.size() != history.trainLosses.size()))
    {
        problem = "its parts do not fit each other";
    }
    if (!problem.empty())
    {
        throw UserError("--load=" + folder + ": " + path + " cannot be used: " + problem);
    }
    return checkpoint;
}

std::vector<std::string>
Checkpoint::FindChanges(const RunConfig& config) const
{
    std::vector<std::string> changes;
    RunConfig any;
    const auto table = MakeOptions(any);
    for (const auto& [name, value] : config.ListAll())
    {
        const bool isSame =
            std::find(options.begin(), options.end(), std::make_pair(name, value)) != options.end();
        const auto* option = FindOption(table, name);
        if (!isSame && !(option && option->isLocal))
        {
            changes.push_back(name);
        }
    }
    return changes;
}

uint32_t
Checkpoint::GetDataCrc(const Dataset& dataset)
{
    uint32_t crc = 0;
    const auto add = [&crc](const std::vector<int32_t>& tokens) {
        const auto size = static_cast<uint32_t>(tokens.size());
        crc = crc32_z(crc, reinterpret_cast<const Bytef*>(&size), sizeof(size));
        crc = crc32_z(crc,
                      reinterpret_cast<const Bytef*>(tokens.data()),
                      tokens.size() * sizeof(int32_t));
    };
    for (const auto* part : {&dataset.training, &dataset.validation})
    {
        for (const auto& sample : *part)
        {
            add(sample.source);
            add(sample.target);
            add({sample.label});
        }
    }
    return crc;
}

std::string
ReadWholeFile(const std::string& path)
{
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream || !text)
    {
        throw UserError("cannot read " + path);
    }
    return text.str();
}

void
RestoreRows(const std::string& path, const std::string& earlier)
{
    std::istringstream rows(ReadWholeFile(path));
    std::istringstream known(earlier);
    std::string text;
    std::string row;
    std::string other;
    for (bool isFirst = true; std::getline(rows, row); isFirst = false)
    {
        const bool isKnown = static_cast<bool>(std::getline(known, other));
        if (isFirst && other != row)
        {
            return; // another version's columns: the rows of the replay have all but what was
                    // learnt
        }
        text += (isKnown ? other : row) + '\n';
    }
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    if (!file)
    {
        throw UserError("cannot write " + path + "; is the disk full?");
    }
}

} // namespace collapipe
} // namespace ns3
