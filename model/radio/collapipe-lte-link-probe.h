/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_LINK_PROBE_H
#define COLLAPIPE_LTE_LINK_PROBE_H

#include "collapipe-link-monitor.h"
#include "collapipe-lte-scheduler.h"

#include "ns3/lte-enb-mac.h"
#include "ns3/lte-enb-net-device.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/lte-ue-phy.h"
#include "ns3/object.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Tells link monitors what LTE's radios report of D2E links: uplink SINR from the base stations'
 * sounding, over the whole band; downlink SINR from the UEs' measurements; MCS from the schedulers'
 * decisions. Who an RNTI of a cell is, is looked up when a UE connects or is handed over, not in
 * each report.
 */
class LteLinkProbe : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param device a base station's radio, before UEs connect
    void AddBaseStation(Ptr<LteEnbNetDevice> device);

    /**
     * @param device a node's radio, before it connects
     * @param monitor to tell
     * @param cluster index that the monitor knows the node's cluster by
     * @param node within the cluster
     * @param maxDownlinkSinr linear, beyond which the downlink's rate does not grow
     */
    void AddNode(Ptr<LteUeNetDevice> device,
                 Ptr<LinkMonitor> monitor,
                 uint32_t cluster,
                 NodeIndex node,
                 double maxDownlinkSinr);

    /**
     * Tells a monitor what UEs that are none of the training's take of a cell.
     * @param cell number of its base station, in the order in which they were added
     * @param monitor to tell; again for a cell, nothing changes
     */
    void CountOthers(std::size_t cell, Ptr<LinkMonitor> monitor);

  protected:
    void DoDispose() override;

  private:
    struct Ue;

    /// A cell's UEs by RNTI; null where there is none
    using Cell = std::vector<Ue*>;

    /// A node's radio
    struct Ue
    {
        /// @return transmit power of its PHY in W, which is worked out anew only when it changed
        double GetPowerW();

        Ptr<LteUePhy> phy;        //!< for its power
        double powerDbm{0};       //!< when it was last worked out
        double powerW{0};         //!< likewise; 0: never yet
        Ptr<LinkMonitor> monitor; //!< to tell
        uint32_t uplink{0};       //!< number of its meter
        uint32_t downlink{0};     //!< likewise
        Cell* cell{nullptr};      //!< that it is in
        uint16_t rnti{0};         //!< there
    };

    /// @return the UE; null where it is none of ours
    static Ue* Find(const Cell& cell, uint16_t rnti);

    void HandleConnection(Ue* ue, uint64_t imsi, uint16_t cell, uint16_t rnti);
    void HandleUplinkSinr(Cell* cell, uint16_t cellId, uint16_t rnti, double sinr, uint8_t carrier);
    void HandleDownlinkSinr(Ue* ue,
                            uint16_t cell,
                            uint16_t rnti,
                            double rsrp,
                            double sinr,
                            uint8_t carrier);
    void HandleUplinkBlock(Cell* cell,
                           uint32_t frame,
                           uint32_t subframe,
                           uint16_t rnti,
                           uint8_t mcs,
                           uint16_t bytes,
                           uint8_t carrier);
    void HandleDownlinkBlock(Cell* cell, DlSchedulingCallbackInfo info);

    std::map<uint16_t, Cell> m_cells;                      //!< by cell id; their addresses stay
    std::deque<Ue> m_ues;                                  //!< likewise
    std::vector<Ptr<WeightedFfMacScheduler>> m_schedulers; //!< by base station; null: of others
    std::map<uint16_t, double> m_downlinkPower;            //!< of the cells, in W
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_LINK_PROBE_H */
