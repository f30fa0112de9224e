/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MAC_QUEUE_LIMIT_H
#define COLLAPIPE_MAC_QUEUE_LIMIT_H

#include "ns3/event-id.h"
#include "ns3/net-device-queue-interface.h"
#include "ns3/ptr.h"
#include "ns3/simple-ref-count.h"
#include "ns3/wifi-mac-queue.h"

#include <cstdint>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Limits the data that a Wi-Fi MAC's queue gets, and keeps room beside them for management frames:
 * requests for block acknowledgments, and responses to them. Where these find their queue full,
 * ns-3 drops the oldest frame for them, even one that was sent and waits for its acknowledgment;
 * the window of the agreement then never moves again, and nothing more goes to that station.
 *
 * ns-3 stops a device when its MAC's queue is full, and wakes it when there is room. So the queue
 * is as large as the limit while it fills, and larger once it has stopped the device.
 */
class MacQueueLimit : public SimpleRefCount<MacQueueLimit>
{
  public:
    /**
     * @param queue to be limited from now on
     * @param device its device's queue, which ns-3 stops and wakes already
     * @param frames that the queue may hold before the device is stopped
     * @param room for how many management frames beside
     */
    static void Install(Ptr<WifiMacQueue> queue,
                        Ptr<NetDeviceQueue> device,
                        uint32_t frames,
                        uint32_t room);

    /**
     * @param queue that knows this object by its traces
     * @param device as of Install()
     * @param frames likewise
     * @param room likewise
     */
    MacQueueLimit(WifiMacQueue* queue, NetDeviceQueue* device, uint32_t frames, uint32_t room);

  private:
    void HandleEnqueue(Ptr<const WifiMacQueue::ItemType> frame);
    void HandleDequeue(Ptr<const WifiMacQueue::ItemType> frame);

    /// Makes room when ns-3 has done all that it does about a frame that came or went.
    void ScheduleRoom();
    void MakeRoom();

    WifiMacQueue* m_queue;    //!< holds this
    NetDeviceQueue* m_device; //!< what it is fed from; its device holds both
    uint32_t m_frames;        //!< data
    uint32_t m_room;          //!< beside
    EventId m_event;          //!< next MakeRoom
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MAC_QUEUE_LIMIT_H */
