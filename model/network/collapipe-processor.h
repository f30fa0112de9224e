/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PROCESSOR_H
#define COLLAPIPE_PROCESSOR_H

#include "collapipe-background-load.h"

#include "ns3/event-id.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/random-variable-stream.h"
#include "ns3/traced-callback.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A node's simulated processor: spends simulated time on work, a stated number of pieces at once,
 * in the order in which they were asked for. Time of one piece, formula (1): overhead + FLOPs /
 * speed, times the jitter. Speed is what other programs leave as the piece begins; one that is
 * being worked on goes on as it began.
 */
class Processor : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    Processor();

    /**
     * @param flops the work's floating-point operations
     * @param onStart called when the work begins (maybe before this returns)
     * @param onEnd called when it is done
     */
    void Run(double flops, std::function<void()> onStart, std::function<void()> onEnd);

    /**
     * @param flops floating-point operations
     * @return time for them now, without jitter
     */
    Time GetDuration(double flops) const;

    /// @param load what else runs here; null: nothing does
    void SetBackgroundLoad(Ptr<BackgroundLoad> load);

    /// @return speed of one worker, in FLOP/s, that other programs leave now
    double GetUsableFlops() const;

    /**
     * @param clock phi, the part of its clock with which work is done that is begun from now on,
     *        (0, 1]; it takes 1 / phi as long
     */
    void SetClock(double clock);

    /// @return the part of its clock with which work is done that is begun now
    double GetClock() const;

    /// @return power with which such work is done, over that at the full clock
    double GetPowerFactor() const;

    /// @return seconds at the full clock's power that take the energy of all computing so far
    double GetFullPowerS() const;

    /// @return simulated time spent computing so far, summed over workers
    Time GetBusyTime() const;

    /// Forgets waiting work and cancels what is being done.
    void Stop();

    /**
     * Work under way stands still and goes on later; none is begun meanwhile.
     * @param isPaused whether it stands still
     */
    void SetPaused(bool isPaused);

    /// @param factor by which work that is begun from now on takes longer
    void SetSlowdown(double factor);

    /**
     * @param stream first stream index
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

    /**
     * Signature of the Compute trace.
     * @param start when the work began
     * @param duration how long it takes
     */
    typedef void (*ComputeTracedCallback)(Time start, Time duration);

  protected:
    void DoDispose() override;

  private:
    /// Work that waits
    struct Work
    {
        double flops;                  //!< how much
        std::function<void()> onStart; //!< called when begun
        std::function<void()> onEnd;   //!< called when done
    };

    /// Begins waiting work while a worker is free.
    void StartWaiting();

    /**
     * A worker has finished.
     * @param slot which
     */
    void End(uint32_t slot);

    double m_flops{1e9};                        //!< speed of one worker
    Ptr<BackgroundLoad> m_load;                 //!< what else runs here; null: nothing does
    Time m_overhead;                            //!< fixed time per piece
    uint32_t m_workers{1};                      //!< pieces at once
    Ptr<RandomVariableStream> m_jitter;         //!< factor on every duration
    std::deque<Work> m_waiting;                 //!< waits for a worker
    std::vector<EventId> m_ends;                //!< by worker: end of its work
    bool m_paused{false};                       //!< work stands still
    double m_slowdown{1};                       //!< factor on durations
    double m_clock{1};                          //!< part of the full one
    double m_staticPart{0};                     //!< of the power, independent of the clock
    double m_savedS{0};                         //!< of m_busy, what slower clocks did not take
    std::vector<Time> m_left;                   //!< by worker: of its work, while that stands still
    std::vector<std::function<void()>> m_onEnd; //!< by worker: whom to tell; empty: worker is free
    Time m_busy;                                //!< computing time so far
    TracedCallback<Time, Time> m_computeTrace;  //!< work begins
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PROCESSOR_H */
