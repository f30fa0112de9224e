/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_HASFL_CONTROLLER_H
#define COLLAPIPE_HASFL_CONTROLLER_H

#include "collapipe-side-by-side-controllers.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The two decisions of HASFL (Lin et al., arXiv 2506.08426) in the model of this module: every
 * device of SplitFed has a cut and a number of samples of its own, anew every round, so that the
 * slow ones hold nobody up. Equal shares, full power.
 *
 * Where a target of convergence is set, the number of samples n of an iteration is chosen, too, out
 * of those that the allowed pairs have. HASFL asks for the least time to an accuracy epsilon. By
 * the bound (9) the rounds to it are as 1 / (epsilon - phi(n)), phi of (10), if clusters do not
 * diverge; with epsilon as twice the target, tau / (1 - phi(n) / (2 phibar)) is minimised.
 *
 * Cuts and samples of a cluster are those with which the slowest of its devices, each at its equal
 * share of the media, takes least time by (4). They are taken where the whole plan is better so
 * than with TunedSplitFedController's cut.
 */
class HasflController : public SideBySideController
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    RoundPlan Decide(const SystemState& state) override;

  private:
    double m_convergenceTarget{0}; //!< phibar
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_HASFL_CONTROLLER_H */
