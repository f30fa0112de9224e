/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-content-cache.h"

#include "collapipe-atomic-file.h"
#include "collapipe-text-files.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::string_view MAGIC = "CollaPipe cache 1\n";
constexpr std::size_t HASH_DIGITS = 64;
constexpr std::size_t BLOCK_BYTES = 64;
constexpr std::size_t ROUNDS = 64;

/**
 * @param k an index
 * @param root 1/2 or 1/3
 * @return the first 32 bits of the fraction of that root of the k-th prime number
 */
uint32_t
GetPrimeBits(std::size_t k, long double root)
{
    uint32_t prime = 2;
    for (std::size_t found = 0;; ++prime)
    {
        bool isPrime = true;
        for (uint32_t divisor = 2; divisor * divisor <= prime; ++divisor)
        {
            isPrime = isPrime && prime % divisor != 0;
        }
        if (isPrime && found++ == k)
        {
            break;
        }
    }
    const long double value = std::pow(static_cast<long double>(prime), root);
    return static_cast<uint32_t>((value - std::floor(value)) * 4294967296.0L);
}

uint32_t
Rotate(uint32_t word, unsigned bits)
{
    return word >> bits | word << (32 - bits);
}

/// The state of a SHA-256 under way
class Sha256
{
  public:
    Sha256()
    {
        for (std::size_t i = 0; i < m_state.size(); ++i)
        {
            m_state[i] = GetPrimeBits(i, 1.0L / 2);
        }
    }

    /// @param block of 64 bytes
    void Add(const uint8_t* block)
    {
        static const auto constants = MakeConstants();
        std::array<uint32_t, ROUNDS> w{};
        for (std::size_t i = 0; i < ROUNDS; ++i)
        {
            if (i < 16)
            {
                w[i] = uint32_t{block[4 * i]} << 24 | uint32_t{block[4 * i + 1]} << 16 |
                       uint32_t{block[4 * i + 2]} << 8 | block[4 * i + 3];
                continue;
            }
            const uint32_t s0 = Rotate(w[i - 15], 7) ^ Rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
            const uint32_t s1 = Rotate(w[i - 2], 17) ^ Rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
            w[i] = w[i - 16] + s0 + w[i - 7] + s1;
        }
        auto [a, b, c, d, e, f, g, h] = m_state;
        for (std::size_t i = 0; i < ROUNDS; ++i)
        {
            const uint32_t s1 = Rotate(e, 6) ^ Rotate(e, 11) ^ Rotate(e, 25);
            const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i];
            const uint32_t s0 = Rotate(a, 2) ^ Rotate(a, 13) ^ Rotate(a, 22);
            const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
            h = std::exchange(g, std::exchange(f, std::exchange(e, d + t1)));
            d = std::exchange(c, std::exchange(b, std::exchange(a, t1 + t2)));
        }
        const std::array<uint32_t, 8> sum{a, b, c, d, e, f, g, h};
        for (std::size_t i = 0; i < sum.size(); ++i)
        {
            m_state[i] += sum[i];
        }
    }

    /// @return the state in hexadecimal digits
    std::string Format() const
    {
        std::string text;
        for (const uint32_t word : m_state)
        {
            for (int shift = 28; shift >= 0; shift -= 4)
            {
                text += "0123456789abcdef"[word >> shift & 15];
            }
        }
        return text;
    }

  private:
    static std::array<uint32_t, ROUNDS> MakeConstants()
    {
        std::array<uint32_t, ROUNDS> constants{};
        for (std::size_t i = 0; i < ROUNDS; ++i)
        {
            constants[i] = GetPrimeBits(i, 1.0L / 3);
        }
        return constants;
    }

    std::array<uint32_t, 8> m_state{};
};

} // namespace

std::string
ComputeSha256(std::string_view bytes)
{
    Sha256 hash;
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    std::size_t done = 0;
    for (; bytes.size() - done >= BLOCK_BYTES; done += BLOCK_BYTES)
    {
        hash.Add(data + done);
    }
    // What is left, a one bit, zeros, and the length in bits
    std::vector<uint8_t> end(data + done, data + bytes.size());
    end.push_back(0x80);
    end.resize((end.size() + 8 + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES);
    for (std::size_t i = 0; i < 8; ++i)
    {
        end[end.size() - 1 - i] = static_cast<uint8_t>(uint64_t{bytes.size()} * 8 >> 8 * i);
    }
    for (std::size_t i = 0; i < end.size(); i += BLOCK_BYTES)
    {
        hash.Add(end.data() + i);
    }
    return hash.Format();
}

ContentCache::ContentCache(std::string folder)
    : m_folder(std::move(folder))
{
}

std::string
ContentCache::GetFolder(const std::string& name)
{
    const auto variable = [](const char* key) -> std::string {
        const char* value = std::getenv(key);
        return value ? value : "";
    };
    const auto cache = variable("COLLAPIPE_CACHE");
    const auto base = variable("XDG_CACHE_HOME");
    const auto home = variable("HOME");
    if (!cache.empty())
    {
        return cache + "/" + name;
    }
    if (!base.empty())
    {
        return base + "/collapipe/" + name;
    }
    return home.empty() ? "" : home + "/.cache/collapipe/" + name;
}

std::optional<std::string>
ContentCache::Find(std::string_view key) const
{
    const auto hash = ComputeSha256(key);
    std::error_code error;
    const auto path = m_folder + "/" + hash;
    if (m_folder.empty() || !std::filesystem::is_regular_file(path, error))
    {
        return std::nullopt;
    }
    std::string text;
    try
    {
        text = ReadFileBytes(path);
    }
    catch (const DataError&)
    {
        return std::nullopt;
    }
    const auto start = MAGIC.size() + 2 * HASH_DIGITS;
    if (text.size() < start || text.compare(0, MAGIC.size(), MAGIC) != 0 ||
        text.compare(MAGIC.size(), HASH_DIGITS, hash) != 0)
    {
        return std::nullopt;
    }
    auto value = text.substr(start);
    const bool isWhole =
        text.compare(MAGIC.size() + HASH_DIGITS, HASH_DIGITS, ComputeSha256(value)) == 0;
    return isWhole ? std::optional(std::move(value)) : std::nullopt;
}

void
ContentCache::Keep(std::string_view key, std::string_view value) const
{
    if (m_folder.empty())
    {
        return;
    }
    try
    {
        // What it is made of may be private
        if (std::filesystem::create_directories(m_folder))
        {
            std::filesystem::permissions(m_folder, std::filesystem::perms::owner_all);
        }
        const auto hash = ComputeSha256(key);
        std::string text(MAGIC);
        text += hash + ComputeSha256(value);
        text += value;
        WriteFileAtomically(m_folder + "/" + hash, text);
        Prune();
    }
    catch (const std::filesystem::filesystem_error&)
    {
        // It is made anew the next time
    }
    catch (const DataError&)
    {
    }
}

void
ContentCache::Prune() const
{
    std::vector<std::pair<std::filesystem::file_time_type, std::filesystem::path>> entries;
    for (const auto& entry : std::filesystem::directory_iterator(m_folder))
    {
        if (entry.path().filename().string().size() == HASH_DIGITS)
        {
            entries.emplace_back(entry.last_write_time(), entry.path());
        }
    }
    std::sort(entries.begin(), entries.end());
    for (std::size_t i = 0; i + MOST_ENTRIES < entries.size(); ++i)
    {
        std::error_code ignored;
        std::filesystem::remove(entries[i].second, ignored);
    }
}

} // namespace collapipe
} // namespace ns3
