/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-output-directory.h"

#include "collapipe-user-error.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <filesystem>
#include <iostream>
#include <mutex>
#include <sys/wait.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

namespace fs = std::filesystem;

/// Staging folder of this process, for the exits that run no destructors
struct Staging
{
    std::mutex mutex; //!< guards path
    std::string path; //!< empty: there is none
};

/// @return the one staging folder; never destroyed, since threads may exit late
Staging&
GetStaging()
{
    static auto* staging = new Staging;
    return *staging;
}

void
SetStaging(const std::string& path)
{
    std::lock_guard<std::mutex> lock(GetStaging().mutex);
    GetStaging().path = path;
}

void
RemoveStaging()
{
    std::lock_guard<std::mutex> lock(GetStaging().mutex);
    if (!GetStaging().path.empty())
    {
        std::error_code ignored;
        fs::remove_all(GetStaging().path, ignored);
        GetStaging().path.clear();
    }
}

std::atomic<int> g_child{0}; //!< see SetChildProcess

/// The child writes into our staging folder: it must be gone before that is removed.
void
EndChild()
{
    if (const int child = g_child.exchange(0))
    {
        kill(child, SIGTERM);
        waitpid(child, nullptr, 0);
    }
}

[[noreturn]] void
Leave(int status)
{
    EndChild();
    RemoveStaging();
    std::cout.flush();
    std::cerr.flush();
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

/// Waits for a signal that asks the process to end.
void
WaitForSignal()
{
    unsigned char signal = 0;
    while (read(g_signalPipe[0], &signal, 1) != 1)
    {
    }
    Leave(128 + signal);
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

} // namespace

OutputDirectory::OutputDirectory(const std::string& path)
    : m_final(path)
{
    fs::path folder = fs::absolute(path).lexically_normal();
    if (!folder.has_filename())
    {
        folder = folder.parent_path();
    }
    std::error_code error;
    fs::create_directories(folder.parent_path(), error);
    if (fs::exists(folder) && !fs::is_directory(folder))
    {
        throw UserError("--outputDir=" + path + ": this is a file, not a folder");
    }
    m_staging = (folder.parent_path() /
                 ("." + folder.filename().string() + ".partial-" + std::to_string(getpid())))
                    .string();
    fs::create_directory(m_staging, error);
    if (error)
    {
        throw UserError("--outputDir=" + path + ": cannot write there: " + error.message());
    }
    SetStaging(m_staging);
}

OutputDirectory::~OutputDirectory()
{
    RemoveStaging();
}

std::string
OutputDirectory::GetPath(const std::string& name) const
{
    return (fs::path(m_staging) / name).string();
}

const std::string&
OutputDirectory::GetFinalPath() const
{
    return m_final;
}

void
OutputDirectory::Commit()
{
    try
    {
        fs::create_directories(m_final);
        for (const auto& entry : fs::directory_iterator(m_staging))
        {
            const auto target = fs::path(m_final) / entry.path().filename();
            if (entry.is_directory())
            {
                fs::remove_all(target); // a folder cannot be renamed over one that is not empty
            }
            fs::rename(entry.path(), target);
        }
    }
    catch (const fs::filesystem_error& error)
    {
        throw UserError("--outputDir=" + m_final +
                        ": cannot put the results there: " + error.code().message());
    }
    RemoveStaging();
}

void
SetChildProcess(int child)
{
    g_child = child;
}

void
InstallCleanExit()
{
    if (pipe2(g_signalPipe, O_CLOEXEC) == 0)
    {
        std::thread(WaitForSignal).detach();
        std::signal(SIGINT, HandleSignal);
        std::signal(SIGTERM, HandleSignal);
    }
    std::set_terminate(HandleTerminate);
}

} // namespace collapipe
} // namespace ns3
