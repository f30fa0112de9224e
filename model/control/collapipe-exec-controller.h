/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_EXEC_CONTROLLER_H
#define COLLAPIPE_EXEC_CONTROLLER_H

#include "collapipe-child-process.h"
#include "collapipe-controller.h"
#include "collapipe-instance.h"
#include "collapipe-virtual-queues.h"

#include "ns3/nstime.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Has another program decide, in any language: every round it gets the instance of (13) as one line
 * of JSON on its standard input, as collapipe-solve reads it, and answers with the plan as one line
 * on its standard output, as collapipe-solve writes it. The virtual queues (12) are kept here and
 * are part of the instance, so that the program needs no memory of its own.
 *
 * Where the program does not start, ends, is silent for too long, or answers with what is no plan
 * or none that the system can carry out (CheckPlan), the round is infeasible, with one sentence
 * that says why.
 */
class ExecController : public Controller
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();
    ExecController();
    ~ExecController() override;

    RoundPlan Decide(const SystemState& state) override;
    void Observe(const RoundMeasurement& measurement) override;

    /// @return Q and Z
    const VirtualQueues& GetQueues() const;

  protected:
    void DoDispose() override;

  private:
    /// @return V, for a round's state; as DssdaController has it where the attribute is 0
    double GetPenaltyWeight(const SystemState& state);

    /// @return the answer to an instance; or, in `error`, why there is none
    std::string Ask(const Instance& instance, std::string& error);

    std::string m_command;         //!< attribute
    Time m_timeout;                //!< attribute; of the wall clock
    double m_penaltyWeight{0};     //!< attribute: V; 0: its own
    double m_ownWeight{0};         //!< V by the length of the first round; 0: not known yet
    double m_convergenceTarget{0}; //!< phibar
    ChildProcess m_child;          //!< the program
    SystemState m_state;           //!< of the last round
    double m_phi{0};               //!< of the last plan
    VirtualQueues m_queues;        //!< Q and Z
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_EXEC_CONTROLLER_H */
