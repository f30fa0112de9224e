/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CHROME_TRACE_H
#define COLLAPIPE_CHROME_TRACE_H

#include "ns3/nstime.h"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>
#include <zlib.h>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Writes a file in Chrome's trace event format (Google, "Trace Event Format", 2016: the JSON object
 * form), which Perfetto, chrome://tracing and speedscope open. Events go to the file as they come:
 * nothing is kept in memory.
 *
 * A time is written in microseconds with three decimals, hence to the nanosecond.
 */
class ChromeTrace
{
  public:
    /// A row of the timeline
    struct Track
    {
        uint32_t process{0}; //!< group of rows
        uint32_t thread{0};  //!< row within it
    };

    /// What a slice may tell beside its name
    using Value = std::variant<int64_t, double, std::string>;
    /// Names and values, in order
    using Arguments = std::vector<std::pair<const char*, Value>>;

    /**
     * @param path file to write; compressed (gzip, RFC 1952) where it ends with .gz
     */
    explicit ChromeTrace(const std::string& path);
    ~ChromeTrace();

    ChromeTrace(const ChromeTrace&) = delete; // has a file open
    ChromeTrace& operator=(const ChromeTrace&) = delete;

    /**
     * @param process number; also its place on the screen
     * @param name to show
     */
    void NameProcess(uint32_t process, const std::string& name);

    /**
     * @param track number; the thread's is also its place on the screen
     * @param name to show
     */
    void NameTrack(const Track& track, const std::string& name);

    /**
     * An interval. On one track, two may not overlap unless one lies within the other.
     * @param track where
     * @param name what happened; printable ASCII without quotes
     * @param category group of events, as the name
     * @param start when
     * @param end not before start
     * @param arguments to show with it
     */
    void AddSlice(const Track& track,
                  const std::string& name,
                  const char* category,
                  Time start,
                  Time end,
                  const Arguments& arguments);

    /**
     * An arrow from the slice that begins at one place to the one that begins at another.
     * @param from track of the first slice
     * @param start when that begins
     * @param to track of the second slice
     * @param end when that begins
     * @param name of the arrow
     */
    void AddArrow(const Track& from,
                  Time start,
                  const Track& to,
                  Time end,
                  const std::string& name);

    /**
     * @param process whose counter
     * @param name of the counter, with its unit; printable ASCII without quotes
     * @param series curve of that counter
     * @param time from when on it has this value
     * @param value the value
     */
    void AddCounter(uint32_t process,
                    const std::string& name,
                    const std::string& series,
                    Time time,
                    double value);

    /**
     * A mark across all tracks.
     * @param name to show
     * @param time when
     */
    void AddMark(const std::string& name, Time time);

    /// @return bytes written so far, before they are compressed
    uint64_t GetBytes() const;

    /**
     * Ends the file.
     * @param notes what the reader should know of the whole file
     * @return whether all of it was written
     */
    bool Close(const Arguments& notes);

  private:
    /// Begins an event of a kind. @return the text so far
    std::string Begin(char kind, const std::string& name) const;

    /// Writes a text as it is.
    void Put(const std::string& text);

    /// Writes an event, whose text is complete but for the closing brace.
    void Write(const std::string& event);

    /// Writes a metadata event.
    void WriteName(const char* what, const Track& track, const std::string& name);

    gzFile m_file{nullptr};  //!< the file; null: it could not be opened, or is closed
    bool m_isComplete{true}; //!< all was written so far
    uint64_t m_bytes{0};     //!< written
    uint64_t m_arrows{0};    //!< so far
    bool m_isFirst{true};    //!< no event was written yet
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CHROME_TRACE_H */
