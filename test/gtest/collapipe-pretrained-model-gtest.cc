/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Pretrained models as the module has them: every tensor of the public layouts has its place, and
// what is written is what was read.

#include "gtest/collapipe-temporary-folder.h"
#include "gtest/collapipe-test-data.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-link-parameters.h"
#include "ns3/collapipe-pretrained-export.h"
#include "ns3/collapipe-pretrained-model.h"
#include "ns3/collapipe-text-files.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <vector>

using namespace ns3::collapipe;

namespace
{

using Layout = std::map<std::string, std::vector<uint32_t>>;

/// @return all that a model's family says it is made of, by name
Layout
ListOwn(const ModelConfig& model)
{
    Layout layout;
    const PartRange whole{true, 0, model.encoderBlocks, true};
    for (const auto& place : GetParameterLayout(model, whole))
    {
        const bool isRepeated = place.isTied && place.kind != ParameterKind::TABLE;
        for (const auto& source : place.sources)
        {
            auto shape = place.shape.shape;
            shape.front() = source.rows;
            if (source.isTransposed)
            {
                std::swap(shape.front(), shape.back());
            }
            if (!isRepeated)
            {
                EXPECT_TRUE(layout.emplace(source.name, shape).second) << source.name;
            }
        }
    }
    return layout;
}

/// @return the public layout of a model
Layout
ListPublic(const PretrainedConfig& config, PretrainedHead head, uint32_t classes)
{
    Layout layout;
    for (const auto& tensor : ListPretrainedTensors(config, head, classes))
    {
        layout.emplace(tensor.name, tensor.shape);
    }
    return layout;
}

/// @return a small model of a family with random parameters, all different
ModelConfig
MakeSmall(const std::string& family)
{
    ModelConfig model;
    model.family = family;
    model.head = FindModelFamily(family)->GetHeads().front();
    model.vocabulary = 37;
    model.width = 16;
    model.heads = 4;
    model.keyValueHeads = family == "llama" ? 2 : 0;
    model.feedForward = 20;
    model.encoderBlocks = 2;
    model.sourceLength = 12;
    model.segments = family == "distilbert" ? 0 : 2;
    model.edgeBlocks = FindModelFamily(family)->IsCausal() ? 1 : 0;
    return model;
}

ModelParameters
MakeParameters(const ModelConfig& model)
{
    ModelParameters parameters;
    parameters.blocks.resize(model.encoderBlocks);
    float next = 0.25F;
    const auto fill = [&](const PartRange& link, TensorList& list) {
        for (const auto& place : GetParameterLayout(model, link))
        {
            std::vector<float> values(place.shape.GetElementCount());
            for (auto& value : values)
            {
                value = next;
                next = next < 8 ? next + 0.0009765625F : -7.5F;
            }
            list.push_back(
                TensorData::FromVector(DType::FLOAT32, place.shape.shape, std::move(values)));
        }
    };
    fill({true, 0, 0, false}, parameters.embedding);
    for (uint32_t block = 0; block < model.encoderBlocks; ++block)
    {
        fill({false, block, block + 1, false}, parameters.blocks[block]);
    }
    fill({false, model.encoderBlocks, model.encoderBlocks, true}, parameters.decoder);
    return parameters;
}

/// @return every value of a model, in order
std::vector<float>
Flatten(const ModelConfig& model, const ModelParameters& parameters)
{
    std::vector<float> values;
    ForEachParameter(model, parameters, [&](const ParameterPlace&, const TensorData& tensor) {
        const auto* data = tensor.As<float>();
        values.insert(values.end(), data, data + tensor.GetElementCount());
    });
    return values;
}

} // namespace

TEST(PretrainedModel, EveryFamilyHasThePublicLayout)
{
    for (const auto& name : GetNamedConfigNames())
    {
        PretrainedConfig config;
        ASSERT_TRUE(GetNamedConfig(name, config));
        const auto language =
            config.IsCausal() ? ModelHead::CAUSAL_LANGUAGE : ModelHead::MASKED_LANGUAGE;
        for (const auto head : {language, ModelHead::CLASSIFICATION})
        {
            auto model = MakeModelConfig(config, head);
            model.classes = 3;
            EXPECT_EQ(model.Check(), "") << name;
            EXPECT_EQ(ListOwn(model), ListPublic(config, GetPretrainedHead(head), 3)) << name;
            if (config.IsCausal())
            {
                // Blocks keep their names wherever they are.
                model.edgeBlocks = 2;
                model.encoderBlocks -= 2;
                EXPECT_EQ(ListOwn(model), ListPublic(config, GetPretrainedHead(head), 3)) << name;
            }
        }
    }
}

TEST(PretrainedModel, AConfigThereAndBackIsTheSame)
{
    for (const auto& name : GetNamedConfigNames())
    {
        PretrainedConfig config;
        ASSERT_TRUE(GetNamedConfig(name, config));
        const auto head =
            config.IsCausal() ? ModelHead::CAUSAL_LANGUAGE : ModelHead::MASKED_LANGUAGE;
        auto back = MakePretrainedConfig(MakeModelConfig(config, head));
        // What a model does not know of itself
        back.initializerRange = config.initializerRange;
        back.hiddenDropout = config.hiddenDropout;
        back.attentionDropout = config.attentionDropout;
        back.beginToken = config.beginToken;
        back.endTokens = config.endTokens;
        back.padToken = config.padToken;
        EXPECT_EQ(FormatPretrainedConfig(back, PretrainedHead::LANGUAGE),
                  FormatPretrainedConfig(config, PretrainedHead::LANGUAGE))
            << name;
    }
}

TEST(PretrainedModel, WhatIsExportedIsReadAgainToTheByte)
{
    for (const std::string family : {"bert", "distilbert", "gpt2", "opt", "llama"})
    {
        auto model = MakeSmall(family);
        const auto parameters = MakeParameters(model);
        const TemporaryFolder folder;
        PretrainedExport what;
        what.folder = folder.GetFile("model");
        WritePretrained(what, model, FreezeParameters(model, parameters));
        const auto config = ReadPretrainedConfig(what.folder + "/config.json");
        auto again = MakeModelConfig(config, model.head);
        again.edgeBlocks = model.edgeBlocks;
        again.encoderBlocks -= model.edgeBlocks;
        again.sourceLength = model.sourceLength;
        const PretrainedWeights weights(what.folder, config.family);
        const auto read = ReadPretrainedParameters(weights, config, again, MakeParameters(again));
        EXPECT_EQ(Flatten(again, read), Flatten(model, parameters)) << family;
    }
}

TEST(PretrainedModel, AdaptersAreFoldedInAsTheyAreDefined)
{
    auto model = MakeSmall("llama");
    model.lora.rank = 2;
    model.lora.alpha = 3;
    model.trained = TrainedPart::ADAPTERS;
    const auto all = MakeParameters(model);
    const auto trained = FreezeParameters(model, all);
    const auto merged = MergeAdapters(model, trained);
    // q_proj of the first block: W + (alpha / rank) B A, row by row
    const auto places = GetParameterLayout(model, {false, 0, 1, false});
    const auto& list = all.blocks[0];
    std::size_t matrix = 0;
    while (places[matrix].kind != ParameterKind::MATRIX)
    {
        ++matrix;
    }
    ASSERT_EQ(places[matrix + 1].kind, ParameterKind::ADAPTER_DOWN);
    const auto* before = list[matrix].As<float>();
    const auto* down = list[matrix + 1].As<float>();
    const auto* up = list[matrix + 2].As<float>();
    const auto* after = merged.blocks[0][matrix].As<float>();
    const auto rows = list[matrix + 2].shape[0];
    ASSERT_EQ(rows, 16U);
    for (uint32_t row = 0; row < rows; ++row)
    {
        for (uint32_t column = 0; column < 16; ++column)
        {
            const double sum =
                double(up[row * 2]) * down[column] + double(up[row * 2 + 1]) * down[16 + column];
            const double wanted = before[row * 16 + column] + 1.5 * sum;
            EXPECT_NEAR(after[row * 16 + column], wanted, 1e-5 * (1 + std::abs(wanted)));
        }
    }
}

TEST(PretrainedModel, NothingButAnExportIsOverwritten)
{
    const auto model = MakeSmall("gpt2");
    const TemporaryFolder folder;
    const auto path = folder.GetFile("other");
    CheckExport(path, model); // there is nothing
    std::filesystem::create_directory(path);
    CheckExport(path, model); // nothing is in it
    std::ofstream(path + "/config.json") << "{}";
    EXPECT_THROW(CheckExport(path, model), DataError);
    std::ofstream(folder.GetFile("file")) << "x";
    EXPECT_THROW(CheckExport(folder.GetFile("file"), model), DataError);
    auto copy = model;
    PretrainedExport what;
    what.folder = folder.GetFile("own");
    const auto trained = FreezeParameters(copy, MakeParameters(copy));
    WritePretrained(what, copy, trained);
    WritePretrained(what, copy, trained); // its own may be written again
    auto transformer = ModelConfig();
    EXPECT_THROW(CheckExport(folder.GetFile("none"), transformer), DataError);
}
