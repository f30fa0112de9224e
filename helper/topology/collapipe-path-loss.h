/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PATH_LOSS_H
#define COLLAPIPE_PATH_LOSS_H

#include "collapipe-topology.h"

#include "ns3/collapipe-decibel.h"
#include "ns3/mobility-model.h"
#include "ns3/object.h"
#include "ns3/propagation-loss-model.h"
#include "ns3/random-variable-stream.h"

#include <map>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Shadowing in dB between every two of a set of nodes: normal, symmetric, constant over a run. All
 * values are drawn at once in the order of the nodes, so they do not depend on who asks first.
 */
class ShadowingMap : public SimpleRefCount<ShadowingMap>
{
  public:
    /// @param sigmaDb standard deviation in dB
    explicit ShadowingMap(double sigmaDb);

    /// @param node one more node
    void Add(Ptr<const MobilityModel> node);

    /**
     * @param a one node
     * @param b another node
     * @return extra loss in dB; 0 where a node was not added
     */
    double GetLossDb(Ptr<const MobilityModel> a, Ptr<const MobilityModel> b);

    /**
     * Assign the stream and draw afresh.
     * @param stream the stream
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

  private:
    void Draw();

    std::map<Ptr<const MobilityModel>, std::size_t> m_index; //!< place of each node
    std::vector<std::vector<double>> m_lossDb;               //!< lower triangle
    Ptr<NormalRandomVariable> m_normal;                      //!< source of the draws
};

/**
 * @ingroup collapipe
 * Applies a ShadowingMap to a channel.
 */
class ShadowingPropagationLossModel : public PropagationLossModel
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param map the values, shared by the directions of a duplex channel
    explicit ShadowingPropagationLossModel(Ptr<ShadowingMap> map);

  private:
    double DoCalcRxPower(double txPowerDbm,
                         Ptr<MobilityModel> a,
                         Ptr<MobilityModel> b) const override;
    int64_t DoAssignStreams(int64_t stream) override;

    Ptr<ShadowingMap> m_map; //!< the values
};

/**
 * @ingroup collapipe
 * The propagation of one radio: what PathLossConfig describes, at a carrier frequency, for a set
 * of nodes. Hands out ns-3 models, and knows the mean gain itself.
 */
class PathLoss
{
  public:
    /**
     * @param config its description
     * @param frequencyHz carrier frequency
     * @param nodes the nodes, each with a mobility model
     */
    PathLoss(const PathLossConfig& config, double frequencyHz, const NodeContainer& nodes);

    /// @return models to be applied one after the other; every call makes new ones
    std::vector<Ptr<PropagationLossModel>> MakeModels();

    /**
     * @param a one node
     * @param b another node
     * @return power gain, linear, with shadowing and without fading
     */
    double GetGain(Ptr<Node> a, Ptr<Node> b) const;

    /**
     * Assign streams to shadowing and to the models handed out.
     * @param stream the first stream
     * @return number of streams used
     */
    int64_t AssignStreams(int64_t stream);

  private:
    Ptr<PropagationLossModel> m_distance;             //!< log-distance, for the mean gain
    PathLossConfig m_config;                          //!< what was asked for
    double m_referenceLossDb;                         //!< at 1 m
    Ptr<ShadowingMap> m_shadowing;                    //!< null where off
    std::vector<Ptr<PropagationLossModel>> m_fadings; //!< models with randomness of their own
};

/**
 * @param noiseFigureDb noise figure of a receiver in dB
 * @return noise power density in W/Hz at 290 K
 */
double GetNoiseDensity(double noiseFigureDb);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PATH_LOSS_H */
