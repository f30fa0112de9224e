/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FAULT_ACCOUNT_H
#define COLLAPIPE_FAULT_ACCOUNT_H

#include "collapipe-fault-schedule.h"

#include "ns3/collapipe-recovery-policy.h"
#include "ns3/collapipe-result-writer.h"
#include "ns3/nstime.h"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What became of a fault
struct FaultRow
{
    Fault fault;             //!< what went wrong
    Time injected;           //!< when
    bool isDetected{false};  //!< whether a server has noticed
    Time detected;           //!< when
    std::string reason;      //!< how
    FaultPlace failed;       //!< the node that counted as failed, which may be another one
    bool isNeeded{false};    //!< the round could not end without that node
    bool isRecovered{false}; //!< whether the cluster has gone on, or was left out of the round
    Time recovered;          //!< when, the last time
    uint32_t repeated{0};    //!< local iterations that were done again
    bool isGivenUp{false};   //!< a cluster was left out of the round
    std::set<uint32_t> held; //!< clusters that it holds up; it may do so to several, and again
};

/**
 * @ingroup collapipe
 * Keeps account of faults: which of them a failure that a server notices comes from, when each was
 * noticed and when training went on.
 *
 * A failure is put down to one fault. It may be a fault of the node that counts as failed, of the
 * link that a neighbour has complained of, of the neighbour that complains (its own damaged message
 * made its peer hang up), or of the server itself. Of several that could be, it is the nearest one:
 * the node's own before its neighbour's before the server's, then the one that began when the node
 * was last heard of. A failure that follows from a fault which is known already is no news of
 * another one; only where a node was out for several reasons at once all of them are known with it.
 * What it does to the cluster again, or to another one, adds to its account.
 */
class FaultAccount
{
  public:
    /// @param cells by cluster: the cell that it is in
    explicit FaultAccount(std::vector<uint32_t> cells);

    /**
     * @param fault that happens
     * @param now when
     */
    void Inject(const Fault& fault, Time now);

    /**
     * @param failure that a server has noticed; where its node is EDGE_SERVER its cluster is a cell
     * @param now when
     */
    void HandleFailure(const NodeFailure& failure, Time now);

    /**
     * @param record of what was done about failures of a cluster
     * @param now when
     */
    void HandleRecovery(const RecoveryRecord& record, Time now);

    /**
     * @param place of a node that has called again, or of a server that was called again
     * @param now when
     */
    void HandleReturn(const FaultPlace& place, Time now);

    /**
     * @param place of a node, or server, that is left out of the round
     * @param now when
     */
    void HandleLeftOut(const FaultPlace& place, Time now);

    /// @param end of a round: what was noticed and stood in nobody's way is over with it
    void HandleRound(Time end);

    /// @return what became of the faults so far, in their order
    const std::vector<FaultRow>& GetRows() const;

    /// @return failures that no fault explains
    const std::vector<UnexplainedFailure>& GetUnexplained() const;

    /**
     * Writes a CSV file.
     * @param path of it
     * @param replicaBytes bytes of replicas in the run
     * @throws UserError where it cannot be written
     */
    void Write(const std::string& path, uint64_t replicaBytes) const;

    /// @return a table for the user's eyes; empty where nothing went wrong
    std::string GetTable() const;

  private:
    /// How near a fault is to a failure; more is nearer
    enum Relation : uint8_t
    {
        NONE,     //!< it has nothing to do with it
        SERVER,   //!< of the server of the cell
        REPORTER, //!< of the node that complains
        OWN       //!< of the node that counts as failed, or of a link to it
    };

    Relation GetRelation(const FaultRow& row, const NodeFailure& failure) const;

    /// @return the nearest fault that explains a failure; null: there is none
    FaultRow* FindCause(const NodeFailure& failure, Time now);

    /// @return whether a row is of a server that has failed as a whole, and leads the cluster
    bool IsOfServer(const FaultRow& row, uint32_t cluster) const;

    std::vector<uint32_t> m_cells;                 //!< by cluster
    std::vector<FaultRow> m_rows;                  //!< in their order
    std::vector<UnexplainedFailure> m_unexplained; //!< failures that no fault explains
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FAULT_ACCOUNT_H */
