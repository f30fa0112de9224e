/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What may come to a device or control unit, and what it does with it.

#include "collapipe-message-shapes.h"
#include "collapipe-stage-application.h"

#include "ns3/collapipe-clock-states.h"

#include <algorithm>
#include <cmath>

namespace ns3
{
namespace collapipe
{

MessageVerdict
StageApplication::CheckMessage(Ptr<Connection> connection,
                               const MessageHeader& header,
                               const TensorList& shapes) const
{
    if (header.type == MessageType::HELLO)
    {
        return CheckHello(connection, header);
    }
    if (header.cluster != m_cluster)
    {
        return MessageVerdict::Refuse("a message of cluster " + std::to_string(header.cluster) +
                                      " came to a node of cluster " + std::to_string(m_cluster));
    }
    const auto server = m_peers.find(EDGE_SERVER);
    if (server != m_peers.end() && server->second == connection &&
        header.type != MessageType::ACTIVATION && header.type != MessageType::GRADIENT &&
        header.type != MessageType::TABLE_GRADIENT && header.type != MessageType::CREDIT)
    {
        return CheckFromServer(header, shapes);
    }
    return CheckFromPeer(connection, header, shapes);
}

bool
StageApplication::IsWith(const Ptr<Connection>& connection, NodeIndex node) const
{
    const auto peer = m_peers.find(node);
    const auto spare = m_spares.find(node);
    return (peer != m_peers.end() && peer->second == connection) ||
           (spare != m_spares.end() && spare->second == connection);
}

MessageVerdict
StageApplication::CheckHello(Ptr<Connection> connection, const MessageHeader& header) const
{
    if (header.cluster != m_cluster || header.node == m_node || header.node == EDGE_SERVER ||
        header.tensorCount > 0)
    {
        return MessageVerdict::Refuse("a stranger calls node " + std::to_string(m_node) +
                                      " of cluster " + std::to_string(m_cluster));
    }
    const auto greeting = m_greetings.find(header.node);
    if (IsWith(connection, header.node))
    {
        return MessageVerdict::Skip("it has said hello before");
    }
    for (const auto& [node, peer] : m_peers)
    {
        if (IsWith(connection, node))
        {
            return MessageVerdict::Refuse("a peer says hello in another node's name");
        }
    }
    const bool hasGreeted = greeting != m_greetings.end();
    if (!IsNextHello(hasGreeted, hasGreeted ? greeting->second : 0, header.iteration))
    {
        return MessageVerdict::Refuse("a hello was heard before, or has a number beyond all calls");
    }
    return MessageVerdict::Take();
}

MessageVerdict
StageApplication::CheckFromServer(const MessageHeader& header, const TensorList& shapes) const
{
    const auto refuse = [&header](const std::string& why) {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " " + why);
    };
    if (header.node != EDGE_SERVER || header.round < m_round)
    {
        return header.node == EDGE_SERVER ? MessageVerdict::Skip("its round is over")
                                          : refuse("in a node's name came from the edge server");
    }
    if (header.type == MessageType::STATE_REQUEST)
    {
        return shapes.empty() ? MessageVerdict::Take() : refuse("with tensors");
    }
    if (header.round != m_round)
    {
        return refuse("of a round that has not begun");
    }
    if (header.type == MessageType::SEGMENT_ASSIGNMENT)
    {
        if (header.attempt < m_attempt || (header.attempt == m_attempt && m_isAssigned))
        {
            return MessageVerdict::Skip("this attempt has its assignment");
        }
        return shapes.size() == 1 && shapes[0].dtype == DType::UINT8 &&
                       shapes[0].shape.size() == 1 &&
                       shapes[0].GetByteSize() <= MAX_ASSIGNMENT_BYTES
                   ? MessageVerdict::Take()
                   : refuse("is no description");
    }
    if (header.attempt != m_attempt || !m_isAssigned)
    {
        return header.attempt < m_attempt ? MessageVerdict::Skip("its attempt is over")
                                          : refuse("came before its assignment");
    }
    switch (header.type)
    {
    case MessageType::BASE_WEIGHTS:
    case MessageType::SEGMENT_PARAMETERS:
        if (m_assignment.carrier.node != EDGE_SERVER)
        {
            return refuse("came from the edge server where the control unit carries it");
        }
        return m_carrier && m_carrier->IsForOther(header) ? m_carrier->CheckDown(header, shapes)
                                                          : CheckParameters(header, shapes);
    case MessageType::START:
        if (!m_runner || m_assignment.stage > 0 || !shapes.empty())
        {
            return refuse("came to a stage that is not to be started");
        }
        return m_runner->IsStarted() ? MessageVerdict::Skip("the stage has started")
                                     : MessageVerdict::Take();
    case MessageType::CLIP_FACTOR:
        if (!m_runner || !IsScalar(shapes))
        {
            return refuse("is no factor");
        }
        return m_runner->IsWaitingForFactor(header.iteration)
                   ? MessageVerdict::Take()
                   : MessageVerdict::Skip("its iteration does not wait for one");
    case MessageType::SNAPSHOT_REQUEST:
        return shapes.empty() ? MessageVerdict::Take() : refuse("with tensors");
    default:
        return refuse("came from the edge server to a node, which has no use for it");
    }
}

bool
StageApplication::IsDistribution(const MessageHeader& header)
{
    return header.type == MessageType::BASE_WEIGHTS ||
           header.type == MessageType::SEGMENT_PARAMETERS;
}

MessageVerdict
StageApplication::CheckParameters(const MessageHeader& header, const TensorList& shapes) const
{
    if (header.type == MessageType::BASE_WEIGHTS)
    {
        return CheckBase(header, shapes);
    }
    if (m_runner)
    {
        return MessageVerdict::Skip("the stage has its parameters");
    }
    if (!ListMissing().empty())
    {
        return MessageVerdict::Refuse("parameters came before the stage's frozen weights");
    }
    return AreParameters(GetContext(), ToPartRange(m_assignment.plan), shapes)
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("parameters have other shapes than those of the stage");
}

/// It may come before this node's own assignment, and is only noted
MessageVerdict
StageApplication::CheckRequest(const TensorList& shapes) const
{
    return shapes.empty() && m_node == CONTROL_UNIT
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("a request for parameters has tensors, or came to a node "
                                        "that carries none");
}

bool
StageApplication::IsCarriedUpload(const MessageHeader& header) const
{
    return header.type == MessageType::PARAMETER_UPLOAD && m_carrier;
}

std::vector<uint32_t>
StageApplication::ListMissing() const
{
    return GetContext().sendsBase
               ? ListMissingBase(GetContext().model, ToPartRange(m_assignment.plan), m_heldBase)
               : std::vector<uint32_t>();
}

MessageVerdict
StageApplication::CheckBase(const MessageHeader& header, const TensorList& shapes) const
{
    const auto& model = GetContext().model;
    if (!GetContext().sendsBase || header.microBatch > model.encoderBlocks + 1)
    {
        return MessageVerdict::Refuse("frozen weights that no node waits for");
    }
    HeldBase wanted = m_heldBase;
    AddBaseLink(model, header.microBatch, wanted);
    if (wanted == m_heldBase)
    {
        return MessageVerdict::Skip("the node has these frozen weights");
    }
    const auto missing = ListMissing();
    const bool isMissing =
        std::find(missing.begin(), missing.end(), header.microBatch) != missing.end();
    const auto link = ToBaseLink(model, header.microBatch);
    return isMissing && AreAlike(shapes, EncodeFrozen(GetFrozenShapes(model, link)))
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("frozen weights are none of the stage's, or have other "
                                        "shapes");
}

MessageVerdict
StageApplication::CheckFromPeer(Ptr<Connection> connection,
                                const MessageHeader& header,
                                const TensorList& shapes) const
{
    if (!IsWith(connection, header.node))
    {
        return MessageVerdict::Refuse("a " + ToString(header.type) +
                                      " came over a connection that is not its sender's");
    }
    if (std::tie(header.round, header.attempt) < std::tie(m_round, m_attempt))
    {
        return MessageVerdict::Skip("its attempt is over");
    }
    if (header.type == MessageType::PARAMETER_REQUEST)
    {
        return CheckRequest(shapes);
    }
    const bool isTwins =
        header.type == MessageType::STAGE_GRADIENTS && header.chain < m_assignment.twins.size();
    const bool isBrought = IsDistribution(header) && m_isAssigned &&
                           header.node == m_assignment.carrier.node &&
                           header.stage == m_assignment.stage;
    if ((!m_runner && !isBrought) || header.round != m_round || header.attempt != m_attempt ||
        (header.chain != m_assignment.chain && !isTwins))
    {
        return MessageVerdict::Refuse("a " + ToString(header.type) + " of round " +
                                      std::to_string(header.round) + ", attempt " +
                                      std::to_string(header.attempt) +
                                      " came to a node without a stage in it");
    }
    if (isBrought || IsCarriedUpload(header))
    {
        return isBrought ? CheckParameters(header, shapes) : m_carrier->CheckUp(header, shapes);
    }
    if (header.type == MessageType::STAGE_GRADIENTS)
    {
        return CheckShare(header, shapes);
    }
    // The first stage sends the targets; neighbours send the rest.
    const bool isFromPrevious = m_assignment.stage > 0 && header.node == m_assignment.previous.node;
    const bool isFromNext =
        m_assignment.stage + 1 < m_assignment.stages && header.node == m_assignment.next.node;
    const bool isLast = m_assignment.stage + 1 == m_assignment.stages;
    bool isExpected = false;
    auto input = StageRunner::Input::MAIN;
    switch (header.type)
    {
    case MessageType::ACTIVATION:
        isExpected = isFromPrevious && AreAlike(shapes, m_activation);
        break;
    case MessageType::TARGETS:
        isExpected = isLast && header.stage == 0 && AreAlike(shapes, m_targets);
        input = StageRunner::Input::TARGETS;
        break;
    case MessageType::GRADIENT:
        isExpected = isFromNext && !m_gradient.empty() && AreAlike(shapes, m_gradient);
        input = StageRunner::Input::GRADIENT;
        break;
    case MessageType::TABLE_GRADIENT:
        isExpected = IsFromOtherEnd(header) && !shapes.empty() && AreAlike(shapes, m_tableGradient);
        input = StageRunner::Input::TABLE;
        break;
    case MessageType::CREDIT:
        return isFromNext && shapes.empty()
                   ? m_runner->CheckCredit(header.iteration)
                   : MessageVerdict::Refuse("a credit has tensors, or is not from the next stage");
    case MessageType::REPLICA:
        return isFromPrevious || isFromNext
                   ? CheckReplica(header, shapes)
                   : MessageVerdict::Refuse("a replica came from a node that is no neighbour");
    default:
        break;
    }
    return isExpected ? m_runner->CheckInput(input, header.iteration, header.microBatch)
                      : MessageVerdict::Refuse("a " + ToString(header.type) + " came to node " +
                                               std::to_string(m_node) +
                                               ", whose stage takes none like it");
}

bool
StageApplication::IsFromOtherEnd(const MessageHeader& header) const
{
    const bool isLast = m_assignment.stage + 1 == m_assignment.stages;
    return isLast ? header.stage == 0 && header.node == m_assignment.first.node
                  : m_assignment.stage == 0 && header.stage + 1U == m_assignment.stages &&
                        header.node == m_assignment.last.node;
}

MessageVerdict
StageApplication::CheckShare(const MessageHeader& header, const TensorList& shapes) const
{
    const auto& twins = m_assignment.twins;
    const bool isTwin = header.chain < twins.size() && header.stage == m_assignment.stage &&
                        header.node == twins[header.chain].holder.node;
    const bool isFirst = m_assignment.chain == 0;
    if (!isTwin || (!isFirst && header.chain > 0) || shapes.empty() || !AreAlike(shapes, m_share))
    {
        return MessageVerdict::Refuse("gradients came from a stage that does not step together "
                                      "with this one, or have other shapes");
    }
    return isFirst ? m_runner->CheckInput(StageRunner::Input::SHARE, header.iteration, header.chain)
                   : m_runner->CheckInput(StageRunner::Input::MEAN, header.iteration, 0);
}

MessageVerdict
StageApplication::CheckReplica(const MessageHeader& header, const TensorList& shapes) const
{
    const auto period = GetContext().replicaPeriod;
    const auto& plan = m_assignment.plan;
    const bool isBefore = header.node == m_assignment.previous.node;
    const bool fits =
        isBefore ? header.stage + 1U == m_assignment.stage &&
                       header.firstBlock <= header.lastBlock && header.lastBlock == plan.firstBlock
                 : header.stage == m_assignment.stage + 1U && header.firstBlock == plan.lastBlock &&
                       header.firstBlock <= header.lastBlock &&
                       header.lastBlock <= GetContext().model.encoderBlocks;
    if (period == 0 || !fits || header.iteration == 0 || header.iteration % period != 0 ||
        header.iteration >= m_assignment.iterations)
    {
        return MessageVerdict::Refuse("a replica that no plan asks for");
    }
    if (m_snapshots.count({header.stage, header.iteration}) > 0)
    {
        return MessageVerdict::Skip("it was here before");
    }
    const PartRange range{header.stage == 0, header.firstBlock, header.lastBlock, false};
    return AreAlike(shapes, GetSnapshotShapes(GetContext(), range))
               ? MessageVerdict::Take()
               : MessageVerdict::Refuse("a replica has other shapes than its stage's state");
}

void
StageApplication::HandleMessage(Ptr<Connection> connection, Message message)
{
    const MessageHeader header = message.header;
    switch (header.type)
    {
    case MessageType::HELLO:
        HandleHello(connection, message);
        return;
    case MessageType::STATE_REQUEST:
        HandleStateRequest(message);
        return;
    case MessageType::SEGMENT_ASSIGNMENT:
        HandleAssignment(connection, message);
        return;
    case MessageType::BASE_WEIGHTS:
    case MessageType::SEGMENT_PARAMETERS:
        HandleDistribution(std::move(message));
        return;
    case MessageType::PARAMETER_REQUEST:
        m_requests[header.node] = {header.round, header.attempt};
        PassDown();
        return;
    case MessageType::PARAMETER_UPLOAD:
        m_carrier->AddUp(std::move(message));
        PassUp();
        return;
    case MessageType::START:
        m_runner->Start();
        return;
    case MessageType::ACTIVATION:
        m_runner->ProvideInput(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::TARGETS: {
        const auto error = CheckTargets(GetContext().model, message.tensors);
        if (!error.empty())
        {
            Refuse(connection, error);
            return;
        }
        m_runner->ProvideTargets(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    }
    case MessageType::GRADIENT:
        m_runner->ProvideGradient(header.iteration, header.microBatch, std::move(message.tensors));
        return;
    case MessageType::TABLE_GRADIENT:
        m_runner->ProvideTable(header.iteration, std::move(message.tensors));
        return;
    case MessageType::STAGE_GRADIENTS:
        if (m_assignment.chain == 0)
        {
            m_runner->ProvideShare(header.iteration, header.chain, std::move(message.tensors));
        }
        else
        {
            m_runner->ProvideMean(header.iteration, std::move(message.tensors));
        }
        return;
    case MessageType::CREDIT:
        m_runner->ProvideCredit(header.iteration);
        if (m_assignment.stage > 0)
        {
            SendCredit(header.iteration); // on to the first stage
        }
        return;
    case MessageType::CLIP_FACTOR:
        HandleClipFactor(connection, message);
        return;
    case MessageType::REPLICA:
        HandleReplica(std::move(message));
        return;
    case MessageType::SNAPSHOT_REQUEST:
        HandleSnapshotRequest(header);
        return;
    default:
        return; // CheckMessage() takes no others
    }
}

void
StageApplication::HandleHello(Ptr<Connection> connection, const Message& message)
{
    auto& peer = m_peers[message.header.node];
    if (peer)
    {
        // Two nodes may call each other at the same time: each uses what it was called over
        auto& spare = m_spares[message.header.node];
        if (spare)
        {
            Disconnect(spare);
        }
        spare = peer;
    }
    peer = connection;
    m_greetings[message.header.node] = message.header.iteration;
    Acknowledge(connection);
}

void
StageApplication::HandleAssignment(Ptr<Connection> connection, const Message& message)
{
    StageAssignment assignment;
    auto error = DecodeAssignment(message.tensors[0], assignment);
    error = error.empty() ? CheckAssignment(assignment, GetContext().model.encoderBlocks) : error;
    if (error.empty() && assignment.plan.node != m_node)
    {
        error = "a segment assignment for node " + std::to_string(assignment.plan.node) +
                " came to node " + std::to_string(m_node);
    }
    if (error.empty() && assignment.stage == 0 && !m_source)
    {
        error = "node " + std::to_string(m_node) + " of cluster " + std::to_string(m_cluster) +
                " is to be a first stage but holds no data";
    }
    if (error.empty() && !HasClock(m_clocks, assignment.plan.clock))
    {
        error = "node " + std::to_string(m_node) + " of cluster " + std::to_string(m_cluster) +
                " is to compute at a clock that it does not have";
    }
    if (!error.empty())
    {
        Refuse(connection, error);
        return;
    }
    ForgetStage();
    GetProcessor()->SetClock(assignment.plan.clock);
    m_attempt = message.header.attempt;
    m_assignment = std::move(assignment);
    m_activation = GetActivationShapes(GetContext(), m_assignment.microBatchSize);
    m_targets = GetTargetShapes(GetContext(), m_assignment.microBatchSize);
    m_gradient =
        GetGradientShapes(GetContext(), m_assignment.microBatchSize, m_assignment.plan.lastBlock);
    m_share = GetShareShapes(GetContext(), ToPartRange(m_assignment.plan));
    m_tableGradient = GetTableGradientShapes(GetContext(), ToPartRange(m_assignment.plan));
    m_isAssigned = true;
    if (!m_assignment.parts.empty())
    {
        m_carrier = std::make_unique<ParameterCarrier>(GetContext(), m_assignment);
    }
    if (m_assignment.carrier.node != EDGE_SERVER)
    {
        SendMessage(GetPeer(m_assignment.carrier),
                    {MakeHeader(MessageType::PARAMETER_REQUEST), {}});
    }
}

void
StageApplication::HandleDistribution(Message message)
{
    const MessageHeader header = message.header;
    if (m_carrier && m_carrier->IsForOther(header))
    {
        m_carrier->AddDown(std::move(message));
    }
    else if (header.type == MessageType::BASE_WEIGHTS)
    {
        HandleBase(header, std::move(message.tensors));
    }
    else
    {
        HandleParameters(std::move(message));
    }
    PassDown();
}

void
StageApplication::PassDown()
{
    if (!m_carrier || !m_carrier->HasAllDown() || !m_runner)
    {
        return;
    }
    for (const auto& receiver : m_carrier->ListReceivers())
    {
        const auto request = m_requests.find(receiver.node);
        if (request == m_requests.end() || request->second != std::pair{m_round, m_attempt})
        {
            continue; // it does not know its stage yet
        }
        for (auto& message : m_carrier->TakeDown(receiver.node))
        {
            message.header.node = m_node;
            SendMessage(GetPeer(receiver), std::move(message));
        }
    }
}

void
StageApplication::PassUp()
{
    if (!m_carrier || !m_carrier->HasAllUp())
    {
        return;
    }
    for (auto& message : m_carrier->TakeUp())
    {
        message.header.node = m_node;
        SendToServer(std::move(message));
    }
}

void
StageApplication::HandleBase(const MessageHeader& header, TensorList tensors)
{
    const auto& model = GetContext().model;
    m_baseBytes += GetByteSize(tensors);
    AddBaseLink(model, header.microBatch, m_heldBase);
    if (!model.frozen)
    {
        return; // nothing is computed with them
    }
    // Who holds the same values shares their memory; on the simulated device they are its own
    const auto known = GetBaseWeights(model, header.microBatch);
    const auto link = ToBaseLink(model, header.microBatch);
    auto base = std::make_shared<FrozenWeights>(*GetModel().frozen);
    base->GetLink(link) = DecodeFrozen(AreSame(tensors, known) ? known : std::move(tensors));
    m_base = std::move(base);
}

void
StageApplication::HandleParameters(Message message)
{
    CreateRunner(std::move(message.tensors));
    if (m_assignment.stage + 1 < m_assignment.stages)
    {
        GetPeer(m_assignment.next);
    }
    if (m_assignment.chain > 0 && !m_assignment.twins.empty() && !m_share.empty())
    {
        GetPeer(m_assignment.twins.front().holder);
    }
    SendToServer({MakeHeader(MessageType::READY), {}});
}

void
StageApplication::HandleClipFactor(Ptr<Connection> connection, const Message& message)
{
    double factor = 1;
    const auto error = ReadScalar(message.tensors, factor);
    if (!error.empty() || !std::isfinite(factor))
    {
        Refuse(connection, "a clip factor " + (error.empty() ? "must be a number" : error));
        return;
    }
    m_runner->ProvideClipFactor(message.header.iteration, factor);
}

void
StageApplication::HandleReplica(Message message)
{
    const auto& received = message.header;
    Store(received.stage,
          received.iteration,
          {received.firstBlock, received.lastBlock, std::move(message.tensors)});
    auto header = MakeHeader(MessageType::REPLICA_STORED);
    header.stage = received.stage;
    header.iteration = received.iteration;
    SendToServer({header, {}});
}

void
StageApplication::HandleSnapshotRequest(const MessageHeader& header)
{
    auto answer = MakeHeader(MessageType::SNAPSHOT);
    answer.stage = header.stage;
    answer.iteration = header.iteration;
    const auto found = m_snapshots.find({header.stage, header.iteration});
    if (found == m_snapshots.end())
    {
        SendToServer({answer, {}});
        return;
    }
    answer.firstBlock = found->second.firstBlock;
    answer.lastBlock = found->second.lastBlock;
    SendToServer({answer, found->second.tensors});
}

} // namespace collapipe
} // namespace ns3
