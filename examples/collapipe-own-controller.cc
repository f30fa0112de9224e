/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A controller of one's own: the fastest devices that suffice, each with as many encoder blocks as
// its speed is worth. Chosen like every other, by its TypeId; everything else stays as it is.
//
//     ./collapipe run own-controller --topology=wifi --rounds=3

#include "ns3/collapipe-latency-model.h"
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-program.h"
#include "ns3/collapipe-training-run.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <iostream>

using namespace ns3;
using namespace ns3::collapipe;

/// Takes the fastest devices of each cluster.
class FastestFirstController : public Controller
{
  public:
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ns3::FastestFirstController")
                                .SetParent<Controller>()
                                .AddConstructor<FastestFirstController>()
                                .AddAttribute("Devices",
                                              "How many devices of a cluster work, at most.",
                                              UintegerValue(3),
                                              MakeUintegerAccessor(&FastestFirstController::m_most),
                                              MakeUintegerChecker<uint32_t>(1));
        return tid;
    }

    // The one function a controller must have: what is known in, what shall be done out.
    RoundPlan Decide(const SystemState& state) override
    {
        RoundPlan plan;
        plan.localIterations = state.training.localIterations;
        plan.schedule = state.training.schedule;
        plan.infeasible = CheckPipelineState(state);
        if (!plan.infeasible.empty())
        {
            return plan;
        }
        for (std::size_t m = 0; m < state.clusters.size(); ++m)
        {
            const auto segments = Cut(state.clusters[m], state.model.blocks);
            const auto chain = MakePipelineChain(segments, state.training.fixedPair);
            plan.clusters.push_back(MakeClusterPlan(state, m, chain));
        }
        SetEqualLinks(state, plan);                          // shares and powers of the radios
        plan.infeasible = CheckMemory(state, plan);          // one sentence where it cannot be done
        plan.plannedLatencyS = PredictLatencyS(state, plan); // to compare with what comes
        return plan;
    }

    // Called after every round. A controller that learns would do so here.
    void Observe(const RoundMeasurement& measurement) override
    {
        std::cerr << "round " << measurement.round << " took " << measurement.latencyS << " s\n";
    }

  private:
    /// @return which device gets how many blocks
    std::vector<Segment> Cut(const ClusterState& cluster, uint32_t blocks) const
    {
        std::vector<NodeIndex> order(cluster.devices.size());
        for (NodeIndex k = 0; k < order.size(); ++k)
        {
            order[k] = k + 1; // device k is node k + 1; node 0 is the control unit
        }
        const auto speed = [&cluster](NodeIndex node) { return cluster.devices[node - 1].flops; };
        std::stable_sort(order.begin(), order.end(), [&speed](NodeIndex left, NodeIndex right) {
            return speed(left) > speed(right);
        });
        order.resize(std::min<std::size_t>({order.size(), m_most, blocks}));

        std::vector<Segment> segments;
        for (const auto node : order)
        {
            segments.push_back({node, 1}); // everyone gets one block
        }
        for (uint32_t block = segments.size(); block < blocks; ++block)
        {
            // The next one to whom it costs the least time.
            const auto least =
                std::min_element(segments.begin(),
                                 segments.end(),
                                 [&speed](const Segment& left, const Segment& right) {
                                     return (left.blocks + 1) / speed(left.node) <
                                            (right.blocks + 1) / speed(right.node);
                                 });
            ++least->blocks;
        }
        return segments;
    }

    uint32_t m_most{3}; //!< attribute
};

NS_OBJECT_ENSURE_REGISTERED(FastestFirstController);

int
main(int argc, char* argv[])
{
    return RunProgram("collapipe-own-controller", [&] {
        RunConfig config;
        config.controller = "ns3::FastestFirstController";
        config.compare = "none";
        config.memoryShare = 0; // devices have all the memory of their profile
        config.Parse(argc, argv);
        TrainingRun run(config);
        run.Run();
        PrintTable(std::cout, run.GetSummary(), run.GetRecorder().GetRounds());
        FinishOutput();
        return run.GetExitStatus();
    });
}
