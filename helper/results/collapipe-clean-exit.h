/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CLEAN_EXIT_H
#define COLLAPIPE_CLEAN_EXIT_H

#include <functional>
#include <mutex>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * To be called first thing in main(). From then on the process
 *
 * - ends with status 1 where ns-3 would abort with a core dump, what an OutputDirectory has not
 *   committed removed;
 * - on SIGINT, SIGTERM and SIGHUP (unless it was started to ignore them) does what
 *   SetInterruptHandler() said, and where there is nothing to do, or a second signal comes, ends
 *   with 128 plus the signal, likewise;
 * - where PARENT_VARIABLE names the process that has started it, ends as by SIGTERM when that does;
 * - ends with status 1 and a sentence where there is no memory, likewise;
 * - takes a file that grows beyond its limit for a write that fails, not for a reason to die;
 * - has standard streams, if only /dev/null: what it opens cannot be taken for one of them.
 */
void InstallCleanExit();

/**
 * @param handler called on a thread of its own when the first signal comes that asks the process to
 *        end; empty: the process ends
 */
void SetInterruptHandler(std::function<void()> handler);

/// @return the signal that asked the process to end; 0: none did
int GetInterruptSignal();

/// Ends the process as the signal would have, which has left nothing to keep.
[[noreturn]] void LeaveInterrupted();

/**
 * A process that must not outlive this one: it is ended on the exits that run no destructors.
 * @param child its id; 0: there is none any more
 */
void SetChildProcess(int child);

/// Asks that process, where there is one, to end and to keep what it has.
void StopChildProcess();

/**
 * What must be done as a whole: while this is held, no signal ends the process. One that comes then
 * does so afterwards.
 * @return to be kept until it is done
 */
std::unique_lock<std::recursive_mutex> HoldExit();

/**
 * @param path folder to remove on the exits that run no destructors; empty: none
 */
void SetStagingFolder(const std::string& path);

/// Ends the name of a staging folder that is being removed
constexpr const char* LEAVING = ".leaving";

/// Removes the staging folder, where there is one.
void RemoveStagingFolder();

/**
 * @param path of a file, or of a folder that goes if it is empty, to remove on the exits that run
 * no destructors; the last one named is the first to go
 */
void RemoveOnExit(const std::string& path);

/// @param path that RemoveOnExit() was given and that stays, or is gone already
void KeepOnExit(const std::string& path);

/// What a process starts with this variable in its environment ends when that process does.
constexpr const char* PARENT_VARIABLE = "COLLAPIPE_PARENT";

/**
 * Ends what was printed.
 * @throws UserError where not all of it could be written
 */
void FinishOutput();

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CLEAN_EXIT_H */
