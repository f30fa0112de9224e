/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-complete-files.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;

constexpr uint32_t FILE_HEAD_BYTES = 24;     //!< of a capture; see pcap-savefile(5)
constexpr uint32_t PACKET_HEAD_BYTES = 16;   //!< of a packet; the captured length is its third word
constexpr std::size_t LENGTH_OFFSET = 8;     //!< of that word
constexpr std::streamoff XML_END_BYTES = 64; //!< in which the root ends

/// @return whether a capture ends where a packet ends; written on this machine
bool
EndsWithPacket(const std::string& path, uint64_t size)
{
    std::ifstream file(path, std::ios::binary);
    uint64_t position = FILE_HEAD_BYTES;
    char head[PACKET_HEAD_BYTES];
    while (position < size && file.seekg(static_cast<std::streamoff>(position)) &&
           file.read(head, sizeof(head)))
    {
        uint32_t length = 0;
        std::memcpy(&length, head + LENGTH_OFFSET, sizeof(length));
        position += PACKET_HEAD_BYTES + length;
    }
    return position == size;
}

/// @return whether an XML file ends with the end of an element
bool
EndsWithElement(const std::string& path, uint64_t size)
{
    std::ifstream file(path, std::ios::binary);
    file.seekg(-std::min<std::streamoff>(XML_END_BYTES, static_cast<std::streamoff>(size)),
               std::ios::end);
    std::string end((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    end.erase(end.find_last_not_of(" \r\n\t") + 1);
    const auto begin = end.rfind('<');
    return begin != end.npos && end.compare(begin, 2, "</") == 0 && end.back() == '>';
}

} // namespace

bool
IsComplete(const std::string& path)
{
    std::error_code error;
    if (fs::is_directory(path, error))
    {
        return true;
    }
    const uint64_t size = fs::file_size(path, error);
    rlimit limit{};
    const bool isLimited = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    if (error || (isLimited && size >= limit.rlim_cur))
    {
        return false;
    }
    const auto extension = fs::path(path).extension();
    return extension == ".pcap"  ? EndsWithPacket(path, size)
           : extension == ".xml" ? EndsWithElement(path, size)
                                 : true;
}

} // namespace collapipe
} // namespace ns3
