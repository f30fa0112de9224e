/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-schedule.h"

#include "collapipe-schedule-name.h"
#include "collapipe-task-graph.h"

#include "ns3/abort.h"
#include "ns3/object-factory.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <stdexcept>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(Schedule);

namespace
{

/// Short names of schedules
const std::map<std::string, std::string> SHORT_NAMES{
    {"gpipe", "ns3::collapipe::GpipeSchedule"},
    {"1f1b", "ns3::collapipe::OneFOneBSchedule"},
};

std::vector<ActionList>
GenerateAll(const Schedule& schedule, uint32_t stages, uint32_t microBatches)
{
    std::vector<ActionList> actions;
    for (uint32_t stage = 0; stage < stages; ++stage)
    {
        actions.push_back(schedule.Generate(stages, stage, microBatches));
    }
    return actions;
}

/// Default values of all attributes of a type, to see whether one has been replaced
std::vector<Ptr<const AttributeValue>>
ListDefaults(TypeId tid)
{
    std::vector<Ptr<const AttributeValue>> values;
    for (;; tid = tid.GetParent())
    {
        for (std::size_t i = 0; i < tid.GetAttributeN(); ++i)
        {
            values.push_back(tid.GetAttribute(i).initialValue);
        }
        if (!tid.HasParent())
        {
            return values;
        }
    }
}

/// A schedule that was made, and with which defaults
struct MadeSchedule
{
    TypeId type;                                     //!< its type
    std::vector<Ptr<const AttributeValue>> defaults; //!< of its attributes
    Ptr<const Schedule> schedule;                    //!< the schedule
};

} // namespace

TypeId
Schedule::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::Schedule").SetParent<Object>().SetGroupName("CollaPipe");
    return tid;
}

Schedule::Schedule() = default;

Schedule::~Schedule() = default;

std::string
Schedule::Check(uint32_t stages, uint32_t microBatches) const
{
    return GetCosts(stages, microBatches).error;
}

double
Schedule::GetIterationTimeS(const IterationTimes& times) const
{
    return GetGraph(times).GetTimeS(times);
}

CriticalPath
Schedule::GetCriticalPath(const IterationTimes& times) const
{
    return GetGraph(times).GetCriticalPath(times);
}

uint32_t
Schedule::GetLiveMicroBatches(uint32_t stages, uint32_t stage, uint32_t microBatches) const
{
    return GetCosts(stages, microBatches).live.at(stage);
}

bool
Schedule::IsFlowShop() const
{
    return false;
}

bool
Schedule::IsLiveFromEnd() const
{
    return false;
}

Schedule::Costs&
Schedule::GetCosts(uint32_t stages, uint32_t microBatches) const
{
    const auto added = m_costs.emplace(std::make_pair(stages, microBatches), Costs());
    Costs& costs = added.first->second;
    if (added.second)
    {
        const auto actions = GenerateAll(*this, stages, microBatches);
        costs.error = CheckSchedule(actions, microBatches);
        for (const auto& list : actions)
        {
            costs.live.push_back(CountMicroBatchesAlive(list));
        }
    }
    return costs;
}

const TaskGraph&
Schedule::GetGraph(const IterationTimes& times) const
{
    const auto stages = static_cast<uint32_t>(times.hops.size());
    Costs& costs = GetCosts(stages, times.microBatches);
    NS_ABORT_MSG_IF(!costs.error.empty(),
                    GetInstanceTypeId().GetName()
                        << " with " << stages << " stages and " << times.microBatches
                        << " micro-batches: " << costs.error);
    if (!costs.graph)
    {
        costs.graph = std::make_unique<TaskGraph>(GenerateAll(*this, stages, times.microBatches));
    }
    return *costs.graph;
}

std::string
ScheduleTypeName(const std::string& name)
{
    const auto known = SHORT_NAMES.find(name);
    return known == SHORT_NAMES.end() ? name : known->second;
}

bool
IsScheduleName(const std::string& name)
{
    TypeId tid;
    return TypeId::LookupByNameFailSafe(ScheduleTypeName(name), &tid) &&
           tid.IsChildOf(Schedule::GetTypeId()) && tid.HasConstructor();
}

std::vector<std::string>
ListScheduleNames()
{
    std::vector<std::string> names{DEFAULT_SCHEDULE};
    for (const auto& [name, typeName] : SHORT_NAMES)
    {
        if (name != DEFAULT_SCHEDULE)
        {
            names.push_back(name);
        }
    }
    return names;
}

std::string
DescribeScheduleNames()
{
    std::string text;
    for (const auto& name : ListScheduleNames())
    {
        text += "\"" + name + "\", ";
    }
    return text + "or the TypeId of a schedule";
}

Ptr<const Schedule>
GetSchedule(const std::string& name)
{
    static std::map<std::string, MadeSchedule> made;
    const auto known = made.find(name);
    if (known != made.end() && known->second.defaults == ListDefaults(known->second.type))
    {
        return known->second.schedule;
    }
    NS_ABORT_MSG_IF(!IsScheduleName(name),
                    "'" << name << "' is no schedule; take " << DescribeScheduleNames());
    const TypeId tid = TypeId::LookupByName(ScheduleTypeName(name));
    ObjectFactory factory(tid.GetName());
    made[name] = {tid, ListDefaults(tid), factory.Create<Schedule>()};
    return made[name].schedule;
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
    return TaskGraph(actions).IsComplete() ? "" : "the stages wait for each other for ever";
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
