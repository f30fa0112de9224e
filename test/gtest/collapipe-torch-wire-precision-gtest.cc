/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Rounding for the wire, against LibTorch's conversions and against what rounding may cost.
 */

#include "collapipe-learning-gtest.h"

#include "ns3/collapipe-analytic-backend.h"
#include "ns3/collapipe-torch-backend.h"
#include "ns3/collapipe-wire-part.h"

#include <ATen/ATen.h>
#include <cstring>
#include <gtest/gtest.h>

using namespace ns3;
using namespace ns3::collapipe;
using namespace ns3::collapipe::testing;

namespace
{

/// @return values of all magnitudes, ties, borders, infinities and what is no number
std::vector<float>
MakeValues(uint32_t seed)
{
    std::mt19937 random(seed);
    std::vector<float> values{0.0f,
                              -0.0f,
                              1.0f,
                              65504.0f,
                              65519.99f,
                              65520.0f,
                              1e30f,
                              INFINITY,
                              NAN,
                              0x1p-24f,
                              0x1p-25f,
                              0x1.8p-25f,
                              0x1p-14f,
                              2049.0f,
                              2051.0f,
                              1e-45f,
                              0x1.fffp-15f,
                              3.4e38f};
    for (int i = 0; i < 200000; i++)
    {
        const auto bits = static_cast<uint32_t>(random());
        float value;
        std::memcpy(&value, &bits, sizeof(value));
        values.push_back(value);
        // Where binary16 lives, most of the time.
        values.push_back(std::ldexp(static_cast<float>(random() % 65536) / 65536 - 0.5f,
                                    static_cast<int>(random() % 45) - 28));
    }
    const auto count = values.size();
    for (std::size_t i = 0; i < count; i++)
    {
        values.push_back(-values[i]);
    }
    return values;
}

TensorData
ToTensor(std::vector<float> values)
{
    const auto count = static_cast<uint32_t>(values.size());
    return TensorData::FromVector(DType::FLOAT32, {count}, std::move(values));
}

TensorData
RoundTrip(const TensorData& tensor, DType dtype)
{
    TensorList list;
    AppendEncoded(list, tensor, dtype);
    std::size_t position = 0;
    auto decoded = TakeDecoded(list, position);
    EXPECT_EQ(position, list.size());
    return decoded;
}

/// Checks encoded bits and decoded values against LibTorch's.
void
CompareWithTorch(DType dtype, at::ScalarType type)
{
    auto values = MakeValues(1);
    const auto reference =
        at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kFloat)
            .to(type)
            .contiguous();
    const auto back = reference.to(at::kFloat).contiguous();
    TensorList encoded;
    AppendEncoded(encoded, ToTensor(values), dtype);
    ASSERT_EQ(encoded.size(), 1u);
    const auto decoded = RoundTrip(ToTensor(values), dtype);
    for (std::size_t i = 0; i < values.size(); i++)
    {
        if (std::isnan(values[i]))
        {
            EXPECT_TRUE(std::isnan(decoded.As<float>()[i]));
            continue;
        }
        ASSERT_EQ(encoded[0].As<uint16_t>()[i],
                  static_cast<const uint16_t*>(reference.data_ptr())[i])
            << values[i];
        ASSERT_EQ(decoded.As<float>()[i], back.data_ptr<float>()[i]) << values[i];
    }
}

} // namespace

TEST(WirePrecision, HalfIsLibTorchs)
{
    CompareWithTorch(DType::FLOAT16, at::kHalf);
}

TEST(WirePrecision, BfloatIsLibTorchs)
{
    CompareWithTorch(DType::BFLOAT16, at::kBFloat16);
}

TEST(WirePrecision, Int8IsWithinHalfAStep)
{
    std::mt19937 random(7);
    for (int i = 0; i < 50; i++)
    {
        const double magnitude = std::pow(10.0, static_cast<int>(random() % 20) - 10.0);
        std::vector<float> values(1 + random() % 500);
        float largest = 0;
        for (auto& value : values)
        {
            value = static_cast<float>(magnitude * (random() / 2147483648.0 - 1));
            largest = std::max(largest, std::fabs(value));
        }
        const auto decoded = RoundTrip(ToTensor(values), DType::INT8);
        for (std::size_t k = 0; k < values.size(); k++)
        {
            EXPECT_LE(std::fabs(decoded.As<float>()[k] - values[k]), largest / 127 * 0.5001);
        }
    }
    const auto zeros = RoundTrip(ToTensor({0, 0, 0}), DType::INT8);
    EXPECT_EQ(zeros.As<float>()[1], 0);
    // What is no number must not arrive as one.
    EXPECT_TRUE(std::isnan(RoundTrip(ToTensor({1, NAN}), DType::INT8).As<float>()[1]));
    EXPECT_TRUE(std::isnan(RoundTrip(ToTensor({1, INFINITY}), DType::INT8).As<float>()[1]));
}

TEST(WirePrecision, ParametersRoundAndOptimizerStateDoesNot)
{
    const TensorList list{MakeNormal({5, 3}, 1), MakeNormal({7}, 2), MakeNormal({5, 3}, 3)};
    for (const auto dtype : {DType::FLOAT32, DType::FLOAT16, DType::BFLOAT16, DType::INT8})
    {
        const auto encoded = EncodeParameters(list, 2, dtype);
        const auto decoded = DecodeParameters(encoded, 2);
        ASSERT_TRUE(HaveEqualShapes(decoded, list));
        EXPECT_TRUE(AreIdentical({decoded[2]}, {list[2]}));
        EXPECT_EQ(AreIdentical(decoded, list), dtype == DType::FLOAT32);
        const uint64_t scales = dtype == DType::INT8 ? 8 : 0;
        EXPECT_EQ(GetByteSize(encoded), 22 * GetElementSize(dtype) + scales + 60);
    }
}

/// Precision of all
class WireParts : public ::testing::TestWithParam<DType>
{
};

TEST_P(WireParts, OfAllBackendsSendTheSameSizes)
{
    const auto config = MakeSmallConfig();
    const WirePrecision precision{GetParam(), GetParam(), GetParam()};
    const auto torch = CreateObject<TorchBackend>();
    const auto analytic = CreateObject<AnalyticBackend>();
    const auto parameters = torch->CreateParameters(config, 1);
    for (const auto& range : GetAllParts(config))
    {
        const auto list = EncodeParameters(parameters.Gather(range),
                                           parameters.Gather(range).size(),
                                           precision.parameters);
        WirePart real(*torch, config, range, {}, list, {}, precision);
        WirePart sizes(*analytic, config, range, {}, list, {}, precision);
        auto input = MakeInput(config, range, 3, 1);
        if (!range.embedding)
        {
            TensorList encoded;
            AppendEncoded(encoded, input[0], GetParam());
            encoded.insert(encoded.end(), input.begin() + 1, input.end());
            input = encoded;
        }
        EXPECT_TRUE(HaveEqualShapes(real.Forward(0, input), sizes.Forward(0, input)));
        TensorList gradient;
        if (!range.decoder)
        {
            AppendEncoded(gradient,
                          MakeNormal({3, config.sourceLength, config.width}, 5),
                          GetParam());
        }
        EXPECT_TRUE(HaveEqualShapes(real.Backward(0, gradient), sizes.Backward(0, gradient)));
        EXPECT_TRUE(HaveEqualShapes(real.ExportParameters(true), sizes.ExportParameters(true)));
        EXPECT_TRUE(HaveEqualShapes(real.ExportStatistics(), sizes.ExportStatistics()));
    }
}

TEST_P(WireParts, ComputeOnWhatArrived)
{
    const auto config = MakeSmallConfig();
    const WirePrecision precision{GetParam(), GetParam(), GetParam()};
    const auto torch = CreateObject<TorchBackend>();
    const PartRange range{false, 1, 3, false};
    const auto list = torch->CreateParameters(config, 1).Gather(range);
    const auto sent = EncodeParameters(list, list.size(), GetParam());
    WirePart part(*torch, config, range, {}, sent, {}, precision);
    const auto plain = torch->CreatePart(config, range, {}, DecodeParameters(sent, list.size()));
    auto input = MakeInput(config, range, 2, 3);
    TensorList wire;
    AppendEncoded(wire, input[0], GetParam());
    std::size_t position = 0;
    input[0] = TakeDecoded(wire, position);
    wire.push_back(input[1]);
    TensorList expected;
    AppendEncoded(expected, plain->Forward(0, input)[0], GetParam());
    expected.push_back(input[1]);
    EXPECT_TRUE(AreIdentical(part.Forward(0, wire), expected));
}

INSTANTIATE_TEST_SUITE_P(
    Precisions,
    WireParts,
    ::testing::Values(DType::FLOAT32, DType::FLOAT16, DType::BFLOAT16, DType::INT8));
