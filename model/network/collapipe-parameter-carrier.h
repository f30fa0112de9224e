/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PARAMETER_CARRIER_H
#define COLLAPIPE_PARAMETER_CARRIER_H

#include "collapipe-assignment.h"
#include "collapipe-message-application.h"
#include "collapipe-message-verdict.h"
#include "collapipe-message.h"

#include <cstdint>
#include <map>
#include <set>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * What a control unit that collects the parameters of its cluster (UploadPath::COLLECTED) has of
 * other nodes' parts in one attempt at a round: on their way to the devices, and back. Neither way
 * goes on before all parts are there, its own too.
 */
class ParameterCarrier
{
  public:
    /**
     * @param context of the run
     * @param assignment of the control unit; its parts are carried
     */
    ParameterCarrier(const TrainingContext& context, const StageAssignment& assignment);

    /**
     * @param node a device
     * @return whether it has a part that is carried
     */
    bool Knows(NodeIndex node) const;

    /**
     * @param header of a message from the edge server
     * @return whether it is for another node
     */
    bool IsForOther(const MessageHeader& header) const;

    /**
     * @param header of a message for another node
     * @param shapes of its tensors
     * @return whether it is a part of the plan's, or frozen weights of one, that have not come yet
     */
    MessageVerdict CheckDown(const MessageHeader& header, const TensorList& shapes) const;

    /**
     * @param header of what a device uploads
     * @param shapes of its tensors
     * @return whether it is that device's part of the plan and has not come yet
     */
    MessageVerdict CheckUp(const MessageHeader& header, const TensorList& shapes) const;

    /// @param message that CheckDown() has taken
    void AddDown(Message message);

    /**
     * @param message that CheckUp() has taken, or the control unit's own upload
     */
    void AddUp(Message message);

    /// @return whether all other nodes' parts are here
    bool HasAllDown() const;

    /// @return whether all parts are here, the control unit's own too
    bool HasAllUp() const;

    /// @return nodes whose parts are still here, on the way to them
    std::vector<Neighbour> ListReceivers() const;

    /**
     * @param node that gets its part
     * @return the messages with it, in the order in which they came; they are here no more
     */
    std::vector<Message> TakeDown(NodeIndex node);

    /// @return all uploads in chain order; they are here no more
    std::vector<Message> TakeUp();

  private:
    /// @return the part that a message is about; null: none
    const CarriedPart* Find(const MessageHeader& header) const;

    const TrainingContext& m_context;                //!< of the run
    StageAssignment m_assignment;                    //!< of the control unit
    std::map<uint32_t, std::vector<Message>> m_down; //!< by stage, on the way to its node
    std::set<uint32_t> m_complete;                   //!< stages all of whose messages have come
    std::map<uint32_t, std::set<uint32_t>> m_base;   //!< by stage: frozen weights that have come
    std::map<uint32_t, Message> m_up;                //!< by stage, on the way to the edge server
    bool m_isUp{false};                              //!< the uploads have gone on
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PARAMETER_CARRIER_H */
