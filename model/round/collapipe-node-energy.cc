/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-node-energy.h"

#include "ns3/collapipe-find-device.h"
#include "ns3/double.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/simulator.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-tx-current-model.h"

#include <algorithm>
#include <limits>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr double SUPPLY_VOLTAGE = 3.0;     //!< to which ns-3's currents of Wi-Fi radios belong
constexpr double WIFI_PA_EFFICIENCY = 0.1; //!< ns-3's default: radiated power over consumed
constexpr double MAINS_J = 1e7;            //!< more than any run consumes, and few enough digits
constexpr double RESERVE_J = 1e4;          //!< under the battery in its source, see NodeEnergy
constexpr double ROUNDING = 1e-12;         //!< of the source

/**
 * WifiRadioEnergyModel that schedules nothing. ns-3's reckons anew when the radio would have to be
 * switched off at every change of state and of the source, and leaves the event it reckoned before
 * in the simulator's queue: millions of them, where the battery lasts. Here the source alone tells
 * when it is empty. Nor does the radio go off then, see NodeEnergyMeter; it consumes no more.
 */
class SteadyWifiEnergyModel : public WifiRadioEnergyModel
{
  public:
    void SetEnergySource(const Ptr<energy::EnergySource> source) override
    {
        m_energySource = source;
        m_since = Simulator::Now();
    }

    double GetTotalEnergyConsumption() const override
    {
        return m_consumedJ +
               DoGetCurrentA() * SUPPLY_VOLTAGE * (Simulator::Now() - m_since).GetSeconds();
    }

    void ChangeState(int newState) override
    {
        m_consumedJ = GetTotalEnergyConsumption();
        m_since = Simulator::Now();
        m_energySource->UpdateEnergySource(); // reads the current as it has been until now
        m_state = newState;
        m_currentA = GetCurrentOf(newState);
    }

    void HandleEnergyDepletion() override
    {
        m_consumedJ = GetTotalEnergyConsumption();
        m_since = Simulator::Now();
        m_isEmpty = true;
    }

    void HandleEnergyRecharged() override
    {
        m_since = Simulator::Now();
        m_isEmpty = false;
    }

    void HandleEnergyChanged() override
    {
    }

  private:
    double DoGetCurrentA() const override
    {
        return m_isEmpty ? 0 : m_state < 0 ? GetIdleCurrentA() : m_currentA;
    }

    double GetCurrentOf(int state) const
    {
        switch (static_cast<WifiPhyState>(state))
        {
        case WifiPhyState::TX:
            return GetTxCurrentA();
        case WifiPhyState::RX:
            return GetRxCurrentA();
        case WifiPhyState::CCA_BUSY:
            return GetCcaBusyCurrentA();
        case WifiPhyState::SWITCHING:
            return GetSwitchingCurrentA();
        case WifiPhyState::SLEEP:
            return GetSleepCurrentA();
        case WifiPhyState::OFF:
            return 0;
        default:
            return GetIdleCurrentA();
        }
    }

    Ptr<energy::EnergySource> m_energySource; //!< where it comes from
    double m_consumedJ{0};                    //!< until the next
    Time m_since;                             //!< when the state began
    int m_state{-1};                          //!< of the PHY; -1: none told yet, so idle
    double m_currentA{0};                     //!< in that state
    bool m_isEmpty{false};                    //!< nothing is left to consume
};

} // namespace

EnergyParts
operator-(const EnergyParts& after, const EnergyParts& before)
{
    return {after.computeJ - before.computeJ,
            after.wifiJ - before.wifiJ,
            after.lteJ - before.lteJ,
            after.idleJ - before.idleJ};
}

FlowRadioPower
GetWifiPower()
{
    const auto radio = CreateObject<SteadyWifiEnergyModel>();
    FlowRadioPower power;
    power.idleW = radio->GetIdleCurrentA() * SUPPLY_VOLTAGE;
    power.paEfficiency = WIFI_PA_EFFICIENCY; // its sending current is idle's and the amplifier's
    power.receiveW = radio->GetRxCurrentA() * SUPPLY_VOLTAGE - power.idleW;
    return power;
}

FlowRadioPower
GetLtePower()
{
    const auto radio = CreateObject<LteUeEnergyModel>();
    const auto get = [&radio](const std::string& name) {
        DoubleValue value;
        radio->GetAttribute(name, value);
        return value.Get();
    };
    constexpr double SYMBOLS = 14; // of a subframe
    FlowRadioPower power;
    power.idleW = get("IdlePower");
    power.circuitW = get("TxCircuitPower");
    power.paEfficiency = get("PaEfficiency");
    power.receiveW = get("RxPower");
    power.sendingPart = 13 / SYMBOLS;   // PUSCH
    power.receivingPart = 11 / SYMBOLS; // PDSCH
    return power;
}

NodeEnergy::NodeEnergy(Ptr<Node> node,
                       Ptr<Processor> processor,
                       double computePowerW,
                       double batteryJ)
    : m_hasBattery(batteryJ > 0),
      m_source(CreateObject<energy::BasicEnergySource>()),
      m_compute(
          CreateObjectWithAttributes<ComputeEnergyModel>("Power", DoubleValue(computePowerW))),
      m_emptyAt(-1)
{
    // ns-3's source may not be drained below nothing, and looks once in a while only.
    const double initialJ = m_hasBattery ? batteryJ + RESERVE_J : MAINS_J;
    const double emptyJ = m_hasBattery ? RESERVE_J : 0;
    m_source->SetAttribute("BasicEnergyLowBatteryThreshold",
                           DoubleValue(emptyJ / initialJ + ROUNDING));
    m_source->SetAttribute("BasicEnergyHighBatteryThreshold", DoubleValue(1));
    m_source->SetSupplyVoltage(SUPPLY_VOLTAGE);
    m_source->SetInitialEnergy(initialJ);
    m_source->SetNode(node);
    m_source->AppendDeviceEnergyModel(m_compute);
    m_compute->SetEnergySource(m_source);
    m_compute->SetDepletionCallback(MakeCallback(&NodeEnergy::HandleDepletion, this));
    m_compute->SetProcessor(processor);
    InstallWifi(node);
    InstallLte(node);
    m_wifiFlow = InstallFlow(node, FlowRadioKind::WIFI, GetWifiPower());
    m_lteFlow = InstallFlow(node, FlowRadioKind::LTE, GetLtePower());
    m_source->Initialize();
}

NodeEnergy::~NodeEnergy()
{
    m_compute->SetDepletionCallback(MakeNullCallback<void, bool>());
    m_source->Dispose();
}

void
NodeEnergy::InstallWifi(Ptr<Node> node)
{
    const auto device = FindDevice<WifiNetDevice>(node);
    if (!device)
    {
        return;
    }
    m_wifi = CreateObject<SteadyWifiEnergyModel>();
    m_wifi->SetTxCurrentModel(
        CreateObjectWithAttributes<LinearWifiTxCurrentModel>("Voltage",
                                                             DoubleValue(SUPPLY_VOLTAGE),
                                                             "Eta",
                                                             DoubleValue(WIFI_PA_EFFICIENCY)));
    m_source->AppendDeviceEnergyModel(m_wifi);
    m_wifi->SetEnergySource(m_source);
    device->GetPhy()->RegisterListener(m_wifi->GetPhyListener());
    m_wifiIdleW = m_wifi->GetIdleCurrentA() * SUPPLY_VOLTAGE;
}

void
NodeEnergy::InstallLte(Ptr<Node> node)
{
    const auto device = FindDevice<LteUeNetDevice>(node);
    if (!device)
    {
        return;
    }
    m_lte = CreateObject<LteUeEnergyModel>();
    m_source->AppendDeviceEnergyModel(m_lte);
    m_lte->SetEnergySource(m_source);
    m_lte->SetDevice(device);
}

Ptr<FlowEnergyModel>
NodeEnergy::InstallFlow(Ptr<Node> node, FlowRadioKind kind, const FlowRadioPower& power)
{
    const auto radio = FindFlowRadio(node, kind);
    if (!radio)
    {
        return nullptr;
    }
    auto model = CreateObject<FlowEnergyModel>();
    m_source->AppendDeviceEnergyModel(model);
    model->SetEnergySource(m_source);
    model->SetRadio(radio, power);
    return model;
}

EnergyParts
NodeEnergy::Read() const
{
    EnergyParts parts;
    parts.computeJ = m_compute->GetTotalEnergyConsumption();
    if (m_wifi)
    {
        const Time on = m_emptyAt.IsStrictlyNegative() ? Simulator::Now() : m_emptyAt;
        parts.wifiJ = m_wifi->GetTotalEnergyConsumption();
        parts.idleJ += m_wifiIdleW * on.GetSeconds();
    }
    if (m_lte)
    {
        parts.lteJ = m_lte->GetTotalEnergyConsumption();
        parts.idleJ += m_lte->GetIdleEnergyJ();
    }
    if (m_wifiFlow)
    {
        parts.wifiJ = m_wifiFlow->GetTotalEnergyConsumption();
        parts.idleJ += m_wifiFlow->GetIdleEnergyJ();
    }
    if (m_lteFlow)
    {
        parts.lteJ = m_lteFlow->GetTotalEnergyConsumption();
        parts.idleJ += m_lteFlow->GetIdleEnergyJ();
    }
    return parts;
}

double
NodeEnergy::GetDrawnJ() const
{
    m_source->UpdateEnergySource();
    return m_source->GetInitialEnergy() - m_source->GetRemainingEnergy();
}

double
NodeEnergy::GetLeftJ() const
{
    return m_hasBattery ? std::max(0.0, m_source->GetRemainingEnergy() - RESERVE_J)
                        : std::numeric_limits<double>::infinity();
}

void
NodeEnergy::SetEmptyCallback(std::function<void()> callback)
{
    m_onEmpty = std::move(callback);
}

void
NodeEnergy::HandleDepletion(bool isEmpty)
{
    if (isEmpty && m_emptyAt.IsStrictlyNegative())
    {
        m_emptyAt = Simulator::Now();
        if (m_onEmpty)
        {
            // Not from within a radio or the processor
            ScheduleCall(Time(0), [callback = m_onEmpty] { callback(); });
        }
    }
}

} // namespace collapipe
} // namespace ns3
