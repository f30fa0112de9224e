/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Files that other code writes: whole, or found out to be cut

#include "ns3/collapipe-complete-files.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>

using namespace ns3::collapipe;

namespace
{

/// @return whether a file of that name and content is taken for complete
bool
Check(const std::string& name, const std::string& content)
{
    const auto path = std::filesystem::temp_directory_path() /
                      ("collapipe-" + std::to_string(getpid()) + "-" + name);
    std::ofstream(path, std::ios::binary) << content;
    const bool isComplete = IsComplete(path.string());
    std::filesystem::remove(path);
    return isComplete;
}

/// @return a packet of a capture, its head included
std::string
MakePacket(uint32_t size)
{
    std::string head(16, '\0');
    head[8] = static_cast<char>(size);
    return head + std::string(size, 'x');
}

} // namespace

TEST(CollapipeCompleteFilesTest, CapturesEndWithAPacket)
{
    const std::string head(24, 'h');
    const auto whole = head + MakePacket(20) + MakePacket(7);
    EXPECT_TRUE(Check("a.pcap", head));
    EXPECT_TRUE(Check("a.pcap", whole));
    for (std::size_t cut = 1; cut < MakePacket(7).size(); ++cut)
    {
        EXPECT_FALSE(Check("a.pcap", whole.substr(0, whole.size() - cut))) << cut;
    }
    EXPECT_FALSE(Check("a.pcap", head.substr(0, 10)));
    EXPECT_FALSE(Check("a.pcap", ""));
}

TEST(CollapipeCompleteFilesTest, XmlEndsWithItsRoot)
{
    const std::string whole = "<FlowMonitor>\n <Flow id=\"1\"/>\n</FlowMonitor>\n";
    EXPECT_TRUE(Check("a.xml", whole));
    EXPECT_FALSE(Check("a.xml", whole.substr(0, whole.size() - 3)));
    EXPECT_FALSE(Check("a.xml", "<FlowMonitor>\n <Flow id=\"1\"/>\n"));
    EXPECT_FALSE(Check("a.xml", ""));
    EXPECT_FALSE(IsComplete("/nonexistent/a.xml"));
}
