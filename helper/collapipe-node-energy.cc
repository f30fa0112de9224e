/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-node-energy.h"

#include "ns3/double.h"
#include "ns3/lte-ue-net-device.h"
#include "ns3/simulator.h"
#include "ns3/wifi-net-device.h"
#include "ns3/wifi-phy.h"
#include "ns3/wifi-radio-energy-model-helper.h"

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
constexpr double EMPTY = 1e-9;             //!< of the battery: no more than rounding is left

/// ns-3 would switch the radio off in mid-frame, and the round could not end
void
KeepOn()
{
}

/// The first device of a type on a node; null where there is none
template <class Device>
Ptr<Device>
FindDevice(Ptr<Node> node)
{
    for (uint32_t i = 0; i < node->GetNDevices(); ++i)
    {
        if (const auto device = DynamicCast<Device>(node->GetDevice(i)))
        {
            return device;
        }
    }
    return nullptr;
}

} // namespace

EnergyParts
operator-(const EnergyParts& after, const EnergyParts& before)
{
    return {after.computeJ - before.computeJ,
            after.wifiJ - before.wifiJ,
            after.lteJ - before.lteJ,
            after.idleJ - before.idleJ};
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
    m_source->SetAttribute("BasicEnergyLowBatteryThreshold", DoubleValue(EMPTY));
    m_source->SetSupplyVoltage(SUPPLY_VOLTAGE);
    m_source->SetInitialEnergy(m_hasBattery ? batteryJ : MAINS_J);
    m_source->SetNode(node);
    m_source->AppendDeviceEnergyModel(m_compute);
    m_compute->SetEnergySource(m_source);
    m_compute->SetDepletionCallback(MakeCallback(&NodeEnergy::HandleDepletion, this));
    m_compute->SetProcessor(processor);
    InstallWifi(node);
    InstallLte(node);
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
    WifiRadioEnergyModelHelper helper;
    helper.SetTxCurrentModel("ns3::LinearWifiTxCurrentModel",
                             "Voltage",
                             DoubleValue(SUPPLY_VOLTAGE),
                             "Eta",
                             DoubleValue(WIFI_PA_EFFICIENCY));
    helper.SetDepletionCallback(MakeCallback(&KeepOn));
    m_wifi = DynamicCast<WifiRadioEnergyModel>(helper.Install(device, m_source).Get(0));
    // The PHY would send nothing that what is left does not suffice for; see EnergyAccounts
    device->GetPhy()->SetWifiRadioEnergyModel(nullptr);
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
    return m_hasBattery ? std::max(0.0, m_source->GetRemainingEnergy())
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
            Simulator::ScheduleNow([callback = m_onEmpty] { callback(); });
        }
    }
}

} // namespace collapipe
} // namespace ns3
