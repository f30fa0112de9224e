/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_OUTPUT_DIRECTORY_H
#define COLLAPIPE_OUTPUT_DIRECTORY_H

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Where a run leaves its files. They are written into a hidden folder beside the one asked for and
 * moved when all are complete, so that a run that fails or is interrupted leaves nothing behind and
 * earlier results whole. One per process at a time.
 */
class OutputDirectory
{
  public:
    /**
     * @param path folder asked for; made where it is not there
     * @throws UserError where it cannot be made or written to
     */
    explicit OutputDirectory(const std::string& path);

    /// Removes what was not committed.
    ~OutputDirectory();

    OutputDirectory(const OutputDirectory&) = delete;
    OutputDirectory& operator=(const OutputDirectory&) = delete;

    /**
     * @param name of a file
     * @return where to write it
     */
    std::string GetPath(const std::string& name) const;

    /// @return the folder asked for
    const std::string& GetFinalPath() const;

    /**
     * Moves all files to the folder asked for, over earlier ones of the same names.
     * @throws UserError where that fails
     */
    void Commit();

  private:
    std::string m_final;   //!< folder asked for
    std::string m_staging; //!< folder written to; empty once committed
};

/**
 * A process that must not outlive this one: it is asked to end (SIGTERM) on the exits that run no
 * destructors.
 * @param child its id; 0: there is none any more
 */
void SetChildProcess(int child);

/**
 * Ends the process with status 1 where ns-3 would abort with a core dump, and with 128 plus the
 * signal on SIGINT and SIGTERM; in both cases what an OutputDirectory has not committed is removed
 * first. To be called first thing in main().
 */
void InstallCleanExit();

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_OUTPUT_DIRECTORY_H */
