/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COMPUTE_ENERGY_MODEL_H
#define COLLAPIPE_COMPUTE_ENERGY_MODEL_H

#include "collapipe-processor.h"

#include "ns3/collapipe-compat.h"
#include "ns3/device-energy-model.h"
#include "ns3/energy-source.h"
#include "ns3/nstime.h"
#include "ns3/traced-callback.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What a node's processor consumes: P_k^cmp of formula (7) for as long as it computes, once for
 * each worker that does. A piece of work that was begun counts to its end.
 */
class ComputeEnergyModel : public energy::DeviceEnergyModel
{
  public:
    /// @return the TypeId
    static TypeId GetTypeId();

    /// @param processor whose consumption to follow from now on; once, after SetEnergySource
    void SetProcessor(Ptr<Processor> processor);

    void SetEnergySource(Ptr<energy::EnergySource> source) override;
    double GetTotalEnergyConsumption() const override;

    /// @param callback called when the source is empty, and when it has energy again
    void SetDepletionCallback(Callback<void, bool> callback);

    void ChangeState(int newState) override;
    void HandleEnergyDepletion() override;
    void HandleEnergyRecharged() override;
    void HandleEnergyChanged() override;

    /**
     * Signature of the Energy trace, fired when the power is about to change.
     * @param energyJ consumed so far, in J
     * @param powerW until now, in W
     */
    typedef void (*EnergyTracedCallback)(double energyJ, double powerW);

  protected:
    void DoDispose() override;

  private:
    double DoGetCurrentA() const override;
    Time GetComputed() const;
    void Update();
    double GetSavedS() const;
    void Begin(Time start, Time duration);
    void End(double saving);

    double m_powerW{0};                 //!< attribute
    Ptr<energy::EnergySource> m_source; //!< where it comes from
    Callback<void, bool> m_depletion;   //!< whom to tell
    Time m_updated;                     //!< until when the next is
    Time m_computed;                    //!< time spent, summed over workers
    int64_t m_active{0};                //!< workers that compute
    Ptr<Processor> m_processor;         //!< whose they are
    double m_saving{0}; //!< of them, summed: what their clocks save of the full one's power, 0..1
    double m_savedS{0}; //!< of m_computed, by slower clocks
    bool m_isEmpty{false}; //!< nothing is left to consume
    TracedCallback<double, double> m_energyTrace;
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_COMPUTE_ENERGY_MODEL_H */
