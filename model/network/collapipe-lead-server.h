/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LEAD_SERVER_H
#define COLLAPIPE_LEAD_SERVER_H

#include "collapipe-edge-server.h"

#include "ns3/event-id.h"
#include "ns3/ipv4-address.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The edge server of one of several cells. It leads its clusters as the edge server of a single
 * cell does; but a round's model comes from the lead server and the average of its clusters goes
 * there, over TCP on the wired backhaul:
 *
 *     lead --CellModel--> cell            a round begins
 *     lead <--CellReport-- cell           training samples of the cell, its nodes have reported
 *     lead --CellStart--> cell            samples of all cells: the cell plans and trains
 *     lead <--CellLoss, CellModel-- cell  the cell's average
 */
class CellServerApplication : public EdgeServerApplication
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    CellServerApplication();
    ~CellServerApplication() override;

    void Crash() override;

  protected:
    void DoDispose() override;
    void StopApplication() override;
    MessageVerdict CheckMessage(Ptr<Connection> connection,
                                const MessageHeader& header,
                                const TensorList& shapes) const override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleClosed(Ptr<Connection> connection,
                      CloseReason reason,
                      const std::string& text) override;
    void HandleConnected() override;
    void HandleReported(double samples) override;
    void HandleAveraged(const RoundRecord& record) override;

  private:
    /**
     * @param type of a message to the lead
     * @return its head
     */
    MessageHeader MakeLeadHeader(MessageType type) const;

    /// Calls the lead.
    void CallLead();

    /// Says that it is there, where nothing else did; and again later.
    void Beat();

    uint32_t m_calls{0};       //!< hellos sent so far; outlives a crash
    EventId m_beat;            //!< next heartbeat
    EventId m_recall;          //!< next call to the lead
    uint16_t m_cell{0};        //!< index
    Ipv4Address m_leadAddress; //!< where the lead listens
    Ptr<Connection> m_lead;    //!< to it
    uint32_t m_leadRound{0};   //!< round of the lead's latest model
};

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
