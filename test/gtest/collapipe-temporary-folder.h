/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TEMPORARY_FOLDER_H
#define COLLAPIPE_TEMPORARY_FOLDER_H

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <system_error>

namespace ns3
{
namespace collapipe
{

/// A folder for a test's files, removed at the end of the scope
class TemporaryFolder
{
  public:
    TemporaryFolder()
        : m_path((std::filesystem::temp_directory_path() / "collapipe-test-XXXXXX").string())
    {
        if (!::mkdtemp(m_path.data()))
        {
            throw std::runtime_error("cannot make " + m_path);
        }
    }

    ~TemporaryFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(m_path, ignored);
    }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    /// @return its path
    const std::string& GetPath() const
    {
        return m_path;
    }

    /// @return the path of a file in it
    std::string GetFile(const std::string& name) const
    {
        return m_path + "/" + name;
    }

    /**
     * @param name of a file
     * @param text its bytes
     * @return its path
     */
    std::string Write(const std::string& name, const std::string& text) const
    {
        std::ofstream(GetFile(name), std::ios::binary) << text;
        return GetFile(name);
    }

    /// @return number of files in it, hidden ones too
    std::size_t CountFiles() const
    {
        const std::filesystem::directory_iterator begin(m_path);
        return static_cast<std::size_t>(std::distance(begin, {}));
    }

  private:
    std::string m_path; //!< of the folder
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TEMPORARY_FOLDER_H */
