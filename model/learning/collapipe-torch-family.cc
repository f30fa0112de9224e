/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-family.h"

#include "ns3/abort.h"

#include <map>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// By name
using Families = std::map<std::string, std::unique_ptr<TorchFamily>>;

/// Adds a family to a list.
void
AddTo(Families& families, std::unique_ptr<TorchFamily> family)
{
    const auto name = family->GetName();
    families[name] = std::move(family);
}

/// @return all families
Families&
GetFamilies()
{
    static Families families = [] {
        Families own;
        AddTo(own, MakeTorchTransformer());
        AddTo(own, MakeTorchBert());
        AddTo(own, MakeTorchDistilBert());
        AddTo(own, MakeTorchGpt2());
        AddTo(own, MakeTorchOpt());
        AddTo(own, MakeTorchLlama());
        return own;
    }();
    return families;
}

} // namespace

TorchSequence
TorchFamily::MakeSequence(const ModelConfig& config, const at::Tensor& padding) const
{
    auto mask = MakePaddingMask(padding);
    return GetModelFamily(config).IsCausal() ? mask + MakeCausalMask(padding.size(1)) : mask;
}

const TorchFamily&
GetTorchFamily(const ModelConfig& config)
{
    const auto name = GetModelFamily(config).GetName();
    const auto found = GetFamilies().find(name);
    NS_ABORT_MSG_IF(found == GetFamilies().end(),
                    "LibTorch computes nothing for the model family "
                        << name << ": take --compute=analytic");
    return *found->second;
}

void
RegisterTorchFamily(std::unique_ptr<TorchFamily> family)
{
    AddTo(GetFamilies(), std::move(family));
}

} // namespace collapipe
} // namespace ns3
