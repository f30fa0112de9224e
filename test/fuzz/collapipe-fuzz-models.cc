/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Damaged models as others publish them: config.json, safetensors, the forms of tokenizers; and
// gettext's catalogs.

#include "collapipe-fuzz-target.h"

#include "ns3/collapipe-gettext-catalog.h"
#include "ns3/collapipe-pretrained-config.h"
#include "ns3/collapipe-pretrained-tokenizer.h"
#include "ns3/collapipe-safetensors.h"

#include <cstring>
#include <map>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

/// Appends a number as little-endian bytes.
template <typename T>
void
Append(std::string& text, T value)
{
    for (std::size_t i = 0; i < sizeof(T); ++i)
    {
        text += static_cast<char>(value >> (8 * i) & 0xff);
    }
}

/// A text that is encoded and decoded by what was read, if anything was
const std::string SENTENCE = "a ab \xc3\xa9\xe4\xb8\xad  ba\n<s>";

void
UseTokenizer(const std::map<std::string, std::string>& files)
{
    const auto tokenizer = PretrainedTokenizer::FromFiles(files, "fuzz");
    tokenizer->Decode(tokenizer->Encode(SENTENCE));
}

std::vector<Bytes>
MakeConfigs()
{
    return {ToBytes(R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 172,
 "num_hidden_layers": 5, "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 512,
 "max_position_embeddings": 512, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
 "tie_word_embeddings": true, "hidden_act": "silu", "architectures": ["LlamaForCausalLM"]})"),
            ToBytes(R"({"model_type": "gpt2", "n_embd": 8, "n_layer": 2, "n_head": 2,
 "vocab_size": 16, "n_positions": 32, "activation_function": "gelu_new"})"),
            ToBytes(R"({"model_type": "bert", "hidden_size": 8, "intermediate_size": 16,
 "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 16,
 "max_position_embeddings": 32, "type_vocab_size": 2, "hidden_act": "gelu",
 "architectures": ["BertForMaskedLM"], "layer_norm_eps": 1e-12})")};
}

void
ReadConfig(const Bytes& input)
{
    ParsePretrainedConfig(ToText(input), "fuzz");
}

std::vector<Bytes>
MakeSafetensors()
{
    const std::string head =
        R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
        R"("b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]}})";
    std::string file;
    Append<uint64_t>(file, head.size());
    return {ToBytes(file + head + std::string(32, '\1'))};
}

void
ReadSafetensors(const Bytes& input)
{
    ParseSafetensorsHead(input.data(), input.size(), "fuzz");
}

std::vector<Bytes>
MakeTokenizerFiles()
{
    return {ToBytes(R"({"version": "1.0", "added_tokens": [{"id": 3, "content": "<s>",
 "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}],
 "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
 "use_regex": true}, "decoder": {"type": "ByteLevel"}, "post_processor": null,
 "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "<s>": 3}, "merges": ["a b"],
 "byte_fallback": false, "unk_token": null}})"),
            ToBytes(R"({"added_tokens": [], "normalizer": {"type": "BertNormalizer",
 "lowercase": true, "strip_accents": null, "clean_text": true, "handle_chinese_chars": true},
 "pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##"},
 "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
 "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "a": 1, "##b": 2}}})")};
}

void
ReadTokenizerFile(const Bytes& input)
{
    UseTokenizer({{"tokenizer.json", ToText(input)}});
}

std::vector<Bytes>
MakeWords()
{
    return {ToBytes("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##b\n##a\n")};
}

void
ReadWords(const Bytes& input)
{
    UseTokenizer({{"vocab.txt", ToText(input)}});
}

std::vector<Bytes>
MakeMerges()
{
    return {ToBytes("#version: 0.2\na b\nb a\n"), ToBytes("a b\nab a\n")};
}

void
ReadMerges(const Bytes& input)
{
    UseTokenizer({{"vocab.json", R"({"a": 0, "b": 1, "ab": 2, "ba": 3, "aba": 4})"},
                  {"merges.txt", ToText(input)}});
}

/// Appends a field of a protocol buffer that has a length.
void
AppendField(std::string& text, uint8_t number, const std::string& value)
{
    text += static_cast<char>(number << 3 | 2);
    text += static_cast<char>(value.size()); // below 128
    text += value;
}

std::vector<Bytes>
MakePieces()
{
    std::string model;
    const auto add = [&model](const std::string& piece, float score, char kind) {
        std::string field;
        AppendField(field, 1, piece);
        uint32_t bits;
        std::memcpy(&bits, &score, sizeof(bits));
        field += '\x15';
        Append(field, bits);
        field += std::string{'\x18', kind};
        AppendField(model, 1, field);
    };
    add("<unk>", 0, 2);
    add("<s>", 0, 3);
    add("</s>", 0, 3);
    add("<0xC3>", 0, 6);
    add("\xe2\x96\x81"
        "a",
        -1,
        1);
    add("b", -2, 1);
    add("ab", -3, 1);
    AppendField(model, 2, std::string{'\x18', '\2'}); // trainer: BPE
    return {ToBytes(model)};
}

void
ReadPieces(const Bytes& input)
{
    UseTokenizer({{"tokenizer.model", ToText(input)}});
}

std::vector<Bytes>
MakeCatalogs()
{
    const std::string texts[] = {"",
                                 "Content-Type: text/plain; charset=UTF-8\n",
                                 "a file",
                                 "eine Datei"};
    std::string file;
    const uint32_t count = 2;
    const uint32_t tables = 28;
    uint32_t next = tables + 2 * 8 * count;
    for (const uint32_t number : {0x950412deU, 0U, count, tables, tables + 8 * count, 0U, next})
    {
        Append(file, number);
    }
    std::string strings;
    for (const uint32_t first : {0U, 1U}) // originals, then translations
    {
        for (uint32_t i = first; i < 2 * count; i += 2)
        {
            Append<uint32_t>(file, texts[i].size());
            Append<uint32_t>(file, next + strings.size());
            strings += texts[i] + '\0';
        }
    }
    return {ToBytes(file + strings)};
}

void
ReadMessageCatalog(const Bytes& input)
{
    ParseCatalog(ToText(input), "fuzz");
}

} // namespace

std::vector<Target>
GetModelTargets()
{
    return {{"config", MakeConfigs, nullptr, ReadConfig},
            {"safetensors", MakeSafetensors, nullptr, ReadSafetensors},
            {"tokenizer", MakeTokenizerFiles, nullptr, ReadTokenizerFile},
            {"wordpiece", MakeWords, nullptr, ReadWords},
            {"merges", MakeMerges, nullptr, ReadMerges},
            {"sentencepiece", MakePieces, nullptr, ReadPieces},
            {"catalog", MakeCatalogs, nullptr, ReadMessageCatalog}};
}
