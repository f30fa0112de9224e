/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-applied-model.h"

#include "collapipe-checkpoint.h"

#include "ns3/collapipe-frozen-weights.h"
#include "ns3/collapipe-model-family.h"
#include "ns3/collapipe-pretrained-model.h"
#include "ns3/collapipe-sample-form.h"
#include "ns3/collapipe-text-files.h"

#include <filesystem>
#include <system_error>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;

/// What stands for a masked token where the tokenizer has none of its own
constexpr const char* MASK = "[MASK]";

AppliedModel
OpenFolder(const std::string& folder, const ComputeBackend& backend)
{
    const PretrainedModel pretrained(folder);
    AppliedModel model;
    model.tokenizer = Tokenizer(pretrained.GetTokenizer());
    model.classes = pretrained.GetConfig().classes;
    model.config = pretrained.MakeConfig(pretrained.GetHead());
    const auto fault = model.config.Check();
    if (!fault.empty())
    {
        throw DataError("'" + folder + "': " + fault);
    }
    pretrained.Check(model.config);
    const auto missing = pretrained.ListNewMaps(model.config);
    if (!missing.empty())
    {
        throw DataError("'" + folder + "' has no weights of '" + missing.front() +
                        "', without which it can say nothing: train it first.");
    }
    const auto all = backend.CreateParameters(model.config, 1);
    model.parameters = FreezeParameters(model.config, pretrained.ReadParameters(model.config, all));
    return model;
}

AppliedModel
OpenCheckpoint(const std::string& folder, const ComputeBackend& backend)
{
    const auto checkpoint = Checkpoint::Read(folder);
    RunConfig run;
    auto program = std::string("collapipe-torch-apply");
    auto load = "--load=" + folder;
    char* arguments[] = {program.data(), load.data()};
    run.Parse(2, arguments);
    AppliedModel model;
    model.config = run.GetModelConfig();
    model.config.vocabulary = checkpoint->model.vocabulary;
    model.config.classes = checkpoint->model.classes;
    model.tokenizer = Tokenizer(checkpoint->tokenizer, checkpoint->vocabulary);
    if (model.config.trained != TrainedPart::ALL)
    {
        // What is frozen is no part of a checkpoint.
        auto all = backend.CreateParameters(model.config, run.seed);
        const auto pretrained = run.learning.GetPretrained();
        all = pretrained ? pretrained->ReadParameters(model.config, all) : all;
        FreezeParameters(model.config, all);
    }
    model.parameters = checkpoint->history.model.parameters;
    return model;
}

} // namespace

AppliedModel
AppliedModel::Open(const std::string& folder, const ComputeBackend& backend)
{
    auto model = IsForeign(folder) ? OpenFolder(folder, backend) : OpenCheckpoint(folder, backend);
    // Texts may be longer than those of the training
    model.config.positions = model.config.GetPositions();
    model.config.sourceLength = model.config.positions;
    return model;
}

bool
AppliedModel::IsForeign(const std::string& folder)
{
    std::error_code error;
    return fs::exists(fs::path(folder) / "config.json", error) || PretrainedAdapter::IsIn(folder);
}

std::string
AppliedModel::GetMask() const
{
    const auto& pretrained = tokenizer.GetPretrained();
    return pretrained ? pretrained->Decode({GetMaskToken(config)}, true) : MASK;
}

std::vector<int32_t>
AppliedModel::Encode(const std::string& text) const
{
    const auto& pretrained = tokenizer.GetPretrained();
    const auto& special = config.special;
    std::vector<int32_t> ids;
    if (pretrained || config.head != ModelHead::MASKED_LANGUAGE)
    {
        ids = tokenizer.Encode({text}).front();
    }
    else
    {
        // A tokenizer that was made here knows no masked tokens
        std::size_t begin = 0;
        for (auto at = text.find(MASK);; at = text.find(MASK, begin))
        {
            const auto part = tokenizer.Encode({text.substr(begin, at - begin)}).front();
            ids.insert(ids.end(), part.begin(), part.end());
            if (at == std::string::npos)
            {
                break;
            }
            ids.push_back(GetMaskToken(config));
            begin = at + std::string(MASK).size();
        }
    }
    std::vector<int32_t> tokens;
    const bool isCausal = GetModelFamily(config).IsCausal();
    if (IsLanguageModel(config))
    {
        // What is to go on must not be framed as if it had ended.
        const bool begins = !pretrained || pretrained->Frame({}).tokens.size() > 0;
        tokens = begins && special.begin >= 0 ? std::vector<int32_t>{special.begin} : tokens;
        tokens.insert(tokens.end(), ids.begin(), ids.end());
        return tokens.empty() ? std::vector<int32_t>{special.end} : tokens;
    }
    if (pretrained)
    {
        tokens = pretrained->Frame(ids).tokens;
        // The first one an encoder's family adds itself
        tokens.erase(tokens.begin(), tokens.begin() + (!isCausal && !tokens.empty()));
        return tokens;
    }
    tokens = isCausal ? std::vector<int32_t>{special.begin} : tokens;
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    tokens.push_back(special.end);
    return tokens;
}

} // namespace collapipe
} // namespace ns3
