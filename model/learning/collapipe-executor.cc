/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-executor.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

Strand::Strand(Executor& executor, bool isUrgent)
    : m_executor(executor),
      m_isUrgent(isUrgent)
{
}

Strand::Ticket
Strand::Post(std::function<void()> job)
{
    std::lock_guard<std::mutex> lock(m_executor.m_mutex);
    m_jobs.push_back(std::move(job));
    m_executor.GetQueue(*this).push_back(shared_from_this());
    m_executor.m_changed.notify_one();
    return ++m_posted;
}

void
Strand::Wait(Ticket ticket)
{
    std::unique_lock<std::mutex> lock(m_executor.m_mutex);
    while (m_done < ticket)
    {
        if (!m_running)
        {
            m_executor.RunNext(*this, lock);
        }
        else if (auto other = Executor::PopReady(m_executor.m_urgent))
        {
            m_executor.RunNext(*other, lock);
        }
        else
        {
            m_executor.m_changed.wait(lock);
        }
    }
    if (m_failure)
    {
        std::rethrow_exception(m_failure);
    }
}

Executor::Executor(unsigned threads)
{
    for (unsigned i = 0; i < threads; ++i)
    {
        m_threads.emplace_back(&Executor::Work, this);
    }
}

Executor::~Executor()
{
    {
        std::lock_guard<std::mutex> lock(m_mutex);
        m_stopping = true;
    }
    m_changed.notify_all();
    for (auto& thread : m_threads)
    {
        thread.join();
    }
    m_urgent.clear();
    m_others.clear();
}

std::shared_ptr<Strand>
Executor::CreateStrand(bool isUrgent)
{
    return std::shared_ptr<Strand>(new Strand(*this, isUrgent));
}

Executor::Queue&
Executor::GetQueue(const Strand& strand)
{
    return strand.m_isUrgent ? m_urgent : m_others;
}

unsigned
Executor::GetDefaultThreads()
{
    return std::max(2U, std::thread::hardware_concurrency()) - 1;
}

std::shared_ptr<Strand>
Executor::PopReady(Queue& queue)
{
    // Entries of strands whose job was taken by Wait(), or that are running, are passed over:
    // RunNext() enters a strand again where jobs are left when it ends.
    while (!queue.empty())
    {
        auto strand = std::move(queue.front());
        queue.pop_front();
        if (!strand->m_running && !strand->m_jobs.empty())
        {
            return strand;
        }
    }
    return nullptr;
}

void
Executor::RunNext(Strand& strand, std::unique_lock<std::mutex>& lock)
{
    auto job = std::move(strand.m_jobs.front());
    strand.m_jobs.pop_front();
    strand.m_running = true;
    std::exception_ptr failure = strand.m_failure;
    lock.unlock();
    if (!failure)
    {
        try
        {
            job();
        }
        catch (...)
        {
            failure = std::current_exception();
        }
    }
    job = nullptr; // what the job holds is let go of outside the lock
    lock.lock();
    strand.m_failure = failure;
    strand.m_running = false;
    ++strand.m_done;
    if (!strand.m_jobs.empty())
    {
        GetQueue(strand).push_front(strand.shared_from_this());
    }
    m_changed.notify_all();
}

void
Executor::Work()
{
    std::unique_lock<std::mutex> lock(m_mutex);
    while (!m_stopping)
    {
        auto strand = PopReady(m_urgent);
        if (!strand)
        {
            strand = PopReady(m_others);
        }
        if (strand)
        {
            RunNext(*strand, lock);
        }
        else
        {
            m_changed.wait(lock);
        }
    }
}

} // namespace collapipe
} // namespace ns3
