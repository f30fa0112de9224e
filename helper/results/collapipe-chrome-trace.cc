/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-chrome-trace.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr int64_t NS_PER_US = 1000;

/// @return a time in microseconds, exactly
std::string
ToText(Time time)
{
    const int64_t ns = time.GetNanoSeconds();
    char text[32];
    std::snprintf(text,
                  sizeof(text),
                  "%lld.%03d",
                  static_cast<long long>(ns / NS_PER_US),
                  static_cast<int>(ns % NS_PER_US));
    return text;
}

/// @return a number as JSON has it; null where it is none
std::string
ToText(double value)
{
    if (!std::isfinite(value))
    {
        return "null";
    }
    char text[32];
    std::snprintf(text, sizeof(text), "%.12g", value);
    return text;
}

/// @return a string with its quotes
std::string
Quote(const std::string& text)
{
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// @return arguments as a JSON object
std::string
ToText(const ChromeTrace::Arguments& arguments)
{
    std::string text = "{";
    for (const auto& [name, value] : arguments)
    {
        text += text.size() > 1 ? ",\"" : "\"";
        text += name;
        text += "\":";
        if (const auto* number = std::get_if<int64_t>(&value))
        {
            text += std::to_string(*number);
        }
        else if (const auto* real = std::get_if<double>(&value))
        {
            text += ToText(*real);
        }
        else
        {
            text += Quote(std::get<std::string>(value));
        }
    }
    return text + "}";
}

/// @return the members that place an event
std::string
ToText(const ChromeTrace::Track& track)
{
    return ",\"pid\":" + std::to_string(track.process) + ",\"tid\":" + std::to_string(track.thread);
}

} // namespace

ChromeTrace::ChromeTrace(const std::string& path)
{
    const std::string ending = ".gz";
    const bool isCompressed = path.size() > ending.size() &&
                              path.compare(path.size() - ending.size(), ending.size(), ending) == 0;
    m_file = gzopen(path.c_str(), isCompressed ? "wb" : "wbT"); // T: as it comes
    if (m_file)
    {
        gzbuffer(m_file, 1U << 17);
    }
    Put("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
}

ChromeTrace::~ChromeTrace()
{
    if (m_file)
    {
        gzclose(m_file);
    }
}

void
ChromeTrace::Put(const std::string& text)
{
    m_isComplete = m_isComplete && m_file &&
                   gzwrite(m_file, text.data(), static_cast<unsigned>(text.size())) ==
                       static_cast<int>(text.size());
}

std::string
ChromeTrace::Begin(char kind, const std::string& name) const
{
    return std::string("{\"ph\":\"") + kind + "\",\"name\":\"" + name + "\"";
}

void
ChromeTrace::Write(const std::string& event)
{
    Put((m_isFirst ? "\n" : ",\n") + event + '}');
    m_bytes += event.size() + 3;
    m_isFirst = false;
}

void
ChromeTrace::WriteName(const char* what, const Track& track, const std::string& name)
{
    Write(Begin('M', std::string(what) + "_name") + ToText(track) +
          ",\"args\":{\"name\":" + Quote(name) + "}");
}

void
ChromeTrace::NameProcess(uint32_t process, const std::string& name)
{
    const Track track{process, 0};
    WriteName("process", track, name);
    Write(Begin('M', "process_sort_index") + ToText(track) +
          ",\"args\":{\"sort_index\":" + std::to_string(process) + "}");
}

void
ChromeTrace::NameTrack(const Track& track, const std::string& name)
{
    WriteName("thread", track, name);
    Write(Begin('M', "thread_sort_index") + ToText(track) +
          ",\"args\":{\"sort_index\":" + std::to_string(track.thread) + "}");
}

void
ChromeTrace::AddSlice(const Track& track,
                      const std::string& name,
                      const char* category,
                      Time start,
                      Time end,
                      const Arguments& arguments)
{
    Write(Begin('X', name) + ",\"cat\":\"" + category + "\",\"ts\":" + ToText(start) +
          ",\"dur\":" + ToText(end - start) + ToText(track) + ",\"args\":" + ToText(arguments));
}

void
ChromeTrace::AddArrow(const Track& from,
                      Time start,
                      const Track& to,
                      Time end,
                      const std::string& name)
{
    const std::string id = ",\"cat\":\"message\",\"id\":" + std::to_string(++m_arrows);
    Write(Begin('s', name) + id + ",\"ts\":" + ToText(start) + ToText(from));
    Write(Begin('f', name) + id + ",\"bp\":\"e\",\"ts\":" + ToText(end) + ToText(to));
}

void
ChromeTrace::AddCounter(uint32_t process,
                        const std::string& name,
                        const std::string& series,
                        Time time,
                        double value)
{
    Write(Begin('C', name) + ",\"ts\":" + ToText(time) + ToText(Track{process, 0}) +
          ",\"args\":{\"" + series + "\":" + ToText(value) + "}");
}

void
ChromeTrace::AddMark(const std::string& name, Time time)
{
    Write(Begin('i', name) + ",\"s\":\"g\",\"ts\":" + ToText(time) + ToText(Track{}));
}

uint64_t
ChromeTrace::GetBytes() const
{
    return m_bytes;
}

bool
ChromeTrace::Close(const Arguments& notes)
{
    Put("\n],\"otherData\":" + ToText(notes) + "}\n");
    m_isComplete = m_file && gzclose(m_file) == Z_OK && m_isComplete;
    m_file = nullptr;
    return m_isComplete;
}

} // namespace collapipe
} // namespace ns3
