/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LTE_UE_ENERGY_MODEL_H
#define COLLAPIPE_LTE_UE_ENERGY_MODEL_H

#include "ns3/collapipe-compat.h"
#include "ns3/device-energy-model.h"
#include "ns3/energy-source.h"
#include "ns3/event-id.h"
#include "ns3/lte-common.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/nstime.h"
#include "ns3/packet-burst.h"
#include "ns3/spectrum-value.h"
#include "ns3/traced-callback.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What an LTE UE's radio consumes.
 *
 * P = IdlePower
 *   + (radiated power / PaEfficiency + TxCircuitPower)  while the UE sends data (PUSCH, 13 of a
 *     subframe's 14 symbols) or sounds (SRS, one symbol)
 *   + RxPower  for a subframe's data symbols (11 of 14) whenever a transport block for the UE came
 *
 * Sending and receiving overlap, as frequency division allows. The radiated power is the PHY's at
 * that moment. Reception is known when it ends, and is accounted for right after that. Control
 * channels cost nothing beyond the idle power: ns-3 sends them without power.
 *
 * The defaults are the structure and figures of A. R. Jensen, M. Lauridsen, P. Mogensen, T. B.
 * Sorensen and P. Jensen, "LTE UE Power Consumption Model: For System Level Energy and Performance
 * Optimization", IEEE VTC Fall 2012: 1.53 W in connected mode, 0.55 W more while sending, 0.42 W
 * more while receiving; its amplifier takes 1.6 W for 23 dBm, hence an efficiency of 0.125.
 */
class LteUeEnergyModel : public energy::DeviceEnergyModel
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param device whose consumption to follow from now on; once, and after SetEnergySource
    void SetDevice(Ptr<LteUeNetDevice> device);

    void SetEnergySource(Ptr<energy::EnergySource> source) override;
    double GetTotalEnergyConsumption() const override;

    /// @return energy of the amplifier and the sending circuits so far, in J
    double GetTxEnergyJ() const;
    /// @return energy of receiving so far, in J
    double GetRxEnergyJ() const;
    /// @return energy of being connected so far, in J
    double GetIdleEnergyJ() const;

    /// @param callback called when the source is empty, and when it has energy again
    void SetDepletionCallback(Callback<void, bool> callback);

    void ChangeState(int newState) override;
    void HandleEnergyDepletion() override;
    void HandleEnergyRecharged() override;
    void HandleEnergyChanged() override;

    /**
     * Signature of the Energy trace, fired whenever the power is about to change.
     * @param txJ energy of sending so far, in J
     * @param rxJ energy of receiving so far, in J
     * @param idleJ energy of being connected so far, in J
     */
    typedef void (*EnergyTracedCallback)(double txJ, double rxJ, double idleJ);

  protected:
    void DoDispose() override;

  private:
    double DoGetCurrentA() const override;
    double GetSinceUpdateS() const;
    void Update();
    void SendData(Ptr<const PacketBurst> burst);
    void Sound(uint16_t rnti, Ptr<SpectrumValue> psd);
    void Send(Time duration);
    void StopSending();
    void Receive(PhyReceptionStatParameters params);
    void StopReceiving();

    double m_idlePowerW{0};      //!< attribute
    double m_rxPowerW{0};        //!< attribute
    double m_txCircuitPowerW{0}; //!< attribute
    double m_paEfficiency{1};    //!< attribute

    Ptr<LteUeNetDevice> m_device;       //!< whose consumption it is
    Ptr<energy::EnergySource> m_source; //!< where it comes from
    Callback<void, bool> m_depletion;   //!< whom to tell
    Time m_updated;                     //!< until when the energies below are
    double m_txJ{0};                    //!< sending
    double m_rxJ{0};                    //!< receiving
    double m_idleJ{0};                  //!< connected
    double m_txNowW{0};                 //!< amplifier and circuits now
    double m_rxNowW{0};                 //!< receiver now
    bool m_isEmpty{false};              //!< nothing is left to consume
    EventId m_stopSending;              //!< end of the transmission
    EventId m_stopReceiving;            //!< end of the reception
    TracedCallback<double, double, double> m_energyTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LTE_UE_ENERGY_MODEL_H */
