/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-output-directory.h"

#include "collapipe-clean-exit.h"
#include "collapipe-complete-files.h"
#include "collapipe-user-error.h"

#include "ns3/collapipe-bounded-json.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;

constexpr const char* PARTIAL = ".partial-";

/// @return this machine's name: a process's number says nothing on another one
std::string
GetHostName()
{
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    return name;
}

/// @return the name that a staging folder of a process of this machine has
std::string
GetStagingName(const std::string& name, const std::string& process)
{
    return "." + name + PARTIAL + process + "@" + GetHostName();
}

/// @return the name of the file that says who is going to fill the folder
std::string
GetLockName(const std::string& name)
{
    return "." + name + ".lock";
}

/// @return whether something in a folder is none of the results: a run's own, which is under way
bool
IsPassing(const std::string& file, const std::string& folder)
{
    return file.find(PARTIAL) != file.npos || file == GetLockName(folder);
}

/**
 * Removes what runs into the same folder left that were killed and could not do so themselves.
 * @param parent where they have written
 * @param name of the folder
 * @param isAlone no other process can be writing there
 */
void
RemoveStale(const fs::path& parent, const std::string& name, bool isAlone)
{
    std::error_code ignored;
    const std::string before = "." + name + PARTIAL;
    for (const auto& entry : fs::directory_iterator(parent, ignored))
    {
        const auto file = entry.path().filename().string();
        const auto process =
            file.rfind(before, 0) == 0 ? std::strtol(file.c_str() + before.size(), nullptr, 10) : 0;
        // In containers every run may have the same number; one of this number is of none that
        // lives
        const auto staging = GetStagingName(name, std::to_string(process));
        if (process > 0 && (file == staging || file == staging + LEAVING) &&
            (isAlone || process == getpid() ||
             (kill(static_cast<pid_t>(process), 0) == -1 && errno == ESRCH)))
        {
            fs::remove_all(entry.path(), ignored);
        }
    }
}

/// @return whether a run's folder may have such a file where its summary.json lists none
bool
IsUsualName(const fs::path& path)
{
    static const std::set<std::string> names{"rounds.csv",
                                             "devices.csv",
                                             "control.csv",
                                             "clusters.csv",
                                             "budgets.csv",
                                             "links.csv",
                                             "positions.csv",
                                             "timeline.json",
                                             "timeline.json.gz",
                                             "flows.xml",
                                             "netanim.xml"};
    const auto name = path.filename().string();
    return names.count(name) > 0 ||
           (name.rfind("collapipe-", 0) == 0 && path.extension() == ".pcap") ||
           fs::exists(path / "summary.json"); // a comparison
}

/// @return names of the files of the run whose summary.json is in the folder
std::set<std::string>
ReadNames(const fs::path& folder)
{
    std::set<std::string> names{"summary.json", "report.html", "figures"};
    std::ifstream file(folder / "summary.json");
    const auto json = ParseBoundedJson<nlohmann::json>(file, false);
    if (json.is_object() && json.contains("files") && json["files"].is_array())
    {
        for (const auto& name : json["files"])
        {
            names.insert(name.is_string() ? name.get<std::string>() : "");
        }
    }
    else
    {
        for (const auto& entry : fs::directory_iterator(folder))
        {
            names.insert(IsUsualName(entry.path()) ? entry.path().filename().string() : "");
        }
    }
    return names;
}

/**
 * @param folder that is there
 * @return what is in it and no run's; empty where all is
 */
std::string
FindForeign(const fs::path& folder)
{
    std::set<std::string> known;
    if (fs::exists(folder / "summary.json"))
    {
        known = ReadNames(folder);
    }
    for (const auto& entry : fs::directory_iterator(folder))
    {
        const auto name = entry.path().filename().string();
        if (known.count(name) == 0 && !IsPassing(name, folder.filename().string()))
        {
            return name;
        }
    }
    return "";
}

/// @return whether a folder cannot be renamed, or must not be: somebody stands in it
bool
MustStay(const fs::path& folder)
{
    struct stat own = {};
    struct stat above = {};
    std::error_code ignored;
    const bool isMount = stat(folder.c_str(), &own) == 0 &&
                         stat(folder.parent_path().c_str(), &above) == 0 &&
                         own.st_dev != above.st_dev;
    return isMount || access(folder.parent_path().c_str(), W_OK) != 0 ||
           fs::equivalent(folder, fs::current_path(), ignored);
}

} // namespace

OutputDirectory::OutputDirectory(const std::string& path, Use use)
    : m_final(path)
{
    std::error_code error;
    auto folder = fs::weakly_canonical(fs::absolute(path), error);
    folder = error ? fs::absolute(path).lexically_normal() : folder;
    folder = folder.has_filename() ? folder : folder.parent_path();
    m_folder = folder.string();
    fs::create_directories(folder.parent_path(), error);
    if (use == Use::SCRATCH)
    {
        MakeStaging(folder.parent_path().string());
        return;
    }
    const bool isThere = fs::exists(folder, error);
    if (isThere && !fs::is_directory(folder))
    {
        throw UserError("--outputDir=" + path + ": this is a file, not a folder");
    }
    Lock();
    if (isThere)
    {
        CheckFolder();
    }
    m_isKept = isThere && MustStay(folder);
    MakeStaging((m_isKept ? folder : folder.parent_path()).string());
}

void
OutputDirectory::Lock()
{
    const fs::path folder(m_folder);
    // Where it lies is the same for all runs, whether or not they stand in the folder.
    const bool isBeside = !fs::exists(folder) || access(folder.parent_path().c_str(), W_OK) == 0;
    const auto place = isBeside ? folder.parent_path() : folder;
    try
    {
        m_lock = std::make_unique<FolderLock>(
            (place / GetLockName(folder.filename().string())).string());
    }
    catch (const std::system_error& error)
    {
        throw UserError("--outputDir=" + m_final +
                        ": cannot write there: " + error.code().message());
    }
    if (m_lock->IsTaken())
    {
        throw UserError("--outputDir=" + m_final + ": another run (" + m_lock->GetHolder() +
                        ") is going to fill this folder; wait for its end or name another one");
    }
}

void
OutputDirectory::CheckFolder() const
{
    try
    {
        const auto foreign = FindForeign(m_folder);
        if (!foreign.empty())
        {
            throw UserError("--outputDir=" + m_final + ": this folder holds " + foreign +
                            ", which is no run's result and would be lost; name another folder");
        }
    }
    catch (const fs::filesystem_error& failure)
    {
        throw UserError("--outputDir=" + m_final + ": cannot read it: " + failure.code().message());
    }
}

void
OutputDirectory::MakeStaging(const std::string& parent)
{
    const auto name = fs::path(m_folder).filename().string();
    RemoveStale(parent, name, m_lock && m_lock->IsExclusive());
    m_staging = (fs::path(parent) / GetStagingName(name, std::to_string(getpid()))).string();
    std::error_code error;
    fs::create_directory(m_staging, error);
    if (error)
    {
        throw UserError("--outputDir=" + m_final + ": cannot write there: " + error.message());
    }
    SetStagingFolder(m_staging);
}

OutputDirectory::~OutputDirectory()
{
    RemoveStagingFolder();
}

std::string
OutputDirectory::GetPath(const std::string& name) const
{
    return (fs::path(m_staging) / name).string();
}

const std::string&
OutputDirectory::GetFinalPath() const
{
    return m_final;
}

std::vector<std::string>
OutputDirectory::ListNames() const
{
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(m_staging))
    {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

void
OutputDirectory::CheckComplete() const
{
    for (const auto& name : ListNames())
    {
        if (!IsComplete(GetPath(name)))
        {
            throw UserError("cannot write " + name +
                            "; is the disk full, or a limit on the size "
                            "of files reached?");
        }
    }
}

void
OutputDirectory::Exchange() const
{
    if (!fs::exists(m_folder))
    {
        fs::rename(m_staging, m_folder);
        return;
    }
    fs::permissions(m_staging, fs::status(m_folder).permissions());
    // At once, where the file system can; what was there is removed with the staging folder.
    if (renameat2(AT_FDCWD, m_staging.c_str(), AT_FDCWD, m_folder.c_str(), RENAME_EXCHANGE) != 0)
    {
        const auto old = m_staging + ".old";
        fs::rename(m_folder, old);
        fs::rename(m_staging, m_folder);
        fs::remove_all(old);
    }
}

void
OutputDirectory::ExchangeContents() const
{
    const auto old = fs::path(m_staging) / ".old";
    const auto names = ListNames();
    fs::create_directory(old);
    for (const auto& entry : fs::directory_iterator(m_folder))
    {
        const auto name = entry.path().filename().string();
        if (!IsPassing(name, fs::path(m_folder).filename().string()))
        {
            fs::rename(entry.path(), old / name);
        }
    }
    for (const auto& name : names)
    {
        fs::rename(fs::path(m_staging) / name, fs::path(m_folder) / name);
    }
}

void
OutputDirectory::Commit()
{
    const auto hold = HoldExit(); // a folder that is half exchanged is neither old nor new
    try
    {
        if (m_isKept)
        {
            ExchangeContents();
        }
        else
        {
            Exchange();
        }
    }
    catch (const fs::filesystem_error& error)
    {
        throw UserError("--outputDir=" + m_final +
                        ": cannot put the results there: " + error.code().message());
    }
    RemoveStagingFolder();
    m_lock.reset(); // the next may come
}

} // namespace collapipe
} // namespace ns3
