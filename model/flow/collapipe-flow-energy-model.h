/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FLOW_ENERGY_MODEL_H
#define COLLAPIPE_FLOW_ENERGY_MODEL_H

#include "collapipe-flow-radio.h"

#include "ns3/collapipe-compat.h"
#include "ns3/device-energy-model.h"
#include "ns3/energy-source.h"
#include "ns3/nstime.h"

namespace ns3
{
namespace collapipe
{

/// What a radio draws, the constants of (7')
struct FlowRadioPower
{
    double idleW{0};         //!< without any traffic
    double circuitW{0};      //!< P_c: what sending adds beside the amplifier
    double paEfficiency{1};  //!< eta_a: radiated power over the amplifier's
    double receiveW{0};      //!< P_rx: what receiving adds
    double sendingPart{1};   //!< of the time that a link has the medium, on the air
    double receivingPart{1}; //!< likewise, of the receiver
};

/**
 * @ingroup collapipe
 * What the radio of a node consumes in a network of flows, by (7'): P = idle + circuits and
 * amplifier for the part of the time that it sends + receiver for that in which it receives.
 */
class FlowEnergyModel : public energy::DeviceEnergyModel
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * @param radio whose consumption to follow from now on; once, after SetEnergySource
     * @param power its constants
     */
    void SetRadio(Ptr<FlowRadio> radio, const FlowRadioPower& power);

    /// @return energy of being on so far, in J
    double GetIdleEnergyJ() const;

    void SetEnergySource(Ptr<energy::EnergySource> source) override;
    double GetTotalEnergyConsumption() const override;
    void ChangeState(int newState) override;
    void HandleEnergyDepletion() override;
    void HandleEnergyRecharged() override;
    void HandleEnergyChanged() override;

  protected:
    void DoDispose() override;

  private:
    double DoGetCurrentA() const override;

    /// @return what traffic adds now, in W
    double GetActiveW() const;
    double GetSinceUpdateS() const;
    void Update();

    FlowRadioPower m_power;             //!< constants
    Ptr<FlowRadio> m_radio;             //!< whose consumption it is
    Ptr<energy::EnergySource> m_source; //!< where it comes from
    Time m_updated;                     //!< until when the energies below are
    double m_activeJ{0};                //!< of traffic
    double m_idleJ{0};                  //!< of being on
    bool m_isEmpty{false};              //!< nothing is left to consume
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FLOW_ENERGY_MODEL_H */
