/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-assignment.h"

#include "ns3/collapipe-bounded-json.h"
#include "ns3/collapipe-clock-states.h"
#include "ns3/collapipe-schedule.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint32_t REPORT_FIELDS = 6;
constexpr double MAX_SAMPLES = 1e15;    //!< of a node
constexpr double TWIN_TOLERANCE = 1e-9; //!< of the sum of their weights

std::string
ToText(Ipv4Address address)
{
    std::ostringstream text;
    address.Print(text);
    return text.str();
}

nlohmann::json
ToJson(const Neighbour& neighbour)
{
    return {{"node", neighbour.node}, {"address", ToText(neighbour.address)}};
}

/// What is wrong with a field
struct FieldError
{
    std::string text; //!< one sentence
};

/// @return a field of an object; throws FieldError where it is missing
const nlohmann::json&
GetField(const nlohmann::json& json, const char* name)
{
    const auto found = json.is_object() ? json.find(name) : json.end();
    if (!json.is_object() || found == json.end())
    {
        throw FieldError{std::string("a segment assignment lacks ") + name};
    }
    return *found;
}

/// Reads a field that is a whole number of the wanted type, no float and not too large.
template <typename T>
void
ReadNumber(const nlohmann::json& json, const char* name, T& value)
{
    const auto& field = GetField(json, name);
    if (!field.is_number_unsigned() || field.get<uint64_t>() > std::numeric_limits<T>::max())
    {
        throw FieldError{std::string("a segment assignment has no sensible number for ") + name};
    }
    value = static_cast<T>(field.get<uint64_t>());
}

void
ReadFlag(const nlohmann::json& json, const char* name, bool& value)
{
    const auto& field = GetField(json, name);
    if (!field.is_boolean())
    {
        throw FieldError{std::string("a segment assignment does not say true or false for ") +
                         name};
    }
    value = field.get<bool>();
}

/// @return the part of its clock at which a node is to compute; the full one where nothing is said
double
ReadClock(const nlohmann::json& json)
{
    if (!json.is_object() || !json.contains("clock"))
    {
        return 1;
    }
    const auto& field = json["clock"];
    const double clock = field.is_number() ? field.get<double>() : 0;
    if (!(clock > 0 && clock <= 1))
    {
        throw FieldError{"a segment assignment has no clock in (0, 1]"};
    }
    return clock;
}

std::string
ReadText(const nlohmann::json& json, const char* name)
{
    const auto& field = GetField(json, name);
    if (!field.is_string())
    {
        throw FieldError{std::string("a segment assignment has no text for ") + name};
    }
    return field.get<std::string>();
}

Neighbour
ReadNeighbour(const nlohmann::json& field)
{
    Neighbour neighbour;
    ReadNumber(field, "node", neighbour.node);
    in_addr address{};
    if (inet_pton(AF_INET, ReadText(field, "address").c_str(), &address) != 1)
    {
        throw FieldError{"a segment assignment has no IPv4 address for node " +
                         std::to_string(neighbour.node)};
    }
    neighbour.address = Ipv4Address(ntohl(address.s_addr));
    return neighbour;
}

Neighbour
ReadNeighbour(const nlohmann::json& json, const char* name)
{
    return ReadNeighbour(GetField(json, name));
}

nlohmann::json
ToJson(const std::vector<CarriedPart>& parts)
{
    auto list = nlohmann::json::array();
    for (const auto& part : parts)
    {
        list.push_back({{"stage", part.stage},
                        {"node", part.plan.node},
                        {"address", ToText(part.address)},
                        {"firstBlock", part.plan.firstBlock},
                        {"lastBlock", part.plan.lastBlock},
                        {"decoder", part.plan.decoder}});
    }
    return list;
}

std::vector<CarriedPart>
ReadParts(const nlohmann::json& json)
{
    std::vector<CarriedPart> parts;
    if (!json.contains("parts"))
    {
        return parts;
    }
    const auto& list = GetField(json, "parts");
    if (!list.is_array())
    {
        throw FieldError{"a segment assignment has no list of parts"};
    }
    for (const auto& field : list)
    {
        CarriedPart part;
        const Neighbour holder = ReadNeighbour(field);
        part.plan.node = holder.node;
        part.address = holder.address;
        ReadNumber(field, "stage", part.stage);
        ReadNumber(field, "firstBlock", part.plan.firstBlock);
        ReadNumber(field, "lastBlock", part.plan.lastBlock);
        ReadFlag(field, "decoder", part.plan.decoder);
        parts.push_back(part);
    }
    return parts;
}

nlohmann::json
ToJson(const std::vector<Twin>& twins)
{
    auto list = nlohmann::json::array();
    for (const auto& twin : twins)
    {
        auto json = ToJson(twin.holder);
        json["weight"] = twin.weight;
        list.push_back(json);
    }
    return list;
}

std::vector<Twin>
ReadTwins(const nlohmann::json& json)
{
    std::vector<Twin> twins;
    if (!json.contains("twins"))
    {
        return twins;
    }
    const auto& list = GetField(json, "twins");
    if (!list.is_array())
    {
        throw FieldError{"a segment assignment has no list of twins"};
    }
    for (const auto& field : list)
    {
        const auto& weight = GetField(field, "weight");
        const Twin twin{ReadNeighbour(field), weight.is_number() ? weight.get<double>() : 0};
        if (!(twin.weight > 0 && twin.weight <= 1))
        {
            throw FieldError{"a segment assignment has a twin without a weight in (0, 1]"};
        }
        twins.push_back(twin);
    }
    return twins;
}

/// Whether the stages that step together are others' and the node's own, all told
bool
AreTwinsSound(const StageAssignment& assignment)
{
    const auto& twins = assignment.twins;
    std::set<NodeIndex> nodes;
    double sum = 0;
    for (const auto& twin : twins)
    {
        nodes.insert(twin.holder.node);
        sum += twin.weight;
    }
    return twins.empty() || (nodes.size() == twins.size() && twins.size() > 1 &&
                             nodes.count(EDGE_SERVER) == 0 && assignment.chain < twins.size() &&
                             twins[assignment.chain].holder.node == assignment.plan.node &&
                             std::abs(sum - 1) <= TWIN_TOLERANCE);
}

/// Whether what is said of carrying parameters makes sense
bool
IsCarryingSound(const StageAssignment& assignment, uint32_t blocks)
{
    const NodeIndex own = assignment.plan.node;
    const NodeIndex carrier = assignment.carrier.node;
    const bool isSound = (carrier == EDGE_SERVER || carrier == CONTROL_UNIT) && carrier != own;
    if (!isSound || assignment.parts.empty())
    {
        return isSound;
    }
    bool isPlanned = own == CONTROL_UNIT && carrier == EDGE_SERVER && assignment.stage == 0;
    uint32_t last = 0;
    std::set<NodeIndex> nodes{own, EDGE_SERVER};
    for (const auto& part : assignment.parts)
    {
        isPlanned = isPlanned && part.stage > last && part.stage < assignment.stages &&
                    part.plan.firstBlock <= part.plan.lastBlock && part.plan.lastBlock <= blocks &&
                    part.plan.decoder == (part.stage + 1 == assignment.stages) &&
                    nodes.insert(part.plan.node).second;
        last = part.stage;
    }
    return isPlanned;
}

} // namespace

TensorData
EncodeAssignment(const StageAssignment& assignment)
{
    nlohmann::json json{
        {"chain", assignment.chain},
        {"stage", assignment.stage},
        {"stages", assignment.stages},
        {"node", assignment.plan.node},
        {"embedding", assignment.plan.embedding},
        {"firstBlock", assignment.plan.firstBlock},
        {"lastBlock", assignment.plan.lastBlock},
        {"decoder", assignment.plan.decoder},
        {"recompute", assignment.plan.recompute},
        {"microBatches", assignment.microBatches},
        {"microBatchSize", assignment.microBatchSize},
        {"iterations", assignment.iterations},
        {"schedule", assignment.schedule},
        {"previous", ToJson(assignment.previous)},
        {"next", ToJson(assignment.next)},
        {"last", ToJson(assignment.last)},
    };
    if (assignment.plan.clock != 1)
    {
        json["clock"] = assignment.plan.clock;
    }
    if (assignment.firstIteration > 0)
    {
        json["firstIteration"] = assignment.firstIteration;
    }
    if (assignment.first.node != EDGE_SERVER)
    {
        json["first"] = ToJson(assignment.first);
    }
    if (assignment.carrier.node != EDGE_SERVER)
    {
        json["carrier"] = ToJson(assignment.carrier);
    }
    if (!assignment.parts.empty())
    {
        json["parts"] = ToJson(assignment.parts);
    }
    if (!assignment.twins.empty())
    {
        json["twins"] = ToJson(assignment.twins);
    }
    const std::string text = json.dump();
    std::vector<uint8_t> bytes(text.begin(), text.end());
    const auto size = static_cast<uint32_t>(bytes.size());
    return TensorData::FromVector(DType::UINT8, {size}, std::move(bytes));
}

std::string
DecodeAssignment(const TensorData& tensor, StageAssignment& assignment)
{
    if (tensor.IsVirtual() || tensor.dtype != DType::UINT8)
    {
        return "a segment assignment must begin with its description as uint8 text";
    }
    if (tensor.GetByteSize() > MAX_ASSIGNMENT_BYTES)
    {
        return "a segment assignment is longer than any description";
    }
    const std::string text(tensor.As<char>(), tensor.GetByteSize());
    const auto json = ParseBoundedJson<nlohmann::json>(text, false);
    if (json.is_discarded())
    {
        return "a segment assignment is no JSON";
    }
    try
    {
        ReadNumber(json, "chain", assignment.chain);
        ReadNumber(json, "stage", assignment.stage);
        ReadNumber(json, "stages", assignment.stages);
        ReadNumber(json, "node", assignment.plan.node);
        ReadFlag(json, "embedding", assignment.plan.embedding);
        ReadNumber(json, "firstBlock", assignment.plan.firstBlock);
        ReadNumber(json, "lastBlock", assignment.plan.lastBlock);
        ReadFlag(json, "decoder", assignment.plan.decoder);
        ReadFlag(json, "recompute", assignment.plan.recompute);
        ReadNumber(json, "microBatches", assignment.microBatches);
        ReadNumber(json, "microBatchSize", assignment.microBatchSize);
        ReadNumber(json, "iterations", assignment.iterations);
        assignment.firstIteration = 0;
        if (json.contains("firstIteration"))
        {
            ReadNumber(json, "firstIteration", assignment.firstIteration);
        }
        assignment.plan.clock = ReadClock(json);
        assignment.schedule = ReadText(json, "schedule");
        assignment.previous = ReadNeighbour(json, "previous");
        assignment.next = ReadNeighbour(json, "next");
        assignment.last = ReadNeighbour(json, "last");
        assignment.first = json.contains("first") ? ReadNeighbour(json, "first") : Neighbour();
        assignment.carrier =
            json.contains("carrier") ? ReadNeighbour(json, "carrier") : Neighbour();
        assignment.parts = ReadParts(json);
        assignment.twins = ReadTwins(json);
    }
    catch (const FieldError& error)
    {
        return error.text;
    }
    const bool isSound = assignment.stage < assignment.stages && assignment.microBatches > 0 &&
                         assignment.microBatchSize > 0 &&
                         assignment.firstIteration < assignment.iterations &&
                         assignment.plan.firstBlock <= assignment.plan.lastBlock;
    return isSound ? "" : "a segment assignment has a count of zero or a stage beyond its chain";
}

std::string
CheckAssignment(const StageAssignment& assignment, uint32_t blocks)
{
    const auto& plan = assignment.plan;
    if (plan.lastBlock > blocks || assignment.stages > std::numeric_limits<uint16_t>::max() ||
        plan.embedding != (assignment.stage == 0) ||
        plan.decoder != (assignment.stage + 1 == assignment.stages) ||
        (plan.embedding && plan.firstBlock > 0) || (plan.decoder && plan.lastBlock < blocks))
    {
        return "a segment assignment does not fit the model";
    }
    if (!IsCarryingSound(assignment, blocks))
    {
        return "a segment assignment has parameters carried as no plan would";
    }
    if (!AreTwinsSound(assignment))
    {
        return "a segment assignment has chains step together as no plan would";
    }
    if (assignment.microBatches > MAX_MICRO_BATCHES ||
        assignment.microBatchSize > MAX_MICRO_BATCHES ||
        uint64_t{assignment.microBatches} * assignment.microBatchSize > MAX_ITERATION_SAMPLES)
    {
        return "a segment assignment asks for " + std::to_string(assignment.microBatches) +
               " micro-batches of " + std::to_string(assignment.microBatchSize) + " samples";
    }
    TypeId schedule;
    if (!TypeId::LookupByNameFailSafe(ScheduleTypeName(assignment.schedule), &schedule) ||
        !schedule.IsChildOf(Schedule::GetTypeId()) || !schedule.HasConstructor())
    {
        return "a segment assignment names a schedule that does not exist";
    }
    return "";
}

TensorData
EncodeReport(const StateReport& report)
{
    std::vector<double> values{report.flops,
                               report.overheadS,
                               report.memoryBytes,
                               report.computePowerW,
                               report.batteryJ,
                               report.samples};
    if (!report.clocks.empty())
    {
        values.push_back(report.staticPart);
        values.insert(values.end(), report.clocks.begin(), report.clocks.end());
    }
    const auto size = static_cast<uint32_t>(values.size());
    return TensorData::FromVector(DType::FLOAT64, {size}, std::move(values));
}

std::string
DecodeReport(const TensorData& tensor, StateReport& report)
{
    const uint32_t size = tensor.shape.size() == 1 ? tensor.shape[0] : 0;
    const bool hasClocks = size > REPORT_FIELDS + 1 && size <= REPORT_FIELDS + 1 + MOST_CLOCKS;
    if (tensor.IsVirtual() || tensor.dtype != DType::FLOAT64 ||
        (size != REPORT_FIELDS && !hasClocks))
    {
        return "a state report must be one float64 tensor of " + std::to_string(REPORT_FIELDS) +
               " values, or of these, a static part and up to " + std::to_string(MOST_CLOCKS) +
               " clocks";
    }
    const auto* values = tensor.As<double>();
    for (uint32_t i = 0; i < size; ++i)
    {
        if (std::isnan(values[i]) || values[i] < 0)
        {
            return "value " + std::to_string(i) + " of a state report is negative or no number";
        }
    }
    // Memory and battery may be infinite; the rest is divided by, or summed up.
    if (values[0] == 0 || std::isinf(values[0]) || std::isinf(values[1]) || std::isinf(values[3]) ||
        values[5] > MAX_SAMPLES)
    {
        return "a state report has a speed, an overhead, a power or a number of samples beyond "
               "reason";
    }
    report = {values[0], values[1], values[2], values[3], values[4], values[5], 0, {}, {}};
    if (hasClocks)
    {
        report.staticPart = values[REPORT_FIELDS];
        report.clocks.assign(values + REPORT_FIELDS + 1, values + size);
        const std::string error = CheckClocks(report.clocks, report.staticPart);
        return error.empty() ? "" : "a state report " + error;
    }
    return "";
}

TensorData
EncodeHeldBase(const HeldBase& held, uint32_t blocks)
{
    std::vector<uint8_t> bytes(blocks + 2, 0);
    bytes.front() = held.embedding;
    for (const auto& run : held.blocks)
    {
        std::fill(bytes.begin() + 1 + run.first, bytes.begin() + 1 + run.last, uint8_t{1});
    }
    bytes.back() = held.decoder;
    return TensorData::FromVector(DType::UINT8, {blocks + 2}, std::move(bytes));
}

std::string
DecodeHeldBase(const TensorData& tensor, uint32_t blocks, HeldBase& held)
{
    if (tensor.IsVirtual() || tensor.dtype != DType::UINT8 ||
        tensor.shape != std::vector<uint32_t>{blocks + 2})
    {
        return "a state report must say of embedding, blocks and decoder whether the node has them";
    }
    const auto* bytes = tensor.As<uint8_t>();
    if (std::any_of(bytes, bytes + blocks + 2, [](uint8_t byte) { return byte > 1; }))
    {
        return "a state report says neither yes nor no of frozen weights";
    }
    held = HeldBase();
    held.embedding = bytes[0] != 0;
    held.decoder = bytes[blocks + 1] != 0;
    for (uint32_t block = 0; block < blocks; ++block)
    {
        if (bytes[1 + block] != 0)
        {
            held.Add(block, block + 1);
        }
    }
    return "";
}

} // namespace collapipe
} // namespace ns3
