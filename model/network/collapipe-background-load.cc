/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-background-load.h"

#include "ns3/double.h"
#include "ns3/simulator.h"

#include <cmath>
#include <cstdint>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(BackgroundLoad);

TypeId
BackgroundLoad::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::BackgroundLoad")
                            .SetParent<Object>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<BackgroundLoad>()
                            .AddAttribute("MeanPrograms",
                                          "Programs that run beside training, on average.",
                                          DoubleValue(0.5),
                                          MakeDoubleAccessor(&BackgroundLoad::m_mean),
                                          MakeDoubleChecker<double>(0.0, 100.0))
                            .AddAttribute("MeanDuration",
                                          "How long one of them runs, on average.",
                                          TimeValue(Seconds(10)),
                                          MakeTimeAccessor(&BackgroundLoad::m_duration),
                                          MakeTimeChecker(MilliSeconds(1)));
    return tid;
}

BackgroundLoad::BackgroundLoad()
    : m_interval(CreateObject<ExponentialRandomVariable>()),
      m_uniform(CreateObject<UniformRandomVariable>())
{
    m_interval->SetAttribute("Mean", DoubleValue(1));
}

void
BackgroundLoad::Begin()
{
    m_begun = true;
    // Poisson by inversion: the stationary distribution, so that no warm-up is needed.
    double probability = std::exp(-m_mean);
    double left = m_uniform->GetValue(0, 1) - probability;
    while (left >= 0 && probability > 0)
    {
        probability *= m_mean / ++m_programs;
        left -= probability;
    }
    m_next = Simulator::Now() + DrawHoldingTime();
}

Time
BackgroundLoad::DrawHoldingTime()
{
    // Programs begin mean / duration times a second, and each of them ends at 1 / duration.
    const double rate = m_mean + m_programs;
    return rate > 0 ? m_duration * int64x64_t(m_interval->GetValue() / rate)
                    : Time::Max() - Simulator::Now();
}

uint32_t
BackgroundLoad::GetPrograms()
{
    if (!m_begun)
    {
        Begin();
    }
    while (m_next <= Simulator::Now())
    {
        const bool begins = m_uniform->GetValue(0, 1) * (m_mean + m_programs) < m_mean;
        m_programs = begins ? m_programs + 1 : m_programs - 1;
        m_next += DrawHoldingTime();
    }
    return m_programs;
}

double
BackgroundLoad::GetShare()
{
    return 1.0 / (1 + GetPrograms());
}

int64_t
BackgroundLoad::AssignStreams(int64_t stream)
{
    m_interval->SetStream(stream);
    m_uniform->SetStream(stream + 1);
    return 2;
}

} // namespace collapipe
} // namespace ns3
