/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RADIO_ACTUATOR_H
#define COLLAPIPE_RADIO_ACTUATOR_H

#include "ns3/collapipe-cluster-id.h"
#include "ns3/collapipe-plan.h"
#include "ns3/object.h"
#include "ns3/traced-callback.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// Share, power and priority of a directed link as a radio model holds them
struct LinkSetting
{
    double share{0};     //!< of the pool, 0..1; 0: no share is set, the link takes what is free
    double powerW{0};    //!< transmit power; 0: the radio has no power to set on this link
    uint8_t priority{0}; //!< the highest goes first (15); 0 where the radio knows none

    /// @return whether nothing differs
    bool operator==(const LinkSetting& other) const
    {
        return share == other.share && powerW == other.powerW && priority == other.priority;
    }
};

/**
 * Aborts where a decision makes no sense, which would corrupt a cell silently.
 * @param link a decision: its share must lie in 0..1, its power must be finite and not negative
 */
void CheckLinkPlan(const LinkPlan& link);

/**
 * @ingroup collapipe
 * Makes the radio models do what a plan decided. Chosen by TypeId; one object acts on the radios of
 * one network. Which links it carries, and what a share is there, is the implementation's.
 */
class RadioActuator : public Object
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /**
     * A cluster enters a phase: sets share, power and priority of those of the plan's links of that
     * phase that this radio carries. A link of the cluster that the phase does not name goes back
     * to its defaults. Takes effect at once, for what is sent from now on.
     * @param cluster whose
     * @param phase that begins
     * @param plan of the cluster
     */
    void Apply(ClusterId cluster, Phase phase, const ClusterPlan& plan);

    /**
     * As Apply, with the links of the phase only.
     * @param cluster index
     * @param links decisions; each link at most once
     * @param reason for the trace
     */
    virtual void ApplyLinks(uint32_t cluster,
                            const std::vector<LinkPlan>& links,
                            const std::string& reason) = 0;

    /**
     * Reads a setting back from the radio models themselves.
     * @param cluster index
     * @param from transmitter
     * @param to receiver
     * @return the setting now; nothing where this radio does not carry the link
     */
    virtual std::optional<LinkSetting> Read(uint32_t cluster,
                                            NodeIndex from,
                                            NodeIndex to) const = 0;

    /**
     * Signature of the Actuation trace, fired once per link and change.
     * @param cluster index
     * @param from transmitter
     * @param to receiver
     * @param before the setting until now
     * @param after the setting from now on
     * @param reason why, such as "training" (the phase that begins)
     */
    typedef void (*ActuationTracedCallback)(uint32_t cluster,
                                            NodeIndex from,
                                            NodeIndex to,
                                            const LinkSetting& before,
                                            const LinkSetting& after,
                                            const std::string& reason);

  protected:
    /// The Actuation trace, for implementations to fire where they changed something
    TracedCallback<uint32_t,
                   NodeIndex,
                   NodeIndex,
                   const LinkSetting&,
                   const LinkSetting&,
                   const std::string&>
        m_actuationTrace;
};

/**
 * @ingroup collapipe
 * Acts on nothing: for links whose rates are fixed, and for controllers that leave radios alone.
 */
class NoneActuator : public RadioActuator
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    void ApplyLinks(uint32_t cluster,
                    const std::vector<LinkPlan>& links,
                    const std::string& reason) override;
    std::optional<LinkSetting> Read(uint32_t cluster, NodeIndex from, NodeIndex to) const override;
};

/**
 * @ingroup collapipe
 * Several radios in one network: hands every link to all of them; each acts on what it carries.
 * Fires the Actuation traces of its parts as its own.
 */
class HybridActuator : public RadioActuator
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param part an actuator for some of the links; no two parts carry the same
    void Add(Ptr<RadioActuator> part);

    /// @return the actuators added, in that order
    const std::vector<Ptr<RadioActuator>>& GetParts() const;

    void ApplyLinks(uint32_t cluster,
                    const std::vector<LinkPlan>& links,
                    const std::string& reason) override;
    std::optional<LinkSetting> Read(uint32_t cluster, NodeIndex from, NodeIndex to) const override;

  protected:
    void DoDispose() override;

  private:
    void Forward(uint32_t cluster,
                 NodeIndex from,
                 NodeIndex to,
                 const LinkSetting& before,
                 const LinkSetting& after,
                 const std::string& reason);

    std::vector<Ptr<RadioActuator>> m_parts; //!< by radio
};

/**
 * @param phase a phase
 * @return its name: "distribution", "training" or "upload"
 */
std::string GetPhaseName(Phase phase);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RADIO_ACTUATOR_H */
