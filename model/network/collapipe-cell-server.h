/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CELL_SERVER_H
#define COLLAPIPE_CELL_SERVER_H

#include "collapipe-edge-server.h"

#include "ns3/event-id.h"
#include "ns3/ipv4-address.h"

#include <string>

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

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CELL_SERVER_H */
