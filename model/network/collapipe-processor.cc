/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-processor.h"

#include "ns3/collapipe-clock-states.h"
#include "ns3/double.h"
#include "ns3/pointer.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/trace-source-accessor.h"
#include "ns3/uinteger.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(Processor);

TypeId
Processor::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::Processor")
                            .SetParent<Object>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<Processor>()
                            .AddAttribute("Flops",
                                          "Speed of one worker, in FLOP/s.",
                                          DoubleValue(1e9),
                                          MakeDoubleAccessor(&Processor::m_flops),
                                          MakeDoubleChecker<double>(1.0))
                            .AddAttribute("Overhead",
                                          "Fixed time per piece of work (o_k of formula (1)).",
                                          TimeValue(Seconds(0)),
                                          MakeTimeAccessor(&Processor::m_overhead),
                                          MakeTimeChecker(Seconds(0)))
                            .AddAttribute("Workers",
                                          "Pieces of work done at once.",
                                          UintegerValue(1),
                                          MakeUintegerAccessor(&Processor::m_workers),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("Jitter",
                                          "Factor on the time of every piece of work.",
                                          StringValue("ns3::ConstantRandomVariable[Constant=1.0]"),
                                          MakePointerAccessor(&Processor::m_jitter),
                                          MakePointerChecker<RandomVariableStream>())
                            .AddAttribute("StaticPart",
                                          "Of the power, what does not depend on the clock.",
                                          DoubleValue(0),
                                          MakeDoubleAccessor(&Processor::m_staticPart),
                                          MakeDoubleChecker<double>(0, 1))
                            .AddTraceSource("Compute",
                                            "A piece of work begins: its start and duration.",
                                            MakeTraceSourceAccessor(&Processor::m_computeTrace),
                                            "ns3::collapipe::Processor::ComputeTracedCallback");
    return tid;
}

Processor::Processor() = default;

void
Processor::DoDispose()
{
    Stop();
    Object::DoDispose();
}

void
Processor::Stop()
{
    for (auto& event : m_ends)
    {
        event.Cancel();
    }
    m_waiting.clear();
    m_onEnd.assign(m_onEnd.size(), nullptr);
}

void
Processor::SetPaused(bool isPaused)
{
    if (isPaused == m_paused)
    {
        return;
    }
    m_paused = isPaused;
    m_left.resize(m_ends.size());
    for (uint32_t slot = 0; slot < m_ends.size(); ++slot)
    {
        if (!m_onEnd[slot])
        {
            continue;
        }
        if (m_paused)
        {
            m_left[slot] = Simulator::GetDelayLeft(m_ends[slot]);
            m_ends[slot].Cancel();
        }
        else
        {
            m_ends[slot] = Simulator::Schedule(m_left[slot], &Processor::End, this, slot);
        }
    }
    if (!m_paused)
    {
        StartWaiting();
    }
}

void
Processor::SetSlowdown(double factor)
{
    m_slowdown = factor;
}

Time
Processor::GetDuration(double flops) const
{
    const Time full = m_overhead + Seconds(flops / GetUsableFlops());
    return m_clock == 1 ? full : full * int64x64_t(1 / m_clock);
}

void
Processor::SetClock(double clock)
{
    m_clock = clock;
}

double
Processor::GetClock() const
{
    return m_clock;
}

double
Processor::GetPowerFactor() const
{
    return m_clock == 1 ? 1 : GetClockPowerFactor(m_staticPart, m_clock);
}

double
Processor::GetFullPowerS() const
{
    return m_busy.GetSeconds() - m_savedS;
}

void
Processor::SetBackgroundLoad(Ptr<BackgroundLoad> load)
{
    m_load = load;
}

double
Processor::GetUsableFlops() const
{
    return (m_load ? m_flops * m_load->GetShare() : m_flops) / m_slowdown;
}

Time
Processor::GetBusyTime() const
{
    return m_busy;
}

int64_t
Processor::AssignStreams(int64_t stream)
{
    m_jitter->SetStream(stream);
    return 1 + (m_load ? m_load->AssignStreams(stream + 1) : 0);
}

void
Processor::Run(double flops, std::function<void()> onStart, std::function<void()> onEnd)
{
    m_waiting.push_back({flops, std::move(onStart), std::move(onEnd)});
    StartWaiting();
}

void
Processor::StartWaiting()
{
    m_ends.resize(m_workers);
    m_onEnd.resize(m_workers);
    for (uint32_t slot = 0; slot < m_workers && !m_waiting.empty() && !m_paused; ++slot)
    {
        if (m_onEnd[slot])
        {
            continue;
        }
        auto work = std::move(m_waiting.front());
        m_waiting.pop_front();
        const Time duration = GetDuration(work.flops) * int64x64_t(m_jitter->GetValue());
        m_busy += duration;
        m_savedS += (1 - GetPowerFactor()) * duration.GetSeconds();
        m_onEnd[slot] = std::move(work.onEnd);
        m_ends[slot] = Simulator::Schedule(duration, &Processor::End, this, slot);
        m_computeTrace(Simulator::Now(), duration);
        work.onStart();
    }
}

void
Processor::End(uint32_t slot)
{
    auto onEnd = std::move(m_onEnd[slot]);
    m_onEnd[slot] = nullptr;
    onEnd();
    StartWaiting();
}

} // namespace collapipe
} // namespace ns3
