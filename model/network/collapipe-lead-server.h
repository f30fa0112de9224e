/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LEAD_SERVER_H
#define COLLAPIPE_LEAD_SERVER_H

#include "collapipe-edge-server.h"

#include "ns3/ipv4-address.h"

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

  protected:
    void DoDispose() override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleConnected() override;
    void HandleReported(double samples) override;
    void HandleAveraged(const RoundRecord& record) override;

  private:
    /**
     * @param type of a message to the lead
     * @return its head
     */
    MessageHeader MakeLeadHeader(MessageType type) const;

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

  protected:
    void DoDispose() override;
    void StartApplication() override;
    void HandleMessage(Ptr<Connection> connection, Message message) override;
    void HandleWritable() override;
    void BeginRound() override;

  private:
    /// What the lead knows of a cell
    struct Cell
    {
        Ptr<Connection> connection; //!< to its edge server
        double samples{0};          //!< training samples; 0: not reported in this round
        double loss{0};             //!< of this round
        TensorList average;         //!< of this round; empty: not there
    };

    /// Sends a message to every cell.
    void Broadcast(MessageType type, const TensorList& tensors);

    void HandleReport(Cell& cell, const TensorList& tensors);

    /// All averages are there.
    void EndRound();

    uint32_t m_cellCount{1};   //!< attribute
    std::vector<Cell> m_cells; //!< by index
    uint32_t m_missing{0};     //!< cells whose next message of a kind is not there
    RoundRecord m_record;      //!< of this round
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LEAD_SERVER_H */
