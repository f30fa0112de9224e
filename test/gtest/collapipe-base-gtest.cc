/*
 * SPDX-License-Identifier: GPL-2.0-only
 *
 * Frozen weights that are sent to those who have not had them: what moving a cut costs.
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-baseline-controllers.h"
#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-round-solver.h"

#include <gtest/gtest.h>
#include <iterator>
#include <set>

namespace ns3
{
namespace collapipe
{
namespace
{

/// @return an instance whose downlink has a fixed rate for each node, so that tau_dist is a
/// quotient
Instance
MakeDedicated(test::RandomInstance& random)
{
    test::RandomShape shape;
    shape.clusters = 2;
    Instance instance = random.Make(shape);
    random.AddBase(instance);
    instance.state.downlink.mode = SharingMode::DEDICATED;
    return instance;
}

/// @return a plan of random cuts
RoundPlan
MakePlan(test::RandomInstance& random, const Instance& instance)
{
    RoundPlan plan;
    for (const auto& choice : random.MakeChoice(instance))
    {
        plan.clusters.push_back({{MakePipelineChain(choice.segments, choice.pair)}, {}});
    }
    return plan;
}

/// Gives all nodes what they need for a plan.
void
Hold(const RoundPlan& plan, SystemState& state)
{
    for (std::size_t m = 0; m < plan.clusters.size(); ++m)
    {
        for (const auto& stage : plan.clusters[m].chains.front().stages)
        {
            if (stage.node == CONTROL_UNIT)
            {
                state.clusters[m].controlUnit.heldBase.embedding = true;
            }
            else if (stage.node != EDGE_SERVER)
            {
                auto& held = state.clusters[m].devices[stage.node - 1].heldBase;
                held.Add(stage.firstBlock, stage.lastBlock);
            }
        }
    }
}

} // namespace

TEST(HeldBase, IsASetOfBlocks)
{
    test::RandomInstance random(1);
    for (int i = 0; i < 200; ++i)
    {
        HeldBase held;
        std::set<uint32_t> blocks;
        for (uint32_t n = random.Count(0, 8); n > 0; --n)
        {
            const uint32_t first = random.Count(0, 20);
            const uint32_t last = random.Count(0, 20); // of no blocks in half of the cases
            held.Add(first, last);
            for (uint32_t block = first; block < last; ++block)
            {
                blocks.insert(block);
            }
        }
        for (uint32_t first = 0; first <= 20; ++first)
        {
            const auto count = static_cast<uint32_t>(
                std::distance(blocks.lower_bound(first), blocks.lower_bound(first + 7)));
            EXPECT_EQ(held.Count(first, first + 7), count);
        }
        for (std::size_t run = 1; run < held.blocks.size(); ++run)
        {
            EXPECT_GT(held.blocks[run].first, held.blocks[run - 1].last);
        }
    }
}

TEST(BasePrice, IsTheSumOfTheBlocksMovedOnTheDownlink)
{
    test::RandomInstance random(2);
    for (int i = 0; i < 100; ++i)
    {
        const Instance instance = MakeDedicated(random);
        const auto& state = instance.state;
        const RoundPlan plan = MakePlan(random, instance);
        const auto evaluation = EvaluatePlan(instance, plan);
        for (std::size_t m = 0; m < plan.clusters.size(); ++m)
        {
            double slowest = 0;
            for (const auto& stage : plan.clusters[m].chains.front().stages)
            {
                if (stage.node == EDGE_SERVER)
                {
                    continue;
                }
                const auto& node = GetNode(state.clusters[m], stage.node);
                const double part = state.model.distributedPart;
                double bits = stage.embedding ? part * state.model.embeddingParameterBits : 0;
                bits += stage.embedding && !node.heldBase.embedding
                            ? 8 * state.model.frozenEmbeddingBytes
                            : 0;
                for (uint32_t block = stage.firstBlock; block < stage.lastBlock; ++block)
                {
                    const bool isTrained = block >= state.model.firstTrainedBlock;
                    const bool isHeld = node.heldBase.Count(block, block + 1) > 0;
                    bits += isTrained ? part * state.model.blockParameterBits : 0;
                    bits += isHeld      ? 0
                            : isTrained ? 8 * state.model.frozenBlockBytes
                                        : 8 * state.model.untrainedBlockBytes;
                }
                const auto& down = node.downlink;
                slowest = bits > 0 ? std::max(slowest,
                                              down.latencyS + down.overheadS +
                                                  (bits + down.overheadBits) / down.fixedRateBps)
                                   : slowest;
            }
            EXPECT_NEAR(evaluation.clusters[m].distributionS, slowest, 1e-9 * slowest);
        }
    }
}

TEST(BasePrice, IsNothingForThoseWhoStayAndForWeightsThatAreThere)
{
    test::RandomInstance random(3);
    for (int i = 0; i < 50; ++i)
    {
        Instance instance = MakeDedicated(random);
        const RoundPlan plan = MakePlan(random, instance);
        Hold(plan, instance.state);
        Instance installed = instance;
        installed.state.model.sendsBase = false;
        EXPECT_EQ(EvaluatePlan(instance, plan).objective, EvaluatePlan(installed, plan).objective);
    }
}

TEST(BasePrice, IsKnownToSolverAndBaselines)
{
    test::RandomInstance random(4);
    RoundSolver solver;
    int stayed = 0;
    for (int i = 0; i < 20; ++i)
    {
        Instance instance = MakeDedicated(random);
        Instance installed = instance;
        installed.state.model.sendsBase = false;
        const auto free = solver.Solve(installed, {});
        if (!free.plan.infeasible.empty())
        {
            continue;
        }
        // Everybody has had what the best plan without that price needs: it costs nothing more
        for (auto& cluster : instance.state.clusters)
        {
            for (auto& device : cluster.devices)
            {
                device.heldBase = HeldBase();
            }
        }
        Hold(free.plan, instance.state);
        const auto priced = solver.Solve(instance, {}, &free.plan);
        ASSERT_EQ(priced.plan.infeasible, "");
        EXPECT_LE(priced.evaluation.objective,
                  free.evaluation.objective + 1e-6 * std::abs(free.evaluation.latencyTerm));
        // Where sending takes ages nobody moves a cut
        instance.state.model.frozenBlockBytes *= 1e6;
        instance.state.model.untrainedBlockBytes *= 1e6;
        for (auto& cluster : instance.state.clusters)
        {
            for (auto& device : cluster.devices)
            {
                device.memoryBytes *= 1e7;
            }
        }
        for (const auto& own : {solver.Solve(instance, {}, &free.plan), solver.Solve(instance, {})})
        {
            double sent = 0;
            for (std::size_t m = 0; m < own.plan.clusters.size(); ++m)
            {
                for (const auto& stage : own.plan.clusters[m].chains.front().stages)
                {
                    const auto& state = instance.state;
                    sent +=
                        stage.GetBlocks() == 0
                            ? 0
                            : GetMissingBaseBits(state.model,
                                                 GetNode(state.clusters[m], stage.node).heldBase,
                                                 stage);
                }
            }
            EXPECT_EQ(sent, 0) << i;
            ++stayed;
        }
        // A baseline's cut is not looked for, but its latency is told with the price
        auto nothing = instance.state;
        for (auto& device : nothing.clusters[0].devices)
        {
            device.heldBase = HeldBase();
        }
        auto there = nothing;
        there.model.sendsBase = false;
        const auto uniform = CreateController("uniform-pipeline")->Decide(nothing);
        if (uniform.infeasible.empty())
        {
            EXPECT_GT(uniform.plannedLatencyS,
                      CreateController("uniform-pipeline")->Decide(there).plannedLatencyS);
        }
    }
    EXPECT_GT(stayed, 20);
}

TEST(BasePrice, OfANodeThatHoldsTheWholeModelIsThatOfAllItsParts)
{
    ModelProfile model;
    model.blocks = 5;
    model.firstTrainedBlock = 3;
    model.untrainedBlockBytes = 1;
    model.frozenBlockBytes = 100;
    model.frozenEmbeddingBytes = 10000;
    model.frozenDecoderBytes = 1000000;
    const StagePlan whole{1, true, 0, 5, true};
    EXPECT_EQ(GetMissingBaseBits(model, {}, whole), 0);
    model.sendsBase = true;
    EXPECT_EQ(GetMissingBaseBits(model, {}, whole), 8 * 1010203);
    EXPECT_EQ(GetMissingBaseBits(model, {true, false, {{1, 4}}}, whole), 8 * 1000101);
    EXPECT_EQ(GetMissingBaseBits(model, {true, true, {{0, 5}}}, whole), 0);
}

TEST(BaseJson, KeepsWhatNodesHave)
{
    test::RandomInstance random(5);
    for (int i = 0; i < 30; ++i)
    {
        const Instance instance = MakeDedicated(random);
        Instance read;
        ASSERT_EQ(ParseInstanceJson(FormatInstanceJson(instance), read), "");
        const RoundPlan plan = MakePlan(random, instance);
        EXPECT_EQ(EvaluatePlan(read, plan).objective, EvaluatePlan(instance, plan).objective);
        for (std::size_t k = 0; k < instance.state.clusters[0].devices.size(); ++k)
        {
            EXPECT_EQ(read.state.clusters[0].devices[k].heldBase,
                      instance.state.clusters[0].devices[k].heldBase);
        }
        EXPECT_EQ(FormatInstanceJson(read), FormatInstanceJson(instance));
    }
}

TEST(BaseJson, RefusesWhatIsNoSetOfBlocks)
{
    test::RandomInstance random(6);
    Instance instance = MakeDedicated(random);
    instance.state.clusters[0].devices[0].heldBase = {false, false, {{1, 3}}};
    const std::string good = FormatInstanceJson(instance);
    const std::size_t begin = good.find("\"heldBase\"", good.find("\"devices\""));
    const std::size_t open = good.find("\"blocks\"", begin);
    const std::size_t close = good.find("\"decoder\"", open);
    const auto with = [&](const std::string& blocks) {
        return good.substr(0, open) + "\"blocks\": " + blocks + ", " + good.substr(close);
    };
    Instance read;
    ASSERT_EQ(ParseInstanceJson(with("[[1, 3]]"), read), "");
    ASSERT_EQ(ParseInstanceJson(with("[[0, 1], [2, 8]]"), read), "");
    for (const auto* bad : {"[[3, 1]]",
                            "[[1, 1]]",
                            "[[0, 9]]",
                            "[[0, 2], [1, 3]]",
                            "[[0, 2], [2, 3]]",
                            "[[4, 5], [0, 1]]",
                            "[[-1, 2]]",
                            "[[0.5, 2]]",
                            "[[0, 4294967297]]",
                            "[[1]]",
                            "[[1, 2, 3]]",
                            "[1, 2]",
                            "{}",
                            "\"all\"",
                            "[[\"a\", 2]]"})
    {
        const auto error = ParseInstanceJson(with(bad), read);
        EXPECT_NE(error.find("clusters[0].devices[0].heldBase.blocks"), std::string::npos)
            << bad << ": " << error;
    }
    auto silent = good;
    silent.replace(silent.find("\"sendsBase\": true"), 17, "\"sendsBase\": false");
    EXPECT_NE(ParseInstanceJson(silent, read).find("model.sendsBase is not true"),
              std::string::npos);
}

} // namespace collapipe
} // namespace ns3
