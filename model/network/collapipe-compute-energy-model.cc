/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-compute-energy-model.h"

#include "ns3/double.h"
#include "ns3/log.h"
#include "ns3/simulator.h"
#include "ns3/trace-source-accessor.h"

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipeComputeEnergyModel");
NS_OBJECT_ENSURE_REGISTERED(ComputeEnergyModel);

TypeId
ComputeEnergyModel::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::collapipe::ComputeEnergyModel")
            .SetParent<energy::DeviceEnergyModel>()
            .SetGroupName("CollaPipe")
            .AddConstructor<ComputeEnergyModel>()
            .AddAttribute("Power",
                          "Power in W of a worker that computes",
                          DoubleValue(0),
                          MakeDoubleAccessor(&ComputeEnergyModel::m_powerW),
                          MakeDoubleChecker<double>(0))
            .AddTraceSource("Energy",
                            "The power changes: energy in J so far, power in W until now",
                            MakeTraceSourceAccessor(&ComputeEnergyModel::m_energyTrace),
                            "ns3::collapipe::ComputeEnergyModel::EnergyTracedCallback");
    return tid;
}

void
ComputeEnergyModel::DoDispose()
{
    m_source = nullptr;
    m_processor = nullptr;
    m_depletion = MakeNullCallback<void, bool>();
    energy::DeviceEnergyModel::DoDispose();
}

void
ComputeEnergyModel::SetProcessor(Ptr<Processor> processor)
{
    m_updated = Simulator::Now();
    m_processor = processor;
    processor->TraceConnectWithoutContext("Compute",
                                          MakeCallback(&ComputeEnergyModel::Begin, this));
}

void
ComputeEnergyModel::SetEnergySource(Ptr<energy::EnergySource> source)
{
    m_source = source;
}

void
ComputeEnergyModel::SetDepletionCallback(Callback<void, bool> callback)
{
    m_depletion = callback;
}

Time
ComputeEnergyModel::GetComputed() const
{
    // In integer nanoseconds, so that nothing is lost however often this is asked
    return m_isEmpty ? m_computed : m_computed + (Simulator::Now() - m_updated) * m_active;
}

/// Of the time spent, what slower clocks have saved of the energy
double
ComputeEnergyModel::GetSavedS() const
{
    return m_isEmpty ? m_savedS : m_savedS + m_saving * (Simulator::Now() - m_updated).GetSeconds();
}

double
ComputeEnergyModel::GetTotalEnergyConsumption() const
{
    return m_powerW * (GetComputed().GetSeconds() - GetSavedS());
}

double
ComputeEnergyModel::DoGetCurrentA() const
{
    return m_source && !m_isEmpty ? (m_active - m_saving) * m_powerW / m_source->GetSupplyVoltage()
                                  : 0;
}

void
ComputeEnergyModel::Update()
{
    m_savedS = GetSavedS();
    m_computed = GetComputed();
    m_updated = Simulator::Now();
    m_energyTrace(m_powerW * (m_computed.GetSeconds() - m_savedS),
                  (m_active - m_saving) * m_powerW);
    if (m_source)
    {
        // Reads the current as it has been until now
        m_source->UpdateEnergySource();
    }
}

void
ComputeEnergyModel::Begin(Time /* start */, Time duration)
{
    Update();
    ++m_active;
    const double saving = 1 - m_processor->GetPowerFactor();
    m_saving += saving;
    Simulator::Schedule(duration, &ComputeEnergyModel::End, this, saving);
}

void
ComputeEnergyModel::End(double saving)
{
    Update();
    --m_active;
    m_saving = m_active == 0 ? 0 : m_saving - saving;
}

void
ComputeEnergyModel::ChangeState(int /* newState */)
{
    // What the processor does is the state
}

void
ComputeEnergyModel::HandleEnergyDepletion()
{
    m_savedS = GetSavedS();
    m_computed = GetComputed();
    m_updated = Simulator::Now();
    m_isEmpty = true;
    if (!m_depletion.IsNull())
    {
        m_depletion(true);
    }
}

void
ComputeEnergyModel::HandleEnergyRecharged()
{
    m_updated = Simulator::Now();
    m_isEmpty = false;
    if (!m_depletion.IsNull())
    {
        m_depletion(false);
    }
}

void
ComputeEnergyModel::HandleEnergyChanged()
{
}

} // namespace collapipe
} // namespace ns3
