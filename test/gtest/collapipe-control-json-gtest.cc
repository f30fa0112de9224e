/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-instance-json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ns3
{
namespace collapipe
{
namespace
{

using Json = nlohmann::json;

Instance
MakeInstance(uint64_t seed)
{
    test::RandomShape shape;
    shape.clusters = 2;
    shape.devices = 3;
    shape.dedicated = true;
    return test::RandomInstance(seed).Make(shape);
}

/// @return what the parser says about an instance in which one field was changed
std::string
GetError(const std::string& pointer, const Json& value)
{
    Json json = Json::parse(FormatInstanceJson(MakeInstance(3)));
    json[Json::json_pointer(pointer)] = value;
    Instance instance;
    return ParseInstanceJson(json.dump(), instance);
}

std::string
GetErrorWithout(const std::string& parent, const std::string& field)
{
    Json json = Json::parse(FormatInstanceJson(MakeInstance(3)));
    json[Json::json_pointer(parent)].erase(field);
    Instance instance;
    return ParseInstanceJson(json.dump(), instance);
}

TEST(ControlJson, InstancesSurviveTheRoundTrip)
{
    for (uint64_t seed = 1; seed <= 50; ++seed)
    {
        const std::string text = FormatInstanceJson(MakeInstance(seed));
        Instance instance;
        ASSERT_EQ(ParseInstanceJson(text, instance), "");
        EXPECT_EQ(FormatInstanceJson(instance), text);
    }
}

TEST(ControlJson, ErrorsNameTheField)
{
    EXPECT_EQ(GetErrorWithout("/model", "blocks"), "model.blocks is missing");
    EXPECT_EQ(GetErrorWithout("/clusters/1/devices/2", "flops"),
              "clusters[1].devices[2].flops is missing");
    EXPECT_EQ(GetErrorWithout("", "edge"), "edge is missing");
    EXPECT_EQ(GetError("/edge/flops", -1), "edge.flops must not be negative");
    EXPECT_EQ(GetError("/edge/flops", 0), "edge.flops must be positive");
    EXPECT_EQ(GetError("/edge/flops", "fast"), "edge.flops must be a number");
    EXPECT_EQ(GetError("/edge/flops", nullptr), "edge.flops must be a number");
    EXPECT_EQ(GetError("/model/blocks", 2.5), "model.blocks must be an integer below 2^31");
    EXPECT_EQ(GetError("/clusters", 4), "clusters must be an array");
    EXPECT_EQ(GetError("/model", 4), "model must be an object");
    EXPECT_EQ(GetError("/uplink", {{"mode", "magic"}}),
              "uplink.mode must be \"frequency\", \"airtime\" or \"dedicated\"");
    EXPECT_EQ(GetError("/training/schedule", "zb-h1"),
              "training.schedule must be \"gpipe\", \"1f1b\", or the TypeId of a schedule");
    EXPECT_EQ(GetError("/training/allowedPairs", Json::array()),
              "training.allowedPairs must not be empty");
    EXPECT_EQ(GetError("/clusters/0/d2dLinks", Json::array()),
              "clusters[0].d2dLinks must have 4 rows, one per node");
    EXPECT_EQ(GetError("/queues/energyJ", Json::array()),
              "queues.energyJ must have one row per cluster");
    EXPECT_EQ(GetError("/queues/energyJ/1/0", -3), "queues.energyJ[1][0] must not be negative");
}

TEST(ControlJson, BrokenDocumentsAreRefused)
{
    const std::string text = FormatInstanceJson(MakeInstance(1));
    Instance instance;
    EXPECT_EQ(ParseInstanceJson("[]", instance), "the document must be an object");
    EXPECT_EQ(ParseInstanceJson("", instance), "the document is not complete: the text ends there");
    EXPECT_EQ(ParseInstanceJson("{\"a\": [1, {\"b\": 2", instance),
              "a[1] is not complete: the text ends there");
    EXPECT_EQ(ParseInstanceJson("{\"a\": [1, {\"b\":", instance),
              "a[1].b is not complete: the text ends there");
    EXPECT_EQ(ParseInstanceJson("{\"a\": 1,\n \"b\": [2, -Infinity]}", instance),
              "b[1] is not valid JSON: \"-Infinity\" at line 2, column 12; numbers must be finite, "
              "text in quotes");
    for (const std::string value : {"NaN", "nan", "inf", "1e999", "0x10", "'1'", "1 2", ","})
    {
        std::string broken = text;
        broken.replace(broken.find("\"workers\": ") + 11, 1, value);
        EXPECT_EQ(ParseInstanceJson(broken, instance).find("edge"), 0U)
            << ParseInstanceJson(broken, instance);
    }
    // Cut off anywhere, the text is refused with a sentence
    for (std::size_t length = 0; length + 1 < text.size(); length += 37)
    {
        const std::string error = ParseInstanceJson(text.substr(0, length), instance);
        EXPECT_NE(error.find("the text ends there"), std::string::npos) << length << ": " << error;
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
