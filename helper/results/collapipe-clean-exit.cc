/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-clean-exit.h"

#include "collapipe-user-error.h"

#include "ns3/collapipe-private-directory.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <new>
#include <string>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

/// What the exits that run no destructors must know
struct State
{
    std::mutex mutex;                  //!< guards the rest
    std::string staging;               //!< folder to remove; empty: there is none
    std::vector<std::string> files;    //!< to remove, with what is empty, in reverse order
    std::function<void()> onInterrupt; //!< what a first signal does; empty: end the process
};

/// @return the one state; never destroyed, since threads may exit late
State&
GetState()
{
    static auto* state = new State;
    return *state;
}

/// @return held while something must be done as a whole, and for ever by who ends the process
std::recursive_mutex&
GetExitMutex()
{
    static auto* mutex = new std::recursive_mutex; // never destroyed, likewise
    return *mutex;
}

std::atomic<bool> g_isLeaving{false}; //!< the process is about to end, by Leave()
std::atomic<int> g_child{0};          //!< see SetChildProcess
std::atomic<int> g_interrupt{0};      //!< see GetInterruptSignal

/// The child writes into our staging folder: it must be gone before that is removed, and need keep
/// nothing.
void
EndChild()
{
    if (const int child = g_child.exchange(0))
    {
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
    }
}

/// Descriptors kept for the exit: who has run out of them cannot list a folder to empty it.
constexpr int SPARE = 4;
std::atomic<int> g_spare[SPARE];

void
TakeSpareDescriptors()
{
    for (auto& spare : g_spare)
    {
        spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
}

void
FreeSpareDescriptors()
{
    for (auto& spare : g_spare)
    {
        if (const int descriptor = spare.exchange(-1); descriptor > STDERR_FILENO)
        {
            close(descriptor);
        }
    }
}

/// Removes what RemoveOnExit() was told of.
void
RemoveFiles()
{
    std::lock_guard<std::mutex> lock(GetState().mutex);
    auto& files = GetState().files;
    std::error_code ignored;
    for (; !files.empty(); files.pop_back())
    {
        std::filesystem::remove(files.back(), ignored);
    }
}

/// Registered for the usual end: where another thread ends the process, its status counts.
void
WaitForLeave()
{
    while (g_isLeaving)
    {
        pause();
    }
}

/// Other threads go on meanwhile, and may fail as their files go: they have nothing to say to that.
void
Silence()
{
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
    {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
}

[[noreturn]] void
Leave(int status)
{
    GetExitMutex().lock();
    g_isLeaving = true;
    std::cout.flush();
    std::cerr.flush();
    Silence();
    EndChild();
    RemovePrivateDirectories();
    RemoveStagingFolder();
    RemoveFiles();
    _exit(status);
}

int g_signalPipe[2]; //!< from the signal handler to the thread that may do what a handler may not

/// Tells the waiting thread. Libraries have threads of their own, so that masks would not do.
extern "C" void
HandleSignal(int signal)
{
    const auto byte = static_cast<unsigned char>(signal);
    [[maybe_unused]] const auto written = write(g_signalPipe[1], &byte, 1);
}

/// Waits for signals that ask the process to end: the first is told, the second obeyed.
void
WaitForSignals()
{
    while (true)
    {
        unsigned char signal = 0;
        while (read(g_signalPipe[0], &signal, 1) != 1)
        {
        }
        std::function<void()> handler;
        {
            std::lock_guard<std::mutex> lock(GetState().mutex);
            handler = GetState().onInterrupt;
        }
        if (g_interrupt.exchange(signal) != 0 || !handler)
        {
            Leave(128 + signal);
        }
        handler();
    }
}

/// An exception that nobody caught, or ns-3's NS_ABORT and NS_FATAL_ERROR, which said why.
[[noreturn]] void
HandleTerminate()
{
    if (auto current = std::current_exception())
    {
        try
        {
            std::rethrow_exception(current);
        }
        catch (const std::exception& error)
        {
            std::cerr << "error: " << error.what() << "\n";
        }
        catch (...)
        {
            std::cerr << "error: an unknown exception ended the program\n";
        }
    }
    Leave(EXIT_FAILURE);
}

/// Memory for the exit of who has run out of it: listing a folder takes some.
constexpr std::size_t RESERVE_BYTES = 1 << 20;
std::atomic<char*> g_reserve{nullptr};

/// Seconds for the exit of who has aborted
constexpr unsigned int LONGEST_EXIT_S = 10;

/// Allocators may throw where there is no memory, which any library may not expect.
[[noreturn]] void
HandleNoMemory()
{
    std::set_new_handler(nullptr);
    delete[] g_reserve.exchange(nullptr);
    std::cerr << program_invocation_short_name
              << ": there is not enough memory; is it limited (ulimit -v)?\n";
    Leave(EXIT_FAILURE);
}

/// Others abort without a word. Whatever such an abort has interrupted, the exit must not wait for.
extern "C" void
HandleAbort(int /* signal */)
{
    std::signal(SIGABRT, SIG_DFL);
    alarm(LONGEST_EXIT_S);
    HandleNoMemory();
}

/// @return whether the process may have so much memory only
bool
IsMemoryLimited()
{
    rlimit limit;
    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/// Opens the standard streams that are closed, so that no file of ours becomes one of them.
void
OpenStandardStreams()
{
    for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream)
    {
        if (fcntl(stream, F_GETFD) == -1)
        {
            [[maybe_unused]] const int opened = open("/dev/null", O_RDWR); // the lowest, this one
        }
    }
}

/// Listens to a signal, unless the process was started to ignore it (nohup, background jobs).
void
Listen(int signal)
{
    if (std::signal(signal, HandleSignal) == SIG_IGN)
    {
        std::signal(signal, SIG_IGN);
    }
}

/// Where this process was started to serve another one: it is of no use without that.
void
EndWithParent()
{
    const auto* parent = std::getenv(PARENT_VARIABLE);
    if (!parent)
    {
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    const bool isGone = std::to_string(getppid()) != parent; // before it could be asked for
    unsetenv(PARENT_VARIABLE);                               // of no child's concern
    if (isGone)
    {
        _exit(128 + SIGTERM);
    }
}

} // namespace

void
InstallCleanExit()
{
    EndWithParent();
    OpenStandardStreams();
    TakeSpareDescriptors();
    std::signal(SIGXFSZ, SIG_IGN);
    if (pipe2(g_signalPipe, O_CLOEXEC) == 0)
    {
        std::thread(WaitForSignals).detach();
        Listen(SIGINT);
        Listen(SIGTERM);
        Listen(SIGHUP);
    }
    std::set_terminate(HandleTerminate);
    g_reserve = new char[RESERVE_BYTES];
    std::set_new_handler(HandleNoMemory);
    if (IsMemoryLimited())
    {
        std::signal(SIGABRT, HandleAbort);
    }
    std::atexit(WaitForLeave);
}

void
SetInterruptHandler(std::function<void()> handler)
{
    std::lock_guard<std::mutex> lock(GetState().mutex);
    GetState().onInterrupt = std::move(handler);
}

int
GetInterruptSignal()
{
    return g_interrupt;
}

void
LeaveInterrupted()
{
    Leave(128 + g_interrupt);
}

void
SetChildProcess(int child)
{
    g_child = child;
}

void
StopChildProcess()
{
    if (const int child = g_child)
    {
        kill(child, SIGTERM);
    }
}

std::unique_lock<std::recursive_mutex>
HoldExit()
{
    return std::unique_lock<std::recursive_mutex>(GetExitMutex());
}

void
SetStagingFolder(const std::string& path)
{
    std::lock_guard<std::mutex> lock(GetState().mutex);
    GetState().staging = path;
}

void
RemoveStagingFolder()
{
    std::lock_guard<std::mutex> lock(GetState().mutex);
    if (!GetState().staging.empty())
    {
        FreeSpareDescriptors();
        // Under another name first: nobody can put a file there any more while it is emptied
        const auto leaving = GetState().staging + LEAVING;
        std::error_code ignored;
        std::filesystem::rename(GetState().staging, leaving, ignored);
        std::filesystem::remove_all(ignored ? GetState().staging : leaving, ignored);
        GetState().staging.clear();
    }
}

void
RemoveOnExit(const std::string& path)
{
    std::lock_guard<std::mutex> lock(GetState().mutex);
    GetState().files.push_back(path);
}

void
KeepOnExit(const std::string& path)
{
    std::lock_guard<std::mutex> lock(GetState().mutex);
    auto& files = GetState().files;
    files.erase(std::remove(files.begin(), files.end(), path), files.end());
}

void
FinishOutput()
{
    std::cout.flush();
    if (!std::cout)
    {
        throw UserError("cannot write to standard output; is the disk full?");
    }
}

} // namespace collapipe
} // namespace ns3
