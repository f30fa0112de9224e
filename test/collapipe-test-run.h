/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TEST_RUN_H
#define COLLAPIPE_TEST_RUN_H

#include "collapipe-needs-torch.h"

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-helper.h"
#include "ns3/simulator.h"

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/// Decides what it was told to
class FixedPlanController : public Controller
{
  public:
    /// @param plan the decision of every round
    explicit FixedPlanController(RoundPlan plan)
        : m_plan(std::move(plan))
    {
    }

    RoundPlan Decide(const SystemState& /* state */) override
    {
        return m_plan;
    }

  private:
    RoundPlan m_plan;
};

/// What a test run is made of; the rest is small and fixed
struct TestRunConfig
{
    std::string topology{"p2p"};          //!< name
    Fidelity fidelity{Fidelity::PACKETS}; //!< what goes over the links
    TopologyConfig network;               //!< clusters and devices are set from the plan
    std::vector<std::vector<uint32_t>> segments{{1, 1}}; //!< by cluster: blocks of device 1, 2, ...
    std::vector<uint32_t> microBatches{2};               //!< by cluster, N
    uint32_t microBatchSize{2};                          //!< b
    uint32_t iterations{1};                              //!< H
    uint32_t rounds{1};                                  //!< T
    std::string schedule{"gpipe"};                       //!< gpipe or 1f1b
    std::string backend{GetAnyBackend()};                //!< TypeId
    OptimizerConfig optimizer;                           //!< of all segments
    std::function<void(ModelConfig&)> adaptModel;        //!< changes the small model, or nothing
    std::function<void(RoundPlan&)> adaptPlan; //!< adds radio decisions to the plan, or nothing
    bool feedsDevices{false}; //!< devices may be first stages: their samples count as the cluster's
    UploadPath path{UploadPath::DIRECT};               //!< of all clusters
    bool keepOptimizerState{false};                    //!< see TrainingContext
    bool sendsBase{false};                             //!< see TrainingContext
    bool notesGradients{true};                         //!< of the first iteration, by segments
    WirePrecision precision;                           //!< see TrainingContext
    Recomputation recomputation{Recomputation::NEVER}; //!< of activations
    unsigned threads{2};                               //!< of the executor
    uint64_t seed{1};                                  //!< of data and weights
    uint32_t run{1};                                   //!< of the simulator
    std::vector<DeviceProfile> profiles; //!< of control unit and devices; empty: default
    EdgeState edge{1e9, 0, 4};           //!< of the edge server
    std::string recovery{"wait"};        //!< policy
    std::vector<uint8_t> sessionKey;     //!< see TransportConfig
    uint32_t replicaPeriod{0};           //!< see TrainingContext
    Time heartbeat{Seconds(10)};         //!< see TrainingContext
    Time patience{Seconds(30)};          //!< of the edge servers
};

/**
 * A training run on random sentences of random lengths, with everything that happens recorded.
 */
class TestRun
{
  public:
    explicit TestRun(const TestRunConfig& config);
    ~TestRun();

    TestRun(const TestRun&) = delete;
    TestRun& operator=(const TestRun&) = delete;

    /// Simulates to the end of the last round.
    void Run();

    /// @return the network
    TopologyHelper& GetTopology();

    /// @return what runs on it
    const RunApplications& GetApplications() const;

    /// @return the model's dimensions
    const ModelConfig& GetModelConfig() const;

    /// @return parameters before the first round
    const ModelParameters& GetInitialParameters() const;

    /// @return parameters after the last round
    ModelParameters GetFinalParameters() const;

    /// @return gradients of the first iteration of the first round in a cluster, in chain order
    TensorList GetFirstGradients(uint32_t cluster) const;

    /// @return the samples that a cluster's first stage took, by iteration over all rounds
    const std::vector<std::vector<Sample>>& GetBatches(uint32_t cluster) const;

    /// @return when a cluster's first stage ended its iterations, over all rounds
    const std::vector<Time>& GetFlushTimes(uint32_t cluster) const;

    /// @return weight rho of a cluster
    double GetWeight(uint32_t cluster) const;

    /// @return one line per message sent: time, sender, type, size
    const std::vector<std::string>& GetMessages() const;

    /// @return failures that the edge servers have seen
    const std::vector<NodeFailure>& GetFailures() const;

    /// @return when each of them was seen
    const std::vector<Time>& GetFailureTimes() const;

    /// @return what they have done about them
    const std::vector<RecoveryRecord>& GetRecoveries() const;

    /// @return whether all rounds ended
    bool IsFinished() const;

    /// @return model profile, for the formulas
    SystemState GetState() const;

    /// @return records of all rounds
    const std::vector<RoundRecord>& GetRounds() const;

    /// @return training losses by round
    const std::vector<double>& GetTrainLosses() const;

    /// @return the plan of every round, of the first cell
    RoundPlan GetPlan() const;

  private:
    void CreateData();
    void Install();
    RoundPlan MakePlan(const std::vector<ClusterId>& clusters) const;
    SampleSource MakeSource(uint32_t cluster);

    void RecordFlush(uint32_t cluster,
                     uint32_t node,
                     uint32_t round,
                     uint32_t iteration,
                     const ModelPart& part);
    void RecordEdgeFlush(uint32_t cluster,
                         uint32_t round,
                         uint32_t iteration,
                         const ModelPart& part);
    void RecordMessage(std::string sender, const MessageHeader& header, uint64_t bytes);
    void RecordRound(const RoundRecord& record);
    void RecordFinish();
    void RecordFailure(const NodeFailure& failure);
    void RecordRecovery(const RecoveryRecord& record);

    TestRunConfig m_config;
    std::shared_ptr<TrainingContext> m_context;
    ModelParameters m_initial;
    std::vector<std::vector<Sample>> m_data;                 //!< by cluster
    std::vector<std::vector<std::vector<Sample>>> m_batches; //!< by cluster and iteration
    std::vector<std::size_t> m_next;                         //!< by cluster: next sample
    std::vector<Sample> m_validation;
    std::unique_ptr<TopologyHelper> m_topology;
    RunApplications m_applications;
    SystemState m_state;
    std::vector<ModelParameters> m_gradients; //!< by cluster, of the first iteration
    std::vector<std::vector<Time>> m_flushes; //!< by cluster
    std::vector<std::string> m_messages;
    std::vector<double> m_losses;
    std::vector<RoundRecord> m_rounds;
    bool m_finished{false};
    std::vector<NodeFailure> m_failures;
    std::vector<Time> m_failureTimes;
    std::vector<RecoveryRecord> m_recoveries;
};

/**
 * Gives every cluster chains that step together, in place of its pipeline, with as many samples
 * each as that had. Stage s of chain c is on device s * chains + c; the edge server holds the rest.
 * @param plan of pipelines
 * @param chains how many
 * @param ends one past the last block of every stage on a device
 */
void MakeSynchronous(RoundPlan& plan, uint32_t chains, const std::vector<uint32_t>& ends);

/**
 * @param value tensors under test
 * @param reference tensors of equal shapes
 * @return largest relative difference in Euclidean norm of any tensor; tensors whose reference is
 * below 1e-6 of the largest norm are measured against that
 */
double GetRelativeDifference(const TensorList& value, const TensorList& reference);

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TEST_RUN_H */
