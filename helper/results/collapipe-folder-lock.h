/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FOLDER_LOCK_H
#define COLLAPIPE_FOLDER_LOCK_H

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Says that a process works in a folder, for as long as it lives: a lock on a small file, which the
 * system lets go of however the process ends. What a killed process leaves is the file, which the
 * next one takes over and removes.
 */
class FolderLock
{
  public:
    /**
     * Takes the lock, where nobody has it. Does not wait.
     * @param path of the lock file; its folder must be there
     * @throws std::system_error where the file can neither be written nor locked
     */
    explicit FolderLock(const std::string& path);

    /// Lets go, and removes the file.
    ~FolderLock();

    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

    /// @return whether another process has it
    bool IsTaken() const;

    /// @return whether nobody else can have it: some file systems know no locks
    bool IsExclusive() const;

    /// @return the process that has it, for the user's eyes, for example "process 4711"
    const std::string& GetHolder() const;

  private:
    /// @return the file, opened; locked where that can be
    int Open();

    /// Writes into the file who has it; read by whoever is refused.
    void Sign() const;

    std::string m_path;       //!< of the file
    std::string m_holder;     //!< another process that has it
    int m_file{-1};           //!< open while it is held
    bool m_isTaken{false};    //!< another process has it
    bool m_isLocked{false};   //!< the file system knows locks
    bool m_isReadOnly{false}; //!< a file that another user's killed process has left
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FOLDER_LOCK_H */
