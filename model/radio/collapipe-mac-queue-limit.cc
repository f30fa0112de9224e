/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-mac-queue-limit.h"

#include "ns3/nstime.h"
#include "ns3/queue-size.h"
#include "ns3/simulator.h"

#include <algorithm>

namespace ns3
{
namespace collapipe
{

namespace
{

QueueSize
MakeSize(uint32_t frames)
{
    return {QueueSizeUnit::PACKETS, frames};
}

} // namespace

void
MacQueueLimit::Install(Ptr<WifiMacQueue> queue,
                       Ptr<NetDeviceQueue> device,
                       uint32_t frames,
                       uint32_t room)
{
    queue->SetMaxSize(MakeSize(frames));
    const auto limit = Create<MacQueueLimit>(PeekPointer(queue), PeekPointer(device), frames, room);
    queue->TraceConnectWithoutContext("Enqueue",
                                      MakeCallback(&MacQueueLimit::HandleEnqueue, limit));
    queue->TraceConnectWithoutContext("Dequeue",
                                      MakeCallback(&MacQueueLimit::HandleDequeue, limit));
}

MacQueueLimit::MacQueueLimit(WifiMacQueue* queue,
                             NetDeviceQueue* device,
                             uint32_t frames,
                             uint32_t room)
    : m_queue(queue),
      m_device(device),
      m_frames(frames),
      m_room(room)
{
}

void
MacQueueLimit::HandleEnqueue(Ptr<const WifiMacQueue::ItemType> /* frame */)
{
    ScheduleRoom();
}

void
MacQueueLimit::HandleDequeue(Ptr<const WifiMacQueue::ItemType> frame)
{
    // Or ns-3 would see room for data where there is some for management frames alone. Where a
    // queue holds control frames, ns-3 makes it smaller behind each of them that goes.
    const uint32_t size =
        std::max(m_frames, m_queue->GetNPackets()) + (frame->GetHeader().IsCtl() ? 1 : 0);
    if (m_queue->GetMaxSize().GetValue() != size)
    {
        m_queue->SetMaxSize(MakeSize(size));
    }
    if (m_queue->GetNPackets() >= size)
    {
        m_device->Stop(); // ns-3 may have seen that room just before
    }
    ScheduleRoom();
}

void
MacQueueLimit::ScheduleRoom()
{
    if (m_queue->GetNPackets() >= m_frames && m_event.IsExpired())
    {
        // Devices are woken in events of the same instant, one for each frame that has gone
        m_event =
            Simulator::Schedule(NanoSeconds(1), &MacQueueLimit::MakeRoom, Ptr<MacQueueLimit>(this));
    }
}

void
MacQueueLimit::MakeRoom()
{
    if (m_queue->GetNPackets() >= m_frames)
    {
        m_device->Stop(); // it is not yet where some of the frames are control frames
        m_queue->SetMaxSize(MakeSize(m_queue->GetNPackets() + m_room));
    }
}

} // namespace collapipe
} // namespace ns3
