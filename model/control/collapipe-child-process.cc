/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-child-process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ;

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::chrono::milliseconds GRACE{1000}; //!< in which a child may end by itself
constexpr std::chrono::milliseconds STEP{5};     //!< between two looks at a child that ends

void
CloseFile(int& file)
{
    if (file >= 0)
    {
        close(file);
        file = -1;
    }
}

/// Writing to a pipe that nobody reads shall fail, not end the process.
class NoBrokenPipe
{
  public:
    NoBrokenPipe()
    {
        sigset_t pending;
        sigpending(&pending);
        m_wasPending = sigismember(&pending, SIGPIPE) == 1;
        sigemptyset(&m_set);
        sigaddset(&m_set, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &m_set, &m_before);
    }

    ~NoBrokenPipe()
    {
        const timespec none{0, 0};
        while (!m_wasPending && sigtimedwait(&m_set, nullptr, &none) == SIGPIPE)
        {
        }
        pthread_sigmask(SIG_SETMASK, &m_before, nullptr);
    }

    NoBrokenPipe(const NoBrokenPipe&) = delete;
    NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;

  private:
    sigset_t m_set;           //!< that signal
    sigset_t m_before;        //!< what was blocked before
    bool m_wasPending{false}; //!< not ours to take
};

} // namespace

ChildProcess::~ChildProcess()
{
    Stop();
}

std::string
ChildProcess::Start(const std::string& command)
{
    int input[2];
    int output[2];
    if (pipe2(input, O_CLOEXEC) != 0)
    {
        return std::strerror(errno);
    }
    if (pipe2(output, O_CLOEXEC) != 0)
    {
        close(input[0]);
        close(input[1]);
        return std::strerror(errno);
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    std::string shell = "sh";
    std::string option = "-c";
    std::string script = "exec " + command;
    char* arguments[] = {shell.data(), option.data(), script.data(), nullptr};
    const int error = posix_spawn(&m_process, "/bin/sh", &actions, nullptr, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(input[0]);
    close(output[1]);
    m_input = input[1];
    m_output = output[0];
    if (error != 0)
    {
        m_process = 0;
        Stop();
        return std::strerror(error);
    }
    fcntl(m_input, F_SETFL, O_NONBLOCK);
    fcntl(m_output, F_SETFL, O_NONBLOCK);
    return "";
}

bool
ChildProcess::IsRunning() const
{
    return m_process != 0;
}

bool
ChildProcess::WriteSome(const std::string& text, std::size_t& written) const
{
    const NoBrokenPipe guard;
    const ssize_t count = write(m_input, text.data() + written, text.size() - written);
    written += count > 0 ? static_cast<std::size_t>(count) : 0;
    return count >= 0 || errno == EAGAIN || errno == EINTR;
}

bool
ChildProcess::ReadSome()
{
    char buffer[1 << 16];
    const ssize_t count = read(m_output, buffer, sizeof(buffer));
    if (count > 0)
    {
        m_unread.append(buffer, static_cast<std::size_t>(count));
    }
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

bool
ChildProcess::TakeLine(std::string& line)
{
    // From where the last look ended: a long line comes in many pieces
    const auto end = m_unread.find('\n', m_scanned);
    if (end == std::string::npos)
    {
        m_scanned = m_unread.size();
        return false;
    }
    line = m_unread.substr(0, end);
    m_unread.erase(0, end + 1);
    m_scanned = 0;
    return true;
}

std::string
ChildProcess::Ask(const std::string& line, std::chrono::milliseconds timeout, std::string& answer)
{
    const std::string text = line + "\n";
    const auto deadline = Clock::now() + timeout;
    std::size_t written = 0;
    bool isRead = true; // the child reads
    while (true)
    {
        if (TakeLine(answer))
        {
            return "";
        }
        if (m_unread.size() > MAX_ANSWER)
        {
            Stop();
            return "answered with a line of more than " + std::to_string(MAX_ANSWER >> 20) + " MiB";
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0)
        {
            Stop();
            return "did not answer within " +
                   std::to_string(timeout.count() / 1000.0).substr(0, 6) + " s";
        }
        const bool isWriting = isRead && written < text.size();
        pollfd files[] = {{m_output, POLLIN, 0}, {m_input, POLLOUT, 0}};
        poll(files, isWriting ? 2 : 1, static_cast<int>(std::min<long long>(left, 1000)));
        if (isWriting && files[1].revents != 0)
        {
            isRead = WriteSome(text, written);
        }
        if (files[0].revents != 0 && !ReadSome())
        {
            return Reap();
        }
    }
}

bool
ChildProcess::WaitFor(std::chrono::milliseconds time, int& status)
{
    const auto deadline = Clock::now() + time;
    pid_t ended = 0;
    while ((ended = waitpid(m_process, &status, WNOHANG)) == 0 && Clock::now() < deadline)
    {
        std::this_thread::sleep_for(STEP);
    }
    return ended != 0;
}

std::string
ChildProcess::Reap()
{
    CloseFile(m_input);
    int status = 0;
    const bool hasEnded = WaitFor(GRACE, status);
    if (!hasEnded)
    {
        Stop();
        return "closed its output";
    }
    m_process = 0;
    CloseFile(m_output);
    m_unread.clear();
    m_scanned = 0;
    if (WIFSIGNALED(status))
    {
        return "was ended by signal " + std::to_string(WTERMSIG(status)) + " (" +
               strsignal(WTERMSIG(status)) + ")";
    }
    return WEXITSTATUS(status) == 127
               ? "could not be started: there is no such command"
               : "ended with status " + std::to_string(WEXITSTATUS(status)) + " without an answer";
}

void
ChildProcess::Stop()
{
    CloseFile(m_input);
    CloseFile(m_output);
    m_unread.clear();
    m_scanned = 0;
    if (m_process == 0)
    {
        return;
    }
    int status = 0;
    if (!WaitFor(GRACE, status))
    {
        kill(m_process, SIGTERM);
        if (!WaitFor(GRACE, status))
        {
            kill(m_process, SIGKILL);
            waitpid(m_process, &status, 0);
        }
    }
    m_process = 0;
}

} // namespace collapipe
} // namespace ns3
