/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-control-random.h"

#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/collapipe-round-solver.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace ns3
{
namespace collapipe
{
namespace
{

using Json = nlohmann::json;

Instance
MakeInstance(uint64_t seed)
{
    test::RandomShape shape;
    shape.clusters = 2;
    shape.devices = 3;
    shape.dedicated = true;
    return test::RandomInstance(seed).Make(shape);
}

/// @return what the parser says about an instance in which one field was changed
std::string
GetError(const std::string& pointer, const Json& value)
{
    Json json = Json::parse(FormatInstanceJson(MakeInstance(3)));
    json[Json::json_pointer(pointer)] = value;
    Instance instance;
    return ParseInstanceJson(json.dump(), instance);
}

std::string
GetErrorWithout(const std::string& parent, const std::string& field)
{
    Json json = Json::parse(FormatInstanceJson(MakeInstance(3)));
    json[Json::json_pointer(parent)].erase(field);
    Instance instance;
    return ParseInstanceJson(json.dump(), instance);
}

TEST(ControlJson, InstancesSurviveTheRoundTrip)
{
    for (uint64_t seed = 1; seed <= 50; ++seed)
    {
        const std::string text = FormatInstanceJson(MakeInstance(seed));
        Instance instance;
        ASSERT_EQ(ParseInstanceJson(text, instance), "");
        EXPECT_EQ(FormatInstanceJson(instance), text);
    }
}

TEST(ControlJson, ErrorsNameTheField)
{
    EXPECT_EQ(GetErrorWithout("/model", "blocks"), "model.blocks is missing");
    EXPECT_EQ(GetErrorWithout("/clusters/1/devices/2", "flops"),
              "clusters[1].devices[2].flops is missing");
    EXPECT_EQ(GetErrorWithout("", "edge"), "edge is missing");
    EXPECT_EQ(GetError("/edge/flops", -1), "edge.flops must not be negative");
    EXPECT_EQ(GetError("/edge/flops", 0), "edge.flops must be positive");
    EXPECT_EQ(GetError("/edge/flops", "fast"), "edge.flops must be a number");
    EXPECT_EQ(GetError("/edge/flops", nullptr), "edge.flops must be a number");
    EXPECT_EQ(GetError("/model/blocks", 2.5), "model.blocks must be an integer below 2^31");
    EXPECT_EQ(GetError("/clusters", 4), "clusters must be an array");
    EXPECT_EQ(GetError("/model", 4), "model must be an object");
    EXPECT_EQ(GetError("/uplink", {{"mode", "magic"}}),
              "uplink.mode must be \"frequency\", \"airtime\" or \"dedicated\"");
    EXPECT_EQ(GetError("/training/schedule", "zb-h1"),
              "training.schedule must be \"gpipe\" or \"1f1b\"");
    EXPECT_EQ(GetError("/training/allowedPairs", Json::array()),
              "training.allowedPairs must not be empty");
    EXPECT_EQ(GetError("/clusters/0/d2dLinks", Json::array()),
              "clusters[0].d2dLinks must have 4 rows, one per node");
    EXPECT_EQ(GetError("/queues/energyJ", Json::array()),
              "queues.energyJ must have one row per cluster");
    EXPECT_EQ(GetError("/queues/energyJ/1/0", -3), "queues.energyJ[1][0] must not be negative");
}

TEST(ControlJson, BrokenDocumentsAreRefused)
{
    const std::string text = FormatInstanceJson(MakeInstance(1));
    Instance instance;
    for (const std::string& broken :
         {text.substr(0, text.size() / 2), std::string(), std::string("{\"round\": NaN}")})
    {
        EXPECT_EQ(ParseInstanceJson(broken, instance).find("the document is not valid JSON"), 0U);
    }
    EXPECT_EQ(ParseInstanceJson("[]", instance), "the document must be an object");
    std::string huge = text;
    huge.replace(huge.find("\"round\": 0"), 10, "\"round\": 1e999");
    EXPECT_NE(ParseInstanceJson(huge, instance), "");
}

/// An independent program's view: (13) from instance and plan as JSON alone (GPipe)
class Recomputation
{
  public:
    Recomputation(const Json& instance, const Json& plan)
        : m_instance(instance),
          m_plan(plan)
    {
    }

    double GetObjective()
    {
        double tau = 0;
        for (std::size_t m = 0; m < m_plan["clusters"].size(); ++m)
        {
            tau = std::max(tau, GetClusterS(m));
        }
        const Json& control = m_instance["control"];
        const double penalty = control["penaltyWeight"];
        const double queue = m_instance["queues"]["convergence"];
        const double target = control["convergenceTarget"];
        return penalty * tau + m_energy + (target > 0 ? queue * (GetPhi() - target) : 0);
    }

  private:
    double GetPhi() const
    {
        const Json& learning = m_instance["learning"];
        const double eta = learning["stepSize"];
        const double smoothness = learning["smoothness"];
        const double variance = learning["gradientVariance"];
        const double iterations = m_instance["training"]["localIterations"];
        double phi = 0;
        for (std::size_t m = 0; m < m_plan["clusters"].size(); ++m)
        {
            const Json& chain = m_plan["clusters"][m]["chains"][0];
            const double rho = m_instance["clusters"][m]["weight"];
            const double n =
                chain["microBatches"].get<double>() * chain["microBatchSize"].get<double>();
            phi += 4 * eta * smoothness * variance * rho * rho / n +
                   10 * eta * eta * smoothness * smoothness * iterations * variance * rho / n;
        }
        return phi;
    }

    const Json& GetNode(std::size_t m, const Json& node) const
    {
        const Json& cluster = m_instance["clusters"][m];
        return node == "controlUnit" ? cluster["controlUnit"]
                                     : cluster["devices"][node.get<std::size_t>()];
    }

    static std::size_t GetIndex(const Json& node)
    {
        return node == "controlUnit" ? 0 : node.get<std::size_t>() + 1;
    }

    /// a / r, and the energy of the sender
    double GetTransferS(std::size_t m, const Json& decision, double bits, double times)
    {
        const Json& cluster = m_instance["clusters"][m];
        const Json& from = decision["from"];
        const Json& to = decision["to"];
        const bool up = to == "edgeServer";
        const bool down = from == "edgeServer";
        const Json& pool = up     ? m_instance["uplink"]
                           : down ? m_instance["downlink"]
                                  : cluster["d2d"];
        const Json& link = up     ? GetNode(m, from)["uplink"]
                           : down ? GetNode(m, to)["downlink"]
                                  : cluster["d2dLinks"][GetIndex(from)][GetIndex(to)];
        double seconds = 0;
        double onAirS = 0;
        double power = link["maxPowerW"];
        if (pool["mode"] == "dedicated")
        {
            seconds = onAirS = bits / link["fixedRateBps"].get<double>();
        }
        else
        {
            const double share = decision["share"];
            const double band = pool["bandwidthHz"];
            const bool frequency = pool["mode"] == "frequency";
            power = decision["powerW"];
            const double noise = link["snrGap"].get<double>() *
                                 link["noiseDensityWPerHz"].get<double>() * band *
                                 (frequency ? share : 1);
            const double snr = power * link["gain"].get<double>() / noise;
            seconds = bits / (link["efficiency"].get<double>() * share * band * std::log2(1 + snr));
            onAirS = frequency ? seconds : share * seconds;
        }
        if (!down)
        {
            const double queue = m_instance["queues"]["energyJ"][m][GetIndex(from)];
            m_energy += queue * times * power * onAirS;
        }
        return seconds;
    }

    double GetLatencyS(std::size_t m, const Json& from, const Json& to) const
    {
        if (to == "edgeServer")
        {
            return GetNode(m, from)["uplink"]["latencyS"];
        }
        return from == "edgeServer"
                   ? GetNode(m, to)["downlink"]["latencyS"].get<double>()
                   : m_instance["clusters"][m]["d2dLinks"][GetIndex(from)][GetIndex(to)]["latencyS"]
                         .get<double>();
    }

    double GetClusterS(std::size_t m)
    {
        const Json& model = m_instance["model"];
        const Json& plan = m_plan["clusters"][m];
        const Json& chain = plan["chains"][0];
        const double count = chain["microBatches"];
        const double size = chain["microBatchSize"];
        const double iterations = m_instance["training"]["localIterations"];
        const double beta = model["backwardRatio"];
        double sum = 0;
        double forward = 0;
        double backward = 0;
        for (const Json& stage : chain["stages"])
        {
            const bool edge = stage["node"] == "edgeServer";
            const Json& node = edge ? m_instance["edge"] : GetNode(m, stage["node"]);
            const double blocks =
                stage["lastBlock"].get<double>() - stage["firstBlock"].get<double>();
            const double work =
                blocks * model["blockForwardFlops"].get<double>() +
                (stage["embedding"].get<bool>() ? model["embeddingForwardFlops"].get<double>()
                                                : 0) +
                (stage["decoder"].get<bool>() ? model["decoderForwardFlops"].get<double>() : 0);
            const double clusters = m_instance["clusters"].size();
            const double slow =
                edge ? std::max(1.0, clusters / m_instance["edge"]["workers"].get<double>()) : 1;
            const double seconds = size * work / node["flops"].get<double>();
            const double f = slow * (node["overheadS"].get<double>() + seconds);
            const double b = slow * (node["overheadS"].get<double>() + beta * seconds);
            sum += f + b;
            forward = std::max(forward, f);
            backward = std::max(backward, b);
            if (!edge)
            {
                const double queue = m_instance["queues"]["energyJ"][m][GetIndex(stage["node"])];
                m_energy +=
                    queue * iterations * count * (f + b) * node["computePowerW"].get<double>();
            }
        }
        AddBudgets(m);
        double distribution = 0;
        double upload = 0;
        for (const Json& link : plan["links"])
        {
            const double bits = GetBits(m, link);
            const bool training = link["phase"] == "training";
            const double x = GetTransferS(m, link, bits, training ? iterations * count : 1);
            const double d = GetLatencyS(m, link["from"], link["to"]);
            double& slowest = link["phase"] == "upload" ? upload : distribution;
            slowest = training ? slowest : std::max(slowest, d + x);
            const bool target = link["from"] == "controlUnit" && link["to"] == "edgeServer";
            if (training)
            {
                sum += target ? 0 : d + x;
                double& longest = IsForward(chain, link) ? forward : backward;
                longest = std::max(longest, x);
            }
        }
        return distribution + iterations * (sum + (count - 1) * (forward + backward)) + upload;
    }

    void AddBudgets(std::size_t m)
    {
        const Json& cluster = m_instance["clusters"][m];
        const Json& queues = m_instance["queues"]["energyJ"][m];
        m_energy -= queues[0].get<double>() * cluster["controlUnit"]["energyBudgetJ"].get<double>();
        for (std::size_t k = 0; k < cluster["devices"].size(); ++k)
        {
            m_energy -=
                queues[k + 1].get<double>() * cluster["devices"][k]["energyBudgetJ"].get<double>();
        }
    }

    static std::size_t GetPosition(const Json& chain, const Json& node)
    {
        std::size_t position = 0;
        while (chain["stages"][position]["node"] != node)
        {
            ++position;
        }
        return position;
    }

    static bool IsForward(const Json& chain, const Json& link)
    {
        return GetPosition(chain, link["from"]) < GetPosition(chain, link["to"]);
    }

    double GetBits(std::size_t m, const Json& link) const
    {
        const Json& model = m_instance["model"];
        const Json& chain = m_plan["clusters"][m]["chains"][0];
        if (link["phase"] == "training")
        {
            const bool target = link["from"] == "controlUnit" && link["to"] == "edgeServer";
            return chain["microBatchSize"].get<double>() *
                   model[target ? "targetBits" : "activationBits"].get<double>();
        }
        const Json& node = link["phase"] == "upload" ? link["from"] : link["to"];
        const Json& stage = chain["stages"][GetPosition(chain, node)];
        return stage["embedding"].get<bool>()
                   ? model["embeddingParameterBits"].get<double>()
                   : (stage["lastBlock"].get<double>() - stage["firstBlock"].get<double>()) *
                         model["blockParameterBits"].get<double>();
    }

    const Json& m_instance; //!< the problem
    const Json& m_plan;     //!< the plan
    double m_energy{0};     //!< sum of Q (E - Ebar), so far
};

TEST(ControlJson, ObjectiveFollowsFromTheDocumentsAlone)
{
    RoundSolver solver;
    int compared = 0;
    for (uint64_t seed = 1; seed <= 60; ++seed)
    {
        const Instance instance = MakeInstance(seed);
        const RoundSolution solution = solver.Solve(instance);
        const Json plan = Json::parse(FormatPlanJson(instance, solution.plan, SolverReport()));
        if (plan["infeasible"] != "")
        {
            continue;
        }
        const Json document = Json::parse(FormatInstanceJson(instance));
        const double latency = plan["objective"]["latency"];
        EXPECT_NEAR(Recomputation(document, plan).GetObjective(),
                    plan["objective"]["total"].get<double>(),
                    1e-9 * latency)
            << seed;
        ++compared;
    }
    EXPECT_GT(compared, 20);
}

} // namespace
} // namespace collapipe
} // namespace ns3
