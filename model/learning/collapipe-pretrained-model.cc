/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-pretrained-model.h"

#include "collapipe-link-parameters.h"
#include "collapipe-model-family.h"
#include "collapipe-text-files.h"
#include "collapipe-tokenizer-files.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;

constexpr const char* CONFIG = "config.json"; //!< of a model

/// @return name of a family here; several of transformers' are one
std::string
GetFamilyName(PretrainedFamily family)
{
    return GetModelType(family == PretrainedFamily::QWEN2 ? PretrainedFamily::LLAMA : family);
}

/// @return the stretching of rotary positions
RotaryStretch
MakeStretch(const RotaryScaling& scaling)
{
    if (scaling.type == "default")
    {
        return {};
    }
    RotaryStretch stretch;
    stretch.factor = scaling.factor;
    stretch.lowFrequency = scaling.lowFrequencyFactor;
    stretch.highFrequency = scaling.highFrequencyFactor;
    // Against no positions at all every wave is long, so that all are stretched alike.
    stretch.originalPositions = scaling.type == "linear" ? 0 : scaling.originalPositions;
    return stretch;
}

/// @return the inverse
RotaryScaling
MakeScaling(const RotaryStretch& stretch)
{
    if (stretch.factor == 1)
    {
        return {};
    }
    return {stretch.originalPositions == 0 ? "linear" : "llama3",
            stretch.factor,
            stretch.lowFrequency,
            stretch.highFrequency,
            stretch.originalPositions};
}

/// @return what a task is called in messages
std::string
Describe(ModelHead head)
{
    switch (head)
    {
    case ModelHead::TRANSLATION:
        return "translate";
    case ModelHead::CLASSIFICATION:
        return "classify";
    case ModelHead::MASKED_LANGUAGE:
        return "predict masked tokens";
    case ModelHead::CAUSAL_LANGUAGE:
        break;
    }
    return "continue texts";
}

/**
 * @param place a parameter
 * @param source a tensor of a file that it is made of, or some of its rows
 * @return the tensor's shape there
 */
std::vector<uint32_t>
GetShape(const ParameterPlace& place, const ForeignTensor& source)
{
    auto shape = place.shape.shape;
    shape.front() = source.rows;
    if (source.isTransposed)
    {
        std::swap(shape.front(), shape.back());
    }
    return shape;
}

/**
 * @param tensor float32
 * @param isTransposed it lies the other way round
 * @param target gets its values as rows
 * @param rows of the target
 */
void
CopyRows(const TensorData& tensor, bool isTransposed, float* target, uint32_t rows)
{
    const uint64_t count = tensor.GetElementCount();
    const auto* values = tensor.As<float>();
    if (!isTransposed)
    {
        std::memcpy(target, values, count * sizeof(float));
        return;
    }
    const uint64_t columns = count / std::max(rows, 1U);
    for (uint64_t column = 0; column < columns; ++column)
    {
        for (uint64_t row = 0; row < rows; ++row)
        {
            target[row * columns + column] = values[column * rows + row];
        }
    }
}

/// @return a parameter from the tensors that it is made of
TensorData
ReadPlace(const PretrainedWeights& weights, const ParameterPlace& place)
{
    const auto get = [&](const ForeignTensor& source) {
        return ToFloat32(weights.Get({source.name, GetShape(place, source)}));
    };
    const auto& sources = place.sources;
    if (sources.size() == 1 && !sources.front().isTransposed)
    {
        return get(sources.front());
    }
    std::vector<float> values(place.shape.GetElementCount());
    auto* target = values.data();
    for (const auto& source : sources)
    {
        const auto tensor = get(source);
        CopyRows(tensor, source.isTransposed, target, source.rows);
        target += tensor.GetElementCount();
    }
    return TensorData::FromVector(DType::FLOAT32, place.shape.shape, std::move(values));
}

/// @return whether a tokenizer fills batches up on the left side
bool
PadsLeft(const PretrainedTokenizer& tokenizer, const std::string& name)
{
    const auto file = tokenizer.GetFiles().find("tokenizer_config.json");
    if (file == tokenizer.GetFiles().end())
    {
        return false;
    }
    const auto path = name + "/tokenizer_config.json";
    const auto side =
        ParseTokenizerJson(file->second, path).value("padding_side", nlohmann::json("right"));
    if (side != "left" && side != "right")
    {
        throw DataError("'" + path + "': padding_side must be \"left\" or \"right\".");
    }
    return side == "left";
}

} // namespace

PretrainedHead
GetPretrainedHead(ModelHead head)
{
    return head == ModelHead::CLASSIFICATION ? PretrainedHead::CLASSIFICATION
                                             : PretrainedHead::LANGUAGE;
}

ModelHead
GetUsualHead(const PretrainedConfig& config)
{
    const auto& saved = config.architectures;
    const bool classifies = std::any_of(saved.begin(), saved.end(), [](const auto& name) {
        return name.find("ForSequenceClassification") != name.npos;
    });
    return classifies          ? ModelHead::CLASSIFICATION
           : config.IsCausal() ? ModelHead::CAUSAL_LANGUAGE
                               : ModelHead::MASKED_LANGUAGE;
}

ModelConfig
MakeModelConfig(const PretrainedConfig& config, ModelHead head)
{
    ModelConfig model;
    model.family = GetFamilyName(config.family);
    const auto heads = FindModelFamily(model.family)->GetHeads();
    if (std::find(heads.begin(), heads.end(), head) == heads.end())
    {
        throw DataError("A model of the type " + GetModelType(config.family) + " cannot " +
                        Describe(head) + ".");
    }
    model.head = head;
    model.vocabulary = config.vocabulary;
    model.width = config.width;
    model.heads = config.heads;
    model.keyValueHeads = config.keyValueHeads;
    model.headWidth = config.headWidth;
    model.feedForward = config.feedForward;
    model.encoderBlocks = config.blocks;
    model.positions = config.positions;
    model.sourceLength = config.positions;
    model.segments = config.segments;
    model.activation = config.activation;
    model.normEpsilon = config.normEpsilon;
    model.tiedProjection = config.tied && head != ModelHead::CLASSIFICATION;
    model.rotaryBase = config.rotaryBase;
    model.rotaryStretch = MakeStretch(config.rotaryScaling);
    model.queryBias = config.attentionBias;
    model.outputBias = config.outputBias;
    model.feedForwardBias = config.feedForwardBias;
    if (!config.classes.empty())
    {
        model.classes = static_cast<uint32_t>(config.classes.size());
    }
    return model;
}

PretrainedConfig
MakePretrainedConfig(const ModelConfig& model)
{
    const auto family = GetModelFamily(model).GetName();
    PretrainedConfig config;
    bool isKnown = false;
    for (const auto known : {PretrainedFamily::BERT,
                             PretrainedFamily::DISTILBERT,
                             PretrainedFamily::GPT2,
                             PretrainedFamily::OPT,
                             PretrainedFamily::LLAMA})
    {
        if (GetModelType(known) == family)
        {
            config.family = known;
            isKnown = true;
        }
    }
    if (!isKnown)
    {
        throw DataError("transformers has no model of the family " + family + ".");
    }
    if (model.preNorm)
    {
        throw DataError("transformers has no " + family + " with norms before the layers.");
    }
    const bool isLlama = config.family == PretrainedFamily::LLAMA;
    // Llama's own class knows biases everywhere or nowhere; with Qwen2's, they are on q, k, v.
    const bool isQwen = isLlama && model.queryBias && !model.outputBias;
    config.family = isQwen ? PretrainedFamily::QWEN2 : config.family;
    if (isLlama && !isQwen && model.queryBias != model.outputBias)
    {
        throw DataError("transformers has no llama with a bias on the attention's output alone.");
    }
    config.vocabulary = model.vocabulary;
    config.width = model.width;
    config.blocks = model.GetAllBlocks();
    config.heads = model.heads;
    config.keyValueHeads = model.GetKeyValueHeads();
    config.headWidth = model.GetHeadWidth();
    config.feedForward = model.feedForward;
    config.positions = model.GetPositions();
    config.segments = config.family == PretrainedFamily::BERT ? model.segments : 0;
    config.activation = !model.activation.empty()                 ? model.activation
                        : isLlama                                 ? "silu"
                        : config.family == PretrainedFamily::GPT2 ? "gelu_new"
                        : config.family == PretrainedFamily::OPT  ? "relu"
                                                                  : "gelu";
    config.normEpsilon = model.normEpsilon;
    config.tied = model.tiedProjection;
    config.attentionBias = !isLlama || model.queryBias;
    config.outputBias = !isLlama || model.outputBias;
    config.feedForwardBias = !isLlama || model.feedForwardBias;
    config.rotaryBase = model.rotaryBase;
    config.rotaryScaling = MakeScaling(model.rotaryStretch);
    config.beginToken = model.special.begin;
    config.padToken = model.special.pad;
    config.endTokens =
        model.special.end >= 0 ? std::vector<int32_t>{model.special.end} : std::vector<int32_t>{};
    return config;
}

ModelParameters
ReadPretrainedParameters(const PretrainedWeights& weights,
                         const PretrainedConfig& pretrained,
                         const ModelConfig& config,
                         const ModelParameters& initial)
{
    weights.Check(
        ListPretrainedTensors(pretrained, GetPretrainedHead(config.head), config.classes));
    auto parameters = initial;
    const TensorData* table = nullptr;
    ForEachParameter(config, parameters, [&](const ParameterPlace& place, TensorData& tensor) {
        if (IsAdapter(place) || !weights.Contains(place.sources.front().name))
        {
            // Check() has found all that is not new with the task; or it is the embedding's table
            if (place.isTied && table)
            {
                tensor = *table;
            }
            return;
        }
        tensor = place.isTied && table ? *table : ReadPlace(weights, place);
        table = place.isTied ? &tensor : table;
    });
    return parameters;
}

PretrainedModel::PretrainedModel(const std::string& folder)
    : m_folder(folder)
{
    std::error_code error;
    if (!fs::is_directory(folder, error))
    {
        throw DataError("'" + folder + "' is no folder.");
    }
    if (PretrainedAdapter::IsIn(folder))
    {
        m_adapter = std::make_unique<PretrainedAdapter>(folder);
        if (m_adapter->GetBase().empty())
        {
            throw DataError("'" + folder + "' holds adapters, and does not say of which model.");
        }
        m_folder = m_adapter->GetBase();
        if (!fs::is_directory(m_folder, error))
        {
            throw DataError("'" + folder + "' holds adapters of the model '" + m_folder +
                            "', which is no folder here; put the model there, or its path into "
                            "adapter_config.json.");
        }
    }
    m_config = ReadPretrainedConfig((fs::path(m_folder) / CONFIG).string());
    m_tokenizer = PretrainedTokenizer::Read(m_folder);
    m_tokenizer->CheckVocabulary(m_config.vocabulary);
    m_weights = std::make_unique<PretrainedWeights>(m_folder, m_config.family);
    const auto count = m_adapter ? m_adapter->GetClasses().size() : 0;
    if (count > 0 && (m_adapter->NamesClasses() || count != m_config.classes.size()))
    {
        m_config.classes = m_adapter->GetClasses();
    }
}

const std::string&
PretrainedModel::GetFolder() const
{
    return m_folder;
}

const PretrainedConfig&
PretrainedModel::GetConfig() const
{
    return m_config;
}

ModelHead
PretrainedModel::GetHead() const
{
    // Adapters may end in another layer than the model that they belong to
    return m_adapter && !m_adapter->GetClasses().empty() ? ModelHead::CLASSIFICATION
                                                         : GetUsualHead(m_config);
}

const std::shared_ptr<const PretrainedTokenizer>&
PretrainedModel::GetTokenizer() const
{
    return m_tokenizer;
}

const PretrainedAdapter*
PretrainedModel::GetAdapter() const
{
    return m_adapter.get();
}

ModelConfig
PretrainedModel::MakeConfig(ModelHead head) const
{
    auto model = MakeModelConfig(m_config, head);
    const auto get = [this](TokenRole role) { return m_tokenizer->GetToken(role); };
    const auto orElse = [](int32_t token, int32_t other) { return token >= 0 ? token : other; };
    auto& special = model.special;
    special.unknown = get(TokenRole::UNKNOWN);
    special.begin = orElse(get(TokenRole::CLASSIFY), get(TokenRole::BEGIN));
    special.end = orElse(get(TokenRole::SEPARATE), get(TokenRole::END));
    special.mask = get(TokenRole::MASK);
    // Models that end texts and fill up with one and the same token must not take ends for padding.
    special.pad = m_config.IsCausal() ? -1 : get(TokenRole::PAD);
    if (head == ModelHead::MASKED_LANGUAGE && (special.mask < 0 || special.pad != PAD_TOKEN))
    {
        throw DataError("'" + m_folder +
                        "': its tokenizer has no token for what is masked, or one "
                        "other than 0 for padding.");
    }
    if (!m_config.IsCausal() && (special.begin < 0 || special.end < 0))
    {
        throw DataError("'" + m_folder +
                        "': its tokenizer has no tokens that begin and end texts.");
    }
    model.newPooler = head == ModelHead::CLASSIFICATION &&
                      m_config.family == PretrainedFamily::BERT &&
                      !m_weights->Contains("bert.pooler.dense.weight");
    model.padLeft = PadsLeft(*m_tokenizer, m_folder);
    if (m_adapter)
    {
        model.lora = m_adapter->GetConfig();
        model.trained = TrainedPart::ADAPTERS;
    }
    return model;
}

ModelParameters
PretrainedModel::ReadParameters(const ModelConfig& config, const ModelParameters& initial) const
{
    auto parameters = ReadPretrainedParameters(*m_weights, m_config, config, initial);
    if (m_adapter)
    {
        m_adapter->Apply(config, parameters);
    }
    return parameters;
}

std::vector<std::string>
PretrainedModel::ListNewMaps(const ModelConfig& config) const
{
    std::vector<std::string> maps;
    for (const auto& tensor :
         ListPretrainedTensors(m_config, GetPretrainedHead(config.head), config.classes))
    {
        const auto dot = tensor.name.rfind('.');
        const bool isWeight = tensor.name.substr(dot) == ".weight";
        const bool isThere =
            m_weights->Contains(tensor.name) || (m_adapter && m_adapter->Contains(tensor.name));
        if (tensor.optional && isWeight && !isThere)
        {
            maps.push_back(tensor.name.substr(0, dot));
        }
    }
    return maps;
}

void
PretrainedModel::Check(const ModelConfig& config) const
{
    m_weights->Check(
        ListPretrainedTensors(m_config, GetPretrainedHead(config.head), config.classes));
}

} // namespace collapipe
} // namespace ns3
