/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_HELPER_H
#define COLLAPIPE_HELPER_H

#include "collapipe-installed-training.h"

#include "ns3/attribute.h"
#include "ns3/collapipe-cell-server.h"
#include "ns3/collapipe-device-profile.h"
#include "ns3/collapipe-lead-server.h"
#include "ns3/collapipe-run-applications.h"
#include "ns3/collapipe-stage-application.h"
#include "ns3/collapipe-topology.h"
#include "ns3/data-rate.h"
#include "ns3/node-container.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Installs a training run on a network: the applications, and what decides and measures. Each
 * cell gets a ControlLoop with a controller, a link monitor and an actuator, all of them together
 * an energy meter; what is not wanted, or wanted otherwise, is set here or in the loop.
 *
 * On nodes of one's own, with their devices, addresses and routes:
 *
 *     RunConfig config;                  // what to train, and how
 *     CollaPipeHelper helper(config);
 *     helper.EnableResults("results");
 *     auto training = helper.Install(edgeServer, controlUnits, devices);
 *     training.Start(Seconds(2));
 *     Simulator::Run();
 */
class CollaPipeHelper
{
  public:
    /**
     * @param context what all applications have in common
     */
    explicit CollaPipeHelper(std::shared_ptr<const TrainingContext> context);

    /**
     * For nodes of one's own. What is set beside the configuration (controller, profiles, edge
     * server, battery, actuator, link monitor) takes the place of what it says.
     * @param config what to train, and how, with which controller and devices; what it says of the
     *        network is not used, but for TCP's buffer and segments
     */
    explicit CollaPipeHelper(const RunConfig& config);

    ~CollaPipeHelper();

    /**
     * Sets an attribute of the applications that will be installed: of each that has it.
     * @param name of the attribute; aborts where no application has it
     * @param value of it
     */
    void SetAttribute(const std::string& name, const AttributeValue& value);

    /**
     * @param name of an attribute of the controllers; aborts where a controller has none
     * @param value of it
     */
    void SetControllerAttribute(const std::string& name, const AttributeValue& value);

    /**
     * @param rate of links that tell none, until messages have gone over them; 10 Mb/s where this
     *        is not called
     * @param latency of these; 5 ms
     */
    void SetDefaultLink(DataRate rate, Time latency);

    /**
     * @param directory for what a run of the stock programs leaves, written when the last round has
     *        ended or InstalledTraining::Save() is called
     */
    void EnableResults(const std::string& directory);

    /// @param controller that decides every round, where there is one cell
    void SetController(Ptr<Controller> controller);

    /// @param controllers by cell: each decides for the clusters of its cell
    void SetControllers(std::vector<Ptr<Controller>> controllers);

    /**
     * @param name TypeId of the LinkMonitor that each cell gets; empty: none, expectations hold
     */
    void SetLinkMonitor(const std::string& name);

    /// @param actuator on the radios of all cells; null: all radios that the topology has obey
    void SetActuator(Ptr<RadioActuator> actuator);

    /**
     * @param batteryJ what each device starts with, in J; 0: from the mains
     */
    void SetBattery(double batteryJ);

    /// @param training local iterations, schedule, micro-batches
    void SetTraining(const TrainingProfile& training);

    /// @param rounds how many
    void SetRounds(uint32_t rounds);

    /// @param edge speed and workers of the edge server
    void SetEdge(const EdgeState& edge);

    /**
     * @param controlUnit profile of every control unit
     * @param devices profiles of devices, dealt out in turn
     */
    void SetProfiles(const DeviceProfile& controlUnit, std::vector<DeviceProfile> devices);

    /// @param programs that run beside training on every device and control unit, on average
    void SetBackgroundPrograms(double programs);

    /**
     * @param clusters training samples of each cluster; they must outlive the run. Device k also
     *        holds every K-th of them from k on, for controllers that train on devices alone.
     * @param seed of the order in which they are used
     */
    void SetData(std::vector<std::vector<const Sample*>> clusters, uint64_t seed);

    /// @param validation evaluated after every round; must outlive the run
    void SetValidation(const std::vector<Sample>* validation);

    /// @param model what the first round starts from
    void SetModel(ModelState model);

    /**
     * @param topology the network, built
     * @return the state that the controller will see in the first round
     */
    SystemState GetInitialState(const TopologyHelper& topology) const;

    /**
     * @param topology the network, built
     * @param cell one of its cells
     * @return the state that the cell's controller will see in the first round
     */
    SystemState GetInitialState(const TopologyHelper& topology, uint32_t cell) const;

    /**
     * Installs an application on every node; they start when the network is ready.
     * @param topology the network, built; must outlive the run
     * @return the applications
     */
    RunApplications Install(TopologyHelper& topology) const;

    /**
     * Installs a training on nodes of one's own: applications, control loop, energy meter, link
     * monitor; and where devices are Wi-Fi, an actuator.
     * @param edgeServer holds decoder and model
     * @param controlUnits one for each cluster
     * @param devices of all clusters, as many for each, the first cluster's first
     * @return the applications, to be started and stopped as ns-3's are
     * @throws UserError where the configuration cannot be met
     */
    InstalledTraining Install(Ptr<Node> edgeServer,
                              const NodeContainer& controlUnits,
                              const NodeContainer& devices);

    /**
     * The same where clusters have different numbers of devices.
     * @param edgeServer holds decoder and model
     * @param controlUnits one for each cluster
     * @param devices by cluster
     * @return the applications, to be started and stopped as ns-3's are
     * @throws UserError where the configuration cannot be met
     */
    InstalledTraining Install(Ptr<Node> edgeServer,
                              const NodeContainer& controlUnits,
                              const std::vector<NodeContainer>& devices);

  private:
    Ptr<EdgeServerApplication> InstallEdgeServer(const Network& network, uint32_t cell) const;

    /// Closes the loop of every cell.
    void InstallLoops(const TopologyHelper& topology, RunApplications& applications) const;

    /// Gives every cell a link monitor and has the radios tell it.
    void InstallMonitors(TopologyHelper& topology, RunApplications& applications) const;
    Ptr<LeadServerApplication> InstallLead(const Network& network) const;

    /// Makes a server the one that holds the model.
    void SetLeader(Ptr<ModelServerApplication> server) const;
    Ptr<StageApplication> InstallNode(const Network& network,
                                      uint32_t cluster,
                                      NodeIndex index) const;

    /// @return the profile of a node: 0 is the control unit, k + 1 device k
    const DeviceProfile& GetProfile(NodeIndex index) const;

    /// An attribute to be set
    using Setting = std::pair<std::string, Ptr<AttributeValue>>;

    /// Sets what SetAttribute() was told; aborts where no application has it.
    void SetAttributes(const RunApplications& applications) const;

    /// Hands on what was set here beside the configuration.
    void TakeSettings(CollaPipeHelper& helper) const;

    std::unique_ptr<RunConfig> m_config;                      //!< of nodes of one's own; else null
    std::vector<Setting> m_settings;                          //!< of applications
    std::vector<Setting> m_controllerSettings;                //!< of controllers
    DataRate m_defaultRate{"10Mbps"};                         //!< of links that tell none
    Time m_defaultLatency{MilliSeconds(5)};                   //!< of these
    std::string m_results;                                    //!< folder; empty: none wanted
    std::shared_ptr<const TrainingContext> m_context;         //!< of the run
    std::vector<Ptr<Controller>> m_controllers;               //!< by cell, decide
    std::string m_linkMonitor{"ns3::collapipe::LinkMonitor"}; //!< TypeId; empty: none
    Ptr<RadioActuator> m_actuator;                            //!< null: the topology's
    double m_batteryJ{0};                                     //!< of each device; 0: mains
    TrainingProfile m_training;                               //!< form of a round
    uint32_t m_rounds{1};                                     //!< how many
    EdgeState m_edge;                                         //!< edge server
    DeviceProfile m_controlUnit;                              //!< of control units
    std::vector<DeviceProfile> m_devices;                     //!< of devices, dealt out in turn
    double m_backgroundPrograms{0};                           //!< beside training, on average
    std::vector<std::vector<const Sample*>> m_data;           //!< by cluster
    uint64_t m_seed{1};                                       //!< of the samples' order
    const std::vector<Sample>* m_validation{nullptr};         //!< for evaluation
    ModelState m_model;                                       //!< to start from
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_HELPER_H */
