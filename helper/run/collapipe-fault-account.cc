/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fault-account.h"

#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <tuple>
#include <utility>

namespace ns3
{
namespace collapipe
{

namespace
{

/// How long after a fault has passed failures may still follow from it: a connection that was lost
/// in the meantime is given up when its retransmissions have failed, or is opened anew.
constexpr double AFTERMATH_S = 180;

bool
IsSame(const FaultPlace& left, const FaultPlace& right)
{
    return left.kind == right.kind && left.index == right.index &&
           (left.kind != FaultPlace::NODE || left.node == right.node);
}

/// @return whether a fault of this kind takes a node off the network, or stops it
bool
IsOutage(FaultKind kind)
{
    return kind == FaultKind::CRASH || kind == FaultKind::REBOOT || kind == FaultKind::PAUSE ||
           kind == FaultKind::AWAY || kind == FaultKind::BATTERY;
}

/// @return whether a fault of this kind is for ever, or waits for messages that it is to spoil
bool
IsOpen(FaultKind kind)
{
    return kind == FaultKind::CRASH || kind == FaultKind::BATTERY || kind == FaultKind::CORRUPT ||
           kind == FaultKind::DUPLICATE || kind == FaultKind::DELAY;
}

/// @return when a fault has passed
Time
GetEnd(const FaultRow& row)
{
    return IsOpen(row.fault.kind) ? Time::Max() : row.injected + Seconds(row.fault.durationS);
}

/// @return whether what a fault of this kind does can be noticed in this way
bool
CanCause(FaultKind kind, CloseReason reason)
{
    switch (kind)
    {
    case FaultKind::CRASH:
    case FaultKind::REBOOT:
    case FaultKind::PAUSE:
    case FaultKind::AWAY:
    case FaultKind::LINK:
        return reason != CloseReason::PROTOCOL && reason != CloseReason::BATTERY;
    case FaultKind::BATTERY:
        return reason != CloseReason::PROTOCOL; // its farewell may be lost
    case FaultKind::CORRUPT:
        return reason == CloseReason::PROTOCOL || reason == CloseReason::LINK ||
               reason == CloseReason::CLOSED || reason == CloseReason::RESET;
    case FaultKind::DUPLICATE:
        return reason == CloseReason::PROTOCOL || reason == CloseReason::LINK;
    case FaultKind::SLOW:
    case FaultKind::DELAY:
        return reason == CloseReason::TASK;
    }
    return false;
}

/// @return the node that a failure is of
FaultPlace
GetPlace(const NodeFailure& failure)
{
    return {failure.node == EDGE_SERVER ? FaultPlace::EDGE : FaultPlace::NODE,
            failure.cluster,
            failure.node};
}

/// @return the node, or the server, that has noticed a failure
FaultPlace
GetReporter(const NodeFailure& failure, const std::vector<uint32_t>& cells)
{
    if (failure.node == EDGE_SERVER)
    {
        return {FaultPlace::LEAD, 0, EDGE_SERVER};
    }
    return failure.reporter == EDGE_SERVER
               ? FaultPlace{FaultPlace::EDGE, cells.at(failure.cluster), EDGE_SERVER}
               : FaultPlace{FaultPlace::NODE, failure.cluster, failure.reporter};
}

} // namespace

FaultAccount::FaultAccount(std::vector<uint32_t> cells)
    : m_cells(std::move(cells))
{
}

void
FaultAccount::Inject(const Fault& fault, Time now)
{
    m_rows.push_back({});
    m_rows.back().fault = fault;
    m_rows.back().injected = now;
}

FaultAccount::Relation
FaultAccount::GetRelation(const FaultRow& row, const NodeFailure& failure) const
{
    const auto& fault = row.fault;
    const auto node = GetPlace(failure);
    const auto reporter = GetReporter(failure, m_cells);
    if (!CanCause(fault.kind, failure.reason))
    {
        return NONE;
    }
    if (fault.kind == FaultKind::LINK)
    {
        const bool isBetween = (IsSame(fault.place, node) && IsSame(fault.peer, reporter)) ||
                               (IsSame(fault.place, reporter) && IsSame(fault.peer, node));
        // Who has lost its server's link cannot be told by anybody else
        const bool isTask = failure.reason == CloseReason::TASK &&
                            (IsSame(fault.place, node) || IsSame(fault.peer, node));
        return isBetween || isTask ? OWN : NONE;
    }
    if (IsSame(fault.place, node))
    {
        return OWN;
    }
    if (failure.reason == CloseReason::BATTERY)
    {
        return NONE; // it says so itself
    }
    return !IsSame(fault.place, reporter)         ? NONE
           : fault.place.kind == FaultPlace::NODE ? REPORTER
                                                  : SERVER;
}

FaultRow*
FaultAccount::FindCause(const NodeFailure& failure, Time now)
{
    FaultRow* best = nullptr;
    std::tuple<uint8_t, int64_t> most{NONE, 0};
    for (auto& row : m_rows)
    {
        const auto relation = GetRelation(row, failure);
        const Time end = GetEnd(row);
        const bool isOver = end < Time::Max() && end + Seconds(AFTERMATH_S) < now;
        if (relation == NONE || row.injected > now || isOver)
        {
            continue;
        }
        // A node that is out was last heard of as that began; a complaint comes at some time after.
        const bool isOut = relation == OWN && failure.reason != CloseReason::LINK &&
                           failure.reason != CloseReason::TASK;
        const Time distance = isOut ? Abs(row.injected - failure.lastHeard) : now - row.injected;
        const std::tuple<uint8_t, int64_t> rank{relation, -distance.GetTimeStep()};
        if (!best || rank > most)
        {
            best = &row;
            most = rank;
        }
    }
    return best;
}

void
FaultAccount::HandleFailure(const NodeFailure& failure, Time now)
{
    auto* cause = FindCause(failure, now);
    const auto node = GetPlace(failure);
    if (!cause)
    {
        m_unexplained.push_back({now.GetSeconds(), node.GetName(), ToString(failure.reason)});
        return;
    }
    for (auto& row : m_rows)
    {
        const bool isHidden = IsSame(cause->fault.place, node) && IsSame(row.fault.place, node) &&
                              IsOutage(cause->fault.kind) && IsOutage(row.fault.kind) &&
                              row.injected <= now && now <= GetEnd(row);
        const bool isNews = !row.isDetected && (&row == cause || isHidden);
        if (failure.isNeeded && node.kind == FaultPlace::NODE && (&row == cause || isNews))
        {
            row.held.insert(failure.cluster);
        }
        if (isNews)
        {
            row.isDetected = true;
            row.detected = now;
            row.reason = ToString(failure.reason);
            row.failed = node;
            row.isNeeded = failure.isNeeded;
        }
    }
}

bool
FaultAccount::IsOfServer(const FaultRow& row, uint32_t cluster) const
{
    return row.failed.kind != FaultPlace::NODE && row.failed.index == m_cells.at(cluster) &&
           row.isDetected && row.isNeeded && !row.isRecovered;
}

void
FaultAccount::HandleRecovery(const RecoveryRecord& record, Time now)
{
    uint32_t repeated = record.repeated;
    for (auto& row : m_rows)
    {
        if (row.held.erase(record.cluster) > 0 || IsOfServer(row, record.cluster))
        {
            row.isRecovered = true;
            row.recovered = now;
            row.isGivenUp = row.isGivenUp || record.isGivenUp;
            row.repeated += repeated; // once, however many faults there were
            repeated = 0;
        }
    }
}

void
FaultAccount::HandleReturn(const FaultPlace& place, Time now)
{
    for (auto& row : m_rows)
    {
        const bool isServer = row.fault.place.kind != FaultPlace::NODE;
        const bool wasDown =
            row.fault.kind == FaultKind::CRASH || row.fault.kind == FaultKind::REBOOT;
        // What the round needs has recovered when its cluster goes on, not when it is there
        const bool isOver = row.isDetected ? isServer || !row.isNeeded : isServer && wasDown;
        if (row.isRecovered || !isOver || !IsSame(row.fault.place, place))
        {
            continue;
        }
        if (!row.isDetected)
        {
            row.isDetected = true; // nobody but its callers could notice
            row.detected = now;
            row.reason = ToString(CloseReason::RESET);
            row.failed = place;
        }
        row.isRecovered = true;
        row.recovered = now;
    }
}

void
FaultAccount::HandleLeftOut(const FaultPlace& place, Time now)
{
    for (auto& row : m_rows)
    {
        if (row.isDetected && !row.isRecovered && IsSame(row.failed, place))
        {
            row.isRecovered = true;
            row.recovered = now;
            row.isGivenUp = true;
        }
    }
}

void
FaultAccount::HandleRound(Time end)
{
    for (auto& row : m_rows)
    {
        if (row.isDetected && (!row.isRecovered || !row.held.empty()))
        {
            row.isRecovered = true;
            row.recovered = end;
        }
        row.held.clear();
    }
}

const std::vector<FaultRow>&
FaultAccount::GetRows() const
{
    return m_rows;
}

const std::vector<UnexplainedFailure>&
FaultAccount::GetUnexplained() const
{
    return m_unexplained;
}

void
FaultAccount::Write(const std::string& path, uint64_t replicaBytes) const
{
    std::ofstream file(path);
    file.precision(12);
    file << "kind,node,peer,injected_s,detected_s,detection_s,failed,reason,recovered_s,"
            "repeated_iterations,left_out,replica_bytes_of_run\n";
    for (const auto& row : m_rows)
    {
        file << ToString(row.fault.kind) << ',' << row.fault.place.GetName() << ','
             << (row.fault.kind == FaultKind::LINK ? row.fault.peer.GetName() : "") << ','
             << row.injected.GetSeconds() << ',';
        if (row.isDetected)
        {
            file << row.detected.GetSeconds() << ',' << (row.detected - row.injected).GetSeconds()
                 << ',' << row.failed.GetName();
        }
        else
        {
            file << ",,";
        }
        file << ',' << row.reason << ',';
        if (row.isRecovered)
        {
            file << row.recovered.GetSeconds();
        }
        file << ',' << row.repeated << ',' << (row.isGivenUp ? 1 : 0) << ',' << replicaBytes
             << '\n';
    }
    file.close();
    if (!file)
    {
        throw UserError("cannot write " + path + "; is the disk full?");
    }
}

std::string
FaultAccount::GetTable() const
{
    if (m_rows.empty())
    {
        return "";
    }
    std::ostringstream table;
    table << std::left << std::setw(10) << "fault" << std::setw(20) << "node" << std::right
          << std::setw(10) << "at (s)" << std::setw(14) << "detected (s)" << std::setw(13)
          << "reason" << std::setw(15) << "recovered (s)" << std::setw(10) << "repeated" << '\n';
    for (const auto& row : m_rows)
    {
        table << std::fixed << std::setprecision(2) << std::left << std::setw(10)
              << ToString(row.fault.kind) << std::setw(20) << row.fault.place.GetName()
              << std::right << std::setw(10) << row.injected.GetSeconds();
        if (row.isDetected)
        {
            table << std::setw(14) << row.detected.GetSeconds() << std::setw(13) << row.reason;
        }
        else
        {
            table << std::setw(14) << "-" << std::setw(13) << "-";
        }
        if (row.isRecovered)
        {
            table << std::setw(15) << row.recovered.GetSeconds() << std::setw(10) << row.repeated
                  << (row.isGivenUp ? "  left out of its round" : "");
        }
        else
        {
            table << std::setw(15) << "-" << std::setw(10) << "-";
        }
        table << '\n';
    }
    return table.str();
}

} // namespace collapipe
} // namespace ns3
