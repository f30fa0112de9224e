/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-safetensors.h"

#include "collapipe-atomic-file.h"
#include "collapipe-text-files.h"
#include "collapipe-wire-precision.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t LENGTH_BYTES = 8; //!< of the head's length

/// Element types that a TensorData can have, with the format's names
constexpr std::pair<DType, const char*> TYPES[] = {{DType::FLOAT64, "F64"},
                                                   {DType::FLOAT32, "F32"},
                                                   {DType::FLOAT16, "F16"},
                                                   {DType::BFLOAT16, "BF16"},
                                                   {DType::INT32, "I32"},
                                                   {DType::INT8, "I8"},
                                                   {DType::UINT8, "U8"}};

/// A file descriptor that is closed at the end of the scope
class Descriptor
{
  public:
    explicit Descriptor(const std::string& path)
        : m_descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC))
    {
    }

    ~Descriptor()
    {
        if (m_descriptor >= 0)
        {
            ::close(m_descriptor);
        }
    }

    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    int Get() const
    {
        return m_descriptor;
    }

  private:
    int m_descriptor; //!< negative where it could not be opened
};

/**
 * @param path of a file
 * @param size filled in
 * @return the file's bytes, mapped
 * @throws DataError where it cannot be read
 */
std::shared_ptr<const uint8_t>
MapFile(const std::string& path, uint64_t& size)
{
    const Descriptor file(path);
    struct stat status = {};
    if (file.Get() < 0 || ::fstat(file.Get(), &status) != 0)
    {
        throw DataError("Cannot read '" + path + "': " + std::strerror(errno) + ".");
    }
    if (!S_ISREG(status.st_mode))
    {
        throw DataError("Cannot read '" + path + "': it is no file.");
    }
    size = static_cast<uint64_t>(status.st_size);
    if (size == 0)
    {
        return std::make_shared<const uint8_t>();
    }
    void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.Get(), 0);
    if (bytes == MAP_FAILED)
    {
        throw DataError("Cannot read '" + path + "': " + std::strerror(errno) + ".");
    }
    const auto length = size;
    return {static_cast<const uint8_t*>(bytes),
            [bytes, length](const uint8_t*) { ::munmap(bytes, length); }};
}

/// @return the format's name of a type
const char*
GetTypeName(DType type)
{
    return std::find_if(std::begin(TYPES),
                        std::end(TYPES),
                        [type](const auto& known) { return known.first == type; })
        ->second;
}

template <typename T>
bool
AreFinite(const TensorData& tensor)
{
    const T* values = tensor.As<T>();
    return std::all_of(values, values + tensor.GetElementCount(), [](T x) {
        return std::isfinite(x);
    });
}

/**
 * @param tensor of 16-bit floats
 * @param exponent the bits of the exponent, all ones in NaN and infinity
 * @return whether none is either
 */
bool
AreFinite(const TensorData& tensor, uint16_t exponent)
{
    const auto* values = tensor.As<uint16_t>();
    return std::all_of(values, values + tensor.GetElementCount(), [exponent](uint16_t x) {
        return (x & exponent) != exponent;
    });
}

/**
 * @param tensors to write
 * @return pointers to them in the order in which they are written
 * @throws DataError for a name that comes twice and for a tensor without bytes
 */
std::vector<const NamedTensors::value_type*>
OrderTensors(const NamedTensors& tensors)
{
    std::vector<const NamedTensors::value_type*> order;
    for (const auto& tensor : tensors)
    {
        if (tensor.second.IsVirtual() && tensor.second.GetByteSize() > 0)
        {
            throw DataError("The tensor '" + tensor.first + "' has no values to write.");
        }
        order.push_back(&tensor);
    }
    std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
        const auto sizeA = GetElementSize(a->second.dtype);
        const auto sizeB = GetElementSize(b->second.dtype);
        return sizeA != sizeB ? sizeA > sizeB : a->first < b->first;
    });
    std::vector<std::string> names;
    for (const auto& tensor : tensors)
    {
        names.push_back(tensor.first);
    }
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
    {
        throw DataError("The tensor '" + *twice + "' would be written twice.");
    }
    return order;
}

} // namespace

SafetensorsFile::SafetensorsFile(const std::string& path)
    : m_name(path)
{
    m_bytes = MapFile(path, m_size);
    Index();
}

SafetensorsFile::SafetensorsFile(std::shared_ptr<const uint8_t> bytes,
                                 uint64_t size,
                                 const std::string& name)
    : m_name(name),
      m_bytes(std::move(bytes)),
      m_size(size)
{
    Index();
}

void
SafetensorsFile::Index()
{
    m_head = ParseSafetensorsHead(m_bytes.get(), m_size, m_name);
    for (std::size_t i = 0; i < m_head.entries.size(); ++i)
    {
        m_indexByName[m_head.entries[i].name] = i;
    }
}

const std::string&
SafetensorsFile::GetName() const
{
    return m_name;
}

const SafetensorsHead&
SafetensorsFile::GetHead() const
{
    return m_head;
}

const SafetensorsEntry*
SafetensorsFile::Find(const std::string& name) const
{
    const auto found = m_indexByName.find(name);
    return found == m_indexByName.end() ? nullptr : &m_head.entries[found->second];
}

TensorData
SafetensorsFile::Get(const std::string& name) const
{
    const auto* entry = Find(name);
    if (!entry)
    {
        throw DataError("'" + m_name + "' has no tensor '" + name + "'.");
    }
    const auto type = std::find_if(std::begin(TYPES), std::end(TYPES), [entry](const auto& known) {
        return entry->type == known.second;
    });
    if (type == std::end(TYPES))
    {
        throw DataError("'" + m_name + "': the tensor '" + name + "' is of the type " +
                        entry->type + ", which no weight of a model may be.");
    }
    TensorData tensor;
    tensor.dtype = type->first;
    for (const auto extent : entry->shape)
    {
        if (extent > std::numeric_limits<uint32_t>::max())
        {
            throw DataError("'" + m_name + "': the tensor '" + name + "' is too large.");
        }
        tensor.shape.push_back(static_cast<uint32_t>(extent));
    }
    const uint8_t* bytes = m_bytes.get() + m_head.size + entry->begin;
    if (reinterpret_cast<uintptr_t>(bytes) % GetElementSize(tensor.dtype) == 0)
    {
        tensor.data = std::shared_ptr<const uint8_t>(m_bytes, bytes);
        return tensor;
    }
    // Whole words, so that any element lies where its type wants it.
    auto copy = std::make_shared<std::vector<uint64_t>>((entry->end - entry->begin + 7) / 8);
    std::memcpy(copy->data(), bytes, entry->end - entry->begin);
    tensor.data =
        std::shared_ptr<const uint8_t>(copy, reinterpret_cast<const uint8_t*>(copy->data()));
    return tensor;
}

bool
IsFinite(const TensorData& tensor)
{
    switch (tensor.dtype)
    {
    case DType::FLOAT32:
        return AreFinite<float>(tensor);
    case DType::FLOAT64:
        return AreFinite<double>(tensor);
    case DType::FLOAT16:
        return AreFinite(tensor, 0x7c00);
    case DType::BFLOAT16:
        return AreFinite(tensor, 0x7f80);
    default:
        return true;
    }
}

TensorData
ToFloat32(const TensorData& tensor)
{
    if (tensor.dtype == DType::FLOAT32)
    {
        return tensor;
    }
    if (tensor.dtype == DType::FLOAT16 || tensor.dtype == DType::BFLOAT16)
    {
        std::size_t position = 0;
        return TakeDecoded({tensor}, position);
    }
    if (tensor.dtype != DType::FLOAT64)
    {
        throw DataError("A tensor of whole numbers is no weight of a model.");
    }
    const auto* values = tensor.As<double>();
    return TensorData::FromVector(DType::FLOAT32,
                                  tensor.shape,
                                  std::vector<float>(values, values + tensor.GetElementCount()));
}

void
WriteSafetensors(const std::string& path,
                 const NamedTensors& tensors,
                 const std::map<std::string, std::string>& metadata)
{
    const auto order = OrderTensors(tensors);
    nlohmann::ordered_json head;
    if (!metadata.empty())
    {
        head["__metadata__"] = metadata;
    }
    uint64_t offset = 0;
    for (const auto* tensor : order)
    {
        const auto size = tensor->second.GetByteSize();
        head[tensor->first] = {{"dtype", GetTypeName(tensor->second.dtype)},
                               {"shape", tensor->second.shape},
                               {"data_offsets", {offset, offset + size}}};
        offset += size;
    }
    auto text = head.is_null() ? std::string("{}") : head.dump();
    text.resize((text.size() + LENGTH_BYTES - 1) / LENGTH_BYTES * LENGTH_BYTES, ' ');
    std::array<uint8_t, LENGTH_BYTES> length{};
    for (std::size_t i = 0; i < length.size(); ++i)
    {
        length[i] = static_cast<uint8_t>(static_cast<uint64_t>(text.size()) >> (8 * i));
    }
    AtomicFile file(path);
    file.Write(length.data(), length.size());
    file.Write(text.data(), text.size());
    for (const auto* tensor : order)
    {
        file.Write(tensor->second.data.get(), tensor->second.GetByteSize());
    }
    file.Commit();
}

} // namespace collapipe
} // namespace ns3
