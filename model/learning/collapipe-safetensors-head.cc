/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-safetensors.h"
#include "collapipe-text-files.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

namespace ns3
{
namespace collapipe
{

namespace
{

using Json = nlohmann::json;

constexpr uint64_t LENGTH_BYTES = 8;             //!< of the head's length
constexpr uint64_t MAX_HEAD_BYTES = 100'000'000; //!< as the format's own reader allows
constexpr const char* METADATA = "__metadata__"; //!< the format's name for texts

/// Bytes of an element by the format's name of its type
const std::map<std::string, uint64_t> ELEMENT_SIZES = {{"BOOL", 1},
                                                       {"U8", 1},
                                                       {"I8", 1},
                                                       {"F8_E5M2", 1},
                                                       {"F8_E4M3", 1},
                                                       {"F8_E8M0", 1},
                                                       {"I16", 2},
                                                       {"U16", 2},
                                                       {"F16", 2},
                                                       {"BF16", 2},
                                                       {"I32", 4},
                                                       {"U32", 4},
                                                       {"F32", 4},
                                                       {"C64", 8},
                                                       {"F64", 8},
                                                       {"I64", 8},
                                                       {"U64", 8}};

/**
 * Takes a head in event by event, so that nothing is built of what the format does not allow: deep
 * nesting costs nothing, and a name that comes twice is seen.
 */
class HeadHandler : public nlohmann::json_sax<Json>
{
  public:
    explicit HeadHandler(SafetensorsHead& head)
        : m_head(head)
    {
    }

    /// @return what is wrong; empty where nothing is
    const std::string& GetError() const
    {
        return m_error;
    }

    bool null() override
    {
        return Fail("a null");
    }

    bool boolean(bool /* value */) override
    {
        return Fail("a truth value");
    }

    bool number_integer(number_integer_t /* value */) override
    {
        return Fail("a negative number");
    }

    bool number_float(number_float_t /* value */, const string_t& /* text */) override
    {
        return Fail("a number that is no whole one of 64 bits");
    }

    bool binary(binary_t& /* value */) override
    {
        return Fail("binary data");
    }

    bool number_unsigned(number_unsigned_t value) override
    {
        if (m_place != Place::SHAPE && m_place != Place::OFFSETS)
        {
            return Fail("a number");
        }
        (m_place == Place::SHAPE ? Current().shape : m_offsets).push_back(value);
        return true;
    }

    bool string(string_t& value) override
    {
        if (m_place == Place::METADATA)
        {
            m_head.metadata[m_key] = value;
            return true;
        }
        if (m_place != Place::ENTRY || m_key != "dtype")
        {
            return Fail("a text");
        }
        Current().type = value;
        return true;
    }

    bool start_object(std::size_t /* size */) override
    {
        if (m_place == Place::OUTSIDE)
        {
            m_place = Place::TOP;
            return true;
        }
        if (m_place != Place::TOP)
        {
            return Fail("an object");
        }
        m_keys.clear();
        if (m_key == METADATA)
        {
            m_place = Place::METADATA;
            return true;
        }
        m_place = Place::ENTRY;
        m_head.entries.emplace_back();
        Current().name = m_key;
        m_offsets.clear();
        return true;
    }

    bool end_object() override
    {
        if (m_place == Place::ENTRY && !EndEntry())
        {
            return false;
        }
        m_place = Place::TOP;
        return true;
    }

    bool key(string_t& value) override
    {
        auto& keys = m_place == Place::TOP ? m_names : m_keys;
        m_key = value;
        if (!keys.insert(value).second)
        {
            m_error = "the name '" + value + "' comes twice in it";
            return false;
        }
        return true;
    }

    bool start_array(std::size_t /* size */) override
    {
        if (m_place != Place::ENTRY || (m_key != "shape" && m_key != "data_offsets"))
        {
            return Fail("a list");
        }
        m_place = m_key == "shape" ? Place::SHAPE : Place::OFFSETS;
        return true;
    }

    bool end_array() override
    {
        m_place = Place::ENTRY;
        return true;
    }

    bool parse_error(std::size_t position,
                     const std::string& /* token */,
                     const nlohmann::detail::exception& /* error */) override
    {
        m_error = "it is no valid JSON at byte " + std::to_string(position);
        return false;
    }

  private:
    /// Where in the head the handler is
    enum class Place
    {
        OUTSIDE,
        TOP,
        METADATA,
        ENTRY,
        SHAPE,
        OFFSETS,
    };

    SafetensorsEntry& Current()
    {
        return m_head.entries.back();
    }

    bool Fail(const std::string& what)
    {
        m_error = "it has " + what + " at '" + m_key + "', where the format has none";
        return false;
    }

    bool EndEntry()
    {
        for (const char* key : {"dtype", "shape", "data_offsets"})
        {
            if (m_keys.count(key) == 0)
            {
                m_error = "the tensor '" + Current().name + "' has no " + key;
                return false;
            }
        }
        if (m_keys.size() != 3 || m_offsets.size() != 2)
        {
            m_error = "the tensor '" + Current().name +
                      "' has more than a dtype, a shape and two data_offsets";
            return false;
        }
        Current().begin = m_offsets[0];
        Current().end = m_offsets[1];
        return true;
    }

    SafetensorsHead& m_head;           //!< filled in
    Place m_place{Place::OUTSIDE};     //!< where it is
    std::string m_key;                 //!< last one seen
    std::set<std::string> m_names{};   //!< of tensors
    std::set<std::string> m_keys{};    //!< of the innermost object
    std::vector<uint64_t> m_offsets{}; //!< of the tensor at hand
    std::string m_error{};             //!< what is wrong
};

/**
 * @param file its name
 * @param what is wrong with it
 * @throws DataError with both
 */
[[noreturn]] void
Refuse(const std::string& file, const std::string& what)
{
    throw DataError("'" + file + "' is no valid safetensors file: " + what + ".");
}

/**
 * @param entry a tensor
 * @param bytes filled in: what its shape and type need
 * @return whether they fit into 64 bits
 */
bool
CountBytes(const SafetensorsEntry& entry, uint64_t& bytes)
{
    bytes = ELEMENT_SIZES.at(entry.type);
    // The format's own reader multiplies from left to right too: a zero hides what comes after it.
    for (const auto extent : entry.shape)
    {
        if (extent != 0 && bytes > std::numeric_limits<uint64_t>::max() / extent)
        {
            return false;
        }
        bytes *= extent;
    }
    return true;
}

/**
 * @param file its name
 * @param entries in the order of their bytes
 * @param size of all tensors, bytes
 * @throws DataError unless they cover all bytes once
 */
void
CheckPlaces(const std::string& file, const std::vector<SafetensorsEntry>& entries, uint64_t size)
{
    uint64_t place = 0;
    for (const auto& entry : entries)
    {
        uint64_t bytes = 0;
        if (ELEMENT_SIZES.count(entry.type) == 0)
        {
            Refuse(file,
                   "the tensor '" + entry.name + "' has the unknown type '" + entry.type + "'");
        }
        if (entry.begin > entry.end || entry.end > size)
        {
            Refuse(file, "the tensor '" + entry.name + "' passes the end of the file");
        }
        if (entry.begin != place)
        {
            Refuse(file,
                   "the tensor '" + entry.name +
                       (entry.begin < place ? "' overlaps another" : "' comes after a gap"));
        }
        if (!CountBytes(entry, bytes) || bytes != entry.end - entry.begin)
        {
            Refuse(file, "the tensor '" + entry.name + "' has another size than its shape says");
        }
        place = entry.end;
    }
    if (place != size)
    {
        Refuse(file, std::to_string(size - place) + " bytes behind the last tensor belong to none");
    }
}

} // namespace

SafetensorsHead
ParseSafetensorsHead(const uint8_t* bytes, uint64_t size, const std::string& name)
{
    if (size < LENGTH_BYTES)
    {
        Refuse(name, "it is cut short");
    }
    uint64_t length = 0;
    for (auto i = LENGTH_BYTES; i > 0; --i)
    {
        length = length << 8 | bytes[i - 1];
    }
    if (length > MAX_HEAD_BYTES)
    {
        Refuse(name, "its head would be longer than 100 MB");
    }
    if (length > size - LENGTH_BYTES)
    {
        Refuse(name, "it is cut short in its head");
    }
    const char* text = reinterpret_cast<const char*>(bytes) + LENGTH_BYTES;
    if (length == 0 || *text != '{')
    {
        Refuse(name, "its head does not begin with a brace");
    }
    SafetensorsHead head;
    HeadHandler handler(head);
    if (!Json::sax_parse(text, text + length, &handler))
    {
        Refuse(name, "in its head, " + handler.GetError());
    }
    head.size = LENGTH_BYTES + length;
    std::sort(head.entries.begin(), head.entries.end(), [](const auto& a, const auto& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    CheckPlaces(name, head.entries, size - head.size);
    return head;
}

} // namespace collapipe
} // namespace ns3
