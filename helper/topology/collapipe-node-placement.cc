/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-node-placement.h"

#include "collapipe-topology-error.h"

#include "ns3/box.h"
#include "ns3/constant-position-mobility-model.h"
#include "ns3/double.h"
#include "ns3/gauss-markov-mobility-model.h"
#include "ns3/mobility-model.h"
#include "ns3/node.h"
#include "ns3/ns2-mobility-helper.h"
#include "ns3/pointer.h"
#include "ns3/position-allocator.h"
#include "ns3/random-variable-stream.h"
#include "ns3/random-waypoint-mobility-model.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <vector>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr std::size_t MAX_LINES = 100000; //!< of a file of positions
constexpr double MAX_M = 1e6;             //!< from the first base station

/// A point on a circle
Vector
OnCircle(const Vector& centre, double radiusM, double turn)
{
    const double angle = 2 * M_PI * turn;
    return Vector(centre.x + radiusM * std::cos(angle),
                  centre.y + radiusM * std::sin(angle),
                  centre.z);
}

/**
 * @param cell an index
 * @return its place on a hexagonal grid of unit distance, counted ring by ring from the middle
 */
Vector
GetGridPlace(uint32_t cell)
{
    if (cell == 0)
    {
        return Vector(0, 0, 0);
    }
    uint32_t ring = 1;
    uint32_t step = cell - 1; // within the ring
    for (; step >= 6 * ring; ++ring)
    {
        step -= 6 * ring;
    }
    // From one corner of the ring towards the next
    const Vector corner = OnCircle(Vector(0, 0, 0), ring, (step / ring) / 6.0);
    return OnCircle(corner, step % ring, (step / ring + 2) / 6.0);
}

/// A node that stays
Ptr<MobilityModel>
MakeFixedPosition(const Vector& position)
{
    auto model = CreateObject<ConstantPositionMobilityModel>();
    model->SetPosition(position);
    return model;
}

/// Straight walks from point to point of a disc, with pauses of up to 10 s
Ptr<MobilityModel>
MakeWaypoints(const Vector& centre, double radiusM, double speedMps)
{
    auto points = CreateObject<UniformDiscPositionAllocator>();
    points->SetX(centre.x);
    points->SetY(centre.y);
    points->SetRho(radiusM);
    auto speed = CreateObject<UniformRandomVariable>();
    speed->SetAttribute("Min", DoubleValue(0.5 * speedMps));
    speed->SetAttribute("Max", DoubleValue(1.5 * speedMps));
    auto pause = CreateObject<UniformRandomVariable>();
    pause->SetAttribute("Max", DoubleValue(10));
    auto model = CreateObject<RandomWaypointMobilityModel>();
    model->SetAttribute("PositionAllocator", PointerValue(points));
    model->SetAttribute("Speed", PointerValue(speed));
    model->SetAttribute("Pause", PointerValue(pause));
    return model;
}

/// Correlated changes of speed and direction every second, turned back at the sides of a square
Ptr<MobilityModel>
MakeGaussMarkov(const Vector& centre, double radiusM, double speedMps)
{
    const Box bounds(centre.x - radiusM,
                     centre.x + radiusM,
                     centre.y - radiusM,
                     centre.y + radiusM,
                     centre.z,
                     centre.z);
    const auto makeUniform = [](double min, double max) {
        auto variable = CreateObject<UniformRandomVariable>();
        variable->SetAttribute("Min", DoubleValue(min));
        variable->SetAttribute("Max", DoubleValue(max));
        return variable;
    };
    auto model = CreateObject<GaussMarkovMobilityModel>();
    model->SetAttribute("Bounds", BoxValue(bounds));
    model->SetAttribute("Alpha", DoubleValue(0.85));
    model->SetAttribute("MeanVelocity", PointerValue(makeUniform(0.5 * speedMps, 1.5 * speedMps)));
    model->SetAttribute("MeanDirection", PointerValue(makeUniform(0, 2 * M_PI)));
    model->SetAttribute("MeanPitch", PointerValue(makeUniform(0, 0)));
    return model;
}

/// @return the fields of a line of a CSV file, without the blanks around them
std::vector<std::string>
SplitLine(const std::string& line)
{
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');)
    {
        const auto first = field.find_first_not_of(" \t\r");
        const auto last = field.find_last_not_of(" \t\r");
        fields.push_back(first == field.npos ? "" : field.substr(first, last - first + 1));
    }
    return fields;
}

/// @return a coordinate. @throws TopologyError where the text is none
double
ToMetres(const std::string& text, const std::string& where)
{
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(std::abs(value) <= MAX_M))
    {
        throw TopologyError(where + ": \"" + text +
                            "\" is no coordinate in metres, at most 1,000,000 from the first base "
                            "station");
    }
    return value;
}

} // namespace

std::map<std::string, Vector>
ReadPositions(const std::string& path)
{
    std::ifstream file(path);
    if (!file)
    {
        throw TopologyError(path + ": there is no such file that can be read");
    }
    return ReadPositions(file, path);
}

std::map<std::string, Vector>
ReadPositions(std::istream& file, const std::string& path)
{
    std::string line;
    std::getline(file, line);
    const auto columns = SplitLine(line);
    const bool hasHeights = columns == std::vector<std::string>{"node", "x", "y", "z"};
    if (!hasHeights && columns != std::vector<std::string>{"node", "x", "y"})
    {
        throw TopologyError(path + ": its first line must be node,x,y or node,x,y,z");
    }
    std::map<std::string, Vector> positions;
    for (std::size_t number = 2; std::getline(file, line); ++number)
    {
        const auto where = path + ", line " + std::to_string(number);
        const auto fields = SplitLine(line);
        if (fields.empty() || (fields.size() == 1 && fields.front().empty()))
        {
            continue;
        }
        if (fields.size() != columns.size() || number > MAX_LINES)
        {
            throw TopologyError(where + ": this must be a node's name and its coordinates, " +
                                std::to_string(columns.size()) + " fields");
        }
        const Vector position(ToMetres(fields[1], where),
                              ToMetres(fields[2], where),
                              hasHeights ? ToMetres(fields[3], where) : 0);
        if (!positions.emplace(fields[0], position).second)
        {
            throw TopologyError(where + ": " + fields[0] + " has a position already");
        }
    }
    return positions;
}

NodePlacement::NodePlacement(const TopologyConfig& config, Network& network)
    : m_config(config),
      m_network(network),
      m_positions(config.positions)
{
}

int64_t
NodePlacement::Place(int64_t stream)
{
    m_stream = stream;
    PlaceCells();
    const auto trace = m_config.GetTrace();
    for (uint32_t m = 0; trace.empty() && m < m_network.clusters.size(); ++m)
    {
        PlaceCluster(m);
    }
    if (!trace.empty())
    {
        FollowTrace(trace);
    }
    if (!m_positions.empty())
    {
        throw TopologyError("the positions name " + m_positions.begin()->first +
                            (trace.empty() ? ", and there is no such node; nodes are called es0, "
                                             "c0-cu, c0-d0 and so on"
                                           : ", whose positions the trace of its movement gives"));
    }
    return m_stream;
}

Vector
NodePlacement::GetPosition(const std::string& name, const Vector& otherwise)
{
    const auto given = m_positions.extract(name);
    return given ? given.mapped() : otherwise;
}

void
NodePlacement::PlaceCells()
{
    for (uint32_t c = 0; c < m_config.cells; ++c)
    {
        CellNetwork& cell = m_network.cells[c];
        const Vector place = GetGridPlace(c);
        cell.position = GetPosition(
            "es" + std::to_string(c),
            Vector(m_config.cellDistanceM * place.x, m_config.cellDistanceM * place.y, 0));
        cell.edgeServer->AggregateObject(MakeFixedPosition(cell.position));
    }
    if (m_network.leadServer)
    {
        m_network.leadServer->AggregateObject(MakeFixedPosition(Vector(0, 0, 0)));
    }
}

void
NodePlacement::PlaceCluster(uint32_t index)
{
    ClusterNetwork& cluster = m_network.clusters[index];
    const Vector middle = m_network.cells[cluster.cell].position;
    const double n = m_network.GetClusters(cluster.cell).size();
    const auto name = "c" + std::to_string(index);
    const Vector drawn =
        m_config.randomPositions
            ? DrawInDisc(middle,
                         TopologyConfig::MIN_DISTANCE_M,
                         m_config.cellRadiusM - m_config.clusterRadiusM)
            : OnCircle(middle, m_config.GetClusterDistanceM(index), index / m_config.cells / n);
    const Vector centre = GetPosition(name + "-cu", drawn);
    PlaceNode(cluster.controlUnit, centre, centre);
    const uint32_t k = cluster.devices.size();
    for (uint32_t i = 0; i < k; ++i)
    {
        const Vector position =
            m_config.randomPositions
                ? DrawInDisc(centre, TopologyConfig::MIN_DISTANCE_M, m_config.clusterRadiusM)
                : OnCircle(centre, m_config.clusterRadiusM, double(i) / k);
        PlaceNode(cluster.devices[i],
                  GetPosition(name + "-d" + std::to_string(i), position),
                  centre);
    }
}

void
NodePlacement::FollowTrace(const std::string& path)
{
    if (!std::ifstream(path))
    {
        throw TopologyError("the trace of movements " + path +
                            " cannot be read; give the path of a file in ns-2's form");
    }
    NodeContainer nodes;
    for (const auto& cluster : m_network.clusters)
    {
        for (uint32_t i = 0; i < cluster.GetN(); ++i)
        {
            nodes.Add(cluster.GetNode(i));
        }
    }
    Ns2MobilityHelper(path).Install(nodes.Begin(), nodes.End());
    for (uint32_t i = 0; i < nodes.GetN(); ++i)
    {
        if (!nodes.Get(i)->GetObject<MobilityModel>())
        {
            throw TopologyError("the trace of movements " + path + " says nothing of $node_(" +
                                std::to_string(i) + "); it must place " +
                                std::to_string(nodes.GetN()) +
                                " nodes, of each cluster its control unit and then its devices");
        }
    }
}

void
NodePlacement::PlaceNode(Ptr<Node> node, const Vector& position, const Vector& centre)
{
    Ptr<MobilityModel> model;
    if (m_config.mobility == "waypoint")
    {
        model = MakeWaypoints(centre, m_config.clusterRadiusM, m_config.speedMps);
    }
    else if (m_config.mobility == "gauss-markov")
    {
        model = MakeGaussMarkov(centre, m_config.clusterRadiusM, m_config.speedMps);
    }
    else
    {
        model = CreateObject<ConstantPositionMobilityModel>();
    }
    model->SetPosition(position);
    m_stream += model->AssignStreams(m_stream);
    node->AggregateObject(model);
}

Vector
NodePlacement::DrawInDisc(const Vector& centre, double minRadiusM, double maxRadiusM)
{
    Ptr<UniformRandomVariable> uniform = CreateObject<UniformRandomVariable>();
    uniform->SetStream(m_stream++);
    const double min2 = minRadiusM * minRadiusM;
    const double max2 = std::max(min2, maxRadiusM * maxRadiusM);
    const double radius = std::sqrt(uniform->GetValue(min2, max2)); // uniform over the area
    return OnCircle(centre, radius, uniform->GetValue(0, 1));
}

} // namespace collapipe
} // namespace ns3
