/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CHECKPOINT_FOLDER_H
#define COLLAPIPE_CHECKPOINT_FOLDER_H

#include "ns3/collapipe-folder-lock.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Where a run leaves its checkpoints, from before its first computation to its end: it is known
 * that they can be written there, and no other run writes there. What a run left that was killed
 * while it wrote is removed.
 */
class CheckpointFolder
{
  public:
    /**
     * @param path folder; made where it is not there
     * @param outputDir folder of the run's results, which is replaced as a whole; empty: none
     * @throws UserError, one sentence, where a checkpoint could not be written there, or would be
     *         lost
     */
    CheckpointFolder(const std::string& path, const std::string& outputDir);

    /// Removes folders that it has made and that are empty.
    ~CheckpointFolder();

    CheckpointFolder(const CheckpointFolder&) = delete;
    CheckpointFolder& operator=(const CheckpointFolder&) = delete;

  private:
    /// Makes what there is not of a folder and those that it is in.
    void Make(const std::filesystem::path& folder);

    /// Removes the folders that it has made, where they are empty.
    void RemoveMade();

    std::string m_path;                        //!< as asked for
    std::vector<std::filesystem::path> m_made; //!< folders, from the outermost
    std::unique_ptr<FolderLock> m_lock;        //!< on the folder
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CHECKPOINT_FOLDER_H */
