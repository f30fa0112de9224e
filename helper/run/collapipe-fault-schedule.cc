/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fault-schedule.h"

#include "collapipe-toml-document.h"

#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#if __has_include(<toml.hpp>)
#include <string_view>
#include <system_error>
#include <toml.hpp>
#define COLLAPIPE_HAS_TOML
#endif

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::array<const char*, FAULT_KINDS> NAMES{"crash",
                                                     "reboot",
                                                     "pause",
                                                     "slow",
                                                     "link",
                                                     "away",
                                                     "battery",
                                                     "corrupt",
                                                     "duplicate",
                                                     "delay"};
constexpr std::size_t MAX_FAULTS = 10000; //!< of a file
constexpr double MAX_S = 1e9;             //!< of any time
const std::string RANDOM = "random:";

/// Reads a whole number that follows a prefix, and moves behind it. @return whether there is one
bool
TakeNumber(std::string_view& text, std::string_view prefix, uint32_t most, uint32_t& number)
{
    if (text.substr(0, prefix.size()) != prefix)
    {
        return false;
    }
    const auto* begin = text.data() + prefix.size();
    const auto* end = text.data() + text.size();
    const auto [next, error] = std::from_chars(begin, end, number);
    if (error != std::errc() || number > most)
    {
        return false;
    }
    text.remove_prefix(next - text.data());
    return true;
}

#ifdef COLLAPIPE_HAS_TOML

/// Reads the fields of one fault, and knows which of them were asked for.
class FaultReader
{
  public:
    FaultReader(const toml::value& table, std::string where)
        : m_table(table),
          m_where(std::move(where))
    {
        if (!m_table.is_table())
        {
            Refuse("is no table");
        }
    }

    [[noreturn]] void Refuse(const std::string& what) const
    {
        throw UserError(m_where + " " + what);
    }

    bool Has(const std::string& key)
    {
        m_known.insert(key);
        return m_table.as_table().count(key) > 0;
    }

    double Number(const std::string& key, double least, double most)
    {
        const auto& value = m_table.as_table().at(key);
        const double number = value.is_integer()    ? static_cast<double>(value.as_integer())
                              : value.is_floating() ? value.as_floating()
                                                    : std::nan("");
        if (!(number >= least && number <= most))
        {
            std::ostringstream text;
            text << "needs a number from " << least << " to " << most << " for " << key;
            Refuse(text.str());
        }
        return number;
    }

    std::string Text(const std::string& key)
    {
        const auto& value = m_table.as_table().at(key);
        if (!value.is_string())
        {
            Refuse("needs a text in quotes for " + key);
        }
        return GetTomlString(value.as_string());
    }

    void CheckKeys() const
    {
        for (const auto& [key, value] : m_table.as_table())
        {
            if (m_known.count(key) == 0)
            {
                Refuse("has " + key + ", which means nothing for this kind of fault");
            }
        }
    }

  private:
    const toml::value& m_table;
    std::string m_where;
    std::set<std::string> m_known;
};

FaultPlace
ReadPlace(FaultReader& reader, const std::string& key)
{
    FaultPlace place;
    if (!reader.Has(key))
    {
        reader.Refuse("lacks " + key + ", for example " + key + " = \"cluster0.device1\"");
    }
    const auto text = reader.Text(key);
    if (!FaultPlace::Parse(text, place))
    {
        reader.Refuse("has the " + key + " \"" + text +
                      "\"; write cluster0.device1, cluster0.control, edge0 or lead");
    }
    return place;
}

void
ReadTime(FaultReader& reader, Fault& fault)
{
    if (reader.Has("round"))
    {
        fault.round = static_cast<uint32_t>(reader.Number("round", 1, 1e6));
        fault.atS = 0;
        if (reader.Has("phase"))
        {
            const auto phase = reader.Text("phase");
            fault.phase = phase == "distribution" ? Phase::DISTRIBUTION
                          : phase == "upload"     ? Phase::UPLOAD
                                                  : Phase::TRAINING;
            if (phase != "distribution" && phase != "upload" && phase != "training")
            {
                reader.Refuse("has the phase \"" + phase +
                              "\"; there are distribution, training and upload");
            }
        }
    }
    else if (!reader.Has("at"))
    {
        reader.Refuse("says neither at, in seconds, nor round");
    }
    if (reader.Has("at"))
    {
        fault.atS = reader.Number("at", 0, MAX_S);
    }
}

Fault
ReadFault(const toml::value& table, const std::string& where)
{
    FaultReader reader(table, where);
    Fault fault;
    if (!reader.Has("kind"))
    {
        reader.Refuse("lacks its kind");
    }
    const auto kind = reader.Text("kind");
    const auto* found = std::find(NAMES.begin(), NAMES.end(), kind);
    if (found == NAMES.end())
    {
        std::string names;
        for (const auto* name : NAMES)
        {
            names += (names.empty() ? "" : ", ") + std::string(name);
        }
        reader.Refuse("is of the kind \"" + kind + "\"; there are " + names);
    }
    fault.kind = static_cast<FaultKind>(found - NAMES.begin());
    fault.place = ReadPlace(reader, "node");
    ReadTime(reader, fault);
    const auto kindIs = [&fault](std::initializer_list<FaultKind> kinds) {
        return std::find(kinds.begin(), kinds.end(), fault.kind) != kinds.end();
    };
    if (kindIs({FaultKind::LINK}))
    {
        fault.peer = ReadPlace(reader, "peer");
    }
    if (kindIs({FaultKind::REBOOT,
                FaultKind::PAUSE,
                FaultKind::SLOW,
                FaultKind::LINK,
                FaultKind::AWAY,
                FaultKind::DELAY}) &&
        reader.Has("for"))
    {
        fault.durationS = reader.Number("for", 1e-3, MAX_S);
    }
    if (kindIs({FaultKind::SLOW}) && reader.Has("factor"))
    {
        fault.factor = reader.Number("factor", 1, 1e6);
    }
    if (kindIs({FaultKind::CORRUPT, FaultKind::DUPLICATE, FaultKind::DELAY}) && reader.Has("count"))
    {
        fault.count = static_cast<uint32_t>(reader.Number("count", 1, 1e6));
    }
    const bool isOfCluster = fault.place.kind == FaultPlace::NODE;
    if (kindIs({FaultKind::BATTERY, FaultKind::AWAY}) && !isOfCluster)
    {
        reader.Refuse("is for nodes of clusters: " + fault.place.GetName() + " is none");
    }
    reader.CheckKeys();
    return fault;
}

#endif

FaultSchedule
ReadRandom(const std::string& text)
{
    FaultSchedule schedule;
    std::istringstream stream(text.substr(RANDOM.size()));
    char comma = 0;
    std::string rest;
    auto& random = schedule.random;
    if (!(stream >> random.seed >> comma >> random.perMinute) || comma != ',' || stream >> rest ||
        !(random.perMinute >= 0 && random.perMinute <= 6000))
    {
        throw UserError("--faults=" + text +
                        ": write random:SEED,RATE with a whole number and the faults per simulated "
                        "minute, at most 6000; for example --faults=random:1,0.5");
    }
    return schedule;
}

} // namespace

std::string
ToString(FaultKind kind)
{
    return NAMES[static_cast<std::size_t>(kind)];
}

std::string
FaultPlace::GetName() const
{
    switch (kind)
    {
    case EDGE:
        return "edge" + std::to_string(index);
    case LEAD:
        return "lead";
    case NODE:
        break;
    }
    return "cluster" + std::to_string(index) +
           (node == CONTROL_UNIT ? ".control" : ".device" + std::to_string(node - 1));
}

bool
FaultPlace::Parse(const std::string& text, FaultPlace& place)
{
    constexpr uint32_t MOST = 60000; // as many as a node's index holds
    std::string_view rest(text);
    place = FaultPlace();
    if (text == "lead")
    {
        place.kind = LEAD;
        return true;
    }
    if (text == "edge" || TakeNumber(rest, "edge", MOST, place.index))
    {
        place.kind = EDGE;
        return text == "edge" || rest.empty();
    }
    if (!TakeNumber(rest, "cluster", MOST, place.index))
    {
        return false;
    }
    if (rest == ".control")
    {
        return true;
    }
    uint32_t device = 0;
    if (!TakeNumber(rest, ".device", MOST, device) || !rest.empty())
    {
        return false;
    }
    place.node = static_cast<NodeIndex>(device + 1);
    return true;
}

FaultSchedule
FaultSchedule::Load(const std::string& text)
{
    if (text.empty())
    {
        return {};
    }
    if (text.compare(0, RANDOM.size(), RANDOM) == 0)
    {
        return ReadRandom(text);
    }
    std::ifstream file(text);
    if (!file)
    {
        throw UserError("--faults=" + text + ": there is no such file that can be read");
    }
    return Read(file, text);
}

FaultSchedule
FaultSchedule::Read(std::istream& file, const std::string& name)
{
    FaultSchedule schedule;
#ifdef COLLAPIPE_HAS_TOML
    const auto text = ReadTomlText(file, "--faults=" + name);
    try
    {
        std::istringstream stream(text);
        const toml::value document = toml::parse(stream, name);
        const auto& tables = document.as_table();
        for (const auto& [key, value] : tables)
        {
            if (key != "fault" || !value.is_array())
            {
                throw UserError("--faults=" + name + ": \"" + key +
                                "\" means nothing here; write a [[fault]] for each");
            }
        }
        const auto found = tables.find("fault");
        if (found == tables.end())
        {
            throw UserError("--faults=" + name + ": there is no [[fault]] in it");
        }
        const auto& list = found->second.as_array();
        if (list.size() > MAX_FAULTS)
        {
            throw UserError("--faults=" + name + ": more than " + std::to_string(MAX_FAULTS) +
                            " faults");
        }
        for (std::size_t i = 0; i < list.size(); ++i)
        {
            schedule.faults.push_back(
                ReadFault(list[i], "--faults=" + name + ": fault " + std::to_string(i + 1)));
        }
    }
    catch (const UserError&)
    {
        throw;
    }
    catch (const std::exception& error)
    {
        throw UserError(DescribeTomlError("--faults=" + name, error.what()));
    }
#else
    (void)file;
    throw UserError("--faults=" + name +
                    ": this program was built without toml11, which reads such files; install "
                    "libtoml11-dev and build it again, or take --faults=random:SEED,RATE");
#endif
    return schedule;
}

} // namespace collapipe
} // namespace ns3
