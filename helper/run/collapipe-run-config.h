/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_CONFIG_H
#define COLLAPIPE_RUN_CONFIG_H

#include "collapipe-learning-config.h"
#include "collapipe-run-option.h"

#include "ns3/collapipe-corpus.h"
#include "ns3/collapipe-model-part.h"
#include "ns3/collapipe-parameter-value.h"
#include "ns3/collapipe-quality.h"
#include "ns3/collapipe-result-writer.h"
#include "ns3/collapipe-schedule-name.h"
#include "ns3/collapipe-topology.h"
#include "ns3/collapipe-wire-precision.h"

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Everything that a run can be asked for, with defaults that work.
 */
struct RunConfig
{
    // Scenario
    /// A file of options that Parse() reads, or its name; empty: none. A program without command
    /// line sets what it wants itself.
    std::string scenario;
    std::string topology{"hybrid"};          //!< p2p, wifi, lte or hybrid
    std::string fidelity{"packets"};         //!< packets or flow
    std::string actuator{"auto"};            //!< auto, none, lte, wifi, hybrid or a TypeId
    std::string controller{"dssda"};         //!< short name or TypeId
    std::string plugin;                      //!< libraries with classes of one's own
    std::string compare{"uniform-pipeline"}; //!< controller of a second run beside; none: no run
    uint32_t clusters{2};                    //!< M
    uint32_t devices{4};                     //!< K, devices of each cluster
    uint32_t cells{1};                       //!< each with an edge server
    double cellDistanceM{500};               //!< base station to the next
    std::string deviceProfiles{"mixed"};     //!< profile names, dealt out in turn
    std::string clocks;                      //!< parts of full ones, of all nodes; empty: none
    double staticPart{0};                    //!< of a node's power, independent of its clock
    std::string edge{"server-cpu"};          //!< what each edge server can do
    double memoryShare{0.5};                 //!< of the encoder's need, per device; 0: no limit
    double batteryJ{0};                      //!< that each device starts with; 0: mains
    double convergenceTarget{0};             //!< phibar of (11); 0: samples are fixed
    double energyBudgetJ{0};                 //!< per device and round, on average; 0: none
    bool shadowing{true};                    //!< log-normal shadowing on radio links
    double lteShadowingDb{4};                //!< its standard deviation with LTE
    bool fading{false};                      //!< Rayleigh fading on radio links
    std::string mobility{"none"};            //!< none, waypoint or gauss-markov
    double speedMps{1};                      //!< mean speed of nodes that move
    double clusterDistanceM{100};            //!< base station to cluster centre
    std::string clusterDistances;            //!< the same cluster by cluster; empty: all alike
    std::string placement{"circles"};        //!< circles or random
    std::string positions;                   //!< a file of positions; empty: none
    double cellRadiusM{250};                 //!< within which all nodes are
    double clusterRadiusM{10};               //!< control unit to devices
    uint32_t lteResourceBlocks{100};         //!< bandwidth of the cell
    std::string lteScheduler{"weighted"};    //!< of the base stations: a short name or a TypeId
    double packetErrorRate{0};               //!< on wired links, for tests
    double backgroundPrograms{0};            //!< beside training on a node, on average
    std::string recovery{"replan"};          //!< what is done when a node fails
    std::string faults;                      //!< what goes wrong; empty: nothing
    uint32_t replicaPeriod{0};               //!< iterations between snapshots; 0: none
    double heartbeatS{10};                   //!< of nodes that have nothing to say; 0: none
    double patienceS{30};                    //!< with nodes that are silent
    std::string authenticate{"auto"};        //!< messages: on, off, or auto
    double deadlineS{3600};                  //!< without any progress
    uint32_t segmentSize{1400};              //!< of TCP, bytes; more takes jumbo frames
    uint32_t tcpBufferMib{0};                //!< to send and to receive, each; 0: by the wires
    std::string sharing{"work-conserving"};  //!< of radio media: reserved or work-conserving
    std::string background{"none"};          //!< what other users of the radios do
    uint32_t backgroundUsers{4};             //!< of each cell and channel
    double backgroundLeadS{2};               //!< that they are alone before the training

    // Training; where the task decides, the values are a translation's
    std::string task;             //!< what is learnt; empty: as suits data and model
    std::string model{"nano"};    //!< size by name or WIDTHxHEADSxFEEDFORWARD
    uint32_t blocks{8};           //!< L, encoder blocks; Complete() goes by the model's name
    uint32_t decoderBlocks{1};    //!< on the edge server
    uint32_t sequenceLength{20};  //!< tokens of a sentence, padding included
    uint32_t vocabulary{1000};    //!< pieces of the tokenizer
    uint32_t microBatches{4};     //!< N
    uint32_t microBatchSize{8};   //!< b
    uint32_t localIterations{25}; //!< H
    uint32_t rounds{5};           //!< T
    std::string schedule{DEFAULT_SCHEDULE};  //!< short name or TypeId
    std::string compute{"torch"};            //!< torch or analytic
    std::string optimizer{"adam"};           //!< adam or sgd
    double learningRate{3e-3};               //!< step size
    double momentum{0.9};                    //!< of sgd
    std::string recompute{"never"};          //!< activations: never, always or auto
    std::string uploadPath{"direct"};        //!< of parameters: direct, collected or auto
    uint32_t offload{0};                     //!< encoder blocks that the edge server may hold
    std::string dataAt{"control-units"};     //!< or devices: where chains may begin
    std::string activationPrecision{"fp32"}; //!< on the wire: fp32, fp16, bf16 or int8
    std::string gradientPrecision{"fp32"};   //!< likewise
    std::string parameterPrecision{"fp32"};  //!< likewise
    double clipNorm{0};                      //!< largest norm of the model's gradients; 0: no limit
    bool keepOptimizerState{false};          //!< average optimizer state instead of starting afresh
    double dirichletAlpha{1.0};              //!< non-IID knob; 0: IID

    LearningConfig learning; //!< what is learnt, and how well

    // Data
    /// Data of one's own, as token ids, of the kind that task says; no files are asked for
    std::function<Corpus(const RunConfig&)> ownCorpus;
    std::string language{"de"};  //!< of the gettext catalogs
    std::string trainSource;     //!< aligned text, one sentence a line
    std::string trainTarget;     //!< its translation
    std::string valSource;       //!< for validation
    std::string valTarget;       //!< its translation
    uint32_t maxPairs{0};        //!< use at most so many pairs; 0: all
    uint32_t maxValidation{500}; //!< evaluate on at most so many pairs; 0: all

    // Run
    std::string outputDir{"collapipe-output"}; //!< where results go; empty: nowhere
    uint32_t timelineSizeMb{50};               //!< bound of timeline.json; 0: none is written
    bool timelineGzip{false};                  //!< write timeline.json.gz instead
    bool flowMonitor{false};                   //!< write flows.xml
    bool netAnim{false};                       //!< write netanim.xml
    bool pcap{false};                          //!< write packet captures
    uint64_t seed{1};                          //!< of data, weights and the simulator
    uint64_t run{1};                           //!< of the simulator: another channel realisation
    uint32_t threads{0};          //!< for real computation; 0: as the machine has cores
    std::string progress{"auto"}; //!< auto, bar, lines or none
    std::string save;             //!< folder of the checkpoint to write; empty: none
    uint32_t saveEvery{0};        //!< rounds between checkpoints; 0: at the end only
    std::string load;             //!< folder of the checkpoint to go on from; empty: none

    /**
     * Reads the command line: `--name=value`, attribute defaults and global values of ns-3, and
     * what prints something and ends the program: `--help`, `--version`, ns-3's `--PrintTypeIds`
     * and so on.
     * @param argc as main's
     * @param argv as main's
     * @throws UserError for an option that does not exist or a value that is not allowed
     */
    void Parse(int argc, char** argv);

    /**
     * Gives options that have the value of a fresh RunConfig what suits the data, the task and the
     * model (the rows' Usually()): other values of a program's stay. Parse() has done so, to what
     * is not on the command line; a TrainingRun does it for a configuration that was not read from
     * one.
     * @throws UserError where a model of other people's cannot be used
     */
    void Complete();

    /**
     * @return all options with their values as text, in the order of the help
     */
    std::vector<std::pair<std::string, std::string>> List() const;

    /// @return List() and the ns-3 defaults and global values that Parse() met, by full name
    std::vector<std::pair<std::string, std::string>> ListAll() const;

    /// @return as ListAll(), with numbers as numbers
    std::vector<std::pair<std::string, ParameterValue>> ListTyped() const;

    /// @return names of the options that were on the command line
    const std::set<std::string>& GetGiven() const;

    /**
     * Checks what can be checked without data and network; also that no option of the command line
     * would be ignored.
     * @throws UserError where something is impossible
     */
    void Validate() const;

    /**
     * @return what defaults go by: languages (the classification of the default data), or the task;
     *         beside that, they go by whether the model is one of other people's
     */
    std::string GetLearnt() const;

    /// @return the model's dimensions; the vocabulary is the one wanted
    ModelConfig GetModelConfig() const;

    /// @return the optimizer of every segment
    OptimizerConfig GetOptimizerConfig() const;

    /// @return when and how the model's quality is found out
    QualityPlan GetQualityPlan() const;

    /// @return in which precision tensors travel
    WirePrecision GetWirePrecision() const;

    /// @return what goes over the links
    Fidelity GetFidelity() const;

    /// @return what the topology is built from
    TopologyConfig GetTopologyConfig() const;

  private:
    /// ns-3's attribute defaults and global values of the command line, by full name
    std::vector<std::pair<std::string, std::string>> m_attributes;
    std::set<std::string> m_given; //!< names of the options on the command line
    bool m_isComplete{false};      //!< Complete() or Parse() has been here

    /**
     * Complete(), but for some options.
     * @param given names of the options that are to stay as they are
     */
    void SetTaskDefaults(const std::set<std::string>& given);

    /// @return the task that suits data and model
    std::string GetUsualTask() const;

    /**
     * Takes the options of the run that a checkpoint was saved by, but those of its surroundings.
     * @param options all of them
     * @throws UserError where the checkpoint cannot be used
     */
    void TakeOptions(const std::vector<RunOption>& options);

    /**
     * Takes the options of the scenario, but those of the command line.
     * @param options all of them
     * @param fixed gets the names of those that it sets
     * @throws UserError where it cannot be used
     */
    void TakeScenario(const std::vector<RunOption>& options, std::set<std::string>& fixed);

    /// Checks files that are given in pairs. @throws UserError where one is missing
    void CheckFiles() const;

    /// Checks the model's size and the samples of an iteration. @throws UserError where it cannot
    /// be
    void CheckSizes() const;
    void CheckBase() const;
    void CheckClockOptions() const;
};

/**
 * @param config of a run
 * @param summary gets what was asked for
 */
void DescribeRun(const RunConfig& config, RunSummary& summary);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_CONFIG_H */
