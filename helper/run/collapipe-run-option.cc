/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-option.h"

#include "collapipe-suggestion.h"

#include "ns3/type-id.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <type_traits>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double UNBOUNDED = std::numeric_limits<double>::infinity();

/// @return a number as a person writes it
std::string
ToText(double value)
{
    std::ostringstream text;
    text.precision(19);
    if (std::abs(value) < 1e19 && value == std::floor(value))
    {
        text << std::fixed;
        text.precision(0);
    }
    text << value;
    return text.str();
}

/**
 * @param text decimal digits
 * @param value filled in
 * @return whether text is a whole number that 64 bits hold
 */
bool
ParseWhole(const std::string& text, uint64_t& value)
{
    if (text.empty() || text.size() > 19 || text.find_first_not_of("0123456789") != text.npos)
    {
        return false;
    }
    value = std::stoull(text);
    return true;
}

/// @return whether text is a number, which is filled in; not NaN, not infinite
bool
ParseNumber(const std::string& text, double& value)
{
    const bool isPlain = !text.empty() && text.find_first_not_of("0123456789+-.eE") == text.npos;
    char* end = nullptr;
    value = isPlain ? std::strtod(text.c_str(), &end) : 0;
    return isPlain && *end == '\0' && std::isfinite(value);
}

/// Whether an option's value is a whole number
bool
IsWhole(const RunOption::Target& target)
{
    return std::holds_alternative<uint32_t*>(target) || std::holds_alternative<uint64_t*>(target);
}

/// The largest number that the target can hold
double
GetLargest(const RunOption::Target& target)
{
    return std::holds_alternative<uint32_t*>(target) ? std::numeric_limits<uint32_t>::max()
           : std::holds_alternative<uint64_t*>(target)
               ? static_cast<double>(std::numeric_limits<int64_t>::max())
               : UNBOUNDED;
}

} // namespace

RunOption::RunOption(OptionGroup optionGroup,
                     std::string optionName,
                     Target optionTarget,
                     std::string optionHelp)
    : group(optionGroup),
      name(std::move(optionName)),
      target(optionTarget),
      help(std::move(optionHelp)),
      minimum(IsWhole(target) ? 0 : -UNBOUNDED),
      maximum(GetLargest(target)),
      off(std::holds_alternative<bool*>(target) ? "false" : "")
{
}

RunOption
RunOption::Basic() &&
{
    isBasic = true;
    return std::move(*this);
}

RunOption
RunOption::WithUnit(const std::string& symbol) &&
{
    unit = symbol;
    return std::move(*this);
}

RunOption
RunOption::From(double least) &&
{
    minimum = least;
    return std::move(*this);
}

RunOption
RunOption::To(double most) &&
{
    maximum = most;
    return std::move(*this);
}

RunOption
RunOption::Above(double bound) &&
{
    minimum = bound;
    excludesMinimum = true;
    return std::move(*this);
}

RunOption
RunOption::Below(double bound) &&
{
    maximum = bound;
    excludesMaximum = true;
    return std::move(*this);
}

RunOption
RunOption::OneOf(const std::vector<std::string>& words) &&
{
    names = words;
    return std::move(*this);
}

RunOption
RunOption::DerivedFrom(const std::string& parentName, std::string (*toName)(const std::string&)) &&
{
    parent = parentName;
    toTypeName = toName;
    return std::move(*this);
}

RunOption
RunOption::OrBeginningWith(const std::string& prefix) &&
{
    prefixes.push_back(prefix);
    return std::move(*this);
}

RunOption
RunOption::Off(const std::string& value) &&
{
    off = value;
    return std::move(*this);
}

RunOption
RunOption::Usually(const std::vector<std::string>& learnt, const std::string& text) &&
{
    return std::move(*this).Usually(learnt, [text] { return text; });
}

RunOption
RunOption::Usually(const std::vector<std::string>& learnt,
                   const std::function<std::string()>& compute) &&
{
    for (const auto& name : learnt)
    {
        usual[name] = compute;
    }
    return std::move(*this);
}

RunOption
RunOption::Local() &&
{
    isLocal = true;
    return std::move(*this);
}

RunOption
RunOption::With(const std::string& option, const std::vector<std::string>& values) &&
{
    conditions.push_back({OptionCondition::ONE_OF, option, values, true, ""});
    return std::move(*this);
}

RunOption
RunOption::NotWith(const std::string& option, const std::vector<std::string>& values) &&
{
    conditions.push_back({OptionCondition::NONE_OF, option, values, true, ""});
    return std::move(*this);
}

RunOption
RunOption::With(const std::string& option) &&
{
    conditions.push_back({OptionCondition::GIVEN, option, {}, true, ""});
    return std::move(*this);
}

RunOption
RunOption::NotWith(const std::string& option) &&
{
    conditions.push_back({OptionCondition::NOT_GIVEN, option, {}, true, ""});
    return std::move(*this);
}

RunOption
RunOption::Where(bool holds, const std::string& sentence) &&
{
    conditions.push_back({OptionCondition::HOLDS, "", {}, holds, sentence});
    return std::move(*this);
}

std::string
RunOption::GetText() const
{
    std::ostringstream text;
    text.precision(12);
    std::visit([&text](auto* value) { text << std::boolalpha << *value; }, target);
    return text.str();
}

bool
RunOption::IsOff() const
{
    const auto text = GetText();
    return text == off || (text.empty() && std::holds_alternative<std::string*>(target));
}

std::string
RunOption::GetAllowed() const
{
    if (std::holds_alternative<bool*>(target))
    {
        return "true or false";
    }
    if (std::holds_alternative<std::string*>(target))
    {
        std::vector<std::string> words;
        std::copy_if(names.begin(), names.end(), std::back_inserter(words), [](const auto& word) {
            return !word.empty();
        });
        for (const auto& prefix : prefixes)
        {
            words.push_back(prefix + "...");
        }
        if (!parent.empty())
        {
            words.push_back("the TypeId of a " + parent);
        }
        return JoinWords(words);
    }
    if (!names.empty())
    {
        return JoinWords(names) + (unit.empty() ? "" : " " + unit);
    }
    const std::string noun = IsWhole(target) ? "a whole number" : "a number";
    const bool hasMinimum = std::isfinite(minimum);
    const bool hasMaximum = std::isfinite(maximum);
    const std::string in = unit.empty() ? "" : " " + unit;
    if (hasMinimum && hasMaximum && !excludesMinimum && !excludesMaximum)
    {
        return noun + " from " + ToText(minimum) + " to " + ToText(maximum) + in;
    }
    std::string text = noun;
    text +=
        hasMinimum ? (excludesMinimum ? " of more than " : " of at least ") + ToText(minimum) : "";
    text += hasMinimum && hasMaximum ? " and" : "";
    text += hasMaximum ? (excludesMaximum ? " less than " : " at most ") + ToText(maximum) : "";
    return text + in;
}

std::string
RunOption::Refuse(const std::string& text) const
{
    const std::string given = "--" + name + "=" + text + ": ";
    if (std::holds_alternative<std::string*>(target))
    {
        return given + "there is no such " + name + Suggest(text, names) + "; take " + GetAllowed();
    }
    return given + "this must be " + GetAllowed();
}

void
RunOption::Set(const std::string& text) const
{
    bool isUnderstood = true;
    uint64_t whole = 0;
    if (auto* const* word = std::get_if<std::string*>(&target))
    {
        **word = text;
    }
    else if (IsWhole(target))
    {
        isUnderstood = ParseWhole(text, whole) && static_cast<double>(whole) <= maximum;
        if (auto* const* number = std::get_if<uint32_t*>(&target))
        {
            **number = isUnderstood ? static_cast<uint32_t>(whole) : **number;
        }
        else
        {
            *std::get<uint64_t*>(target) = whole;
        }
    }
    else if (auto* const* number = std::get_if<double*>(&target))
    {
        isUnderstood = ParseNumber(text, **number);
    }
    else
    {
        const bool isTrue = text == "true" || text == "1" || text == "t";
        isUnderstood = isTrue || text == "false" || text == "0" || text == "f";
        *std::get<bool*>(target) = isTrue;
    }
    RequireOption(isUnderstood, Refuse(text));
    Check();
}

void
RunOption::Check() const
{
    bool isAllowed = true;
    if (auto* const* word = std::get_if<std::string*>(&target))
    {
        const auto begins = [&](const auto& prefix) { return (*word)->rfind(prefix, 0) == 0; };
        isAllowed = (names.empty() && parent.empty()) ||
                    std::find(names.begin(), names.end(), **word) != names.end() ||
                    std::any_of(prefixes.begin(), prefixes.end(), begins) ||
                    (!parent.empty() && IsCreatable(toTypeName(**word), parent));
    }
    else if (!std::holds_alternative<bool*>(target))
    {
        const double value = std::visit(
            [](auto* number) -> double {
                if constexpr (std::is_same_v<decltype(number), std::string*>)
                {
                    return 0;
                }
                else
                {
                    return static_cast<double>(*number);
                }
            },
            target);
        isAllowed =
            (excludesMinimum ? value > minimum : value >= minimum) &&
            (excludesMaximum ? value < maximum : value <= maximum) &&
            (names.empty() || std::find(names.begin(), names.end(), GetText()) != names.end());
    }
    RequireOption(isAllowed, Refuse(GetText()));
}

const RunOption*
FindOption(const std::vector<RunOption>& options, const std::string& name)
{
    const auto found = std::find_if(options.begin(), options.end(), [&name](const auto& option) {
        return option.name == name;
    });
    return found == options.end() ? nullptr : &*found;
}

const OptionCondition*
FindUnmet(const std::vector<RunOption>& options, const RunOption& option)
{
    for (const auto& condition : option.conditions)
    {
        const auto* other = FindOption(options, condition.option);
        const auto& values = condition.values;
        const bool isOne =
            other && std::find(values.begin(), values.end(), other->GetText()) != values.end();
        const bool isMet = condition.kind == OptionCondition::HOLDS     ? condition.holds
                           : condition.kind == OptionCondition::ONE_OF  ? isOne
                           : condition.kind == OptionCondition::NONE_OF ? !isOne
                           : condition.kind == OptionCondition::GIVEN   ? other && !other->IsOff()
                                                                        : !other || other->IsOff();
        if (!isMet)
        {
            return &condition;
        }
    }
    return nullptr;
}

void
RefuseIgnored(const std::vector<RunOption>& options, const std::set<std::string>& given)
{
    for (const auto& option : options)
    {
        const auto* unmet =
            given.count(option.name) > 0 && !option.IsOff() ? FindUnmet(options, option) : nullptr;
        if (!unmet)
        {
            continue;
        }
        const auto* other = FindOption(options, unmet->option);
        const std::string has = other ? "--" + other->name + "=" + other->GetText() : "";
        switch (unmet->kind)
        {
        case OptionCondition::ONE_OF:
            throw UserError("--" + option.name + " goes with --" + unmet->option + "=" +
                            JoinWords(unmet->values) + "; this run has " + has +
                            ", which would ignore it");
        case OptionCondition::NONE_OF:
            throw UserError("--" + option.name + " does not go with " + has +
                            ", which would ignore it");
        case OptionCondition::GIVEN:
            throw UserError("--" + option.name + " goes with --" + unmet->option +
                            ", which this run does not have");
        case OptionCondition::NOT_GIVEN:
            throw UserError("--" + option.name + " does not go with --" + unmet->option +
                            ", beside which it would be ignored");
        default:
            throw UserError("--" + option.name + ": " + unmet->sentence);
        }
    }
}

bool
IsCreatable(const std::string& name, const std::string& parent)
{
    TypeId tid;
    return TypeId::LookupByNameFailSafe(name, &tid) && tid.HasConstructor() &&
           tid.IsChildOf(TypeId::LookupByName(parent));
}

} // namespace collapipe
} // namespace ns3
