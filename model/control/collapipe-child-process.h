/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CHILD_PROCESS_H
#define COLLAPIPE_CHILD_PROCESS_H

#include <chrono>
#include <string>
#include <sys/types.h>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A program of somebody else's that is asked in lines of text on its standard input and answers in
 * lines on its standard output; its standard error is this program's. It is ended, and waited for,
 * when this object goes.
 */
class ChildProcess
{
  public:
    ChildProcess() = default;
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    /**
     * @param command for the shell
     * @return empty, or why it could not be started
     */
    std::string Start(const std::string& command);

    /// @return whether it was started and has not been seen to end
    bool IsRunning() const;

    /**
     * Sends a line and waits for one.
     * @param line to send, without its end
     * @param timeout in which the answer must be there
     * @param answer set to the line that came, without its end
     * @return empty, or what went wrong, as in "ended with status 3"; the child is then gone
     */
    std::string Ask(const std::string& line,
                    std::chrono::milliseconds timeout,
                    std::string& answer);

    /// Closes its input, ends it where it does not end by itself, and waits for it.
    void Stop();

    static constexpr std::size_t MAX_ANSWER = std::size_t{64} << 20; //!< bytes of a line

  private:
    using Clock = std::chrono::steady_clock;

    /// Writes as much as there is room for. @return false where nobody reads any more
    bool WriteSome(const std::string& text, std::size_t& written) const;

    /// Reads what is there. @return false at the end of the child's output
    bool ReadSome();

    /// @return whether a whole line was there; it is taken out
    bool TakeLine(std::string& line);

    /// Waits for the child, which has ended or is about to. @return how it ended
    std::string Reap();

    /// Waits for the child for at most so long. @return whether it has ended
    bool WaitFor(std::chrono::milliseconds time, int& status);

    pid_t m_process{0};       //!< its id; 0: none
    int m_input{-1};          //!< its standard input
    int m_output{-1};         //!< its standard output
    std::string m_unread;     //!< what came after the last line
    std::size_t m_scanned{0}; //!< so much of it has no end of a line
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CHILD_PROCESS_H */
