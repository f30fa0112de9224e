/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_ASSIGNMENT_H
#define COLLAPIPE_ASSIGNMENT_H

#include "ns3/collapipe-held-base.h"
#include "ns3/collapipe-plan.h"
#include "ns3/collapipe-tensor-data.h"
#include "ns3/ipv4-address.h"

#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A neighbour in the chain
struct Neighbour
{
    NodeIndex node{EDGE_SERVER}; //!< who
    Ipv4Address address;         //!< by which the receiver of the assignment reaches it
};

/// Another node's part of a chain, that a control unit carries
struct CarriedPart
{
    uint32_t stage{0};   //!< index of the stage
    StagePlan plan;      //!< who holds it, and which run of the model
    Ipv4Address address; //!< by which the control unit reaches that node
};

/// The stage of another chain, or the node's own, that holds the same run of the model
struct Twin
{
    Neighbour holder; //!< who
    double weight{1}; //!< of its gradients in the mean, (0, 1]
};

/**
 * @ingroup collapipe
 * What the edge server tells a node about its stage. Travels as JSON in the tensor of a
 * segment-assignment message; a message with the parameters follows.
 */
struct StageAssignment
{
    uint32_t chain{0};                      //!< chain within the cluster
    uint32_t stage{0};                      //!< index of the stage
    uint32_t stages{1};                     //!< compute stages of the chain
    StagePlan plan;                         //!< the run of the model
    uint32_t microBatches{1};               //!< N
    uint32_t microBatchSize{1};             //!< b
    uint32_t iterations{1};                 //!< H
    uint32_t firstIteration{0};             //!< those before it were done in an earlier attempt
    std::string schedule{DEFAULT_SCHEDULE}; //!< as Schedule's short name or TypeId
    Neighbour previous;                     //!< stage - 1; meaningless at stage 0
    Neighbour next;                         //!< stage + 1; meaningless at the last stage
    Neighbour last;                         //!< holder of the last stage, where the targets go
    Neighbour first;   //!< holder of the first stage; only for the last one, to share a table with
    Neighbour carrier; //!< who brings the node its parameters and takes them back
    std::vector<CarriedPart> parts; //!< of other nodes, that this one carries; ascending by stage
    /// Where chains step together: the same stage of every chain, in their order; else none
    std::vector<Twin> twins;
};

/// Longest description that is read, in bytes
constexpr uint32_t MAX_ASSIGNMENT_BYTES = 65536;

/// Most micro-batches of an iteration and most samples of a micro-batch that a node agrees to
constexpr uint32_t MAX_MICRO_BATCHES = 65536;

/// Most samples of an iteration that a node agrees to
constexpr uint64_t MAX_ITERATION_SAMPLES = 1U << 22;

/**
 * @param assignment what to tell
 * @return its JSON as an uint8 tensor
 */
TensorData EncodeAssignment(const StageAssignment& assignment);

/**
 * @param tensor what EncodeAssignment() gave
 * @param assignment filled in
 * @return empty, or one sentence that names the field which is missing or wrong
 */
std::string DecodeAssignment(const TensorData& tensor, StageAssignment& assignment);

/**
 * Checks an assignment against the model and against what a node can be asked for.
 * @param assignment as decoded
 * @param blocks encoder blocks of the model
 * @return empty, or one sentence that says what no plan would ask for
 */
std::string CheckAssignment(const StageAssignment& assignment, uint32_t blocks);

/**
 * @ingroup collapipe
 * What a node tells the edge server about itself before every round; a [6] float64 tensor in the
 * order of the fields, or a [7 + n] one where it offers n clocks.
 */
struct StateReport
{
    double flops{0};            //!< usable FLOP/s
    double overheadS{0};        //!< fixed time per micro-batch
    double memoryBytes{0};      //!< memory free for training
    double computePowerW{0};    //!< power while computing
    double batteryJ{0};         //!< energy left; infinite where mains-powered
    double samples{0};          //!< training samples held
    double staticPart{0};       //!< of the power, what does not depend on the clock, [0, 1]
    std::vector<double> clocks; //!< parts of its clock that it offers beside the full one
    HeldBase heldBase; //!< frozen weights that it has; a tensor of its own, see EncodeHeldBase()
};

/**
 * @param report what to tell
 * @return the tensor
 */
TensorData EncodeReport(const StateReport& report);

/**
 * @param tensor what EncodeReport() gave
 * @param report filled in
 * @return empty, or one sentence that says what is wrong
 */
std::string DecodeReport(const TensorData& tensor, StateReport& report);

/**
 * @param held frozen weights that a node has
 * @param blocks encoder blocks of the model, L
 * @return a [L + 2] uint8 tensor of 0 and 1: embedding, blocks, decoder
 */
TensorData EncodeHeldBase(const HeldBase& held, uint32_t blocks);

/**
 * @param tensor what EncodeHeldBase() gave
 * @param blocks encoder blocks of the model, L
 * @param held filled in
 * @return empty, or one sentence that says what is wrong
 */
std::string DecodeHeldBase(const TensorData& tensor, uint32_t blocks, HeldBase& held);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_ASSIGNMENT_H */
