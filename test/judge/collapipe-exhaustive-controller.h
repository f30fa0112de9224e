/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EXHAUSTIVE_CONTROLLER_H
#define COLLAPIPE_EXHAUSTIVE_CONTROLLER_H

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-instance.h"
#include "ns3/collapipe-virtual-queues.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The judge as a controller, `exhaustive`: minimises (13) by enumeration, see
 * judge::SolveExhaustively(). For instances of a handful of devices and blocks; it needs NLopt and
 * is therefore part of the tests, not of the module.
 */
class ExhaustiveController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;
    void Observe(const RoundMeasurement& measurement) override;

    /// @return the queues (12)
    const VirtualQueues& GetQueues() const;

  private:
    double m_penaltyWeight;     //!< V
    double m_convergenceTarget; //!< phibar
    VirtualQueues m_queues;     //!< Q and Z
    SystemState m_state;        //!< of the last decision
    double m_phi{0};            //!< of the last decision
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EXHAUSTIVE_CONTROLLER_H */
