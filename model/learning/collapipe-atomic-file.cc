/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-atomic-file.h"

#include "collapipe-text-files.h"

#include <filesystem>
#include <system_error>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace fs = std::filesystem;

AtomicFile::AtomicFile(const std::string& path)
    : m_path(path)
{
    const fs::path target(path);
    const auto name = "." + target.filename().string() + ".partial-" + std::to_string(::getpid());
    m_partial = (target.parent_path() / name).string();
    m_stream.open(m_partial, std::ios::binary | std::ios::trunc);
    if (!m_stream)
    {
        m_partial.clear();
        throw DataError("Cannot write '" + path + "': is its folder there, and may it be written?");
    }
}

AtomicFile::~AtomicFile()
{
    if (!m_partial.empty())
    {
        std::error_code ignored;
        m_stream.close();
        fs::remove(m_partial, ignored);
    }
}

void
AtomicFile::Write(const void* data, std::size_t size)
{
    m_stream.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
}

void
AtomicFile::Commit()
{
    m_stream.close();
    std::error_code error;
    if (m_stream)
    {
        fs::rename(m_partial, m_path, error);
    }
    if (!m_stream || error)
    {
        throw DataError("Cannot write '" + m_path + "': is the disk full?");
    }
    m_partial.clear();
}

void
WriteFileAtomically(const std::string& path, const std::string& text)
{
    AtomicFile file(path);
    file.Write(text.data(), text.size());
    file.Commit();
}

} // namespace collapipe
} // namespace ns3
