/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-unicode.h"

#include "collapipe-text-files.h"

#include <cstring>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uregex.h>
#include <unicode/ustring.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Longest text that ICU's 32-bit lengths take, with room for what normalisation adds
constexpr std::size_t LONGEST_TEXT = 1U << 26;

/// Steps that one match may take: far more than a tokenizer's pattern needs
constexpr int32_t TIME_LIMIT = 5000;

[[noreturn]] void
RefuseLength()
{
    throw DataError("A text of more than " + std::to_string(LONGEST_TEXT >> 20) +
                    " MiB without a break cannot be cut into tokens.");
}

/**
 * @param text UTF-8
 * @return UTF-16
 */
std::u16string
ToUtf16(std::string_view text)
{
    if (text.size() > LONGEST_TEXT)
    {
        RefuseLength();
    }
    std::u16string wide(text.size(), u'\0');
    int32_t length = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8WithSub(wide.data(),
                         static_cast<int32_t>(wide.size()),
                         &length,
                         text.data(),
                         static_cast<int32_t>(text.size()),
                         0xfffd,
                         nullptr,
                         &status);
    wide.resize(static_cast<std::size_t>(length));
    return wide;
}

/**
 * @param text UTF-16
 * @return UTF-8
 */
std::string
FromUtf16(const std::u16string& text)
{
    std::string narrow(3 * text.size(), '\0');
    int32_t length = 0;
    UErrorCode status = U_ZERO_ERROR;
    u_strToUTF8WithSub(narrow.data(),
                       static_cast<int32_t>(narrow.size()),
                       &length,
                       text.data(),
                       static_cast<int32_t>(text.size()),
                       0xfffd,
                       nullptr,
                       &status);
    narrow.resize(static_cast<std::size_t>(length));
    return narrow;
}

/**
 * @param text any
 * @param convert function of (target, capacity, status) that gives the length it needs
 * @return what it gives
 */
template <typename Function>
std::u16string
Convert(std::size_t guess, Function convert)
{
    std::u16string result(guess + 16, u'\0');
    for (;;)
    {
        UErrorCode status = U_ZERO_ERROR;
        const int32_t length = convert(result.data(), static_cast<int32_t>(result.size()), &status);
        if (status != U_BUFFER_OVERFLOW_ERROR)
        {
            result.resize(U_FAILURE(status) ? 0 : static_cast<std::size_t>(length));
            return result;
        }
        result.resize(static_cast<std::size_t>(length) + 16);
    }
}

const UNormalizer2*
GetNormalizer(NormalForm form)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2* normalizer = form == NormalForm::NFC    ? unorm2_getNFCInstance(&status)
                                     : form == NormalForm::NFD  ? unorm2_getNFDInstance(&status)
                                     : form == NormalForm::NFKC ? unorm2_getNFKCInstance(&status)
                                                                : unorm2_getNFKDInstance(&status);
    if (U_FAILURE(status))
    {
        throw DataError("ICU has no data for normalisation; install its package whole.");
    }
    return normalizer;
}

/// @return whether a character's category is one of a mask
bool
HasCategory(char32_t codePoint, uint32_t mask)
{
    return (U_MASK(u_charType(static_cast<UChar32>(codePoint))) & mask) != 0;
}

/**
 * @param expression in Oniguruma's syntax
 * @return the same in ICU's, where white space and word characters are others
 */
std::string
Translate(const std::string& expression)
{
    std::string text;
    for (std::size_t i = 0; i < expression.size(); ++i)
    {
        if (expression[i] != '\\' || i + 1 == expression.size())
        {
            text += expression[i];
            continue;
        }
        const char escaped = expression[++i];
        const char* const words = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}";
        switch (escaped)
        {
        case 's':
            text += "\\p{White_Space}";
            break;
        case 'S':
            text += "\\P{White_Space}";
            break;
        case 'w':
            text += std::string("[") + words + "]";
            break;
        case 'W':
            text += std::string("[^") + words + "]";
            break;
        default:
            text += {'\\', escaped};
        }
    }
    return text;
}

} // namespace

std::string
ReplaceInvalidUtf8(std::string_view text)
{
    return FindInvalidUtf8(text) == std::string_view::npos ? std::string(text)
                                                           : ToUtf8(ToCodePoints(text));
}

std::u32string
ToCodePoints(std::string_view text)
{
    std::u32string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size();)
    {
        UChar32 c = 0;
        U8_NEXT_OR_FFFD(reinterpret_cast<const uint8_t*>(text.data()), i, text.size(), c);
        result += static_cast<char32_t>(c);
    }
    return result;
}

std::string
ToUtf8(std::u32string_view text)
{
    std::string result;
    result.reserve(text.size());
    for (const auto c : text)
    {
        AppendCodePoint(result, c);
    }
    return result;
}

std::string
Normalize(const std::string& text, NormalForm form)
{
    const auto* normalizer = GetNormalizer(form);
    const auto wide = ToUtf16(text);
    return FromUtf16(Convert(2 * wide.size(), [&](UChar* target, int32_t size, UErrorCode* status) {
        return unorm2_normalize(normalizer,
                                wide.data(),
                                static_cast<int32_t>(wide.size()),
                                target,
                                size,
                                status);
    }));
}

std::string
ToLowerText(const std::string& text)
{
    const auto wide = ToUtf16(text);
    return FromUtf16(Convert(wide.size(), [&](UChar* target, int32_t size, UErrorCode* status) {
        return u_strToLower(target,
                            size,
                            wide.data(),
                            static_cast<int32_t>(wide.size()),
                            "",
                            status);
    }));
}

std::u32string
ToLowerCharacter(char32_t codePoint)
{
    // U+0130 is the only character whose lower case is several.
    return codePoint == 0x130
               ? std::u32string{U'i', 0x307}
               : std::u32string(1,
                                static_cast<char32_t>(u_tolower(static_cast<UChar32>(codePoint))));
}

bool
IsUnicodeSpace(char32_t codePoint)
{
    return u_hasBinaryProperty(static_cast<UChar32>(codePoint), UCHAR_WHITE_SPACE) != 0;
}

bool
IsUnicodeOther(char32_t codePoint)
{
    return HasCategory(codePoint, U_GC_C_MASK);
}

bool
IsUnicodePunctuation(char32_t codePoint)
{
    return HasCategory(codePoint, U_GC_P_MASK);
}

bool
IsUnicodeNumber(char32_t codePoint)
{
    return HasCategory(codePoint, U_GC_N_MASK);
}

bool
IsUnicodeNonspacing(char32_t codePoint)
{
    return HasCategory(codePoint, U_GC_MN_MASK);
}

bool
IsUnicodeWord(char32_t codePoint)
{
    const auto has = [codePoint](UProperty property) {
        return u_hasBinaryProperty(static_cast<UChar32>(codePoint), property) != 0;
    };
    return has(UCHAR_ALPHABETIC) || has(UCHAR_JOIN_CONTROL) ||
           HasCategory(codePoint, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK);
}

struct UnicodePattern::Compiled
{
    explicit Compiled(const std::string& expression)
    {
        const auto wide = ToUtf16(Translate(expression));
        UErrorCode status = U_ZERO_ERROR;
        UParseError where = {};
        pattern = uregex_open(wide.data(), static_cast<int32_t>(wide.size()), 0, &where, &status);
        if (U_FAILURE(status))
        {
            throw DataError("The pattern '" + expression +
                            "' of the tokenizer is not supported: " + u_errorName(status) + ".");
        }
        uregex_setTimeLimit(pattern, TIME_LIMIT, &status);
    }

    ~Compiled()
    {
        uregex_close(pattern);
    }

    Compiled(const Compiled&) = delete;
    Compiled& operator=(const Compiled&) = delete;

    URegularExpression* pattern{nullptr}; //!< ICU's
};

UnicodePattern::UnicodePattern(const std::string& expression)
    : m_compiled(std::make_shared<const Compiled>(expression))
{
}

std::vector<TextSpan>
UnicodePattern::FindAll(std::string_view text) const
{
    std::vector<TextSpan> spans;
    if (text.size() > LONGEST_TEXT)
    {
        RefuseLength();
    }
    UErrorCode status = U_ZERO_ERROR;
    // A copy, since matching changes it: several threads may match at once.
    URegularExpression* pattern = uregex_clone(m_compiled->pattern, &status);
    UText* utext = utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status);
    uregex_setUText(pattern, utext, &status);
    while (U_SUCCESS(status) && uregex_findNext(pattern, &status))
    {
        const auto begin = uregex_start64(pattern, 0, &status);
        const auto end = uregex_end64(pattern, 0, &status);
        if (end > begin)
        {
            spans.emplace_back(begin, end);
        }
    }
    utext_close(utext);
    uregex_close(pattern);
    if (U_FAILURE(status))
    {
        throw DataError("The tokenizer's pattern cannot be matched with the text: " +
                        std::string(u_errorName(status)) + ".");
    }
    return spans;
}

} // namespace collapipe
} // namespace ns3
