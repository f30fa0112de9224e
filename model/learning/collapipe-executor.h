/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EXECUTOR_H
#define COLLAPIPE_EXECUTOR_H

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ns3
{
namespace collapipe
{

class Executor;

/**
 * @ingroup collapipe
 * A sequence of jobs that run one at a time, in the order posted, on any thread of an Executor.
 * What jobs of one strand compute therefore does not depend on the number of threads.
 */
class Strand : public std::enable_shared_from_this<Strand>
{
  public:
    /// Names a posted job: the n-th job of the strand has ticket n, from 1
    using Ticket = uint64_t;

    /**
     * @param job what to do; must not touch the simulator
     * @return its ticket
     */
    Ticket Post(std::function<void()> job);

    /**
     * Blocks until a job and all before it are done. The caller's thread helps: it runs jobs that
     * are waiting for a thread, urgent ones and those of this strand. Rethrows what the first
     * failed job of the strand threw.
     * @param ticket from Post()
     */
    void Wait(Ticket ticket);

  private:
    friend class Executor;
    Strand(Executor& executor, bool isUrgent);

    Executor& m_executor;                     //!< whose threads run the jobs
    bool m_isUrgent;                          //!< goes before those that are not
    std::deque<std::function<void()>> m_jobs; //!< posted, not begun
    Ticket m_posted{0};                       //!< jobs ever posted
    Ticket m_done{0};                         //!< jobs ever finished
    bool m_running{false};                    //!< a thread is in a job of this strand
    std::exception_ptr m_failure;             //!< what a job threw; later jobs are skipped
};

/**
 * @ingroup collapipe
 * Worker threads beside the event loop. Real computation is posted when its inputs are there and
 * joined by the event at which its result is due, so simulation and learning overlap.
 */
class Executor
{
  public:
    /**
     * @param threads number of worker threads; with 0 every job runs in Strand::Wait()
     */
    explicit Executor(unsigned threads);

    /// Finishes the jobs being run, drops those not begun, joins the threads.
    ~Executor();

    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    /**
     * @param isUrgent whether the event loop will soon wait for its jobs; others are begun when no
     *        urgent one waits for a thread
     * @return a new strand; must not be used after the executor has gone
     */
    std::shared_ptr<Strand> CreateStrand(bool isUrgent = true);

    /// @return a number of threads that suits this machine: one per core, less the event loop's
    static unsigned GetDefaultThreads();

  private:
    friend class Strand;

    /// Body of a worker thread.
    void Work();

    /**
     * Runs the next job of a strand. m_mutex is held on entry and on exit, not meanwhile.
     * @param strand with jobs, not running
     * @param lock on m_mutex
     */
    void RunNext(Strand& strand, std::unique_lock<std::mutex>& lock);

    /// Queue of strands that may have a job waiting
    using Queue = std::deque<std::shared_ptr<Strand>>;

    /// @return the queue that a strand waits in
    Queue& GetQueue(const Strand& strand);

    /// @return the strand of a queue whose turn it is, or null where none waits
    static std::shared_ptr<Strand> PopReady(Queue& queue);

    std::mutex m_mutex;                 //!< guards all below and the strands
    std::condition_variable m_changed;  //!< a job was posted or finished
    Queue m_urgent;                     //!< see PopReady()
    Queue m_others;                     //!< likewise
    bool m_stopping{false};             //!< threads shall end
    std::vector<std::thread> m_threads; //!< the workers
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EXECUTOR_H */
