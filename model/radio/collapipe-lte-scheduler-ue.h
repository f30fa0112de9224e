/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_SCHEDULER_UE_H
#define COLLAPIPE_LTE_SCHEDULER_UE_H

#include "ns3/ff-mac-common.h"
#include "ns3/ff-mac-sched-sap.h"

#include <array>
#include <cstdint>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Which way a share holds
enum class LteDirection : uint8_t
{
    UPLINK = 0,   //!< UE to base station
    DOWNLINK = 1, //!< base station to UE
};

/**
 * A UE's downlink in the scheduler: what waits in the queues of its logical channels, and the
 * transport blocks that were sent and not yet acknowledged.
 */
class LteDownlinkUe
{
  public:
    /// Processes of the downlink's HARQ, which is asynchronous (3GPP TS 36.213 section 7)
    static constexpr uint8_t PROCESSES = 8;

    /**
     * A report on a logical channel replaces the one before.
     * @param report of the RLC
     */
    void SetQueue(const FfMacSchedSapProvider::SchedDlRlcBufferReqParameters& report);

    /// @param channel logical channel that is no more
    void RemoveQueue(uint8_t channel);

    /// @return bytes that wait, RLC headers included
    uint32_t GetBytes() const;

    /**
     * Fills a transport block from the queues: RLC status first, then control channels.
     * @param bytes of the block
     * @return what to send of each channel
     */
    std::vector<std::vector<RlcPduListElement_s>> Fill(uint32_t bytes);

    /// One TTI later: processes that heard nothing for too long are free again
    void Age();

    /// @return a free process; PROCESSES where there is none
    uint8_t FindProcess() const;

    /**
     * A new transport block was sent.
     * @param block it
     */
    void Start(const BuildDataListElement_s& block);

    /**
     * Feedback came.
     * @param process of the block
     * @param received whether it was received
     * @return whether the block is to be sent again
     */
    bool Acknowledge(uint8_t process, bool received);

    /**
     * @param process of a block that is to be sent again
     * @return the groups of resource blocks that takes; 0 where the process was given up
     */
    uint32_t GetGroups(uint8_t process) const;

    /**
     * Sends a block again.
     * @param process its process
     * @param bitmap groups of resource blocks to use now
     * @return the block
     */
    BuildDataListElement_s Repeat(uint8_t process, uint32_t bitmap);

    uint8_t cqi{1}; //!< wide-band; what is lowest until the first report

  private:
    /// Bytes that wait in a logical channel, in the order in which RLC sends them
    struct Queue
    {
        uint8_t channel;
        uint32_t status;
        uint32_t repeats;
        uint32_t fresh;

        uint32_t GetDataBytes() const;
        void TakeData(uint32_t bytes);
    };

    /// A transport block on its way
    struct Process
    {
        bool busy{false};
        uint8_t age{0}; //!< TTIs since it was sent
        BuildDataListElement_s block;
    };

    std::vector<Queue> m_queues; //!< by logical channel, ascending
    std::array<Process, PROCESSES> m_processes;
};

/**
 * A UE's uplink in the scheduler: what it reported, and the grants of the last TTIs. Uplink HARQ is
 * synchronous: in ns-3 the feedback on a grant comes 7 TTIs after it, and that is when the block
 * can be sent again.
 */
class LteUplinkUe
{
  public:
    static constexpr double UNKNOWN_DB = -100; //!< SINR until the first sounding: lowest modulation

    /**
     * A buffer status report came. It is as old as the last PERIOD grants, whose bytes are
     * therefore no longer in the UE's queues.
     * @param status of the four groups of logical channels, as indices of 3GPP TS 36.321
     */
    void SetStatus(const std::vector<uint8_t>& status);

    /// @return bytes that wait, as far as known
    uint32_t GetBytes() const;

    /// The next TTI begins, with no grant in it yet; comes before anything else of the TTI
    void Advance();

    /**
     * Feedback on this TTI's turn came.
     * @param received whether the block was received
     */
    void Acknowledge(bool received);

    /// @return the grant that is to be repeated now; null where there is none
    const UlDciListElement_s* GetRepeat() const;

    /**
     * All feedback of the TTI is known. A UE that reported as much as a report can say is granted
     * on and on, since it does not report again while it sends; when nothing came on a grant, its
     * queues were empty.
     */
    void NoticeSilence();

    /**
     * A new block was granted.
     * @param dci the grant
     */
    void Start(const UlDciListElement_s& dci);

    /**
     * The block whose turn it is was granted again.
     * @param dci the grant
     */
    void Repeat(const UlDciListElement_s& dci);

    double sinrDb{UNKNOWN_DB}; //!< sounded over the whole band
    uint32_t repeatedRbs{0};   //!< resource blocks for a repeated block in this TTI

  private:
    static constexpr uint32_t PERIOD = 7; //!< TTIs from a grant to its feedback
    static constexpr uint32_t SLOTS = 8;  //!< grants that are kept

    /// A grant and what became of it
    struct Grant
    {
        bool used{false};
        bool answered{false};
        bool failed{false};
        uint8_t repeats{0};
        UlDciListElement_s dci;
    };

    Grant& GetTurn();
    const Grant& GetTurn() const;

    std::array<Grant, SLOTS> m_grants; //!< by TTI
    uint32_t m_tti{0};                 //!< counts
    uint32_t m_bytes{0};               //!< that wait
    bool m_more{false};                //!< more than a report can say
};

/// A UE in the scheduler
struct LteSchedulerUe
{
    uint16_t rnti{0};                  //!< in the cell
    std::array<double, 2> weight{};    //!< by direction; 0: none was set
    std::array<uint8_t, 2> priority{}; //!< by direction; the highest is served first
    std::array<double, 2> lag{};       //!< by direction, see ShareClaim
    bool planned{false};               //!< whether it ever had a weight
    LteDownlinkUe downlink;            //!< to it
    LteUplinkUe uplink;                //!< from it
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_SCHEDULER_UE_H */
