/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_NODE_ENERGY_H
#define COLLAPIPE_NODE_ENERGY_H

#include "ns3/basic-energy-source.h"
#include "ns3/collapipe-compat.h"
#include "ns3/collapipe-compute-energy-model.h"
#include "ns3/collapipe-flow-energy-model.h"
#include "ns3/collapipe-lte-ue-energy-model.h"
#include "ns3/collapipe-processor.h"
#include "ns3/node.h"
#include "ns3/wifi-radio-energy-model.h"

#include <functional>

namespace ns3
{
namespace collapipe
{

/// What a node consumed, in J
struct EnergyParts
{
    double computeJ{0}; //!< computing
    double wifiJ{0};    //!< Wi-Fi radio, idle listening included
    double lteJ{0};     //!< LTE radio, being connected included
    double idleJ{0};    //!< of both radios: what they would have consumed without any traffic

    /// @return all of it
    double GetTotal() const
    {
        return computeJ + wifiJ + lteJ;
    }

    /// @return what work and traffic added: E_k as the controller's queues count it
    double GetActive() const
    {
        return GetTotal() - idleJ;
    }
};

/// @return the parts of what was consumed between two readings
EnergyParts operator-(const EnergyParts& after, const EnergyParts& before);

/// @return what WifiRadioEnergyModel, as NodeEnergy installs it, charges
FlowRadioPower GetWifiPower();

/// @return what LteUeEnergyModel charges
FlowRadioPower GetLtePower();

/**
 * @ingroup collapipe
 * The energy of one node: a source, and on it the consumption of the processor and of each radio
 * that the node has.
 *
 * Wi-Fi: WifiRadioEnergyModel with a LinearWifiTxCurrentModel, I_tx = p / (V eta) + I_idle; the
 * defaults are ns-3's (0.82 W idle, 0.94 W receiving, amplifier efficiency 0.1 at 3 V), which go
 * back to D. Halperin, B. Greenstein, A. Sheth and D. Wetherall, "Demystifying 802.11n Power
 * Consumption", HotPower 2010. LTE: LteUeEnergyModel. Computing: ComputeEnergyModel.
 *
 * In a network of flows the radios are FlowRadios, and their consumption is (7') with the constants
 * of these models: GetWifiPower(), GetLtePower().
 *
 * The source holds a reserve beside the battery, from which a device whose battery has become empty
 * ends its round; it is empty, for its consumers too, when the reserve alone is left.
 */
class NodeEnergy
{
  public:
    /**
     * Begins to count; to be called once in a simulation's set-up for each node.
     * @param node with its radios
     * @param processor of its application
     * @param computePowerW while it computes, in W
     * @param batteryJ that it starts with, in J; 0: from the mains, without end
     */
    NodeEnergy(Ptr<Node> node, Ptr<Processor> processor, double computePowerW, double batteryJ);
    ~NodeEnergy();

    NodeEnergy(const NodeEnergy&) = delete; // callbacks hold its address
    NodeEnergy& operator=(const NodeEnergy&) = delete;

    /// @return what was consumed since the start
    EnergyParts Read() const;

    /// @return what the source has lost since the start, in J
    double GetDrawnJ() const;

    /// @return what is left, in J; infinite from the mains
    double GetLeftJ() const;

    /// @param callback called once, as an event of its own, when the battery is empty
    void SetEmptyCallback(std::function<void()> callback);

  private:
    void InstallWifi(Ptr<Node> node);
    void InstallLte(Ptr<Node> node);

    /// Follows an interface of a network of flows, if the node has one of that kind.
    Ptr<FlowEnergyModel> InstallFlow(Ptr<Node> node,
                                     FlowRadioKind kind,
                                     const FlowRadioPower& power);
    void HandleDepletion(bool isEmpty);

    bool m_hasBattery;                       //!< else from the mains
    Ptr<energy::BasicEnergySource> m_source; //!< of all consumers
    Ptr<ComputeEnergyModel> m_compute;       //!< processor
    Ptr<WifiRadioEnergyModel> m_wifi;        //!< null: no such radio
    Ptr<LteUeEnergyModel> m_lte;             //!< null: no such radio
    Ptr<FlowEnergyModel> m_wifiFlow;         //!< null: no such radio
    Ptr<FlowEnergyModel> m_lteFlow;          //!< null: no such radio
    double m_wifiIdleW{0};                   //!< of the Wi-Fi radio
    Time m_emptyAt;                          //!< when the battery was; negative: it is not
    std::function<void()> m_onEmpty;         //!< whom to tell
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_NODE_ENERGY_H */
