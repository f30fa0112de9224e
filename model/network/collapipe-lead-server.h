/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LEAD_SERVER_H
#define COLLAPIPE_LEAD_SERVER_H

#include "collapipe-model-server.h"
#include "collapipe-recovery-policy.h"

#include "ns3/event-id.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The lead of the edge servers of several cells: hands them the model every round begins with,
 * averages their averages by their numbers of training samples, evaluates.
 */
class LeadServerApplication : public ModelServerApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    LeadServerApplication();
    ~LeadServerApplication() override;

    void Crash() override;
    std::string DescribeWait() const override;

    /**
     * Signature of the Failure trace.
     * @param failure the edge server of a cell, whose number stands for the cluster's, counts as
     *        failed from now on
     */
    typedef void (*FailureTracedCallback)(const NodeFailure& failure);

    /**
     * Signature of the Return trace.
     * @param cell whose edge server is back
     * @param node EDGE_SERVER
     */
    typedef void (*ReturnTracedCallback)(uint32_t cell, NodeIndex node);

    /**
     * Signature of the LeftOut trace.
     * @param round the round under way
     * @param cell that is left out of it
     */
    typedef void (*LeftOutTracedCallback)(uint32_t round, uint32_t cell);

  protected:
    void DoDispose() override;
    void StartApplication() override;
    void StopApplication() override;
    MessageVerdict CheckMessage(Ptr<Connection> connection,
                                const MessageHeader& header,
                                const TensorList& shapes) const override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleClosed(Ptr<Connection> connection,
                      CloseReason reason,
                      const std::string& text) override;
    void HandleWritable() override;
    void BeginRound() override;

  private:
    /// What the lead knows of a cell
    struct Cell
    {
        Ptr<Connection> connection; //!< to its edge server; null: absent
        uint32_t greeting{0};       //!< number of its latest hello
        bool hasGreeted{false};     //!< it has said hello at least once
        Time lastHeard;             //!< over connections that are no more
        bool isGivenUp{false};      //!< left out of this round
        double samples{0};          //!< training samples; 0: not reported in this round
        double loss{0};             //!< of this round
        TensorList average;         //!< of this round; empty: not there
        EventId deadline;           //!< it is left out of the round
    };

    /// Sends a message to a cell, where it is there.
    void SendTo(uint16_t cell, MessageType type, const TensorList& tensors);

    /// @return training samples of the cells that are not left out of the round
    double CountSamples() const;

    /// Goes on where nothing is missing any more.
    void Advance();

    /// Leaves a cell out of the round.
    void GiveUp(uint16_t cell);

    /// The edge server of a cell counts as failed.
    void Fail(uint16_t cell, CloseReason reason, const std::string& text);

    /// Looks for edge servers that are silent; and again later.
    void Watch();

    /// A cell's edge server calls.
    void HandleHello(Ptr<Connection> connection, const MessageHeader& header);

    /// @return index of the cell that a connection is with; of no cell: their number
    uint16_t FindCell(const Ptr<Connection>& connection) const;

    /// Sends a message to every cell.
    void Broadcast(MessageType type, const TensorList& tensors);

    /// All averages are there.
    void EndRound();

    uint32_t m_cellCount{1};   //!< attribute
    std::vector<Cell> m_cells; //!< by index
    bool m_isConnecting{true}; //!< waits for the cells to call
    bool m_isPlanned{false};   //!< all cells have reported
    Time m_deadline;           //!< attribute
    Time m_patience;           //!< attribute
    EventId m_watch;           //!< next look at the cells
    RoundRecord m_record;      //!< of this round

    TracedCallback<const NodeFailure&> m_failureTrace;
    TracedCallback<uint32_t, NodeIndex> m_returnTrace;
    TracedCallback<uint32_t, uint32_t> m_leftOutTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LEAD_SERVER_H */
