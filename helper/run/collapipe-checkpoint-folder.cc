/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-checkpoint-folder.h"

#include "collapipe-checkpoint.h"

#include "ns3/collapipe-clean-exit.h"
#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <system_error>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;

constexpr const char* LOCK = ".collapipe.lock";

/// @return whether a path is a folder or something within it; both may be still to be made
bool
IsWithin(const std::string& path, const std::string& folder)
{
    const auto whole = [](const std::string& text) {
        auto full = fs::weakly_canonical(fs::absolute(text));
        return full.has_filename() ? full : full.parent_path();
    };
    const auto inner = whole(path);
    const auto outer = whole(folder);
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first ==
           outer.end();
}

/// Removes what runs left that were killed while they wrote; nobody else writes here.
void
RemovePartial(const fs::path& folder)
{
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored))
    {
        const auto name = entry.path().filename().string();
        if (name.rfind(".collapipe.safetensors.partial-", 0) == 0 ||
            name.rfind(".rows.partial-", 0) == 0)
        {
            fs::remove(entry.path(), ignored);
        }
    }
}

} // namespace

CheckpointFolder::CheckpointFolder(const std::string& path, const std::string& outputDir)
    : m_path(path)
{
    std::error_code error;
    if (fs::exists(path, error) && !fs::is_directory(path, error))
    {
        throw UserError("--save=" + path + ": this is a file, not a folder");
    }
    Checkpoint::CheckTarget(path);
    try
    {
        if (!outputDir.empty() && IsWithin(path, outputDir))
        {
            throw UserError("--save=" + path + ": this is in --outputDir=" + outputDir +
                            ", which is replaced as a whole when a run ends; name a folder "
                            "outside");
        }
        Make(fs::absolute(path).lexically_normal());
        m_lock = std::make_unique<FolderLock>((fs::absolute(path) / LOCK).string());
    }
    catch (const std::system_error& failure) // of the file system's functions, too
    {
        RemoveMade();
        throw UserError("--save=" + path +
                        ": a checkpoint cannot be written there: " + failure.code().message());
    }
    if (m_lock->IsTaken())
    {
        throw UserError("--save=" + path + ": another run (" + m_lock->GetHolder() +
                        ") leaves its checkpoints there; wait for its end or name another folder");
    }
    if (m_lock->IsExclusive())
    {
        RemovePartial(path);
    }
}

CheckpointFolder::~CheckpointFolder()
{
    m_lock.reset();
    RemoveMade();
}

void
CheckpointFolder::RemoveMade()
{
    for (; !m_made.empty(); m_made.pop_back())
    {
        std::error_code ignored;
        fs::remove(m_made.back(), ignored); // a folder that is not empty stays
        KeepOnExit(m_made.back().string());
    }
}

void
CheckpointFolder::Make(const fs::path& folder)
{
    if (folder.empty() || fs::exists(folder))
    {
        return;
    }
    Make(folder.parent_path());
    if (fs::create_directory(folder))
    {
        m_made.push_back(folder);
        RemoveOnExit(folder.string());
    }
}

} // namespace collapipe
} // namespace ns3
