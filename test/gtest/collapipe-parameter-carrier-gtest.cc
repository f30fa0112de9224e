/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a control unit takes of others' parameters, and when it passes them on

#include "ns3/collapipe-message-shapes.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-parameter-carrier.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace
{

using Json = nlohmann::json;

/// A control unit, beside two devices that hold three blocks
StageAssignment
MakeAssignment()
{
    StageAssignment assignment;
    assignment.stages = 4;
    assignment.plan = {CONTROL_UNIT, true, 0, 0, false};
    assignment.parts = {{1, {2, false, 0, 1, false}, Ipv4Address("10.0.0.2")},
                        {2, {1, false, 1, 3, false}, Ipv4Address("10.0.0.1")}};
    return assignment;
}

TrainingContext
MakeContext()
{
    TrainingContext context;
    context.model.vocabulary = 40;
    context.model.width = 8;
    context.model.heads = 2;
    context.model.feedForward = 16;
    context.model.encoderBlocks = 3;
    context.model.decoderBlocks = 1;
    return context;
}

/// @return a message about a stage, from a node, with the tensors of a part of the model
Message
MakeMessage(MessageType type, uint16_t node, uint16_t stage, TensorList tensors)
{
    MessageHeader header;
    header.type = type;
    header.node = node;
    header.stage = stage;
    return {header, std::move(tensors)};
}

class Carrier : public ::testing::Test
{
  protected:
    /// Parameters of a stage on the way to it
    Message Down(uint16_t stage, const StagePlan& plan) const
    {
        return MakeMessage(MessageType::SEGMENT_PARAMETERS,
                           EDGE_SERVER,
                           stage,
                           GetParameterShapes(m_context.model, ToPartRange(plan)));
    }

    /// The upload of a stage
    Message Up(uint16_t node, uint16_t stage, const StagePlan& plan) const
    {
        return MakeMessage(MessageType::PARAMETER_UPLOAD,
                           node,
                           stage,
                           GetUploadShapes(m_context, ToPartRange(plan)));
    }

    MessageVerdict::Kind CheckDown(const Message& message) const
    {
        return m_carrier.CheckDown(message.header, message.tensors).kind;
    }

    MessageVerdict::Kind CheckUp(const Message& message) const
    {
        return m_carrier.CheckUp(message.header, message.tensors).kind;
    }

    const TrainingContext m_context{MakeContext()};
    const StageAssignment m_assignment{MakeAssignment()};
    ParameterCarrier m_carrier{m_context, m_assignment};
};

TEST_F(Carrier, PassesDownWhenAllIsHere)
{
    const auto first = Down(1, m_assignment.parts[0].plan);
    const auto second = Down(2, m_assignment.parts[1].plan);
    EXPECT_TRUE(m_carrier.IsForOther(first.header));
    EXPECT_FALSE(m_carrier.IsForOther(Down(0, m_assignment.plan).header));
    EXPECT_EQ(CheckDown(first), MessageVerdict::TAKE);
    // Another stage's shapes, a stage that nobody holds, another chain
    EXPECT_EQ(CheckDown(Down(1, m_assignment.parts[1].plan)), MessageVerdict::REFUSE);
    EXPECT_EQ(CheckDown(Down(3, m_assignment.parts[0].plan)), MessageVerdict::REFUSE);
    auto other = first;
    other.header.chain = 1;
    EXPECT_EQ(CheckDown(other), MessageVerdict::REFUSE);
    auto base = first;
    base.header.type = MessageType::BASE_WEIGHTS;
    EXPECT_EQ(CheckDown(base), MessageVerdict::REFUSE); // none are sent
    m_carrier.AddDown(first);
    EXPECT_EQ(CheckDown(first), MessageVerdict::SKIP);
    EXPECT_FALSE(m_carrier.HasAllDown());
    m_carrier.AddDown(second);
    EXPECT_TRUE(m_carrier.HasAllDown());
    ASSERT_EQ(m_carrier.ListReceivers().size(), 2U);
    const auto messages = m_carrier.TakeDown(1);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].header.stage, 2);
    ASSERT_EQ(m_carrier.ListReceivers().size(), 1U);
    EXPECT_EQ(m_carrier.ListReceivers()[0].node, 2);
    EXPECT_TRUE(m_carrier.TakeDown(1).empty());
}

TEST_F(Carrier, PassesUpWhenAllIsHere)
{
    const auto own = Up(CONTROL_UNIT, 0, m_assignment.plan);
    const auto first = Up(2, 1, m_assignment.parts[0].plan);
    const auto second = Up(1, 2, m_assignment.parts[1].plan);
    EXPECT_EQ(CheckUp(second), MessageVerdict::TAKE);
    EXPECT_EQ(CheckUp(Up(2, 2, m_assignment.parts[1].plan)), MessageVerdict::REFUSE);
    EXPECT_EQ(CheckUp(Up(1, 2, m_assignment.parts[0].plan)), MessageVerdict::REFUSE);
    EXPECT_EQ(CheckUp(own), MessageVerdict::REFUSE); // its own comes from nobody else
    m_carrier.AddUp(second);
    EXPECT_EQ(CheckUp(second), MessageVerdict::SKIP);
    m_carrier.AddUp(own);
    EXPECT_FALSE(m_carrier.HasAllUp());
    m_carrier.AddUp(first);
    ASSERT_TRUE(m_carrier.HasAllUp());
    const auto messages = m_carrier.TakeUp();
    ASSERT_EQ(messages.size(), 3U);
    for (uint16_t stage = 0; stage < 3; ++stage)
    {
        EXPECT_EQ(messages[stage].header.stage, stage);
    }
    // Once: nothing goes on, or is taken, again
    EXPECT_FALSE(m_carrier.HasAllUp());
    EXPECT_EQ(CheckUp(first), MessageVerdict::SKIP);
    EXPECT_TRUE(m_carrier.Knows(1));
    EXPECT_FALSE(m_carrier.Knows(3));
}

TEST(CarriedAssignment, SurvivesTheRoundTrip)
{
    const auto assignment = MakeAssignment();
    StageAssignment read;
    ASSERT_EQ(DecodeAssignment(EncodeAssignment(assignment), read), "");
    EXPECT_EQ(CheckAssignment(read, 3), "");
    ASSERT_EQ(read.parts.size(), 2U);
    EXPECT_EQ(read.parts[1].stage, 2U);
    EXPECT_EQ(read.parts[1].plan.node, 1);
    EXPECT_EQ(read.parts[1].plan.lastBlock, 3U);
    EXPECT_EQ(read.parts[1].address, Ipv4Address("10.0.0.1"));
    EXPECT_EQ(read.carrier.node, EDGE_SERVER);
    StageAssignment device = assignment;
    device.parts.clear();
    device.stage = 1;
    device.plan = {2, false, 0, 1, false};
    device.carrier = {CONTROL_UNIT, Ipv4Address("10.0.0.9")};
    ASSERT_EQ(DecodeAssignment(EncodeAssignment(device), read), "");
    EXPECT_EQ(CheckAssignment(read, 3), "");
    EXPECT_EQ(read.carrier.node, CONTROL_UNIT);
    EXPECT_TRUE(read.parts.empty());
}

TEST(CarriedAssignment, NoPlanAsksForNonsense)
{
    const auto isRefused = [](const StageAssignment& assignment) {
        StageAssignment read;
        const auto error = DecodeAssignment(EncodeAssignment(assignment), read);
        return !error.empty() || !CheckAssignment(read, 3).empty();
    };
    const auto good = MakeAssignment();
    EXPECT_FALSE(isRefused(good));
    for (int kind = 0; kind < 8; ++kind)
    {
        auto bad = good;
        auto& part = bad.parts[1];
        part.stage = kind == 0 ? 1 : kind == 1 ? 4 : part.stage;
        part.plan.lastBlock = kind == 2 ? 4 : part.plan.lastBlock;
        part.plan.node = kind == 3 ? 2 : kind == 4 ? EDGE_SERVER : part.plan.node;
        part.plan.decoder = kind == 5;
        bad.plan.node = kind == 6 ? 3 : bad.plan.node;
        bad.carrier.node = kind == 7 ? CONTROL_UNIT : bad.carrier.node;
        EXPECT_TRUE(isRefused(bad)) << kind;
    }
    // Fields of other types, or missing
    const auto tensor = EncodeAssignment(good);
    const Json json = Json::parse(tensor.As<char>(), tensor.As<char>() + tensor.GetByteSize());
    const std::vector<std::pair<std::string, Json>> changes{{"/parts", 3},
                                                            {"/parts/0", 3},
                                                            {"/parts/0/node", -1},
                                                            {"/parts/0/address", "nowhere"},
                                                            {"/parts/1/decoder", 0},
                                                            {"/parts/1/stage", 1.5},
                                                            {"/parts/1", Json::object()}};
    for (const auto& [place, value] : changes)
    {
        Json changed = json;
        changed[Json::json_pointer(place)] = value;
        const auto text = changed.dump();
        std::vector<uint8_t> bytes(text.begin(), text.end());
        const auto size = static_cast<uint32_t>(bytes.size());
        StageAssignment read;
        EXPECT_NE(
            DecodeAssignment(TensorData::FromVector(DType::UINT8, {size}, std::move(bytes)), read),
            "")
            << place;
    }
}

} // namespace
} // namespace collapipe
} // namespace ns3
