/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What is kept from one run to the next: found again, never another's, made anew where damaged.

#include "ns3/collapipe-content-cache.h"
#include "ns3/collapipe-text-files.h"
#include "ns3/collapipe-tokenizer.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <vector>

using namespace ns3::collapipe;

namespace
{

class CollapipeContentCache : public ::testing::Test
{
  protected:
    CollapipeContentCache()
    {
        std::string pattern = std::string(std::getenv("TMPDIR") ? std::getenv("TMPDIR") : "/tmp") +
                              "/collapipe-cache-XXXXXX";
        folder = ::mkdtemp(pattern.data());
    }

    ~CollapipeContentCache() override
    {
        std::filesystem::remove_all(folder);
    }

    std::vector<std::filesystem::path> List(const std::string& where) const
    {
        std::vector<std::filesystem::path> files;
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(where, error))
        {
            files.push_back(entry.path());
        }
        return files;
    }

    static void Overwrite(const std::filesystem::path& path, const std::string& bytes)
    {
        std::ofstream(path, std::ios::binary) << bytes;
    }

    std::string folder;
};

TEST_F(CollapipeContentCache, HashesAsFips180Does)
{
    EXPECT_EQ(ComputeSha256(""),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(ComputeSha256("abc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(ComputeSha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(ComputeSha256(std::string(1000000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_F(CollapipeContentCache, FindsWhatWasKeptUnderTheSameKeyOnly)
{
    const ContentCache cache(folder + "/made");
    EXPECT_FALSE(cache.Find("key"));
    const std::string value("a\0b\n", 4);
    cache.Keep("key", value);
    cache.Keep("other", "");
    EXPECT_EQ(cache.Find("key"), value);
    EXPECT_EQ(cache.Find("other"), "");
    EXPECT_FALSE(cache.Find("key "));
    EXPECT_FALSE(ContentCache("").Find("key"));
    ContentCache("").Keep("key", "nothing happens");
    ContentCache("/dev/null/no").Keep("key", "nothing happens");
    EXPECT_FALSE(ContentCache("/dev/null/no").Find("key"));
}

TEST_F(CollapipeContentCache, TakesNothingDamagedAndNothingOfAnotherKey)
{
    const ContentCache cache(folder);
    cache.Keep("key", "value");
    const auto path = List(folder).at(0);
    const auto whole = ReadFileBytes(path.string());
    for (std::size_t i = 0; i < whole.size(); ++i)
    {
        auto damaged = whole;
        damaged[i] ^= 1;
        Overwrite(path, damaged);
        EXPECT_FALSE(cache.Find("key")) << "byte " << i;
        Overwrite(path, whole.substr(0, i));
        EXPECT_FALSE(cache.Find("key")) << i << " bytes";
    }
    cache.Keep("another", "value");
    std::filesystem::rename(folder + "/" + ComputeSha256("another"), path);
    EXPECT_FALSE(cache.Find("key"));
    cache.Keep("key", "value");
    EXPECT_EQ(cache.Find("key"), "value");
}

TEST_F(CollapipeContentCache, LetsTheOldestGo)
{
    const ContentCache cache(folder);
    for (std::size_t i = 0; i < ContentCache::MOST_ENTRIES + 5; ++i)
    {
        const auto key = std::to_string(i);
        cache.Keep(key, key);
        const auto age = std::chrono::hours(1000 - static_cast<int>(i));
        std::filesystem::last_write_time(folder + "/" + ComputeSha256(key),
                                         std::filesystem::file_time_type::clock::now() - age);
    }
    EXPECT_EQ(List(folder).size(), ContentCache::MOST_ENTRIES);
    EXPECT_FALSE(cache.Find("0"));
    EXPECT_TRUE(cache.Find("104"));
}

/// Puts the cache elsewhere.
class KeptTokenizer : public CollapipeContentCache
{
  protected:
    KeptTokenizer()
    {
        const char* before = std::getenv("COLLAPIPE_CACHE");
        m_before = before ? before : "";
        ::setenv("COLLAPIPE_CACHE", folder.c_str(), 1);
        for (int i = 0; i < 200; ++i)
        {
            lines.push_back("sentence " + std::to_string(i) + " of a small text about " +
                            std::to_string(i * i));
        }
    }

    ~KeptTokenizer() override
    {
        m_before.empty() ? ::unsetenv("COLLAPIPE_CACHE")
                         : ::setenv("COLLAPIPE_CACHE", m_before.c_str(), 1);
    }

    std::vector<std::string> lines;

  private:
    std::string m_before;
};

TEST_F(KeptTokenizer, IsTheSameWhenItIsMadeFoundAndMadeAnew)
{
    Tokenizer made;
    made.Train(lines, 100);
    const auto tokens = made.Encode(lines);
    EXPECT_EQ(List(folder + "/tokenizer").size(), 2U);
    Tokenizer found;
    found.Train(lines, 100);
    EXPECT_EQ(List(folder + "/tokenizer").size(), 2U);
    EXPECT_EQ(found.GetModel(), made.GetModel());
    EXPECT_EQ(found.GetVocabularySize(), made.GetVocabularySize());
    EXPECT_EQ(found.Encode(lines), tokens);
    for (const auto& path : List(folder + "/tokenizer"))
    {
        Overwrite(path, ReadFileBytes(path.string()) + "x");
    }
    Tokenizer anew;
    anew.Train(lines, 100);
    EXPECT_EQ(anew.GetModel(), made.GetModel());
    EXPECT_EQ(anew.Encode(lines), tokens);
    EXPECT_EQ(List(folder + "/tokenizer").size(), 2U);
}

TEST_F(KeptTokenizer, IsNotThatOfOtherTextOrSize)
{
    Tokenizer first;
    first.Train(lines, 100);
    Tokenizer smaller;
    smaller.Train(lines, 80);
    EXPECT_NE(first.GetModel(), smaller.GetModel());
    lines.front() += " and more";
    Tokenizer other;
    other.Train(lines, 100);
    EXPECT_EQ(List(folder + "/tokenizer").size(), 3U);
    Tokenizer untold;
    EXPECT_THROW(untold.Train(lines, 5), DataError);
    EXPECT_EQ(List(folder + "/tokenizer").size(), 3U);
}

} // namespace
