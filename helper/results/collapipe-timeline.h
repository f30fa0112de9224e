/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_TIMELINE_H
#define COLLAPIPE_TIMELINE_H

#include "collapipe-chrome-trace.h"

#include "ns3/collapipe-run-applications.h"

#include <deque>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

class VirtualQueues;

/**
 * @ingroup collapipe
 * Writes a run's timeline: listens to the traces of applications, controller and actuator and
 * writes what they say as a ChromeTrace.
 *
 * A process `rounds` shows the rounds and, by cluster, their phases. Every node is a process. Its
 * rows are what it computed, by micro-batch ("F2", "B2"), and what it sent to and received from
 * each other node. A message is being sent from when it was handed to its connection, or from when
 * the one before it had arrived where it queued behind that, until it has arrived; it is being
 * received from its first byte on. Arrows join the two. Counters show share and power of the links,
 * the virtual queues (12), the memory (8) with the micro-batches that are alive, the energy spent
 * and the battery.
 */
class Timeline
{
  public:
    /**
     * @param path file to write
     * @param maxBytes about how large it may become; beyond, only rounds and phases are added
     * @param applications to listen to, with controller and actuator set
     */
    Timeline(const std::string& path, uint64_t maxBytes, const RunApplications& applications);

    Timeline(const Timeline&) = delete; // traces hold its address
    Timeline& operator=(const Timeline&) = delete;

    /**
     * Ends the file; nothing more may be traced.
     * @return whether all of it was written
     */
    bool Close();

  private:
    using NodeKey = std::pair<uint32_t, NodeIndex>;     //!< cluster and node
    using Series = std::pair<std::string, std::string>; //!< a counter and one of its curves

    /// What a row shows
    enum Kind : uint8_t
    {
        COMPUTE,
        SEND,
        RECEIVE,
    };

    /// A node and its rows
    struct Process
    {
        uint32_t id{0};     //!< in the file
        std::string name;   //!< "es", "c0-cu", "c0-d1"
        uint32_t tracks{0}; //!< rows so far
        std::map<std::pair<Kind, uint32_t>, std::vector<std::pair<uint32_t, Time>>>
            lanes;                         //!< by kind and peer: row, and when it is free again
        std::map<Series, double> counters; //!< last value
        double modelBytes{0};              //!< of weights, gradients and optimizer
        double microBatchBytes{0};         //!< kept of a micro-batch from forward to backward
        uint32_t alive{0};                 //!< micro-batches between forward and backward
        double energyJ{0};                 //!< spent so far
    };

    /// A cell's edge server
    struct Cell
    {
        Process* edge{nullptr};          //!< its process
        std::vector<ClusterId> clusters; //!< by its own count
    };

    /// A message under way
    struct Sent
    {
        Process* by; //!< sender
        Time time;   //!< when it was handed to its connection
    };

    /// What tells a message under way from others
    using MessageKey = std::
        tuple<MessageType, uint16_t, uint16_t, uint16_t, uint16_t, uint32_t, uint32_t, uint32_t>;

    /// @return a message's key
    static MessageKey GetKey(const MessageHeader& header);

    void Connect(const RunApplications& applications);
    void ConnectCell(Ptr<EdgeServerApplication> edge, Ptr<ControlLoop> loop, const Cell* cell);

    /// @return a new process
    Process& AddProcess(const std::string& name, const std::string& label);

    /// @return the process of a node
    Process& GetProcess(uint32_t cluster, NodeIndex node);

    /**
     * @param process whose row
     * @param kind what it shows
     * @param peer other end of a message
     * @param start of a slice
     * @param end of the slice
     * @return a row that is free from start on; occupied until end
     */
    ChromeTrace::Track Occupy(Process& process,
                              Kind kind,
                              const Process& peer,
                              Time start,
                              Time end);

    /// @return whether there is room for detail; notes that some was left out where there is none
    bool HasRoom();

    /// Adds a point to a counter where its value has changed.
    void Count(Process& process,
               const char* counter,
               const std::string& series,
               Time time,
               double value);

    void HandleTx(Process* process, const MessageHeader& header, uint64_t bytes);
    void HandleReception(Process* process, const MessageHeader& header, uint64_t bytes, Time begin);
    void HandlePass(Process* process, const PassRecord& record);
    void HandlePlan(const Cell* cell, const SystemState& state, const RoundPlan& plan);
    void HandleRound(const RoundRecord& record);
    void HandleCellRound(const Cell* cell, const RoundRecord& record);
    void HandleMeasurement(const Cell* cell, const RoundMeasurement& measurement);
    void HandleQueues(const Cell* cell, const VirtualQueues& queues);
    void HandleActuation(uint32_t cluster,
                         NodeIndex from,
                         NodeIndex to,
                         const LinkSetting& before,
                         const LinkSetting& after,
                         const std::string& reason);

    /// Adds the counters of what a plan gives a node to hold.
    void CountMemory(Process& process, Time time);

    ChromeTrace m_trace;                           //!< the file
    uint64_t m_maxBytes;                           //!< about how large
    uint64_t m_leftOut{0};                         //!< events for which there was no room
    std::deque<Process> m_processes;               //!< all; their addresses stay
    std::map<NodeKey, Process*> m_byNode;          //!< control units and devices
    std::deque<Cell> m_cells;                      //!< edge servers; their addresses stay
    Process* m_lead{nullptr};                      //!< lead of several cells
    std::vector<Process*> m_edgeOf;                //!< edge servers by cluster
    double m_plannedS{0};                          //!< latency of the round as planned
    std::map<MessageKey, std::deque<Sent>> m_sent; //!< messages under way
    std::map<std::pair<uint32_t, uint32_t>, Time> m_lastArrival; //!< by sender and receiver
    std::vector<Time> m_lastPass; //!< by cluster: end of the latest pass on its nodes
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_TIMELINE_H */
