/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PRIVATE_DIRECTORY_H
#define COLLAPIPE_PRIVATE_DIRECTORY_H

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * A directory that only this user can read, removed with all it holds at the end of the scope. What
 * processes have left that were killed is removed when the next one is made.
 */
class PrivateDirectory
{
  public:
    /**
     * @param parent where to make it; empty: `$TMPDIR`, else `/tmp`
     * @throws DataError where it cannot be made
     */
    explicit PrivateDirectory(std::string parent);
    ~PrivateDirectory();

    PrivateDirectory(const PrivateDirectory&) = delete;
    PrivateDirectory& operator=(const PrivateDirectory&) = delete;

    /// @return its path
    const std::string& GetPath() const;

    /**
     * @param name of a file in it
     * @return the file's path
     */
    std::string GetFile(const std::string& name) const;

    /**
     * @param name of a file in it, created
     * @param bytes to write
     * @throws DataError where it cannot be written
     */
    void Write(const std::string& name, const std::string& bytes) const;

  private:
    std::string m_path; //!< its path
    int m_lock{-1};     //!< tells other processes that it is in use
};

/**
 * Runs a program to its end, without a shell.
 * @param directory where it runs; its standard streams are the files `input`, `output` and `error`
 *        there
 * @param arguments program and arguments
 * @return whether it ended with exit status 0
 * @throws DataError where it cannot be started
 */
bool RunIn(const PrivateDirectory& directory, std::vector<std::string> arguments);

/**
 * @param directory where a program has run
 * @return the line of its standard error that says most: the last that speaks of a failed check,
 *         else the last but for "Program terminated"
 */
std::string ReadComplaint(const PrivateDirectory& directory);

/**
 * Ends the programs that run in private directories, and removes these: for the exits that run no
 * destructors.
 */
void RemovePrivateDirectories();

} // namespace collapipe
} // namespace ns3

#endif // COLLAPIPE_PRIVATE_DIRECTORY_H
