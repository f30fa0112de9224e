/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-folder-lock.h"

#include "collapipe-clean-exit.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr int ATTEMPTS = 100; //!< others may remove the file while it is taken

[[noreturn]] void
Throw(const std::string& path)
{
    throw std::system_error(errno, std::generic_category(), path);
}

/// @return whether a path still leads to an open file
bool
IsSame(int file, const std::string& path)
{
    struct stat open = {};
    struct stat there = {};
    return fstat(file, &open) == 0 && stat(path.c_str(), &there) == 0 &&
           open.st_ino == there.st_ino && open.st_dev == there.st_dev;
}

/// @return what the file says of the process that holds it
std::string
ReadHolder(int file)
{
    char text[32] = "";
    const auto size = pread(file, text, sizeof(text) - 1, 0);
    const std::string number(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    const auto end = number.find_first_not_of("0123456789");
    return end == 0 || number.empty() ? "a process" : "process " + number.substr(0, end);
}

} // namespace

FolderLock::FolderLock(const std::string& path)
    : m_path(path)
{
    for (int attempt = 0; attempt < ATTEMPTS && m_file < 0 && !m_isTaken; ++attempt)
    {
        m_file = Open();
    }
    if (m_file < 0)
    {
        return; // whoever comes and goes all the time has it as well
    }
    RemoveOnExit(m_path);
    Sign();
}

FolderLock::~FolderLock()
{
    if (m_file >= 0)
    {
        unlink(m_path.c_str()); // while it is ours
        close(m_file);
        KeepOnExit(m_path);
    }
}

int
FolderLock::Open()
{
    constexpr mode_t ALL = 0666; // less what the user's mask takes away
    int file = open(m_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, ALL);
    m_isReadOnly = file < 0 && errno == EACCES;
    if (m_isReadOnly)
    {
        // Perhaps another user's, which was killed; a lock needs no right to write.
        file = open(m_path.c_str(), O_RDONLY | O_CLOEXEC);
        errno = file < 0 && errno == ENOENT ? EACCES : errno;
    }
    if (file < 0)
    {
        Throw(m_path);
    }
    m_isLocked = flock(file, LOCK_EX | LOCK_NB) == 0;
    if (!m_isLocked && errno == EWOULDBLOCK)
    {
        m_isTaken = true;
        m_holder = ReadHolder(file);
        close(file);
        return -1;
    }
    if (!IsSame(file, m_path))
    {
        close(file); // it was removed before the lock was ours
        return -1;
    }
    return file;
}

void
FolderLock::Sign() const
{
    const auto text = std::to_string(getpid()) + "\n";
    if (m_isReadOnly)
    {
        return;
    }
    // Also finds out whether anything can be written here at all.
    if (ftruncate(m_file, 0) != 0 ||
        pwrite(m_file, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()))
    {
        const int error = errno;
        unlink(m_path.c_str());
        close(m_file);
        KeepOnExit(m_path);
        errno = error;
        Throw(m_path);
    }
}

bool
FolderLock::IsTaken() const
{
    return m_isTaken || m_file < 0;
}

bool
FolderLock::IsExclusive() const
{
    return m_isLocked && !IsTaken();
}

const std::string&
FolderLock::GetHolder() const
{
    return m_holder;
}

} // namespace collapipe
} // namespace ns3
