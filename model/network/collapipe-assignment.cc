/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-assignment.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr uint32_t REPORT_FIELDS = 6;

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

Neighbour
ToNeighbour(const nlohmann::json& json)
{
    return {json.at("node").get<NodeIndex>(),
            Ipv4Address(json.at("address").get<std::string>().c_str())};
}

} // namespace

TensorData
EncodeAssignment(const StageAssignment& assignment)
{
    const nlohmann::json json{
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
    try
    {
        const auto* text = tensor.As<char>();
        const auto json = nlohmann::json::parse(text, text + tensor.GetByteSize());
        json.at("chain").get_to(assignment.chain);
        json.at("stage").get_to(assignment.stage);
        json.at("stages").get_to(assignment.stages);
        json.at("node").get_to(assignment.plan.node);
        json.at("embedding").get_to(assignment.plan.embedding);
        json.at("firstBlock").get_to(assignment.plan.firstBlock);
        json.at("lastBlock").get_to(assignment.plan.lastBlock);
        json.at("decoder").get_to(assignment.plan.decoder);
        json.at("recompute").get_to(assignment.plan.recompute);
        json.at("microBatches").get_to(assignment.microBatches);
        json.at("microBatchSize").get_to(assignment.microBatchSize);
        json.at("iterations").get_to(assignment.iterations);
        json.at("schedule").get_to(assignment.schedule);
        assignment.previous = ToNeighbour(json.at("previous"));
        assignment.next = ToNeighbour(json.at("next"));
        assignment.last = ToNeighbour(json.at("last"));
    }
    catch (const nlohmann::json::exception& error)
    {
        return std::string("a segment assignment cannot be read: ") + error.what();
    }
    const bool isSound = assignment.stage < assignment.stages && assignment.microBatches > 0 &&
                         assignment.microBatchSize > 0 && assignment.iterations > 0 &&
                         assignment.plan.firstBlock <= assignment.plan.lastBlock;
    return isSound ? "" : "a segment assignment has a count of zero or a stage beyond its chain";
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
    return TensorData::FromVector(DType::FLOAT64, {REPORT_FIELDS}, std::move(values));
}

std::string
DecodeReport(const TensorData& tensor, StateReport& report)
{
    if (tensor.IsVirtual() || tensor.dtype != DType::FLOAT64 ||
        tensor.shape != std::vector<uint32_t>{REPORT_FIELDS})
    {
        return "a state report must be one float64 tensor of " + std::to_string(REPORT_FIELDS) +
               " values";
    }
    const auto* values = tensor.As<double>();
    for (uint32_t i = 0; i < REPORT_FIELDS; ++i)
    {
        if (std::isnan(values[i]) || values[i] < 0)
        {
            return "value " + std::to_string(i) + " of a state report is negative or no number";
        }
    }
    report = {values[0], values[1], values[2], values[3], values[4], values[5]};
    return "";
}

} // namespace collapipe
} // namespace ns3
