/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-schedule.h"

#include "collapipe-pipeline-time.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(Schedule);
NS_OBJECT_ENSURE_REGISTERED(GpipeSchedule);
NS_OBJECT_ENSURE_REGISTERED(OneFOneBSchedule);

TypeId
Schedule::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::Schedule").SetParent<Object>().SetGroupName("CollaPipe");
    return tid;
}

TypeId
GpipeSchedule::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::GpipeSchedule")
                            .SetParent<Schedule>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<GpipeSchedule>();
    return tid;
}

ActionList
GpipeSchedule::Generate(uint32_t /* stages */, uint32_t /* stage */, uint32_t microBatches) const
{
    ActionList actions;
    for (auto kind : {Action::FORWARD, Action::BACKWARD})
    {
        for (uint32_t i = 0; i < microBatches; ++i)
        {
            actions.push_back({kind, i});
        }
    }
    actions.push_back({Action::FLUSH, 0});
    return actions;
}

TypeId
OneFOneBSchedule::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::OneFOneBSchedule")
                            .SetParent<Schedule>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<OneFOneBSchedule>();
    return tid;
}

ActionList
OneFOneBSchedule::Generate(uint32_t stages, uint32_t stage, uint32_t microBatches) const
{
    const uint32_t warmUp = std::min(microBatches, stages - stage - 1);
    ActionList actions;
    for (uint32_t i = 0; i < warmUp; ++i)
    {
        actions.push_back({Action::FORWARD, i});
    }
    for (uint32_t i = warmUp; i < microBatches; ++i)
    {
        actions.push_back({Action::FORWARD, i});
        actions.push_back({Action::BACKWARD, i - warmUp});
    }
    for (uint32_t i = microBatches - warmUp; i < microBatches; ++i)
    {
        actions.push_back({Action::BACKWARD, i});
    }
    actions.push_back({Action::FLUSH, 0});
    return actions;
}

std::string
ScheduleTypeName(const std::string& name)
{
    if (name == "gpipe")
    {
        return "ns3::collapipe::GpipeSchedule";
    }
    if (name == "1f1b")
    {
        return "ns3::collapipe::OneFOneBSchedule";
    }
    return name;
}

std::string
ToString(const ActionList& actions, uint32_t stage)
{
    std::ostringstream text;
    const char* separator = "";
    for (const auto& action : actions)
    {
        text << separator << stage;
        separator = " ";
        if (action.kind == Action::FLUSH)
        {
            text << "flush";
            continue;
        }
        text << (action.kind == Action::FORWARD ? 'F' : 'B') << action.microBatch;
    }
    return text.str();
}

namespace
{

/**
 * @param word "2F0", "2B0" or "2flush"
 * @param stage filled with the leading number
 * @return the action
 */
Action
ParseAction(const std::string& word, uint32_t& stage)
{
    const auto letter = word.find_first_not_of("0123456789");
    try
    {
        if (letter == 0 || letter == std::string::npos)
        {
            throw std::invalid_argument("");
        }
        stage = std::stoul(word.substr(0, letter));
        const std::string rest = word.substr(letter);
        if (rest == "flush")
        {
            return {Action::FLUSH, 0};
        }
        const std::string digits = rest.substr(1);
        const bool isNumber =
            !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
        if (!isNumber || (rest[0] != 'F' && rest[0] != 'B'))
        {
            throw std::invalid_argument("");
        }
        return {rest[0] == 'F' ? Action::FORWARD : Action::BACKWARD,
                static_cast<uint32_t>(std::stoul(digits))};
    }
    catch (const std::logic_error&)
    {
        throw std::invalid_argument("'" + word +
                                    "' is no action; actions look like 2F0, 2B0 or 2flush");
    }
}

/**
 * @param actions of one stage
 * @param stage its index, for the message
 * @param microBatches N
 * @return empty or what is wrong with this stage alone
 */
std::string
CheckStage(const ActionList& actions, uint32_t stage, uint32_t microBatches)
{
    const std::string where = "stage " + std::to_string(stage) + ": ";
    std::set<uint32_t> forwarded;
    std::set<uint32_t> backwarded;
    for (std::size_t i = 0; i < actions.size(); ++i)
    {
        const auto& action = actions[i];
        const std::string name = std::to_string(action.microBatch);
        if (action.kind == Action::FLUSH)
        {
            if (i + 1 != actions.size())
            {
                return where + "the flush must be the last action";
            }
            continue;
        }
        if (action.microBatch >= microBatches)
        {
            return where + "there is no micro-batch " + name;
        }
        auto& done = action.kind == Action::FORWARD ? forwarded : backwarded;
        if (!done.insert(action.microBatch).second)
        {
            return where + "micro-batch " + name + " passes twice";
        }
        if (action.kind == Action::BACKWARD && forwarded.count(action.microBatch) == 0)
        {
            return where + "micro-batch " + name + " goes backward before forward";
        }
    }
    if (actions.empty() || actions.back().kind != Action::FLUSH)
    {
        return where + "the flush is missing";
    }
    if (forwarded.size() != microBatches || backwarded.size() != microBatches)
    {
        return where + "some micro-batch does not pass in both directions";
    }
    return "";
}

} // namespace

ActionList
ParseActions(const std::string& text, uint32_t& stage)
{
    ActionList actions;
    std::istringstream words(text);
    std::string word;
    while (words >> word)
    {
        uint32_t wordStage = 0;
        actions.push_back(ParseAction(word, wordStage));
        if (actions.size() > 1 && wordStage != stage)
        {
            throw std::invalid_argument("'" + word +
                                        "' belongs to another stage than the words "
                                        "before it");
        }
        stage = wordStage;
    }
    return actions;
}

std::string
CheckSchedule(const std::vector<ActionList>& actions, uint32_t microBatches)
{
    for (uint32_t stage = 0; stage < actions.size(); ++stage)
    {
        const auto error = CheckStage(actions[stage], stage, microBatches);
        if (!error.empty())
        {
            return error;
        }
    }
    // Unit times suffice to find a deadlock: it does not depend on how long things take.
    const StageTimes unit(actions.size(), {1.0, 1.0});
    const std::vector<LinkTimes> links(actions.empty() ? 0 : actions.size() - 1);
    if (!ComputeTimeline(actions, unit, links).completed)
    {
        return "the stages wait for each other for ever";
    }
    return "";
}

uint32_t
CountMicroBatchesAlive(const ActionList& actions)
{
    uint32_t alive = 0;
    uint32_t most = 0;
    for (const auto& action : actions)
    {
        if (action.kind == Action::FORWARD)
        {
            most = std::max(most, ++alive);
        }
        else if (action.kind == Action::BACKWARD)
        {
            --alive;
        }
    }
    return most;
}

} // namespace collapipe
} // namespace ns3
