/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-path-loss.h"

#include "ns3/double.h"
#include "ns3/jakes-propagation-loss-model.h"
#include "ns3/log.h"
#include "ns3/node.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ns3
{
namespace collapipe
{

NS_LOG_COMPONENT_DEFINE("CollaPipePathLoss");

NS_OBJECT_ENSURE_REGISTERED(ShadowingPropagationLossModel);

namespace
{

constexpr double SPEED_OF_LIGHT = 299792458.0; //!< m/s
constexpr double BOLTZMANN = 1.380649e-23;     //!< J/K
constexpr double ROOM_TEMPERATURE_K = 290.0;   //!< as ns-3's radios assume

/// Loss of free space at 1 m in dB
double
GetFreeSpaceLossDb(double frequencyHz)
{
    return 20 * std::log10(4 * M_PI * frequencyHz / SPEED_OF_LIGHT);
}

/// A new log-distance model
Ptr<PropagationLossModel>
MakeLogDistance(double exponent, double referenceLossDb)
{
    Ptr<LogDistancePropagationLossModel> model = CreateObject<LogDistancePropagationLossModel>();
    model->SetPathLossExponent(exponent);
    model->SetReference(1.0, referenceLossDb);
    return model;
}

} // namespace

ShadowingMap::ShadowingMap(double sigmaDb)
    : m_normal(CreateObject<NormalRandomVariable>())
{
    m_normal->SetAttribute("Variance", DoubleValue(sigmaDb * sigmaDb));
}

void
ShadowingMap::Add(Ptr<const MobilityModel> node)
{
    m_index.emplace(node, m_index.size());
    m_lossDb.clear();
}

double
ShadowingMap::GetLossDb(Ptr<const MobilityModel> a, Ptr<const MobilityModel> b)
{
    const auto first = m_index.find(a);
    const auto second = m_index.find(b);
    if (first == m_index.end() || second == m_index.end() || first == second)
    {
        return 0;
    }
    if (m_lossDb.empty())
    {
        Draw();
    }
    const auto [low, high] = std::minmax(first->second, second->second);
    return m_lossDb[high][low];
}

void
ShadowingMap::Draw()
{
    m_lossDb.resize(m_index.size());
    for (std::size_t i = 0; i < m_lossDb.size(); ++i)
    {
        m_lossDb[i].resize(i);
        for (double& loss : m_lossDb[i])
        {
            loss = m_normal->GetValue();
        }
    }
}

int64_t
ShadowingMap::AssignStreams(int64_t stream)
{
    m_normal->SetStream(stream);
    m_lossDb.clear();
    return 1;
}

TypeId
ShadowingPropagationLossModel::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::ShadowingPropagationLossModel")
                            .SetParent<PropagationLossModel>()
                            .SetGroupName("CollaPipe");
    return tid;
}

ShadowingPropagationLossModel::ShadowingPropagationLossModel(Ptr<ShadowingMap> map)
    : m_map(map)
{
}

double
ShadowingPropagationLossModel::DoCalcRxPower(double txPowerDbm,
                                             Ptr<MobilityModel> a,
                                             Ptr<MobilityModel> b) const
{
    return txPowerDbm - m_map->GetLossDb(a, b);
}

int64_t
ShadowingPropagationLossModel::DoAssignStreams(int64_t /* stream */)
{
    return 0; // the map's owner does
}

PathLoss::PathLoss(const PathLossConfig& config, double frequencyHz, const NodeContainer& nodes)
    : m_config(config),
      m_referenceLossDb(config.referenceLossDb > 0 ? config.referenceLossDb
                                                   : GetFreeSpaceLossDb(frequencyHz))
{
    m_distance = MakeLogDistance(config.exponent, m_referenceLossDb);
    if (!config.shadowing)
    {
        return;
    }
    m_shadowing = Create<ShadowingMap>(config.shadowingSigmaDb);
    for (auto it = nodes.Begin(); it != nodes.End(); ++it)
    {
        m_shadowing->Add((*it)->GetObject<MobilityModel>());
    }
}

std::vector<Ptr<PropagationLossModel>>
PathLoss::MakeModels()
{
    std::vector<Ptr<PropagationLossModel>> models{
        MakeLogDistance(m_config.exponent, m_referenceLossDb)};
    if (m_shadowing)
    {
        models.push_back(CreateObject<ShadowingPropagationLossModel>(m_shadowing));
    }
    if (m_config.fading)
    {
        m_fadings.push_back(CreateObject<JakesPropagationLossModel>());
        models.push_back(m_fadings.back());
    }
    return models;
}

double
PathLoss::GetGain(Ptr<Node> a, Ptr<Node> b) const
{
    Ptr<MobilityModel> from = a->GetObject<MobilityModel>();
    Ptr<MobilityModel> to = b->GetObject<MobilityModel>();
    const double gainDb =
        m_distance->CalcRxPower(0, from, to) - (m_shadowing ? m_shadowing->GetLossDb(from, to) : 0);
    return std::pow(10.0, gainDb / 10);
}

int64_t
PathLoss::AssignStreams(int64_t stream)
{
    const int64_t first = stream;
    if (m_shadowing)
    {
        stream += m_shadowing->AssignStreams(stream);
    }
    for (auto& fading : m_fadings)
    {
        stream += fading->AssignStreams(stream);
    }
    return stream - first;
}

double
GetNoiseDensity(double noiseFigureDb)
{
    return BOLTZMANN * ROOM_TEMPERATURE_K * std::pow(10.0, noiseFigureDb / 10);
}

} // namespace collapipe
} // namespace ns3
