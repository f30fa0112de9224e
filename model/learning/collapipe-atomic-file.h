/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ATOMIC_FILE_H
#define COLLAPIPE_ATOMIC_FILE_H

#include <fstream>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A file that is written as a whole or not at all: under another name in the same folder first,
 * then renamed. Without Commit() nothing is left.
 */
class AtomicFile
{
  public:
    /**
     * @param path of the file; its folder must be there
     * @throws DataError where no file can be made there
     */
    explicit AtomicFile(const std::string& path);

    /// Removes what was written, unless Commit() was called.
    ~AtomicFile();

    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    /**
     * @param data bytes to append
     * @param size how many
     */
    void Write(const void* data, std::size_t size);

    /**
     * Gives the file its name.
     * @throws DataError where something could not be written
     */
    void Commit();

  private:
    std::string m_path;     //!< the name that it gets
    std::string m_partial;  //!< the name that it has
    std::ofstream m_stream; //!< open until Commit()
};

/**
 * @param path of the file; its folder must be there
 * @param text its bytes
 * @throws DataError where it cannot be written
 */
void WriteFileAtomically(const std::string& path, const std::string& text);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ATOMIC_FILE_H */
