/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_OUTPUT_DIRECTORY_H
#define COLLAPIPE_OUTPUT_DIRECTORY_H

#include "collapipe-folder-lock.h"

#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Where a run leaves its files. They are written into a hidden folder beside the one asked for,
 * which takes its place as a whole when all are complete: a run that fails leaves nothing behind
 * and earlier results whole, and no folder ever holds files of two runs. One per process at a time.
 *
 * A folder that is there already is replaced only where all in it is an earlier run's: its
 * `summary.json` lists its files; reports made from them are an earlier run's, too. Anything else
 * is the user's, and the run is refused before it begins.
 */
class OutputDirectory
{
  public:
    /// What it is for
    enum class Use
    {
        RESULTS, //!< files that a user has asked for
        SCRATCH  //!< files that nobody keeps: of a name that processes share, never committed
    };

    /**
     * @param path folder asked for; made where it is not there
     * @param use what it is for
     * @throws UserError where it cannot be made or written to, holds what is no run's, or is
     *         another run's that is still under way
     */
    explicit OutputDirectory(const std::string& path, Use use = Use::RESULTS);

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

    /// @return names of the files and folders written so far, in alphabetical order
    std::vector<std::string> ListNames() const;

    /**
     * Checks what other code has written without looking whether it could: captures must end with a
     * packet, XML files with their root.
     * @throws UserError naming a file that is not complete
     */
    void CheckComplete() const;

    /**
     * Puts the files where they were asked for, in place of an earlier run's.
     * @throws UserError where that fails
     */
    void Commit();

  private:
    /// Makes sure that nobody else is going to fill the folder.
    void Lock();

    /// Looks whether the folder may be replaced.
    void CheckFolder() const;

    /// Makes the folder that is written to.
    void MakeStaging(const std::string& parent);

    /// Replaces the folder by the staging one.
    void Exchange() const;

    /// Replaces the folder's contents, where the folder itself must stay.
    void ExchangeContents() const;

    std::string m_final;   //!< folder asked for, as asked for
    std::string m_folder;  //!< its absolute path
    std::string m_staging; //!< folder written to
    bool m_isKept{false};  //!< the folder itself must stay: a mount point, the current directory

    std::unique_ptr<FolderLock> m_lock; //!< on the folder; null: it is scratch, or committed
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_OUTPUT_DIRECTORY_H */
