/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Safetensors files: read, written, and refused where they are broken.

#include "gtest/collapipe-temporary-folder.h"

#include "ns3/collapipe-safetensors.h"
#include "ns3/collapipe-text-files.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace ns3::collapipe;

namespace
{

/// @return a file of this head and so many bytes of tensors
std::string
MakeFile(const std::string& head, std::size_t bytes)
{
    std::string file(8, '\0');
    for (std::size_t i = 0; i < 8; ++i)
    {
        file[i] = static_cast<char>(static_cast<uint64_t>(head.size()) >> (8 * i));
    }
    file += head;
    for (std::size_t i = 0; i < bytes; ++i)
    {
        file += static_cast<char>(i);
    }
    return file;
}

/// A buffer of exactly the file's size, so that a sanitizer sees a byte read beyond it.
SafetensorsFile
Open(const std::string& file)
{
    auto bytes =
        std::shared_ptr<uint8_t>(new uint8_t[file.size() + 1], std::default_delete<uint8_t[]>());
    std::memcpy(bytes.get(), file.data(), file.size());
    return {bytes, file.size(), "model.safetensors"};
}

/// @return what the reader says of a file; empty where it takes it
std::string
Complain(const std::string& file)
{
    try
    {
        Open(file);
    }
    catch (const DataError& error)
    {
        return error.what();
    }
    return "";
}

/// @return what the reader says of a head with 8 bytes of tensors
std::string
ComplainOfHead(const std::string& head)
{
    return Complain(MakeFile(head, 8));
}

std::string
Entry(const std::string& name, const std::string& shape, int begin, int end)
{
    return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":" + shape + ",\"data_offsets\":[" +
           std::to_string(begin) + "," + std::to_string(end) + "]}";
}

#define EXPECT_SAYS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

} // namespace

TEST(Safetensors, ReadsWhatTheFormatSays)
{
    const auto file =
        Open(MakeFile("{\"__metadata__\":{\"format\":\"pt\"}," + Entry("b", "[1,1]", 4, 8) + "," +
                          Entry("a", "[]", 0, 4) + "}   ",
                      8));
    ASSERT_EQ(file.GetHead().entries.size(), 2U);
    EXPECT_EQ(file.GetHead().entries[0].name, "a");
    EXPECT_EQ(file.GetHead().metadata.at("format"), "pt");
    const auto b = file.Get("b");
    EXPECT_EQ(b.dtype, DType::FLOAT32);
    EXPECT_EQ(b.shape, (std::vector<uint32_t>{1, 1}));
    EXPECT_EQ(std::memcmp(b.data.get(), "\4\5\6\7", 4), 0);
    EXPECT_EQ(file.Get("a").GetElementCount(), 1U);
    EXPECT_EQ(file.Find("c"), nullptr);
    EXPECT_THROW(file.Get("c"), DataError);
}

TEST(Safetensors, TakesEveryTypeAndEmptyTensors)
{
    const char* types[] = {"BOOL",
                           "U8",
                           "I8",
                           "F8_E5M2",
                           "F8_E4M3",
                           "I16",
                           "U16",
                           "F16",
                           "BF16",
                           "I32",
                           "U32",
                           "F32",
                           "F64",
                           "I64",
                           "U64"};
    const int sizes[] = {1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8};
    for (std::size_t i = 0; i < std::size(types); ++i)
    {
        const auto head = "{\"x\":{\"dtype\":\"" + std::string(types[i]) +
                          "\",\"shape\":[3],\"data_offsets\":[0," + std::to_string(3 * sizes[i]) +
                          "]}}";
        EXPECT_EQ(Complain(MakeFile(head, 3 * sizes[i])), "") << types[i];
        EXPECT_NE(Complain(MakeFile(head, 3 * sizes[i] - 1)), "") << types[i];
    }
    EXPECT_EQ(Complain(MakeFile("{" + Entry("x", "[0,7]", 0, 0) + "}", 0)), "");
    EXPECT_EQ(Complain(MakeFile("{}", 0)), "");
}

TEST(Safetensors, RefusesWhatBreaksTheFormat)
{
    const auto good = "{" + Entry("x", "[2]", 0, 8) + "}";
    ASSERT_EQ(ComplainOfHead(good), "");
    EXPECT_SAYS(Complain(""), "cut short");
    EXPECT_SAYS(Complain(std::string(8, '\xff')), "longer than 100 MB");
    EXPECT_SAYS(Complain(MakeFile(good, 8).substr(0, 20)), "cut short in its head");
    EXPECT_SAYS(Complain(MakeFile(good, 7)), "passes the end");
    EXPECT_SAYS(Complain(MakeFile(good, 9)), "belong to none");
    EXPECT_SAYS(ComplainOfHead(" " + good), "brace");
    EXPECT_SAYS(ComplainOfHead(""), "brace");
    EXPECT_SAYS(ComplainOfHead(good + "x"), "JSON");
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[2]", 0, 8)), "JSON");
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[1]", 0, 4) + "," + Entry("x", "[1]", 4, 8) + "}"),
                "comes twice");
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[1]", 0, 4) + "," + Entry("y", "[1]", 2, 6) + "}"),
                "overlaps");
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[1]", 4, 8) + "}"), "gap");
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[2]", 8, 0) + "}"), "end of the file");
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[3]", 0, 8) + "}"), "another size");
    // 4 * 2^62 bytes are 2^64, which wraps to nothing.
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[2]", 0, 8) + "," +
                               Entry("y", "[4611686018427387904]", 8, 8) + "}"),
                "another size");
    EXPECT_SAYS(ComplainOfHead("{" + Entry("x", "[4294967296,4294967296,2]", 0, 8) + "}"),
                "another size");
    EXPECT_SAYS(ComplainOfHead("{\"x\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}"),
                "unknown type");
    EXPECT_SAYS(ComplainOfHead("{\"x\":{\"dtype\":\"F32\",\"shape\":[2]}}"), "data_offsets");
    EXPECT_SAYS(ComplainOfHead("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}"),
                "data_offsets");
    EXPECT_SAYS(ComplainOfHead("{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}"),
                "negative");
    EXPECT_SAYS(
        ComplainOfHead("{\"x\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}"),
        "whole");
    EXPECT_SAYS(ComplainOfHead("{\"x\":[1]}"), "a list");
    EXPECT_SAYS(ComplainOfHead("{\"__metadata__\":{\"a\":{}}}"), "an object");
    EXPECT_SAYS(ComplainOfHead("{\"__metadata__\":{\"a\":1}}"), "a number");
    // Two million nested lists: refused at the first, and no stack is used up.
    EXPECT_SAYS(ComplainOfHead("{\"x\":" + std::string(2'000'000, '[')), "a list");
    EXPECT_THROW(SafetensorsFile("/nonexistent/model.safetensors"), DataError);
    EXPECT_THROW(SafetensorsFile("/"), DataError);
}

TEST(Safetensors, WrittenAndReadAgainIsTheSame)
{
    const TemporaryFolder folder;
    std::mt19937 random(1);
    NamedTensors tensors;
    for (int i = 0; i < 40; ++i)
    {
        const DType types[] = {DType::FLOAT32,
                               DType::FLOAT64,
                               DType::INT32,
                               DType::UINT8,
                               DType::FLOAT16,
                               DType::BFLOAT16,
                               DType::INT8};
        auto tensor = TensorData::MakeVirtual(types[random() % std::size(types)], {});
        for (auto rank = random() % 4; rank > 0; --rank)
        {
            tensor.shape.push_back(random() % 5);
        }
        auto bytes = std::make_shared<std::vector<uint8_t>>(tensor.GetByteSize() + 1);
        for (auto& byte : *bytes)
        {
            byte = static_cast<uint8_t>(random());
        }
        tensor.data = std::shared_ptr<const uint8_t>(bytes, bytes->data());
        tensors.emplace_back("layer \"" + std::to_string(i) + "\" \xc3\xa4", tensor);
    }
    WriteSafetensors(folder.GetFile("a"), tensors, {{"format", "pt"}, {"x", "\n"}});
    const SafetensorsFile file(folder.GetFile("a"));
    EXPECT_EQ(file.GetHead().metadata.at("x"), "\n");
    EXPECT_EQ(file.GetHead().size % 8, 0U);
    EXPECT_EQ(file.GetHead().entries.size(), tensors.size());
    for (const auto& [name, tensor] : tensors)
    {
        const auto read = file.Get(name);
        EXPECT_EQ(read.dtype, tensor.dtype);
        EXPECT_EQ(read.shape, tensor.shape);
        ASSERT_EQ(read.GetByteSize(), tensor.GetByteSize());
        EXPECT_EQ(std::memcmp(read.data.get(), tensor.data.get(), tensor.GetByteSize()), 0);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(read.data.get()) % GetElementSize(read.dtype), 0U);
    }
    EXPECT_EQ(folder.CountFiles(), 1U) << "nothing but the file is left";
}

TEST(Safetensors, TensorsOutliveTheFileThatTheyAreViewsOf)
{
    const TemporaryFolder folder;
    WriteSafetensors(
        folder.GetFile("a"),
        {{"x", TensorData::FromVector(DType::FLOAT32, {3}, std::vector<float>{1, 2, 3})}});
    TensorData tensor;
    {
        const SafetensorsFile file(folder.GetFile("a"));
        tensor = file.Get("x");
        EXPECT_EQ(tensor.data.get(), file.Get("x").data.get()) << "a view, not a copy";
    }
    EXPECT_EQ(tensor.As<float>()[2], 3.0F);
}

TEST(Safetensors, AlignsTensorsOfAFileThatDoesNot)
{
    const auto head = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                      "\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}";
    const auto tensor = Open(MakeFile(head, 5)).Get("x");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data.get()) % 4, 0U);
    EXPECT_EQ(std::memcmp(tensor.data.get(), "\1\2\3\4", 4), 0);
}

TEST(Safetensors, WritesAllOrNothing)
{
    const TemporaryFolder folder;
    const auto tensor = TensorData::FromVector(DType::FLOAT32, {1}, std::vector<float>{1});
    EXPECT_THROW(WriteSafetensors(folder.GetFile("a"), {{"x", tensor}, {"x", tensor}}), DataError);
    EXPECT_THROW(WriteSafetensors(folder.GetFile("a"),
                                  {{"x", TensorData::MakeVirtual(DType::FLOAT32, {1})}}),
                 DataError);
    EXPECT_THROW(WriteSafetensors(folder.GetFile("none/a"), {{"x", tensor}}), DataError);
    EXPECT_EQ(folder.CountFiles(), 0U);
}

TEST(Safetensors, WidensHalvesAndFindsWhatIsNotFinite)
{
    const auto half = TensorData::FromVector(DType::FLOAT16,
                                             {4},
                                             std::vector<uint16_t>{0x3c00, 0xc000, 0x0001, 0x7bff});
    EXPECT_TRUE(IsFinite(half));
    const auto wide = ToFloat32(half);
    const float expected[] = {1, -2, 0x1p-24F, 65504};
    EXPECT_EQ(std::memcmp(wide.data.get(), expected, sizeof(expected)), 0);
    const auto brain =
        TensorData::FromVector(DType::BFLOAT16, {2}, std::vector<uint16_t>{0x3f80, 0xc040});
    EXPECT_EQ(ToFloat32(brain).As<float>()[1], -3.0F);
    for (const uint16_t value : {0x7c00, 0xfc00, 0x7e00})
    {
        EXPECT_FALSE(
            IsFinite(TensorData::FromVector(DType::FLOAT16, {1}, std::vector<uint16_t>{value})));
    }
    for (const uint16_t value : {0x7f80, 0xff80, 0x7fc0})
    {
        EXPECT_FALSE(
            IsFinite(TensorData::FromVector(DType::BFLOAT16, {1}, std::vector<uint16_t>{value})));
    }
    for (const float value : {NAN, INFINITY, -INFINITY})
    {
        EXPECT_FALSE(
            IsFinite(TensorData::FromVector(DType::FLOAT32, {2}, std::vector<float>{0, value})));
        EXPECT_FALSE(
            IsFinite(TensorData::FromVector(DType::FLOAT64, {1}, std::vector<double>{value})));
    }
    const auto wider = TensorData::FromVector(DType::FLOAT64, {1}, std::vector<double>{0.5});
    EXPECT_EQ(ToFloat32(wider).As<float>()[0], 0.5F);
}

// What is read of a broken file lies inside it: every tensor is touched, under a sanitizer where
// there is one. The number of inputs is COLLAPIPE_FUZZ_INPUTS; without it a short run.
TEST(Safetensors, BrokenFilesAreRefusedOrReadWithinTheirBounds)
{
    const char* wanted = std::getenv("COLLAPIPE_FUZZ_INPUTS");
    const uint64_t inputs = wanted ? std::strtoull(wanted, nullptr, 10) : 20'000;
    const std::string seeds[] = {
        MakeFile("{\"__metadata__\":{\"format\":\"pt\"}," + Entry("a", "[2]", 0, 8) + "}", 8),
        MakeFile("{" + Entry("a", "[1,1]", 0, 4) + "," + Entry("b", "[]", 4, 8) + "}", 8),
        MakeFile("{\"h\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[0,8]}}   ", 8),
        MakeFile("{\"i\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8),
    };
    const std::string snippets[] = {"\"dtype\"",
                                    "18446744073709551615",
                                    "[",
                                    "]",
                                    "{",
                                    "}",
                                    ",",
                                    "0",
                                    "4294967296",
                                    "-1",
                                    "1e9",
                                    "null",
                                    "\"F64\"",
                                    "\\u0000",
                                    "\xc3"};
    std::mt19937_64 random(7);
    uint64_t taken = 0;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < inputs; ++i)
    {
        auto file = seeds[random() % std::size(seeds)];
        for (auto changes = random() % 4 + 1; changes > 0; --changes)
        {
            const auto place = random() % (file.size() + 1);
            const auto kind = random() % 5;
            if (kind == 0 && place < file.size())
            {
                file[place] = static_cast<char>(random());
            }
            else if (kind == 1)
            {
                file.insert(place, snippets[random() % std::size(snippets)]);
            }
            else if (kind == 2)
            {
                file.erase(place, random() % 6);
            }
            else if (kind == 3 && file.size() > 8)
            {
                file[8 + random() % (file.size() - 8)] = "0123456789"[random() % 10];
            }
            else if (kind == 4 && file.size() > 8)
            {
                // The length mended, so that what was changed in the head is looked at.
                const auto length = file.rfind('}') == std::string::npos ? 0 : file.rfind('}') - 7;
                file[0] = static_cast<char>(length);
            }
        }
        try
        {
            const auto opened = Open(file);
            ++taken;
            for (const auto& entry : opened.GetHead().entries)
            {
                const auto tensor = opened.Get(entry.name);
                for (uint64_t byte = 0; byte < tensor.GetByteSize(); ++byte)
                {
                    sum += tensor.data.get()[byte];
                }
                sum += IsFinite(tensor);
            }
        }
        catch (const DataError& error)
        {
            ASSERT_NE(std::string(error.what()), "");
        }
    }
    EXPECT_GT(taken, inputs / 100) << "some changes do no harm";
    EXPECT_LT(taken, inputs);
    RecordProperty("sum", std::to_string(sum));
}
