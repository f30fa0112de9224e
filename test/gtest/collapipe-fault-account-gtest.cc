/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a failure is put down to: schedules of overlapping faults whose true causes are known here.

#include "ns3/collapipe-fault-account.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

constexpr NodeIndex A = 1; //!< a device
constexpr NodeIndex B = 2; //!< its neighbour
constexpr NodeIndex C = 3; //!< another one

FaultPlace
Place(NodeIndex node, uint32_t cluster = 0)
{
    return {FaultPlace::NODE, cluster, node};
}

FaultPlace
Edge(uint32_t cell = 0)
{
    return {FaultPlace::EDGE, cell, EDGE_SERVER};
}

Fault
Make(FaultKind kind, FaultPlace place, double durationS = 10)
{
    Fault fault;
    fault.kind = kind;
    fault.place = place;
    fault.durationS = durationS;
    return fault;
}

Fault
MakeLink(FaultPlace place, FaultPlace peer)
{
    auto fault = Make(FaultKind::LINK, place);
    fault.peer = peer;
    return fault;
}

NodeFailure
Failure(NodeIndex node, CloseReason reason, double lastHeardS, NodeIndex reporter = EDGE_SERVER)
{
    NodeFailure failure;
    failure.node = node;
    failure.reason = reason;
    failure.lastHeard = Seconds(lastHeardS);
    failure.reporter = reporter;
    failure.isNeeded = true;
    return failure;
}

/// Two clusters in the first cell, one in the second
struct FaultAccountTest : public ::testing::Test
{
    FaultAccount account{{0, 0, 1}};

    void Inject(const Fault& fault, double atS)
    {
        account.Inject(fault, Seconds(atS));
    }

    void Fail(const NodeFailure& failure, double atS)
    {
        account.HandleFailure(failure, Seconds(atS));
    }

    const FaultRow& Row(std::size_t i) const
    {
        return account.GetRows().at(i);
    }

    /// Expects exactly these rows to be known, a letter for each: d(etected) or .
    void ExpectDetected(const std::string& expected)
    {
        std::string seen;
        for (const auto& row : account.GetRows())
        {
            seen += row.isDetected ? 'd' : '.';
        }
        EXPECT_EQ(seen, expected);
    }
};

} // namespace

TEST_F(FaultAccountTest, KnowsTheNodeItself)
{
    Inject(Make(FaultKind::REBOOT, Place(A)), 10);
    Inject(Make(FaultKind::REBOOT, Place(B)), 11);
    Inject(Make(FaultKind::REBOOT, Place(A, 1)), 12);
    Fail(Failure(A, CloseReason::SILENT, 9.5), 15);
    ExpectDetected("d..");
    EXPECT_EQ(Row(0).detected, Seconds(15));
    EXPECT_EQ(Row(0).reason, "silent");
    EXPECT_EQ(Row(0).failed.GetName(), "cluster0.device0");
    Fail(Failure(B, CloseReason::RESET, 10.8), 16);
    ExpectDetected("dd.");
    EXPECT_EQ(account.GetUnexplained().size(), 0U);
}

TEST_F(FaultAccountTest, BlamesTheNeighbourThatCrashedForTheResetOfAnother)
{
    // B hangs up on A, whose message came damaged, and A says that it cannot reach B.
    Inject(Make(FaultKind::CORRUPT, Place(A)), 10);
    Inject(Make(FaultKind::SLOW, Place(B)), 11);
    Fail(Failure(B, CloseReason::LINK, 12.9, A), 13);
    ExpectDetected("d.");
    EXPECT_EQ(Row(0).failed.GetName(), "cluster0.device1");
    EXPECT_EQ(Row(0).reason, "link");
}

TEST_F(FaultAccountTest, PutsALinkDownToItsTwoEnds)
{
    Inject(MakeLink(Place(A), Place(B)), 10);
    Inject(MakeLink(Place(B), Place(C)), 11);
    Inject(MakeLink(Place(C), Edge()), 12);
    Fail(Failure(B, CloseReason::LINK, 16, C), 16);
    ExpectDetected(".d.");
    Fail(Failure(B, CloseReason::LINK, 17, A), 17);
    ExpectDetected("dd.");
    Fail(Failure(C, CloseReason::SILENT, 12, EDGE_SERVER), 18);
    ExpectDetected("ddd");
}

TEST_F(FaultAccountTest, TakesTheFaultThatBeganWhenTheNodeWasLastHeardOf)
{
    Inject(Make(FaultKind::REBOOT, Place(A), 5), 10);
    Inject(Make(FaultKind::PAUSE, Place(A), 20), 40);
    Fail(Failure(A, CloseReason::SILENT, 39.6), 46);
    ExpectDetected(".d"); // the reboot was over before anybody missed it
    Fail(Failure(A, CloseReason::RESET, 9.7), 47);
    ExpectDetected("dd");
}

TEST_F(FaultAccountTest, TakesWhatFollowsFromAKnownFaultForNoNews)
{
    Inject(Make(FaultKind::AWAY, Place(A), 30), 10);
    Fail(Failure(A, CloseReason::SILENT, 9.9), 16);
    // Back at 40 it calls again; until then one damaged message was in store for it
    Inject(Make(FaultKind::CORRUPT, Place(A)), 20);
    Fail(Failure(A, CloseReason::RESET, 9.9), 41);
    ExpectDetected("d.");
    Fail(Failure(A, CloseReason::PROTOCOL, 50), 50);
    ExpectDetected("dd");
    EXPECT_EQ(Row(0).detected, Seconds(16));
}

TEST_F(FaultAccountTest, KnowsAllReasonsForWhichANodeIsOut)
{
    Inject(Make(FaultKind::PAUSE, Place(A), 20), 10);
    Inject(Make(FaultKind::REBOOT, Place(A), 20), 12);
    Inject(Make(FaultKind::SLOW, Place(A), 20), 13);
    Inject(Make(FaultKind::PAUSE, Place(A), 1), 13.5); // has passed when the others are noticed
    Fail(Failure(A, CloseReason::SILENT, 9.8), 16);
    ExpectDetected("dd..");
}

TEST_F(FaultAccountTest, PutsAServersAbsenceDownToTheServer)
{
    Inject(Make(FaultKind::PAUSE, Edge(0), 20), 10);
    Inject(Make(FaultKind::PAUSE, Edge(1), 20), 10);
    Fail(Failure(A, CloseReason::RESET, 9.8), 31);
    ExpectDetected("d.");
    // A crash at the same time is the node's own
    Inject(Make(FaultKind::CRASH, Place(B)), 15);
    Fail(Failure(B, CloseReason::SILENT, 14.8), 32);
    ExpectDetected("d.d");
}

TEST_F(FaultAccountTest, DoesNotTakeASlowNodeForADeadOne)
{
    Inject(Make(FaultKind::SLOW, Place(A)), 10);
    Inject(Make(FaultKind::DELAY, Place(A)), 10);
    Inject(Make(FaultKind::DUPLICATE, Place(A)), 10);
    Fail(Failure(A, CloseReason::SILENT, 10), 16);
    ExpectDetected("...");
    EXPECT_EQ(account.GetUnexplained().size(), 1U);
    EXPECT_EQ(account.GetUnexplained()[0].node, "cluster0.device0");
    EXPECT_EQ(account.GetUnexplained()[0].reason, "silent");
    EXPECT_EQ(account.GetUnexplained()[0].atS, 16);
    Fail(Failure(A, CloseReason::TASK, 10), 16);
    EXPECT_EQ(account.GetUnexplained().size(), 1U);
}

TEST_F(FaultAccountTest, ForgetsWhatIsLongPast)
{
    Inject(Make(FaultKind::REBOOT, Place(A), 5), 10);
    Fail(Failure(A, CloseReason::RESET, 999), 1000);
    ExpectDetected(".");
    EXPECT_EQ(account.GetUnexplained().size(), 1U);
}

TEST_F(FaultAccountTest, CountsRepeatedWorkOnce)
{
    Inject(Make(FaultKind::CRASH, Place(A)), 10);
    Inject(Make(FaultKind::CRASH, Place(B)), 11);
    Inject(Make(FaultKind::CRASH, Place(A, 1)), 11);
    Fail(Failure(A, CloseReason::SILENT, 10), 16);
    Fail(Failure(B, CloseReason::SILENT, 11), 17);
    auto other = Failure(A, CloseReason::SILENT, 11);
    other.cluster = 1;
    Fail(other, 17);
    RecoveryRecord record;
    record.repeated = 4;
    account.HandleRecovery(record, Seconds(20));
    EXPECT_EQ(Row(0).repeated + Row(1).repeated, 4U);
    EXPECT_TRUE(Row(0).isRecovered && Row(1).isRecovered);
    EXPECT_FALSE(Row(2).isRecovered); // of another cluster
    record.cluster = 1;
    record.repeated = 0;
    record.isGivenUp = true;
    account.HandleRecovery(record, Seconds(21));
    EXPECT_TRUE(Row(2).isRecovered && Row(2).isGivenUp);
    EXPECT_FALSE(Row(0).isGivenUp);
}

TEST_F(FaultAccountTest, KeepsAccountOfAFaultThatHoldsUpAClusterAgainOrSeveral)
{
    // Every message of the server is damaged: clusters fail again and again, and one is given up
    Inject(Make(FaultKind::CORRUPT, Edge()), 10);
    RecoveryRecord record;
    record.repeated = 2;
    for (uint32_t attempt = 0; attempt < 3; ++attempt)
    {
        Fail(Failure(A, CloseReason::PROTOCOL, 11 + attempt), 11 + attempt);
        account.HandleRecovery(record, Seconds(11.5 + attempt));
    }
    EXPECT_EQ(Row(0).repeated, 6U);
    EXPECT_EQ(Row(0).detected, Seconds(11));
    EXPECT_EQ(Row(0).recovered, Seconds(13.5));
    EXPECT_FALSE(Row(0).isGivenUp);
    auto other = Failure(B, CloseReason::PROTOCOL, 14);
    other.cluster = 1;
    Fail(other, 14);
    record.cluster = 1;
    record.repeated = 0;
    record.isGivenUp = true;
    account.HandleRecovery(record, Seconds(15));
    EXPECT_TRUE(Row(0).isGivenUp);
    EXPECT_EQ(Row(0).recovered, Seconds(15));
    EXPECT_EQ(Row(0).failed.GetName(), "cluster0.device0"); // as it was noticed first
    record.isGivenUp = false;
    account.HandleRecovery(record, Seconds(16)); // of something else
    EXPECT_EQ(Row(0).recovered, Seconds(15));
    EXPECT_TRUE(Row(0).isGivenUp);
}

TEST_F(FaultAccountTest, LetsWhatNobodyNeedsReturnOrEndWithTheRound)
{
    Inject(Make(FaultKind::REBOOT, Place(A)), 10);
    Inject(Make(FaultKind::REBOOT, Place(B)), 10);
    for (const auto node : {A, B})
    {
        auto failure = Failure(node, CloseReason::RESET, 10);
        failure.isNeeded = false;
        Fail(failure, 12);
    }
    account.HandleRecovery({}, Seconds(13)); // of others
    EXPECT_FALSE(Row(0).isRecovered);
    account.HandleReturn(Place(A), Seconds(21));
    EXPECT_TRUE(Row(0).isRecovered);
    EXPECT_FALSE(Row(1).isRecovered);
    account.HandleRound(Seconds(30));
    EXPECT_EQ(Row(1).recovered, Seconds(30));
}

TEST_F(FaultAccountTest, KeepsAccountOfCells)
{
    Inject(Make(FaultKind::CRASH, Edge(1)), 10);
    Inject(MakeLink(Edge(0), {FaultPlace::LEAD, 0, EDGE_SERVER}), 20);
    Inject(Make(FaultKind::REBOOT, {FaultPlace::LEAD, 0, EDGE_SERVER}), 100);
    auto failure = Failure(EDGE_SERVER, CloseReason::SILENT, 9.9);
    failure.cluster = 1;
    Fail(failure, 15);
    ExpectDetected("d..");
    EXPECT_EQ(Row(0).failed.GetName(), Edge(1).GetName());
    failure.cluster = 0;
    failure.lastHeard = Seconds(19.9);
    Fail(failure, 25);
    ExpectDetected("dd.");
    account.HandleReturn(Edge(0), Seconds(31));
    EXPECT_TRUE(Row(1).isRecovered);
    account.HandleLeftOut(Edge(1), Seconds(60));
    EXPECT_TRUE(Row(0).isRecovered && Row(0).isGivenUp);
    account.HandleReturn({FaultPlace::LEAD, 0, EDGE_SERVER}, Seconds(111));
    ExpectDetected("ddd");
    EXPECT_TRUE(Row(2).isRecovered);
}
