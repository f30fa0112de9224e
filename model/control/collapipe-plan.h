/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PLAN_H
#define COLLAPIPE_PLAN_H

#include "collapipe-upload-path.h"

#include "ns3/collapipe-schedule-name.h"

#include <cstdint>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A node as a plan names it: within a cluster, or the edge server
using NodeIndex = uint16_t;

constexpr NodeIndex CONTROL_UNIT = 0;     //!< the cluster's control unit; device k is k + 1
constexpr NodeIndex EDGE_SERVER = 0xffff; //!< the edge server

/// When a link decision holds
enum class Phase : uint8_t
{
    DISTRIBUTION = 0, //!< parameters on the downlink
    TRAINING = 1,     //!< local iterations
    UPLOAD = 2,       //!< parameters on the uplink
};

/**
 * Share and power of one directed link in one phase. In a work-conserving pool the share is a
 * weight among the links that have something to send (14).
 */
struct LinkPlan
{
    Phase phase{Phase::TRAINING}; //!< when
    NodeIndex from{CONTROL_UNIT}; //!< transmitter
    NodeIndex to{CONTROL_UNIT};   //!< receiver
    double share{1};              //!< of the pool, 0..1
    double powerW{0};             //!< transmit power
    uint8_t priority{0}; //!< the highest that has something to send goes first (15); 0: the lowest
};

/**
 * One pipeline stage: the node, and the run of the model it holds. The run is the embedding (or
 * not), encoder blocks [firstBlock, lastBlock), the decoder (or not).
 */
struct StagePlan
{
    NodeIndex node{CONTROL_UNIT}; //!< who
    bool embedding{false};        //!< holds the embedding
    uint32_t firstBlock{0};       //!< first encoder block
    uint32_t lastBlock{0};        //!< one past the last encoder block
    bool decoder{false};          //!< holds decoder and loss
    bool recompute{false};        //!< computes activations again in the backward pass
    double clock{1};              //!< phi, part of the node's clock at which it computes, (0, 1]

    /// @return number of encoder blocks
    uint32_t GetBlocks() const
    {
        return lastBlock - firstBlock;
    }
};

/**
 * A pipeline through the whole model. The node of the first stage feeds it with its data. CollaPipe
 * has one chain per cluster: control unit, devices, edge server; `fedavg` has a chain of one stage
 * per device; `splitfed` a chain device - edge server per device.
 */
struct ChainPlan
{
    std::vector<StagePlan> stages; //!< in forward order, together the whole model
    uint32_t microBatches{1};      //!< N
    uint32_t microBatchSize{1};    //!< b, samples
    double dataShare{1};           //!< of the cluster's data; the chains' shares sum to 1
};

/// What a cluster does in a round
struct ClusterPlan
{
    std::vector<ChainPlan> chains;       //!< the pipelines
    std::vector<LinkPlan> links;         //!< radio decisions; a link not named keeps its defaults
    UploadPath path{UploadPath::DIRECT}; //!< who carries the parameters
    /// The chains, all cut alike, step together with the mean of their gradients, weighted by their
    /// shares of the data; false: each goes its own way until the round's average
    bool synchronous{false};
};

/**
 * @ingroup collapipe
 * A controller's decision for one round.
 */
struct RoundPlan
{
    uint32_t localIterations{1};            //!< H
    std::string schedule{DEFAULT_SCHEDULE}; //!< short name or TypeId, as GetSchedule() takes it
    std::vector<ClusterPlan> clusters;      //!< one per cluster of the system state
    double plannedLatencyS{0}; //!< tau of formula (4); 0 where the controller does not predict
    /// Made without regard to memory, to compare with: devices may need more of it than they have
    bool mayExceedMemory{false};
    std::string infeasible; //!< empty, or one sentence: what cannot be met and what to relax
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PLAN_H */
