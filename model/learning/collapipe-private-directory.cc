/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-private-directory.h"

#include "collapipe-text-files.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

extern char** environ;

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;

/// What the names of private directories begin with
constexpr const char* PREFIX = "collapipe-tokenizer-";

/// Age from which a directory that nobody has locked is nobody's: one that is new may not be locked
/// yet
constexpr std::chrono::minutes ABANDONED{1};

/// For which an exit waits until a directory is made or gone
constexpr std::chrono::seconds LONGEST_WAIT{1};

/// What is in use in this process
struct InUse
{
    std::recursive_timed_mutex mutex; //!< guards the rest
    std::set<std::string> paths;      //!< of directories
    std::set<pid_t> children;         //!< programs that run in them
};

/// @return it; never destroyed, since threads may exit late
InUse&
GetInUse()
{
    static auto* inUse = new InUse;
    return *inUse;
}

/**
 * @param path of a directory
 * @return a descriptor that keeps it locked; -1 where somebody else has it, or it is not ours
 */
int
Lock(const std::string& path)
{
    const int lock = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0)
    {
        close(lock);
        return -1;
    }
    return lock;
}

/// Removes what killed processes have left.
void
RemoveAbandoned(const std::string& parent)
{
    std::error_code ignored;
    const auto youngest = fs::file_time_type::clock::now() - ABANDONED;
    for (const auto& entry : fs::directory_iterator(parent, ignored))
    {
        const bool isOurs = entry.path().filename().string().rfind(PREFIX, 0) == 0;
        if (!isOurs || fs::last_write_time(entry.path(), ignored) > youngest)
        {
            continue;
        }
        const int lock = Lock(entry.path());
        if (lock >= 0)
        {
            fs::remove_all(entry.path(), ignored);
            close(lock);
        }
    }
}

/**
 * How a child process is set up: its working directory and standard streams.
 */
class SpawnActions
{
  public:
    /// @param directory where the process runs, see RunIn()
    explicit SpawnActions(const PrivateDirectory& directory)
    {
        const int create = O_WRONLY | O_CREAT | O_TRUNC;
        ::posix_spawn_file_actions_init(&m_actions);
        ::posix_spawn_file_actions_addchdir_np(&m_actions, directory.GetPath().c_str());
        ::posix_spawn_file_actions_addopen(&m_actions, STDIN_FILENO, "input", O_RDONLY, 0);
        ::posix_spawn_file_actions_addopen(&m_actions, STDOUT_FILENO, "output", create, 0600);
        ::posix_spawn_file_actions_addopen(&m_actions, STDERR_FILENO, "error", create, 0600);
    }

    ~SpawnActions()
    {
        ::posix_spawn_file_actions_destroy(&m_actions);
    }

    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;

    /// @return the actions
    const posix_spawn_file_actions_t* Get() const
    {
        return &m_actions;
    }

  private:
    posix_spawn_file_actions_t m_actions; //!< the actions
};

/**
 * @param process a child
 * @return its wait status once it has ended; -1 where it cannot be waited for
 */
int
WaitFor(pid_t process)
{
    int status = 0;
    while (::waitpid(process, &status, 0) < 0)
    {
        if (errno != EINTR)
        {
            return -1;
        }
    }
    return status;
}

} // namespace

PrivateDirectory::PrivateDirectory(std::string parent)
{
    const char* temporary = std::getenv("TMPDIR");
    if (parent.empty())
    {
        parent = temporary && *temporary ? temporary : "/tmp";
    }
    RemoveAbandoned(parent);
    m_path = parent + "/" + PREFIX + "XXXXXX";
    std::lock_guard<std::recursive_timed_mutex> guard(GetInUse().mutex);
    if (!::mkdtemp(m_path.data()))
    {
        throw DataError("Cannot create a temporary directory in '" + parent +
                        "': " + std::strerror(errno) + ".");
    }
    GetInUse().paths.insert(m_path);
    m_lock = Lock(m_path);
}

PrivateDirectory::~PrivateDirectory()
{
    std::error_code ignored;
    fs::remove_all(m_path, ignored);
    std::lock_guard<std::recursive_timed_mutex> guard(GetInUse().mutex);
    GetInUse().paths.erase(m_path);
    if (m_lock >= 0)
    {
        close(m_lock);
    }
}

const std::string&
PrivateDirectory::GetPath() const
{
    return m_path;
}

std::string
PrivateDirectory::GetFile(const std::string& name) const
{
    return m_path + "/" + name;
}

void
PrivateDirectory::Write(const std::string& name, const std::string& bytes) const
{
    const auto path = GetFile(name);
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "wb"),
                                                         std::fclose);
    const bool written = file &&
                         std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size() &&
                         std::fflush(file.get()) == 0;
    if (!written)
    {
        throw DataError("Cannot write '" + path + "': " + std::strerror(errno) + ".");
    }
}

bool
RunIn(const PrivateDirectory& directory, std::vector<std::string> arguments)
{
    std::vector<char*> pointers;
    for (auto& argument : arguments)
    {
        pointers.push_back(argument.data());
    }
    pointers.push_back(nullptr);
    const SpawnActions actions(directory);
    pid_t process = 0;
    {
        std::lock_guard<std::recursive_timed_mutex> guard(GetInUse().mutex);
        const int error =
            ::posix_spawnp(&process, pointers[0], actions.Get(), nullptr, pointers.data(), environ);
        if (error == ENOENT)
        {
            throw DataError("The program '" + arguments[0] +
                            "' is missing: install the package 'sentencepiece'.");
        }
        if (error != 0)
        {
            throw DataError("Cannot start '" + arguments[0] + "': " + std::strerror(error) + ".");
        }
        GetInUse().children.insert(process);
    }
    const int status = WaitFor(process);
    std::lock_guard<std::recursive_timed_mutex> guard(GetInUse().mutex);
    GetInUse().children.erase(process);
    return status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string
ReadComplaint(const PrivateDirectory& directory)
{
    const auto text = ReadFileBytes(directory.GetFile("error"));
    std::string complaint;
    bool specific = false;
    for (std::size_t begin = 0; begin < text.size();)
    {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto line = FoldWhiteSpace(text.substr(begin, end - begin));
        const bool check = line.find("_status.ok()") != std::string::npos;
        if (check || (!specific && !line.empty() && line.find("terminated") == std::string::npos))
        {
            complaint = line;
            specific = check;
        }
        begin = end + 1;
    }
    return complaint.empty() ? "it gave no reason" : complaint;
}

void
RemovePrivateDirectories()
{
    // Kept locked: nothing begins or ends meanwhile, and the process is over afterwards. Who holds
    // it and has run out of memory may itself wait to leave.
    [[maybe_unused]] const bool isLocked = GetInUse().mutex.try_lock_for(LONGEST_WAIT);
    for (const auto child : GetInUse().children)
    {
        kill(child, SIGKILL);
    }
    std::error_code ignored;
    for (const auto& path : GetInUse().paths)
    {
        fs::remove_all(path, ignored);
    }
}

} // namespace collapipe
} // namespace ns3
