/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-tied-table.h"

#include "collapipe-parameter-layout.h"
#include "collapipe-wire-precision.h"

#include "ns3/abort.h"

#include <cstddef>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Where a part's trained parameters have a shared table
struct Copies
{
    std::size_t parameters{0};       //!< how many are trained
    std::vector<std::size_t> places; //!< of the copies among them, in chain order
};

Copies
FindCopies(const ModelConfig& config, const PartRange& part)
{
    Copies copies;
    for (const auto& place : GetParameterLayout(config, part))
    {
        if (place.isTrained && place.isTied)
        {
            copies.places.push_back(copies.parameters);
        }
        copies.parameters += place.isTrained;
    }
    return copies;
}

/// @return those of the whole model; none where it does not train a shared table
Copies
FindCopies(const ModelConfig& config)
{
    auto copies = FindCopies(config, {true, 0, config.encoderBlocks, true});
    NS_ABORT_MSG_IF(!copies.places.empty() && copies.places.size() != 2,
                    "A table can be shared by embedding and projection only");
    return copies;
}

} // namespace

TensorList
WithoutSecondTable(const ModelConfig& config, TensorList whole)
{
    const auto copies = FindCopies(config);
    if (copies.places.empty())
    {
        return whole;
    }
    // Parameters, and as often state of their shapes; a remainder belongs to no parameter.
    for (auto sets = whole.size() / copies.parameters; sets-- > 0;)
    {
        whole.erase(whole.begin() + sets * copies.parameters + copies.places.back());
    }
    return whole;
}

TensorList
WithSecondTable(const ModelConfig& config, TensorList single)
{
    const auto copies = FindCopies(config);
    if (copies.places.empty())
    {
        return single;
    }
    const auto sets = single.size() / (copies.parameters - 1);
    for (std::size_t set = 0; set < sets; ++set)
    {
        const auto begin = set * copies.parameters;
        const auto table = single[begin + copies.places.front()];
        single.insert(single.begin() + begin + copies.places.back(), table);
    }
    return single;
}

void
RoundTable(const ModelConfig& config,
           const PartRange& part,
           DType precision,
           TensorList& parameters)
{
    for (const auto place : FindCopies(config, part).places)
    {
        TensorList travelled;
        AppendEncoded(travelled, parameters.at(place), precision);
        std::size_t position = 0;
        parameters[place] = TakeDecoded(travelled, position);
    }
}

} // namespace collapipe
} // namespace ns3
