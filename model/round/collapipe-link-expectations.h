/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_LINK_EXPECTATIONS_H
#define COLLAPIPE_LINK_EXPECTATIONS_H

#include "ns3/collapipe-system-state.h"
#include "ns3/object.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Says what the links of a cell are worth as far as can be known without measuring them in the
 * training: by geometry, by their data sheets, by a probe. A LinkMonitor corrects that.
 */
class LinkExpectations : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * Asked before every decision.
     * @param state of the cell: gets pools and links; its clusters and devices have their numbers
     */
    virtual void FillLinks(SystemState& state) const = 0;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_LINK_EXPECTATIONS_H */
