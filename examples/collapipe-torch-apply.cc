/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Applies a model to lines of text: translates them, names their class, continues them, or fills in
// what is masked. DIR is
// what a run has saved or exported (--save=DIR, --export=DIR), or any folder of a model in Hugging
// Face's form.
//
//     collapipe-torch-apply DIR [--tokens=50 --beam=1 --temperature=0 --seed=1] < lines.txt
//     collapipe-torch-apply DIR --json < lines.txt
//
// With --json it tells what the model makes of every line as it stands: its tokens, the mean loss
// of those that are predicted, and the logits at its end, of its class, or of each masked token.
//
// The first part is plain LibTorch, for a Transformer's or a BERT's checkpoint: nothing of the
// simulator but the tokenizer, and the format of the checkpoint (safetensors) read by hand, as any
// program could. The second part has the module compute, which knows all families.

#include "ns3/collapipe-applied-model.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-run-option.h"
#include "ns3/collapipe-sample-form.h"
#include "ns3/collapipe-tokenizer.h"
#include "ns3/object-factory.h"

#include <ATen/ATen.h>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <torch/utils.h>

namespace
{

using nlohmann::json;

constexpr int64_t BEGIN_TOKEN = 2;
constexpr int64_t END_TOKEN = 3;

/// What a checkpoint holds
struct SavedModel
{
    json dimensions;                           //!< of the model
    std::map<std::string, at::Tensor> tensors; //!< by name
    std::string tokenizer;                     //!< SentencePiece's model

    /// @return a parameter
    at::Tensor Get(const std::string& link, int64_t index) const
    {
        return tensors.at(link + std::to_string(index));
    }

    /// @return a dimension
    int64_t Size(const char* name) const
    {
        return dimensions.at(name).get<int64_t>();
    }
};

SavedModel
Load(const std::string& path)
{
    std::ifstream file(path, std::ios::binary);
    uint64_t length = 0; // little-endian, as this machine is taken to be
    file.read(reinterpret_cast<char*>(&length), sizeof(length));
    if (!file || length > 100'000'000)
    {
        throw std::runtime_error("cannot read " + path);
    }
    std::string text(length, ' ');
    file.read(text.data(), static_cast<std::streamsize>(length));
    const auto head = json::parse(text);
    SavedModel model;
    model.dimensions = json::parse(head.at("__metadata__").at("model").get<std::string>());
    for (const auto& [name, entry] : head.items())
    {
        if (name == "__metadata__" || (entry.at("dtype") != "F32" && name != "text.tokenizer"))
        {
            continue;
        }
        const auto begin = entry.at("data_offsets").at(0).get<uint64_t>();
        std::string bytes(entry.at("data_offsets").at(1).get<uint64_t>() - begin, ' ');
        file.seekg(static_cast<std::streamoff>(sizeof(length) + length + begin));
        file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        if (name == "text.tokenizer")
        {
            model.tokenizer = bytes;
            continue;
        }
        const auto shape = entry.at("shape").get<std::vector<int64_t>>();
        model.tensors[name] = at::from_blob(bytes.data(), shape, at::kFloat).clone();
    }
    if (!file)
    {
        throw std::runtime_error(path + " is cut short");
    }
    return model;
}

/// The parameters of a link of the chain, one after the other
class Link
{
  public:
    Link(const SavedModel& model, std::string name)
        : m_model(model),
          m_name(std::move(name))
    {
    }

    at::Tensor Next()
    {
        return m_model.Get(m_name, m_next++);
    }

    /// A linear layer that comes next
    std::function<at::Tensor(const at::Tensor&)> Linear()
    {
        const auto weight = Next();
        const auto bias = Next();
        return [=](const at::Tensor& x) { return at::linear(x, weight, bias); };
    }

    /// A layer norm that comes next
    std::function<at::Tensor(const at::Tensor&)> Norm()
    {
        const auto weight = Next();
        const auto bias = Next();
        return [=](const at::Tensor& x) { return at::layer_norm(x, weight.sizes(), weight, bias); };
    }

  private:
    const SavedModel& m_model;
    std::string m_name;
    int64_t m_next{0};
};

using Layer = std::function<at::Tensor(const at::Tensor&)>;

/// Attention of one sequence: query [U,D], key and value [T,D]
at::Tensor
Attend(at::Tensor query, at::Tensor key, at::Tensor value, int64_t heads, bool causal)
{
    const auto split = [heads](const at::Tensor& x) {
        return x.view({x.size(0), heads, -1}).transpose(0, 1);
    };
    auto scores = at::matmul(split(query), split(key).transpose(1, 2)) /
                  std::sqrt(static_cast<double>(query.size(1)) / static_cast<double>(heads));
    if (causal)
    {
        scores = scores + at::full_like(scores[0], -1e30).triu_(1);
    }
    return at::matmul(scores.softmax(-1), split(value)).transpose(0, 1).flatten(1);
}

/// x + f(x), normalised after or before
at::Tensor
Residual(const at::Tensor& x, const Layer& norm, bool preNorm, const Layer& f)
{
    return preNorm ? x + f(norm(x)) : norm(x + f(x));
}

/// An encoder block, or with a memory a decoder block
class Block
{
  public:
    Block(const SavedModel& model, Link& link, bool hasMemory)
        : m_model(model),
          m_projection(link.Linear()),
          m_output(link.Linear())
    {
        if (hasMemory)
        {
            m_query = link.Linear();
            m_keyValue = link.Linear();
            m_crossOutput = link.Linear();
        }
        m_inner = link.Linear();
        m_outer = link.Linear();
        for (int i = 0; i < 2 + hasMemory; ++i)
        {
            m_norms.push_back(link.Norm());
        }
    }

    at::Tensor Run(at::Tensor x, const at::Tensor& memory) const
    {
        const int64_t heads = m_model.Size("heads");
        const bool preNorm = m_model.dimensions.at("preNorm");
        const bool isBert = m_model.Size("head") != 0;
        x = Residual(x, m_norms[0], preNorm, [&](const at::Tensor& y) {
            const auto parts = m_projection(y).chunk(3, 1);
            return m_output(Attend(parts[0], parts[1], parts[2], heads, memory.defined()));
        });
        if (memory.defined())
        {
            x = Residual(x, m_norms[1], preNorm, [&](const at::Tensor& y) {
                const auto parts = m_keyValue(memory).chunk(2, 1);
                return m_crossOutput(Attend(m_query(y), parts[0], parts[1], heads, false));
            });
        }
        return Residual(x, m_norms.back(), preNorm, [&](const at::Tensor& y) {
            const auto inner = m_inner(y);
            return m_outer(isBert ? at::gelu(inner) : inner.relu());
        });
    }

  private:
    const SavedModel& m_model;
    Layer m_projection, m_output, m_query, m_keyValue, m_crossOutput, m_inner, m_outer;
    std::vector<Layer> m_norms;
};

/// Vaswani et al., section 3.5
at::Tensor
MakePositions(int64_t length, int64_t width)
{
    const auto positions = at::arange(length, at::kDouble).unsqueeze(1);
    const auto columns = at::arange(width, at::kDouble);
    const auto angles = positions / at::pow(10000.0, (columns - columns.remainder(2)) / width);
    return at::where(columns.remainder(2).eq(0), angles.sin(), angles.cos()).to(at::kFloat);
}

at::Tensor
Encode(const SavedModel& model, const std::vector<int64_t>& tokens)
{
    Link link(model, "embedding.");
    const auto ids = at::tensor(tokens, at::kLong);
    const auto length = static_cast<int64_t>(tokens.size());
    auto x = at::embedding(link.Next(), ids);
    if (model.Size("head") == 0)
    {
        const int64_t width = model.Size("width");
        x = x * std::sqrt(static_cast<double>(width)) + MakePositions(length, width);
    }
    else
    {
        x = x + link.Next().slice(0, 0, length);
        x = x + link.Next()[0]; // one text only: segment 0
        x = link.Norm()(x);
    }
    for (int64_t block = 0; block < model.Size("encoderBlocks"); ++block)
    {
        Link next(model, "block." + std::to_string(block) + ".");
        x = Block(model, next, false).Run(x, {});
    }
    return x;
}

/// Greedy: the most probable token, again and again
std::vector<int32_t>
Translate(const SavedModel& model, at::Tensor memory)
{
    Link link(model, "decoder.");
    const bool preNorm = model.dimensions.at("preNorm");
    memory = preNorm ? link.Norm()(memory) : memory;
    const auto table = link.Next();
    std::vector<Block> blocks;
    for (int64_t i = 0; i < model.Size("decoderBlocks"); ++i)
    {
        blocks.emplace_back(model, link, true);
    }
    const Layer last = preNorm ? link.Norm() : Layer([](const at::Tensor& x) { return x; });
    const bool isTied = model.dimensions.at("tiedProjection");
    const auto weight = isTied ? table : link.Next();
    const auto bias = link.Next();
    const auto positions = MakePositions(model.Size("targetLength"), model.Size("width"));
    std::vector<int64_t> tokens{BEGIN_TOKEN};
    while (static_cast<int64_t>(tokens.size()) <= model.Size("targetLength"))
    {
        const auto length = static_cast<int64_t>(tokens.size());
        auto x = at::embedding(table, at::tensor(tokens, at::kLong)) *
                     std::sqrt(static_cast<double>(model.Size("width"))) +
                 positions.slice(0, 0, length);
        for (const auto& block : blocks)
        {
            x = block.Run(x, memory);
        }
        const auto logits = at::linear(last(x)[length - 1], weight, bias);
        tokens.push_back(logits.argmax().item<int64_t>());
        if (tokens.back() == END_TOKEN)
        {
            break;
        }
    }
    return {tokens.begin() + 1, tokens.end()};
}

/// @return the index of the most probable class
int64_t
Classify(const SavedModel& model, const at::Tensor& memory)
{
    Link link(model, "decoder.");
    const bool preNorm = model.dimensions.at("preNorm");
    const auto first = preNorm ? link.Norm()(memory[0]) : memory[0];
    const auto pooled = link.Linear()(first).tanh();
    return link.Linear()(pooled).argmax().item<int64_t>();
}

/// Says that a model does not read the end of a line.
void
TellCut(const std::string& line, std::size_t tokens, std::size_t limit)
{
    std::cerr << "collapipe-torch-apply: '" << line.substr(0, 40) << (line.size() > 40 ? "..." : "")
              << "' has " << tokens << " tokens, of which the model reads " << limit << "\n";
}

void
Apply(const SavedModel& model)
{
    const ns3::collapipe::Tokenizer tokenizer(model.tokenizer,
                                              static_cast<uint32_t>(model.Size("vocabulary")));
    const bool isBert = model.Size("head") != 0;
    const auto limit = static_cast<std::size_t>(model.Size("sourceLength")) - 1 - isBert;
    std::string line;
    while (std::getline(std::cin, line))
    {
        const auto pieces = tokenizer.Encode({line}).front();
        if (pieces.size() > limit)
        {
            TellCut(line, pieces.size() + 1 + isBert, limit + 1 + isBert);
        }
        std::vector<int64_t> tokens(isBert, BEGIN_TOKEN); // BERT's [CLS]
        tokens.insert(tokens.end(),
                      pieces.begin(),
                      pieces.begin() + std::min(limit, pieces.size()));
        tokens.push_back(END_TOKEN);
        const auto memory = Encode(model, tokens);
        if (!isBert)
        {
            std::cout << tokenizer.Decode({Translate(model, memory)}).front() << "\n";
        }
        else
        {
            std::cout << Classify(model, memory) << "\n";
        }
    }
}

// ------------------------------------------------------------------- all other models

using namespace ns3::collapipe;

/// What the command line says
struct Wishes
{
    std::string folder;        //!< of the model
    GenerationOptions options; //!< how texts are continued
    bool wantsJson{false};     //!< lines are judged, not continued
};

Wishes
Parse(int argc, char* argv[])
{
    Wishes wishes;
    auto& options = wishes.options;
    const std::vector<RunOption> known{
        RunOption(OptionGroup::MODEL, "tokens", &options.tokens, "tokens that follow, at most")
            .From(1)
            .To(100000),
        RunOption(OptionGroup::MODEL, "beam", &options.beam, "texts kept at every position")
            .From(1)
            .To(64),
        RunOption(OptionGroup::MODEL, "temperature", &options.temperature, "0: most probable")
            .From(0)
            .To(100),
        RunOption(OptionGroup::MODEL, "seed", &options.seed, "of random continuations"),
        RunOption(OptionGroup::MODEL, "json", &wishes.wantsJson, "lines are judged")};
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        const auto equals = argument.find('=');
        const bool isOption = argument.rfind("--", 0) == 0;
        const auto* option = isOption ? FindOption(known, argument.substr(2, equals - 2)) : nullptr;
        if (option && (equals != argument.npos || option->name == "json"))
        {
            option->Set(equals == argument.npos ? "true" : argument.substr(equals + 1));
            option->Check();
            continue;
        }
        if (isOption || !wishes.folder.empty())
        {
            throw UserError("usage: collapipe-torch-apply DIR [--tokens=50 --beam=1 "
                            "--temperature=0 --seed=1 --json] < lines.txt");
        }
        wishes.folder = argument;
    }
    if (wishes.folder.empty())
    {
        throw UserError("name the folder that --save or --export was given, or that of a model");
    }
    if (options.beam > 1 && options.temperature > 0)
    {
        throw UserError("--beam looks for the most probable text, --temperature for a random one: "
                        "leave one of them out");
    }
    return wishes;
}

ns3::Ptr<ComputeBackend>
CreateBackend()
{
    return ns3::ObjectFactory("ns3::collapipe::TorchBackend").Create<ComputeBackend>();
}

/// @return a line as a model reads it
Sample
Read(const AppliedModel& model, const std::string& line)
{
    Sample sample;
    sample.source = model.Encode(line);
    const auto tokens = GetModelFamily(model.config).CountInput(sample);
    if (tokens > model.config.GetPositions())
    {
        TellCut(line, tokens, model.config.GetPositions());
    }
    return sample;
}

/// Tells what a model makes of lines as they stand.
void
Judge(const AppliedModel& model, const ComputeBackend& backend)
{
    const bool isLanguage = IsLanguageModel(model.config);
    std::string line;
    while (std::getline(std::cin, line))
    {
        const auto sample = Read(model, line);
        const auto& config = model.config;
        nlohmann::ordered_json json;
        json["tokens"] = sample.source;
        if (isLanguage && sample.source.size() > 1)
        {
            json["nats_per_token"] = backend.Evaluate(config, model.parameters, {sample}).loss;
        }
        auto logits = backend.GetLogits(config, model.parameters, {sample}).front();
        if (config.head == ModelHead::MASKED_LANGUAGE)
        {
            auto& masks = json["logits"] = nlohmann::ordered_json::array();
            for (auto at = logits.begin(); at != logits.end(); at += config.vocabulary)
            {
                masks.push_back(std::vector<float>(at, at + config.vocabulary));
            }
        }
        else
        {
            json["logits"] = std::move(logits);
        }
        std::cout << json.dump() << "\n" << std::flush;
    }
}

/// @return a line with the most probable token where one is masked
std::string
Fill(const AppliedModel& model, const ComputeBackend& backend, const std::string& line)
{
    auto sample = Read(model, line);
    const auto logits = backend.GetLogits(model.config, model.parameters, {sample}).front();
    if (logits.empty())
    {
        throw UserError("'" + line + "' has no " + model.GetMask() + " to fill in, or not among " +
                        "the " + std::to_string(model.config.GetPositions()) +
                        " tokens that the model reads");
    }
    auto next = logits.begin();
    for (auto& token : sample.source)
    {
        if (token == GetMaskToken(model.config) && next != logits.end())
        {
            const auto end = next + model.config.vocabulary;
            token = static_cast<int32_t>(std::max_element(next, end) - next);
            next = end;
        }
    }
    return model.tokenizer.Decode({sample.source}).front();
}

/// @return a line with what follows it
std::string
Continue(const AppliedModel& model,
         const ComputeBackend& backend,
         const GenerationOptions& options,
         const std::string& line)
{
    auto tokens = model.Encode(line);
    if (tokens.size() >= model.config.GetPositions())
    {
        throw UserError("a line is as long as the model's " +
                        std::to_string(model.config.GetPositions()) +
                        " positions, so nothing can follow it");
    }
    const auto next = backend.Generate(model.config, model.parameters, {tokens}, options).front();
    tokens.insert(tokens.end(), next.begin(), next.end());
    return model.tokenizer.Decode({tokens}).front();
}

/// @return the name of a line's class, or its number where it has none
std::string
Name(const AppliedModel& model, const ComputeBackend& backend, const std::string& line)
{
    const auto best = backend.Classify(model.config, model.parameters, {Read(model, line)}).front();
    const auto index = static_cast<std::size_t>(best);
    return index < model.classes.size() ? model.classes[index] : std::to_string(best);
}

void
ApplyModel(const std::string& folder, const Wishes& wishes)
{
    const auto backend = CreateBackend();
    const auto model = AppliedModel::Open(folder, *backend);
    if (IsTranslator(model.config))
    {
        throw UserError("a translator's lines cannot be judged: leave --json out");
    }
    if (wishes.wantsJson)
    {
        Judge(model, *backend);
        return;
    }
    auto options = wishes.options;
    options.ends = {model.config.special.end};
    std::string line;
    while (std::getline(std::cin, line))
    {
        std::cout << (IsLanguageModel(model.config) ? Continue(model, *backend, options, line)
                      : IsClassifier(model.config)  ? Name(model, *backend, line)
                                                    : Fill(model, *backend, line))
                  << "\n"
                  << std::flush;
    }
}

/// @return whether a checkpoint is of a family that the first part knows
bool
IsPlain(const json& dimensions)
{
    const auto family = dimensions.value("family", "");
    const bool isOwn = dimensions.value("positions", 0) == 0; // begun here, not pretrained
    return isOwn && dimensions.at("head").get<int>() < 2 && dimensions.value("trained", 0) == 0 &&
           (family.empty() || family == "transformer" || family == "bert");
}

} // namespace

int
main(int argc, char* argv[])
{
    try
    {
        const auto wishes = Parse(argc, argv);
        const torch::NoGradGuard withoutGradients;
        if (!AppliedModel::IsForeign(wishes.folder) && !wishes.wantsJson)
        {
            const auto model = Load(wishes.folder + "/collapipe.safetensors");
            if (IsPlain(model.dimensions))
            {
                Apply(model);
                return 0;
            }
        }
        ApplyModel(wishes.folder, wishes);
    }
    catch (const std::exception& error)
    {
        std::cerr << "collapipe-torch-apply: " << error.what() << "\n";
        return 2;
    }
    return 0;
}
