/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_INSTALLED_TRAINING_H
#define COLLAPIPE_INSTALLED_TRAINING_H

#include "collapipe-training-setup.h"

#include "ns3/application-container.h"
#include "ns3/collapipe-run-applications.h"
#include "ns3/collapipe-run-results.h"
#include "ns3/collapipe-topology.h"

#include <memory>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * A training that CollaPipeHelper has installed on nodes of one's own: its applications, and a
 * handle on all that belongs to them. Copies are the same training; it must live until the
 * simulation has ended.
 */
class InstalledTraining : public ApplicationContainer
{
  public:
    /**
     * For CollaPipeHelper.
     * @param config what was asked for
     * @param topology the network
     * @throws UserError where the configuration cannot be met
     */
    InstalledTraining(const RunConfig& config, std::unique_ptr<TopologyHelper> topology);

    /// @return the applications by what they are, and the control loop
    const RunApplications& GetApplications() const;

    /// @return what decides, measures and acts
    Ptr<ControlLoop> GetLoop() const;

    /// @return what happened so far
    const RunRecorder& GetRecorder() const;

    /// @return whether all rounds have ended
    bool IsFinished() const;

    /// Ends the simulation when all rounds have ended.
    void StopWhenFinished();

    /**
     * Writes the rounds that have ended, where results were asked for; done by itself once all
     * have.
     * @throws UserError where that fails
     */
    void Save();

    /// @return the outcome of the rounds that have ended, evaluated now
    RunSummary GetSummary() const;

    /// @return for CollaPipeHelper
    TrainingSetup& GetSetup();

    /// @return the network
    TopologyHelper& GetTopology();

    /**
     * For CollaPipeHelper.
     * @param applications that were installed
     */
    void Complete(const RunApplications& applications);

  private:
    class Training;

    std::shared_ptr<Training> m_training; //!< of all copies
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_INSTALLED_TRAINING_H */
