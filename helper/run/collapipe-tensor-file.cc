/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tensor-file.h"

#include "collapipe-run-config.h"

#include "ns3/collapipe-bounded-json.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unistd.h>
#include <zlib.h>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr uint64_t LENGTH_BYTES = 8;             //!< of the head's length
constexpr uint64_t MAX_HEAD_BYTES = 100'000'000; //!< as the format's own reader allows
constexpr const char* METADATA = "__metadata__"; //!< the format's name for texts
constexpr const char* CHECKSUMS = "crc32";       //!< the text that holds them
constexpr const char* HEAD = "head";             //!< the head's own checksum among them

/// Names of the types in the format
constexpr std::pair<DType, const char*> TYPES[] = {{DType::FLOAT64, "F64"},
                                                   {DType::FLOAT32, "F32"},
                                                   {DType::FLOAT16, "F16"},
                                                   {DType::BFLOAT16, "BF16"},
                                                   {DType::INT32, "I32"},
                                                   {DType::INT8, "I8"},
                                                   {DType::UINT8, "U8"}};

const char*
GetName(DType dtype)
{
    return std::find_if(std::begin(TYPES),
                        std::end(TYPES),
                        [dtype](const auto& type) { return type.first == dtype; })
        ->second;
}

uint32_t
GetCrc(const void* data, std::size_t size)
{
    return crc32_z(0, static_cast<const Bytef*>(data), size);
}

/// @return checksum of all that a head says but its checksums
uint32_t
GetHeadCrc(Json head)
{
    if (head.contains(METADATA))
    {
        head[METADATA].erase(CHECKSUMS);
    }
    // Sorted by name: programs that copy such a file may order the head as they like.
    const auto text = nlohmann::json(head).dump();
    return GetCrc(text.data(), text.size());
}

Json
MakeHead(const TensorFile& file)
{
    Json head;
    Json checksums;
    for (const auto& [name, text] : file.metadata)
    {
        head[METADATA][name] = text;
    }
    uint64_t offset = 0;
    for (const auto& [name, tensor] : file.tensors)
    {
        const uint64_t size = tensor.GetByteSize();
        head[name] = {{"dtype", GetName(tensor.dtype)},
                      {"shape", tensor.shape},
                      {"data_offsets", {offset, offset + size}}};
        checksums[name] = GetCrc(tensor.data.get(), size);
        offset += size;
    }
    checksums[HEAD] = GetHeadCrc(head);
    head[METADATA][CHECKSUMS] = checksums.dump();
    return head;
}

/// A file that is being read
class TensorFileReader
{
  public:
    explicit TensorFileReader(const std::string& path)
        : m_path(path),
          m_stream(path, std::ios::binary)
    {
        std::error_code error;
        m_size = fs::file_size(path, error);
        if (error || !m_stream)
        {
            throw UserError("cannot read " + path);
        }
    }

    TensorFile Read()
    {
        const Json head = ReadHead();
        TensorFile file;
        try
        {
            file.metadata = head.at(METADATA).get<std::map<std::string, std::string>>();
            const auto checksums = ParseBoundedJson<Json>(file.metadata.at(CHECKSUMS));
            Require(GetHeadCrc(head) == checksums.at(HEAD).get<uint32_t>());
            file.metadata.erase(CHECKSUMS);
            for (const auto& [name, description] : head.items())
            {
                if (name != METADATA)
                {
                    file.tensors.emplace_back(
                        name,
                        ReadTensor(description, checksums.at(name).get<uint32_t>()));
                }
            }
        }
        catch (const nlohmann::json::exception&)
        {
            Require(false);
        }
        catch (const std::out_of_range&)
        {
            Require(false);
        }
        return file;
    }

  private:
    /// @throws UserError unless the condition holds
    void Require(bool condition) const
    {
        if (!condition)
        {
            throw UserError(m_path + " is damaged: what it holds does not match its checksums");
        }
    }

    Json ReadHead()
    {
        std::array<uint8_t, LENGTH_BYTES> bytes{};
        m_stream.read(reinterpret_cast<char*>(bytes.data()), bytes.size());
        uint64_t length = 0;
        for (std::size_t i = bytes.size(); i > 0; --i)
        {
            length = length << 8 | bytes[i - 1];
        }
        const bool isPlausible =
            m_stream && length <= MAX_HEAD_BYTES && length <= m_size - LENGTH_BYTES;
        std::string text(isPlausible ? length : 0, '\0');
        m_stream.read(text.data(), static_cast<std::streamsize>(text.size()));
        Json head;
        try
        {
            head = ParseBoundedJson<Json>(text);
        }
        catch (const Json::exception&)
        {
            head = nullptr;
        }
        if (!isPlausible || !m_stream || !head.is_object() || !head.contains(METADATA) ||
            !head[METADATA].is_object() || !head[METADATA].contains(CHECKSUMS))
        {
            throw UserError(m_path + " is no file of CollaPipe's, or its beginning is damaged");
        }
        m_begin = LENGTH_BYTES + length;
        return head;
    }

    TensorData ReadTensor(const Json& description, uint32_t crc)
    {
        const auto type = description.at("dtype").get<std::string>();
        const auto found = std::find_if(std::begin(TYPES), std::end(TYPES), [&](const auto& known) {
            return type == known.second;
        });
        Require(found != std::end(TYPES));
        auto tensor = TensorData::MakeVirtual(found->first,
                                              description.at("shape").get<std::vector<uint32_t>>());
        const auto begin = description.at("data_offsets").at(0).get<uint64_t>();
        const auto size = tensor.GetByteSize();
        Require(!IsTooLarge(tensor));
        Require(description.at("data_offsets").at(1).get<uint64_t>() == begin + size &&
                begin <= m_size && size <= m_size && m_begin + begin + size <= m_size);
        auto bytes = std::make_shared<std::vector<uint8_t>>(size);
        m_stream.seekg(static_cast<std::streamoff>(m_begin + begin));
        m_stream.read(reinterpret_cast<char*>(bytes->data()), static_cast<std::streamsize>(size));
        Require(m_stream && GetCrc(bytes->data(), size) == crc);
        tensor.data = std::shared_ptr<const uint8_t>(bytes, bytes->data());
        return tensor;
    }

    /// @return whether a tensor claims more bytes than the file has; products of extents overflow
    bool IsTooLarge(const TensorData& tensor) const
    {
        uint64_t bytes = GetElementSize(tensor.dtype);
        for (const auto extent : tensor.shape)
        {
            if (extent != 0 && bytes > m_size / extent)
            {
                return true;
            }
            bytes *= extent;
        }
        return false;
    }

    std::string m_path;     //!< for messages
    std::ifstream m_stream; //!< the file
    uint64_t m_size{0};     //!< of the file
    uint64_t m_begin{0};    //!< where the tensors begin
};

} // namespace

const TensorData*
TensorFile::Find(const std::string& name) const
{
    const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& tensor) {
        return tensor.first == name;
    });
    return found == tensors.end() ? nullptr : &found->second;
}

void
WriteTensorFile(const std::string& path, const TensorFile& file)
{
    auto head = MakeHead(file).dump();
    head.resize((head.size() + LENGTH_BYTES - 1) / LENGTH_BYTES * LENGTH_BYTES, ' ');
    std::array<uint8_t, LENGTH_BYTES> length{};
    for (std::size_t i = 0; i < length.size(); ++i)
    {
        length[i] = static_cast<uint8_t>(head.size() >> (8 * i));
    }
    const fs::path target(path);
    const auto partial = target.parent_path() / ("." + target.filename().string() + ".partial-" +
                                                 std::to_string(getpid()));
    std::ofstream stream(partial, std::ios::binary);
    stream.write(reinterpret_cast<const char*>(length.data()), length.size());
    stream.write(head.data(), static_cast<std::streamsize>(head.size()));
    for (const auto& [name, tensor] : file.tensors)
    {
        stream.write(reinterpret_cast<const char*>(tensor.data.get()),
                     static_cast<std::streamsize>(tensor.GetByteSize()));
    }
    stream.close();
    std::error_code error;
    if (stream)
    {
        fs::rename(partial, target, error);
    }
    if (!stream || error)
    {
        std::error_code ignored;
        fs::remove(partial, ignored);
        throw UserError("cannot write " + path + "; is the disk full?");
    }
}

TensorFile
ReadTensorFile(const std::string& path)
{
    return TensorFileReader(path).Read();
}

TensorData
MakeTextTensor(const std::string& text)
{
    return TensorData::FromVector(DType::UINT8,
                                  {static_cast<uint32_t>(text.size())},
                                  std::vector<uint8_t>(text.begin(), text.end()));
}

std::string
GetText(const TensorData& tensor)
{
    return {tensor.As<char>(), tensor.As<char>() + tensor.GetByteSize()};
}

} // namespace collapipe
} // namespace ns3
