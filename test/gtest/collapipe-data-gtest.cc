/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// gettext catalogs, written here byte by byte, what is made of their messages, and text files.

#include "ns3/collapipe-corpus.h"
#include "ns3/collapipe-gettext-catalog.h"
#include "ns3/collapipe-text-files.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace ns3::collapipe;
using namespace std::string_literals;

namespace
{

/// Messages as a catalog stores them: msgid and msgstr
using Entries = std::vector<std::pair<std::string, std::string>>;

const std::string LOZENGE = "\u25ca";
const std::string UTF8_HEADER = "Content-Type: text/plain; charset=UTF-8\n";

void
AppendWord(std::string& bytes, uint32_t word, bool bigEndian)
{
    for (int i = 0; i < 4; ++i)
    {
        const int shift = 8 * (bigEndian ? 3 - i : i);
        bytes += static_cast<char>(word >> shift & 0xff);
    }
}

/// A *.mo file after the format's description: header, two tables, strings, no hash table
std::string
MakeCatalog(const Entries& entries, bool bigEndian, uint32_t revision = 0)
{
    const auto count = static_cast<uint32_t>(entries.size());
    std::string bytes;
    for (const uint32_t word : {0x950412deU, revision, count, 28U, 28 + 8 * count, 0U, 0U})
    {
        AppendWord(bytes, word, bigEndian);
    }
    std::string strings;
    const auto append = [&](const std::string& text) {
        AppendWord(bytes, static_cast<uint32_t>(text.size()), bigEndian);
        AppendWord(bytes, static_cast<uint32_t>(28 + 16 * count + strings.size()), bigEndian);
        strings += text + '\0';
    };
    std::for_each(entries.begin(), entries.end(), [&](const auto& e) { append(e.first); });
    std::for_each(entries.begin(), entries.end(), [&](const auto& e) { append(e.second); });
    return bytes + strings;
}

Entries
GetExample()
{
    return {{"", "Language: de\n" + UTF8_HEADER},
            {"menu\x04Open", "\u00d6ffnen"},
            {"one file\0%d files"s, "eine Datei\0%d Dateien"s},
            {"save the file now", "die Datei jetzt sichern"},
            {"untranslated", ""}};
}

/// @return what a call complains about; empty where it does not
template <typename Call>
std::string
Complaint(Call call)
{
    try
    {
        call();
        return "";
    }
    catch (const DataError& error)
    {
        return error.what();
    }
}

std::string
Refusal(const std::string& bytes)
{
    return Complaint([&bytes] { ParseCatalog(bytes, "x.mo"); });
}

bool
Contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

/// @return both sides of a cleaned message, or "dropped"
std::string
Clean(const std::string& source, const std::string& target)
{
    const auto pair = CleanPair(source, target);
    return pair ? pair->source + " | " + pair->target : "dropped";
}

std::size_t
CountLozenges(const std::string& text)
{
    std::size_t count = 0;
    for (auto i = text.find(LOZENGE); i != std::string::npos; i = text.find(LOZENGE, i + 1))
    {
        ++count;
    }
    return count;
}

/// A folder of the test's own
class CollapipeFiles : public ::testing::Test
{
  protected:
    void SetUp() override
    {
        auto name = (std::filesystem::temp_directory_path() / "collapipe-data-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        m_folder = name;
    }

    void TearDown() override
    {
        std::filesystem::remove_all(m_folder);
    }

    std::string Write(const std::string& name, const std::string& bytes)
    {
        const auto path = m_folder / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        return path.string();
    }

    std::filesystem::path m_folder;
};

using CollapipeTextFiles = CollapipeFiles;
using CollapipeCatalogFolders = CollapipeFiles;

} // namespace

TEST(CollapipeCatalog, ReadsBothByteOrdersAndRevisions)
{
    for (const bool bigEndian : {false, true})
    {
        for (const uint32_t revision : {0x0U, 0x1U, 0x10000U, 0x10001U})
        {
            const auto bytes = MakeCatalog(GetExample(), bigEndian, revision);
            const auto messages = ParseCatalog(bytes, "x.mo");
            ASSERT_EQ(messages.size(), 4U);
            EXPECT_EQ(messages[0].context, "menu");
            EXPECT_EQ(messages[0].source, "Open");
            EXPECT_EQ(messages[0].target, "\u00d6ffnen");
            EXPECT_EQ(messages[1].source, "one file");
            EXPECT_EQ(messages[1].target, "eine Datei");
            EXPECT_EQ(messages[2].context, "");
            EXPECT_EQ(messages[3].target, "");
        }
    }
}

TEST(CollapipeCatalog, ConvertsCharacterSets)
{
    const auto read = [](const std::string& charset, const std::string& target) {
        const auto header = "Content-Type: text/plain; charset=" + charset + "\nX: y\n";
        const auto bytes = MakeCatalog({{"", header}, {"a", target}}, false);
        return ParseCatalog(bytes, "x.mo").at(0).target;
    };
    EXPECT_EQ(read("ISO-8859-1", "gr\xfc\xdf"), "gr\u00fc\u00df");
    EXPECT_EQ(read("KOI8-R", "\xc4\xc1"), "\u0434\u0430");
    EXPECT_EQ(read("EUC-JP", "\xc6\xfc"), "\u65e5");
    EXPECT_EQ(read("CHARSET", "\u00fc"), "\u00fc");
    EXPECT_EQ(ParseCatalog(MakeCatalog({{"a", "\u00fc"}}, false), "x.mo").at(0).target, "\u00fc");
}

TEST(CollapipeCatalog, RefusesWhatIsMalformedInOneSentence)
{
    const auto good = MakeCatalog(GetExample(), false);
    EXPECT_EQ(Refusal(good), "");
    EXPECT_EQ(Refusal(""), "The catalog 'x.mo' is too short to be a gettext *.mo file.");
    EXPECT_TRUE(Contains(Refusal(std::string(100, 'x')), "is not a gettext *.mo file"));
    EXPECT_TRUE(Contains(Refusal(MakeCatalog(GetExample(), false, 0x20000)), "revision 2"));
    EXPECT_TRUE(Contains(Refusal(good.substr(0, 60)), "cut short"));
    EXPECT_TRUE(Contains(Refusal(good.substr(0, good.size() - 1)), "cut short"));
    const auto charset = MakeCatalog({{"", "charset=NOSUCH-7\n"}}, false);
    EXPECT_TRUE(Contains(Refusal(charset), "unknown character set 'NOSUCH-7'"));
    const auto invalid = MakeCatalog({{"", UTF8_HEADER}, {"a", "\xff\xfe"}}, false);
    EXPECT_TRUE(Contains(Refusal(invalid), "not valid UTF-8"));
    EXPECT_TRUE(Contains(Complaint([] { ReadCatalog("/nonexistent.mo"); }), "/nonexistent.mo"));
}

TEST(CollapipeCatalog, RefusesOverlappingStringsThatWouldFillTheMemory)
{
    const uint32_t count = 2000;
    const uint32_t length = 100000;
    std::string bytes;
    for (const uint32_t word : {0x950412deU, 0U, count, 28U, 28U, 0U, 0U})
    {
        AppendWord(bytes, word, false);
    }
    for (uint32_t i = 0; i < count; ++i)
    {
        AppendWord(bytes, length, false);
        AppendWord(bytes, 28 + 8 * count, false);
    }
    EXPECT_TRUE(Contains(Refusal(bytes + std::string(length, 'a') + '\0'), "overlap"));
}

TEST(CollapipeCatalog, SurvivesDamage)
{
    std::mt19937_64 random(1);
    uint32_t refused = 0;
    for (uint32_t instance = 0; instance < 6000; ++instance)
    {
        auto bytes = MakeCatalog(GetExample(), instance % 2 == 1);
        const auto flips = random() % 4 + (instance % 3 == 0 ? 0 : 1);
        for (uint64_t i = 0; i < flips; ++i)
        {
            // Half of the flips hit the header and the tables, where they do the most
            const auto end = random() % 2 ? bytes.size() : 108;
            bytes[random() % end] ^= static_cast<char>(1 << random() % 8);
        }
        bytes.resize(instance % 3 == 0 ? random() % bytes.size() : bytes.size());
        // A block of just this size, so that a sanitizer sees every access beyond it
        const auto exact = std::make_unique<char[]>(bytes.size());
        std::copy(bytes.begin(), bytes.end(), exact.get());
        try
        {
            for (const auto& message : ParseCatalog({exact.get(), bytes.size()}, "x.mo"))
            {
                EXPECT_EQ(FindInvalidUtf8(message.source), std::string::npos);
                EXPECT_EQ(FindInvalidUtf8(message.target), std::string::npos);
                CleanPair(message.source, message.target);
            }
        }
        catch (const DataError& error)
        {
            ++refused;
            EXPECT_EQ(std::string(error.what()).find("The catalog 'x.mo' "), 0U);
        }
    }
    EXPECT_GT(refused, 2000U);
}

TEST(CollapipeCleaning, ReplacesPlaceholdersOnBothSides)
{
    const std::string expected = "a " + LOZENGE + " b | c " + LOZENGE + " d";
    for (const auto* directive :
         {"%s",        "%d",       "%1$s",      "%'.2f",   "%-10.*s", "%lld",
          "%zu",       "%(name)s", "%(count)d", "{0}",     "{name}",  "{}",
          "{x!r:>10}", "${name}",  "$(ARG1)",   "%1",      "%L1",     "%n",
          "%<PRIu64>", "%qD",      "%q+T",      "%L",      "%#x",     "%PRODUCTNAME",
          "<file>",    "%{name}",  "%08.3lf",   "%2$*1$d", "%Y",      "%hhu"})
    {
        EXPECT_EQ(Clean("a "s + directive + " b", "c "s + directive + " d"), expected) << directive;
    }
    EXPECT_EQ(Clean("%s of %d", "%2$d von %1$s"),
              LOZENGE + " of " + LOZENGE + " | " + LOZENGE + " von " + LOZENGE);
    EXPECT_EQ(Clean("%s of %d", "%s von"), "dropped");
    EXPECT_EQ(Clean("over %%sand", "%%s da"), "over " + LOZENGE + "and | " + LOZENGE + " da");
    EXPECT_EQ(Clean("<a href='%s'>x</a>", "x"), "x | x");
    EXPECT_EQ(Clean("<old> to <new>", "<alt> nach"), "dropped");
}

TEST(CollapipeCleaning, LeavesPercentagesAndQuotesAlone)
{
    EXPECT_EQ(Clean("50% of all", "50 % von allen"), "50% of all | 50 % von allen");
    EXPECT_EQ(Clean("100%% sure", "100%%ig sicher"), "100% sure | 100%ig sicher");
    EXPECT_EQ(Clean("about %d%%", "%d%%"), "about " + LOZENGE + "% | " + LOZENGE + "%");
    EXPECT_EQ(Clean("use %<-fno%>", "%<-fno%> nehmen"), "use '-fno' | '-fno' nehmen");
    EXPECT_EQ(Clean("%qE%'s type", "Typ %qE"), LOZENGE + "'s type | Typ " + LOZENGE);
    EXPECT_EQ(Clean("don%'t", "nicht"), "don't | nicht");
}

TEST(CollapipeCleaning, RemovesMarkup)
{
    EXPECT_EQ(Clean("<b>Big</b> <span size='x'>red</span>", "<b>Gro\u00df</b> und rot"),
              "Big red | Gro\u00df und rot");
    EXPECT_EQ(Clean("one<br/>two", "eins<br>zwei"), "one two | eins zwei");
    EXPECT_EQ(Clean("<a href=\"%s\">here</a>", "<a href=\"%s\">hier</a>"), "here | hier");
    EXPECT_EQ(Clean("A &amp; B &lt; C &#x41;", "&quot;x&quot;"), "A & B < C A | \"x\"");
    EXPECT_EQ(Clean("a <= b and c", "a <= b"), "a <= b and c | a <= b");
    EXPECT_EQ(Clean("\x1b[1mbold\x1b[0m", "fett"), "bold | fett");
    EXPECT_EQ(Clean("a\\nb\t c\n", "  d\u00a0 \u3000e "), "a b c | d e");
    EXPECT_EQ(Clean("say \\\"no\\\"", "nein"), "say \"no\" | nein");
}

TEST(CollapipeCleaning, RemovesAcceleratorsButNotNames)
{
    EXPECT_EQ(Clean("_Open File", "Datei \u00f6_ffnen"), "Open File | Datei \u00f6ffnen");
    EXPECT_EQ(Clean("E_xit", "_Beenden"), "Exit | Beenden");
    EXPECT_EQ(Clean("&File", "&Datei"), "File | Datei");
    EXPECT_EQ(Clean("De~fault", "Vor~gabe"), "Default | Vorgabe");
    EXPECT_EQ(Clean("_File", "\u6587\u4ef6(_F)"), "File | \u6587\u4ef6");
    EXPECT_EQ(Clean("call write_file", "write_file rufen"), "call write_file | write_file rufen");
    EXPECT_EQ(Clean("see _exit", "siehe _exit"), "see _exit | siehe _exit");
    EXPECT_EQ(Clean("by AT&T", "von AT&T"), "by AT&T | von AT&T");
    EXPECT_EQ(Clean("a & b", "a & c"), "a & b | a & c");
}

TEST(CollapipeCleaning, SurvivesRandomTextAndKeepsPlaceholdersAligned)
{
    const std::vector<std::string> parts{"%",    "s",   "(", ")",      "{",  "}", "<",  ">",
                                         "_",    "&",   "~", "$",      "1",  " ", "\\", "\x1b[",
                                         "amp;", "b/",  "#", "\u00e4", "\n", "-", "'",  "q",
                                         "PRI",  "=\"", "A", "*",      ".",  ";"};
    std::mt19937_64 random(2);
    const auto make = [&parts, &random] {
        std::string text;
        for (auto i = random() % 30; i > 0; --i)
        {
            text += parts[random() % parts.size()];
        }
        return text;
    };
    uint32_t kept = 0;
    for (int instance = 0; instance < 20000; ++instance)
    {
        const auto source = make();
        const auto target = random() % 2 ? make() : source + " x";
        const auto pair = CleanPair(source, target);
        IsTabular(source);
        if (pair)
        {
            ++kept;
            EXPECT_EQ(CountLozenges(pair->source), CountLozenges(pair->target)) << source;
            EXPECT_EQ(FindInvalidUtf8(pair->source), std::string::npos) << source;
            EXPECT_EQ(FoldWhiteSpace(pair->source), pair->source);
        }
    }
    EXPECT_GT(kept, 5000U);
}

TEST(CollapipeCleaning, KnowsSentences)
{
    EXPECT_TRUE(IsSentence("the file is missing"));
    EXPECT_FALSE(IsSentence("two words"));
    EXPECT_FALSE(IsSentence("two 12 words " + LOZENGE));
    EXPECT_FALSE(IsSentence("a = b + c * 12 - 34 / (5 + 6)"));
    EXPECT_FALSE(IsSentence("see this " + std::string(60, 'x')));
    std::string words;
    for (int i = 0; i < 40; ++i)
    {
        words += i > 0 ? " word" : "word";
    }
    EXPECT_TRUE(IsSentence(words));
    EXPECT_FALSE(IsSentence(words + " word"));
    EXPECT_EQ(CountWords("one, two - 3 four"), 3U);
    EXPECT_EQ(CountWords("\u65e0\u6cd5\u6253\u5f00\u6587\u4ef6"), 3U);
}

TEST(CollapipeCleaning, KnowsTables)
{
    EXPECT_FALSE(IsTabular("One sentence.  Another one.\nA third line."));
    EXPECT_FALSE(IsTabular("-fpic is not supported"));
    EXPECT_TRUE(IsTabular("  -v, --verbose   tell more"));
    EXPECT_TRUE(IsTabular("-v, --verbose tell more"));
    EXPECT_TRUE(IsTabular("name\tvalue"));
    EXPECT_TRUE(IsTabular("name    value"));
    EXPECT_TRUE(IsTabular("Commands:\n  first thing\n  second thing"));
    EXPECT_TRUE(IsTabular("Linker options\n=============="));
    EXPECT_TRUE(IsTabular("Usage: cat FILE..."));
}

TEST(CollapipeCleaning, KnowsTranslations)
{
    EXPECT_TRUE(IsTranslation({"this is a file", "dies ist eine Datei"}));
    EXPECT_FALSE(IsTranslation({"this is a file", "this is a file"}));
    EXPECT_FALSE(IsTranslation({"this is a file", "Fehler: this is a file"}));
    EXPECT_FALSE(IsTranslation({"this is one", "a b c d e f g h i j"}));
}

TEST_F(CollapipeCatalogFolders, OrderDoesNotDependOnTheFileSystem)
{
    const auto catalog = [](const std::string& id, const std::string& text) {
        const Entries entries{{"", UTF8_HEADER},
                              {"the shared message", "aus " + text + " genommen"},
                              {"the message " + id, "die Meldung " + text}};
        return MakeCatalog(entries, false);
    };
    Write("two/b.mo", catalog("of b", "von b"));
    Write("two/a.mo", catalog("of a", "von a"));
    Write("one/b.mo", catalog("of another b", "vom anderen b"));
    Write("one/broken.mo", "nonsense");
    Write("one/README", "nothing");
    const auto one = (m_folder / "one").string();
    const auto two = (m_folder / "two").string();
    const auto corpus = ReadCatalogs({one, two, (m_folder / "none").string()});
    std::vector<std::string> sources;
    for (const auto& pair : corpus.pairs)
    {
        sources.push_back(pair.topic + ": " + pair.source);
    }
    const std::vector<std::string> expected{"a: the shared message",
                                            "a: the message of a",
                                            "b: the message of another b",
                                            "b: the message of b"};
    EXPECT_EQ(sources, expected);
    EXPECT_EQ(corpus.files.size(), 3U);
    ASSERT_EQ(corpus.errors.size(), 1U);
    EXPECT_TRUE(Contains(corpus.errors[0], "broken.mo"));
}

TEST_F(CollapipeCatalogFolders, TheSetUpsCatalogsAreReadAloneWhereThereAreAny)
{
    const char* before = std::getenv("COLLAPIPE_CACHE");
    const std::string kept = before ? before : "";
    ASSERT_EQ(setenv("COLLAPIPE_CACHE", m_folder.c_str(), 1), 0);
    const std::vector<std::string> system{"/usr/share/locale/de/LC_MESSAGES"};
    EXPECT_EQ(GetCatalogDirectories("de"), system);
    Write("catalogs/de/LC_MESSAGES/a.mo", "");
    const std::vector<std::string> own{(m_folder / "catalogs/de/LC_MESSAGES").string()};
    EXPECT_EQ(GetCatalogDirectories("de"), own);
    before ? setenv("COLLAPIPE_CACHE", kept.c_str(), 1) : unsetenv("COLLAPIPE_CACHE");
}

TEST(CollapipeCatalogs, LanguagesThatAreNoNamesAreRefused)
{
    EXPECT_NO_THROW(GetCatalogDirectories("sr@latin"));
    for (const auto* wrong : {"", "../etc", "de/x", "."})
    {
        EXPECT_THROW(GetCatalogDirectories(wrong), DataError) << wrong;
    }
}

TEST(CollapipeCatalogs, GermanHasTenThousandPairs)
{
    const auto corpus = ReadCatalogs(GetCatalogDirectories("de"));
    const bool gcc = std::any_of(corpus.files.begin(), corpus.files.end(), [](const auto& file) {
        return Contains(file, "/gcc-");
    });
    if (!gcc)
    {
        GTEST_SKIP() << "the catalogs of gcc-12-locales are neither in the system nor in the cache";
    }
    EXPECT_GE(corpus.pairs.size(), 10000U);
    for (const auto& pair : corpus.pairs)
    {
        EXPECT_TRUE(IsTranslation(pair));
        EXPECT_EQ(CountLozenges(pair.source), CountLozenges(pair.target)) << pair.source;
        EXPECT_FALSE(Contains(pair.source, "%s") || Contains(pair.target, "</b>")) << pair.source;
        EXPECT_EQ(FindInvalidUtf8(pair.source + pair.target), std::string::npos);
    }
}

TEST(CollapipeText, FindsInvalidUtf8)
{
    for (const auto* good : {"", "a", "\u00e4", "\u20ac", "\U0001f600", "\U0010ffff"})
    {
        EXPECT_EQ(FindInvalidUtf8(good), std::string::npos) << good;
    }
    for (const auto* bad : {"ab\xc3",
                            "ab\xc3(",
                            "ab\x80",
                            "ab\xc0\x80",
                            "ab\xe0\x80\x80",
                            "ab\xed\xa0\x80",
                            "ab\xf4\x90\x80\x80",
                            "ab\xf8\x88\x80\x80\x80",
                            "ab\xff",
                            "ab\xf0\x9f\x98"})
    {
        EXPECT_EQ(FindInvalidUtf8(bad), 2U);
    }
}

TEST(CollapipeText, EncodesEveryCodePointAsItWasDecoded)
{
    for (uint32_t codePoint = 0; codePoint < 0x110000; codePoint += codePoint < 0x1000 ? 1 : 7)
    {
        std::string text;
        AppendCodePoint(text, codePoint);
        if (codePoint >= 0xd800 && codePoint < 0xe000)
        {
            ASSERT_EQ(text, "");
            continue;
        }
        std::size_t position = 0;
        ASSERT_EQ(NextCodePoint(text, position), codePoint);
        ASSERT_EQ(position, text.size());
    }
}

TEST_F(CollapipeTextFiles, AlignedFilesArePaired)
{
    const auto source = Write("a", "\xef\xbb\xbfone  two\r\n\nthree\n");
    const auto target = Write("b", "eins zwei\nnichts\ndrei");
    const auto pairs = ReadAlignedFiles(source, target);
    ASSERT_EQ(pairs.size(), 2U);
    EXPECT_EQ(pairs[0].source, "one two");
    EXPECT_EQ(pairs[1].target, "drei");
}

TEST_F(CollapipeTextFiles, WrongAlignedFilesAreNamed)
{
    const auto good = Write("good", "one\ntwo\n");
    const auto complaint = [&good](const std::string& path) {
        return Complaint([&] { ReadAlignedFiles(good, path); });
    };
    EXPECT_EQ(complaint(Write("short", "one\n")),
              "'" + good + "' has 2 lines but '" + (m_folder / "short").string() +
                  "' has 1: each line must be the translation of the same line of the other file.");
    EXPECT_TRUE(Contains(complaint(Write("empty", "")), "empty' is empty."));
    EXPECT_TRUE(Contains(complaint(Write("utf", "one\ntw\xff\n")), "Line 2 of '"));
    EXPECT_TRUE(Contains(complaint(Write("utf", "one\ntw\xff\n")), "not valid UTF-8 at byte 3."));
    EXPECT_TRUE(Contains(complaint(Write("nul", "o\0ne\ntwo\n"s)), "Line 1 of '"));
    EXPECT_TRUE(Contains(complaint(Write("blank", " \n\n")), "No line holds text"));
    EXPECT_TRUE(Contains(complaint("/nonexistent"), "Cannot open '/nonexistent'"));
    EXPECT_TRUE(Contains(complaint(m_folder.string()), "Cannot read '" + m_folder.string()));
}

TEST_F(CollapipeTextFiles, TsvInEveryForm)
{
    const auto check = [](const std::vector<LabelledText>& rows) {
        ASSERT_EQ(rows.size(), 2U);
        EXPECT_EQ(rows[0].text, "good film");
        EXPECT_EQ(rows[0].label, "1");
        EXPECT_EQ(rows[1].text, "bad film");
        EXPECT_EQ(rows[1].label, "0");
    };
    check(ReadLabelledTsv(Write("sst", "sentence\tlabel\ngood film\t1\nbad film\t0\n")));
    check(
        ReadLabelledTsv(Write("swap", "id\tLabel\tText\r\n7\t1\tgood film\r\n8\t0\tbad film\r\n")));
    check(ReadLabelledTsv(Write("bare", "good film\t1\nbad film\t0\n\n\n")));
    check(ReadLabelledTsv(Write("cola", "g\t1\t\tgood  film\ng\t0\t*\tbad film\n")));
    check(ReadLabelledTsv(Write("user", "1\tx\tgood film\n0\tx\tbad film\n"), {2, 0}));
}

TEST_F(CollapipeTextFiles, WrongTsvIsNamed)
{
    const auto complaint = [this](const std::string& bytes, const TsvColumns& columns = {}) {
        return Complaint([&] { ReadLabelledTsv(Write("x.tsv", bytes), columns); });
    };
    EXPECT_TRUE(Contains(complaint("sentence\tclass\na\t1\n"), "no column named 'label'"));
    EXPECT_TRUE(Contains(complaint("words\tlabel\na\t1\n"), "'sentence' or 'text'"));
    EXPECT_TRUE(Contains(complaint("a\t1\nb\n"), "Line 2 of '"));
    EXPECT_TRUE(Contains(complaint("a\t1\nb\n"), "has 1 tab-separated column(s)"));
    EXPECT_TRUE(Contains(complaint("a\t1\n\t0\n"), "has no text in column 1"));
    EXPECT_TRUE(Contains(complaint("a\t1\nb\t \n"), "has no label in column 2"));
    EXPECT_TRUE(Contains(complaint("just text\n"), "text and label need 2"));
    EXPECT_TRUE(Contains(complaint("a\t1\n", {0, 5}), "text and label need 6"));
    EXPECT_TRUE(Contains(complaint("a\t1\n", {1, 1}), "same column"));
    EXPECT_TRUE(Contains(complaint("sentence\tlabel\n"), "no rows"));
    EXPECT_TRUE(Contains(complaint("\n\n"), "blank lines"));
}

/// What data mean is not guessed: columns of other tasks train on no identifiers.
TEST_F(CollapipeTextFiles, TsvThatIsNotUnderstoodIsRefused)
{
    const auto complaint = [this](const std::string& bytes) {
        return Complaint([&] { ReadLabelledTsv(Write("x.tsv", bytes)); });
    };
    EXPECT_TRUE(Contains(complaint("Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
                                   "1\t702876\t702977\tHe said so .\tSo he said .\n"
                                   "0\t2108705\t2108831\tIt fell .\tIt rose .\n"),
                         "5 columns and no header"))
        << "MRPC";
    EXPECT_TRUE(Contains(complaint("index\tpromptID\tgenre\tsentence1\tsentence2\tgold_label\n"
                                   "0\t31193n\tfiction\tA b c.\tD e f.\tneutral\n"),
                         "6 columns and no header"))
        << "MNLI";
    EXPECT_TRUE(Contains(complaint("\"id\"\t\"review\"\n\"5814_8\"\tgood film\n"
                                   "\"2381_9\"\tbad film\n"),
                         "header"))
        << "a quoted header";
    EXPECT_TRUE(Contains(complaint("review\tsentiment\ngood film\t1\nbad film\t0\nnice\t1\n"
                                   "dull\t0\n"),
                         "header"))
        << "a header with other names";
    EXPECT_TRUE(Contains(complaint("index\tquestion\tsentence\tlabel\n"
                                   "0\tWho was it?\tIt was a man.\tentailment\n"
                                   "1\tWhere is it?\tIt is a man.\tnot_entailment\n"),
                         "'question'"))
        << "QNLI";
    EXPECT_TRUE(Contains(complaint("a\t1\tb c\tgood film\nb\t0\tc d\tbad film\n"),
                         "4 columns and no header"))
        << "four columns that are not CoLA's";
}
