/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_OPTION_H
#define COLLAPIPE_RUN_OPTION_H

#include "ns3/collapipe-user-error.h"

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Part of the help in which an option stands, in this order
enum class OptionGroup
{
    NETWORK,
    RADIO,
    DEVICES,
    CONTROL,
    TRAINING,
    MODEL,
    LEARNING,
    DATA,
    FAULTS,
    RESULTS,
    EXECUTION
};

/// Where an option means something: what another option must be, or must not be
struct OptionCondition
{
    /// What is asked of the other option
    enum Kind
    {
        ONE_OF,    //!< has one of the values
        NONE_OF,   //!< has none of them
        GIVEN,     //!< asks for something
        NOT_GIVEN, //!< asks for nothing
        HOLDS      //!< not of another option: `holds` says it
    };

    Kind kind{HOLDS};                //!< what is asked
    std::string option;              //!< of which option
    std::vector<std::string> values; //!< of it
    bool holds{true};                //!< of HOLDS
    std::string sentence;            //!< of HOLDS: what to say where it does not hold
};

/**
 * @ingroup collapipe
 * One option of the command line, all that is to be known of it in one row. The help, the parser,
 * the checks, summary.json's parameters and what makes a run that goes on from a checkpoint another
 * run follow from the rows of MakeOptions().
 *
 * To add an option: a member of RunConfig (or LearningConfig) with its default, and a row in
 * collapipe-run-options.cc (or collapipe-learning-options.cc), such as
 *
 *     RunOption(OptionGroup::TRAINING, "momentum", &config.momentum, "momentum of sgd")
 *
 * followed by what limits it: `.From(0).Below(1)`, `.OneOf({"a", "b"})`, `.WithUnit("J")`; where it
 * means something: `.With("optimizer", {"sgd"})`, `.NotWith("topology", {"p2p"})`; where its
 * default is another one: `.Usually({"mlm"}, "0.8")`; `.Basic()` if it belongs to the short help;
 * `.Local()` if a run from a checkpoint may go on with another value of it. Nothing else is to be
 * touched; the random command lines of the tests try it at once.
 */
struct RunOption
{
    /// Where an option's value is
    using Target = std::variant<std::string*, uint32_t*, uint64_t*, double*, bool*>;

    /**
     * @param optionGroup part of the help
     * @param optionName without dashes
     * @param optionTarget where its value is
     * @param optionHelp one phrase, without unit and default
     */
    RunOption(OptionGroup optionGroup,
              std::string optionName,
              Target optionTarget,
              std::string optionHelp);

    /// It is one of the few that `--help` shows.
    RunOption Basic() &&;

    /// @param symbol unit of the value
    RunOption WithUnit(const std::string& symbol) &&;

    /// @param least smallest value allowed
    RunOption From(double least) &&;

    /// @param most largest value allowed
    RunOption To(double most) &&;

    /// @param bound which the value must exceed
    RunOption Above(double bound) &&;

    /// @param bound which the value must not reach
    RunOption Below(double bound) &&;

    /// @param words the values allowed, besides TypeIds of DerivedFrom()
    RunOption OneOf(const std::vector<std::string>& words) &&;

    /**
     * The value names a class: one that the user adds is allowed as well.
     * @param parentName TypeId's name of the class that it must derive from
     * @param toName turns a short name into a TypeId's name
     */
    RunOption DerivedFrom(const std::string& parentName,
                          std::string (*toName)(const std::string&)) &&;

    /**
     * The value may also be anything with this beginning, which is checked where it is used.
     * @param prefix such as "exec:"
     */
    RunOption OrBeginningWith(const std::string& prefix) &&;

    /// @param value with which the option asks for nothing; empty and false do so anyway
    RunOption Off(const std::string& value) &&;

    /**
     * Some of what is learnt has a default of its own; else it is the value that the member has.
     * @param learnt as RunConfig::GetLearnt() has it, or "foreign": models of other people's, which
     *               goes before the others
     * @param text the default there
     */
    RunOption Usually(const std::vector<std::string>& learnt, const std::string& text) &&;

    /**
     * The same, where the default depends on the model.
     * @param learnt likewise
     * @param compute returns the default there, asked only of a run that learns this
     */
    RunOption Usually(const std::vector<std::string>& learnt,
                      const std::function<std::string()>& compute) &&;

    /// A run that goes on from a checkpoint may have another value.
    RunOption Local() &&;

    /// It means something only where another option has one of some values.
    RunOption With(const std::string& option, const std::vector<std::string>& values) &&;

    /// It means nothing where another option has one of some values.
    RunOption NotWith(const std::string& option, const std::vector<std::string>& values) &&;

    /// It means something only where another option asks for something.
    RunOption With(const std::string& option) &&;

    /// It means nothing where another option asks for something.
    RunOption NotWith(const std::string& option) &&;

    /**
     * @param holds whether it means something
     * @param sentence what to say where not, after the option's name and ": "
     */
    RunOption Where(bool holds, const std::string& sentence) &&;

    /// @return the value as text
    std::string GetText() const;

    /// @return whether the value asks for nothing
    bool IsOff() const;

    /// @return what values are allowed, as the end of a sentence that begins "this must be"
    std::string GetAllowed() const;

    /**
     * @param text to become the value
     * @throws UserError where it cannot
     */
    void Set(const std::string& text) const;

    /// @throws UserError where the value is not allowed
    void Check() const;

    OptionGroup group;              //!< part of the help
    std::string name;               //!< without dashes
    Target target;                  //!< value
    std::string help;               //!< one phrase
    std::string unit;               //!< empty: none
    bool isBasic{false};            //!< of the short help
    bool isLocal{false};            //!< of the run's surroundings
    double minimum;                 //!< smallest number allowed
    double maximum;                 //!< largest number allowed
    bool excludesMinimum{false};    //!< the minimum itself is not allowed
    bool excludesMaximum{false};    //!< the maximum itself is not allowed
    std::vector<std::string> names; //!< words allowed; empty: any
    std::string parent;             //!< class of TypeIds allowed; empty: none are
    std::string (*toTypeName)(const std::string&){nullptr}; //!< of short names
    std::vector<std::string> prefixes;                      //!< beginnings of other words allowed
    std::string off;                                        //!< value that asks for nothing
    std::map<std::string, std::function<std::string()>> usual; //!< defaults by what is learnt
    std::vector<OptionCondition> conditions;                   //!< where it means something

  private:
    /// @return the sentence for a value that is not allowed
    std::string Refuse(const std::string& text) const;
};

/**
 * @param options all options
 * @param name of one, without dashes
 * @return it; null where there is none
 */
const RunOption* FindOption(const std::vector<RunOption>& options, const std::string& name);

/**
 * @param options all options
 * @param given names of those on the command line
 * @throws UserError, naming it, where one of these would be ignored
 */
void RefuseIgnored(const std::vector<RunOption>& options, const std::set<std::string>& given);

/**
 * @param options all options
 * @param option one of them
 * @return the first of its conditions that does not hold; null where all do
 */
const OptionCondition* FindUnmet(const std::vector<RunOption>& options, const RunOption& option);

/**
 * @param name a TypeId's name
 * @param parent name of the class that it must derive from
 * @return whether there is such a class that can be created
 */
bool IsCreatable(const std::string& name, const std::string& parent);

/**
 * @param condition what must hold
 * @param sentence what to say where it does not
 * @throws UserError where it does not
 */
inline void
RequireOption(bool condition, const std::string& sentence)
{
    if (!condition)
    {
        throw UserError(sentence);
    }
}

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_OPTION_H */
