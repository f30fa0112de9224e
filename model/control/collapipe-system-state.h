/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SYSTEM_STATE_H
#define COLLAPIPE_SYSTEM_STATE_H

#include "collapipe-held-base.h"
#include "collapipe-upload-path.h"

#include "ns3/collapipe-schedule-name.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The model as the planner sees it: work, payloads and memory per sample and per encoder block
 * (TEB). Symbols as in the latency model, formulas (1) to (8).
 */
struct ModelProfile
{
    uint32_t blocks{0};               //!< L, encoder blocks
    double blockForwardFlops{0};      //!< F, forward FLOPs of one block and sample
    double backwardRatio{2};          //!< beta, backward work over forward work
    double embeddingForwardFlops{0};  //!< F_emb per sample
    double decoderForwardFlops{0};    //!< F_dec per sample, loss included
    double activationBits{0};         //!< A, bits of one sample at a cut
    double targetBits{0};             //!< bits of one sample's targets, control unit to edge
    double blockParameterBits{0};     //!< W, bits of one block's parameters
    double embeddingParameterBits{0}; //!< W_emb, bits of the embedding's parameters
    /// Part of these bits, 0..1, that is distributed: where optimizers' state travels, there is
    /// none before the first average
    double distributedPart{1};
    double weightCopies{4};            //!< c_w: weights, gradients, optimizer state over W
    double activationBytesPerBlock{0}; //!< A_teb, bytes kept per block and sample until backward
    double segmentInputBytes{0};       //!< A_in, bytes of one sample's input of a segment
    double decoderParameterBits{0};    //!< bits of the decoder's parameters; a device may hold it
    double gradientBits{0};            //!< of one sample's gradient at a cut; 0: as activationBits

    // Where not everything is trained; W and W_emb above are of what is
    double embeddingBackwardRatio{-1}; //!< beta of the embedding; negative: backwardRatio
    double decoderBackwardRatio{-1};   //!< beta of the decoder, likewise
    double frozenBlockBytes{0};        //!< s_0 W_0 / 8 of (8'), one block's frozen weights as held
    double untrainedBlockBytes{0};     //!< likewise, of a block before firstTrainedBlock
    double frozenEmbeddingBytes{0};    //!< likewise, of the embedding
    double frozenDecoderBytes{0};      //!< likewise, of decoder and head; a device may hold them
    /// Frozen weights are sent to nodes that have not had them; else they are there from the start
    bool sendsBase{false};
    bool trainsEmbedding{true}; //!< otherwise no gradient goes to the embedding
    /// Blocks before it hold nothing that is trained. With a frozen embedding they have no backward
    /// pass, and no gradient is sent to them
    uint32_t firstTrainedBlock{0};
    /// Of the gradient of a trained table that embedding and projection share: once per iteration
    /// and both ways between the first and the last stage; 0: there is none
    double tableGradientBits{0};
    /// Of a part's bits as it is uploaded, those of its gradient where chains step together
    double gradientPart{1};

    /// @return beta of the embedding
    double GetEmbeddingBackwardRatio() const
    {
        return embeddingBackwardRatio < 0 ? backwardRatio : embeddingBackwardRatio;
    }

    /// @return beta of the decoder
    double GetDecoderBackwardRatio() const
    {
        return decoderBackwardRatio < 0 ? backwardRatio : decoderBackwardRatio;
    }

    /**
     * @param firstBlock of a segment
     * @return whether what comes before the segment gets a gradient from it
     */
    bool GivesGradient(uint32_t firstBlock) const
    {
        return trainsEmbedding || firstBlock > firstTrainedBlock;
    }

    /**
     * @param firstBlock of a segment
     * @param lastBlock one past its last
     * @return how many of its blocks hold something that is trained
     */
    uint32_t CountTrained(uint32_t firstBlock, uint32_t lastBlock) const
    {
        const uint32_t first = firstBlock > firstTrainedBlock ? firstBlock : firstTrainedBlock;
        return lastBlock > first ? lastBlock - first : 0;
    }

    /**
     * @param firstBlock of a segment
     * @param lastBlock one past its last
     * @return how many of its blocks have a backward pass
     */
    uint32_t CountBackward(uint32_t firstBlock, uint32_t lastBlock) const
    {
        return trainsEmbedding ? lastBlock - firstBlock : CountTrained(firstBlock, lastBlock);
    }

    /**
     * @param firstBlock of a run of blocks
     * @param lastBlock one past its last
     * @return bytes of their frozen weights as held
     */
    double GetFrozenBytes(uint32_t firstBlock, uint32_t lastBlock) const
    {
        const uint32_t trained = CountTrained(firstBlock, lastBlock);
        const uint32_t others = lastBlock - firstBlock - trained;
        return trained * frozenBlockBytes + others * untrainedBlockBytes;
    }

    /// @return bits of one sample's gradient at a cut
    double GetGradientBits() const
    {
        return gradientBits > 0 ? gradientBits : activationBits;
    }
};

/// A number of micro-batches and their size
struct MicroBatchPair
{
    uint32_t count{1}; //!< N
    uint32_t size{1};  //!< b, samples
};

/// Whether segments compute activations again in the backward pass instead of keeping them
enum class Recomputation : uint8_t
{
    NEVER,  //!< all are kept
    ALWAYS, //!< none is kept but a segment's input
    AUTO,   //!< as NEVER, but as ALWAYS where a device's memory would not hold them
};

/// How a training round is run, apart from what the controller decides
struct TrainingProfile
{
    uint32_t localIterations{1};              //!< H
    std::vector<MicroBatchPair> allowedPairs; //!< pairs (N, b) the controller may choose from
    MicroBatchPair fixedPair;                 //!< pair of controllers that do not choose
    /// Short name or TypeId, as GetSchedule() takes it
    std::string schedule{DEFAULT_SCHEDULE};
    /// Whether activations are computed again
    Recomputation recomputation{Recomputation::NEVER};
    bool clipping{false}; //!< gradients are clipped by their global norm
    /// Who may carry parameters between the edge server and the devices
    UploadRule uploadRule{UploadRule::DIRECT};
    /// Of the encoder blocks, the last ones, that the edge server may hold of every pipeline beside
    /// the decoder; the controller decides how many it does
    uint32_t mostEdgeBlocks{0};
    /// The cluster's data are at hand on each of its devices, too, so that chains may begin there;
    /// dssda decides how many do. Controllers whose devices train side by side take it for granted
    bool dataOnDevices{false};
};

/// Who shares a medium, and how
enum class SharingMode : uint8_t
{
    DEDICATED, //!< every link has its own fixed rate
    FREQUENCY, //!< shares of bandwidth, formula (5)
    AIRTIME,   //!< shares of time at the full bandwidth, formula (6)
};

/// What becomes of a share of a medium that its link does not use
enum class Sharing : uint8_t
{
    RESERVED,        //!< it is lost: a share is the rate (5), (6) at every instant
    WORK_CONSERVING, //!< others have it: shares are weights among those who send, (14), (15)
};

/// A shared medium: the uplink, the downlink, or the D2D channel of one cluster
struct PoolState
{
    SharingMode mode{SharingMode::DEDICATED}; //!< how the medium is shared
    double bandwidthHz{0};                    //!< B or B_w; unused where dedicated
    Sharing sharing{Sharing::RESERVED};       //!< what becomes of unused shares
    bool priorities{false}; //!< whether it serves higher LinkPlan::priority first (15)
    double background{0};   //!< part of the medium, 0..1, that other users take on average

    /// @return the part of the medium that is left by others
    double GetFreePart() const
    {
        return 1 - background;
    }
};

/// Over whom a link goes, and hence which media its transfers take beside those of its pool
enum class Relay : uint8_t
{
    NONE,         //!< over nobody
    CONTROL_UNIT, //!< over the control unit: a hop in the cluster's D2D medium, and a wire
    BASE_STATION, //!< up and down through the cell
};

/// Of what a message takes beside its payload (LinkState::overheadBits): its own head and the
/// description of its tensors. Who counts whole messages has counted them.
constexpr double MESSAGE_HEAD_BITS = 8 * 100;

/**
 * A directed link's estimated radio parameters, formulas (5) and (6), or its fixed rate.
 */
struct LinkState
{
    double gain{0};       //!< g, linear power gain
    double efficiency{1}; //!< e, goodput over the rate formula
    double snrGap{1};     //!< Gamma, linear
    /// S of (5) and (6), bit/s/Hz: the highest modulation and coding scheme carries no more
    double maxSpectralEfficiency{std::numeric_limits<double>::infinity()};
    double noiseDensityWPerHz{0};   //!< N0, noise figure included
    double maxPowerW{0};            //!< pmax
    double minPowerW{0};            //!< with less the receiver detects nothing; at most pmax
    double latencyS{0};             //!< d, of formula (2)
    double overheadBits{0};         //!< that a message takes of the medium beside its payload
    double overheadS{0};            //!< airtime that it takes besides, whatever its rate
    double fixedRateBps{0};         //!< rate where the pool is DEDICATED
    double circuitPowerW{0};        //!< P_c of (7'), while sending
    double amplifierEfficiency{1};  //!< eta_a of (7'): radiated over drawn power, 0..1
    double receivePowerW{0};        //!< P_rx of (7'), of the receiver while it receives
    double receiveJPerBit{0};       //!< more that a bit costs the receiver: what it sends back
    double acknowledgementRatio{0}; //!< bits sent back per bit of a message, over the way back
    double startupS{0};             //!< more for a round's first transfer: connections are new
    Relay relay{Relay::NONE};       //!< over whom it goes
};

/// State of a device, as it reported it
struct DeviceState
{
    std::string name;        //!< for messages
    double flops{0};         //!< f_k, usable FLOP/s
    double overheadS{0};     //!< o_k, fixed time per micro-batch
    double memoryBytes{0};   //!< Mem_k, free memory
    double computePowerW{0}; //!< P_k^cmp
    double energyBudgetJ{0}; //!< Ebar_k per round; 0: no budget
    double batteryJ{0};      //!< energy left; infinite where mains-powered
    /// Parts of its clock at which it can compute beside the full one, which f_k, o_k and P_k^cmp
    /// are of; (0, 1]
    std::vector<double> clocks;
    double staticPart{0}; //!< of P_k^cmp, what does not depend on the clock, [0, 1]
    HeldBase heldBase;    //!< frozen weights that it has had, where those are sent
    LinkState uplink;     //!< to the edge server
    LinkState downlink;   //!< from the edge server (power fixed)
};

/// State of a cluster
struct ClusterState
{
    double weight{1};                 //!< rho_m, share of all data
    DeviceState controlUnit;          //!< holds data and embedding
    std::vector<DeviceState> devices; //!< K_m devices
    PoolState d2d;                    //!< the cluster's own D2D medium
    /// d2dLinks[i][j]: from node i to node j; node 0 is the control unit, k + 1 is device k
    std::vector<std::vector<LinkState>> d2dLinks;
    /// Who carries its parameters where the rule leaves that open, unless somebody decides it
    UploadPath path{UploadPath::DIRECT};
};

/// State of the edge server
struct EdgeState
{
    double flops{0};     //!< f_es of one worker
    double overheadS{0}; //!< fixed time per micro-batch
    uint32_t workers{1}; //!< clusters served at once
    /// In (16), a pass waits until one of the workers is free, first come, first served; false:
    /// every pipeline has an equal part of the workers at all times, GetEdgeSlowdown()
    bool queues{false};
};

/// Constants of the convergence bound (9), estimated online
struct LearningState
{
    double stepSize{1e-3};       //!< eta
    double smoothness{1};        //!< L_s
    double gradientVariance{0};  //!< sigma^2
    double clusterDivergence{0}; //!< delta^2
};

/**
 * @ingroup collapipe
 * Everything a controller decides upon at the start of a round.
 */
struct SystemState
{
    uint32_t round{0};                  //!< t
    ModelProfile model;                 //!< the model
    TrainingProfile training;           //!< the round's form
    LearningState learning;             //!< constants of the bound
    EdgeState edge;                     //!< the edge server
    PoolState uplink;                   //!< D2E, shared by all clusters
    PoolState downlink;                 //!< E2D, shared by all clusters
    std::vector<ClusterState> clusters; //!< the clusters
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SYSTEM_STATE_H */
