/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

/**
 * @file
 * Solves one round's problem (13): an instance as JSON in, a plan as JSON out.
 *
 *     collapipe-solve --instance=instance.json --controller=dssda --output=plan.json
 *
 * Without --instance it reads standard input, without --output it writes to standard output. Exit
 * status: 0 with a plan, 1 where no plan satisfies the constraints, 2 for an error in the input.
 */

#include "ns3/collapipe-controller.h"
#include "ns3/collapipe-dssda-controller.h"
#include "ns3/collapipe-instance-json.h"
#include "ns3/collapipe-plan-json.h"
#include "ns3/command-line.h"
#include "ns3/double.h"
#include "ns3/object-factory.h"

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

constexpr int INFEASIBLE = 1;
constexpr int BAD_INPUT = 2;

int
Fail(const std::string& message)
{
    std::cerr << "collapipe-solve: " << message << std::endl;
    return BAD_INPUT;
}

std::string
ReadAll(std::istream& stream)
{
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

/// @return the controller with V, phibar and the queues of the instance; null where there is none
Ptr<Controller>
MakeController(const std::string& name, const Instance& instance)
{
    TypeId tid;
    if (!TypeId::LookupByNameFailSafe(ControllerTypeName(name), &tid) || !tid.HasConstructor() ||
        !tid.IsChildOf(Controller::GetTypeId()))
    {
        return nullptr;
    }
    ObjectFactory factory;
    factory.SetTypeId(tid);
    Ptr<Controller> controller = factory.Create<Controller>();
    controller->SetAttributeFailSafe("PenaltyWeight", DoubleValue(instance.penaltyWeight));
    controller->SetAttributeFailSafe("ConvergenceTarget", DoubleValue(instance.convergenceTarget));
    if (auto dssda = DynamicCast<DssdaController>(controller))
    {
        VirtualQueues queues;
        queues.Set(instance.energyQueueJ, instance.convergenceQueue);
        dssda->SetQueues(queues);
    }
    controller->AssignStreams(0);
    return controller;
}

SolverReport
Describe(const std::string& name, Ptr<Controller> controller, double seconds)
{
    SolverReport report;
    report.controller = name;
    report.seconds = seconds;
    if (auto dssda = DynamicCast<DssdaController>(controller))
    {
        const RoundSolution& solution = dssda->GetLastSolution();
        report.steps = solution.history.size();
        report.evaluations = solution.evaluations;
        report.newtonSteps = solution.newtonSteps;
    }
    return report;
}

} // namespace

int
main(int argc, char* argv[])
{
    std::string instancePath;
    std::string outputPath;
    std::string name = "dssda";
    CommandLine cmd(__FILE__);
    cmd.AddValue("instance",
                 "File with the instance (JSON); standard input if empty",
                 instancePath);
    cmd.AddValue("output", "File for the plan (JSON); standard output if empty", outputPath);
    cmd.AddValue("controller", "Controller that makes the plan, by short name or TypeId", name);
    cmd.Parse(argc, argv);

    std::ifstream file(instancePath);
    if (!instancePath.empty() && !file)
    {
        return Fail("cannot read " + instancePath);
    }
    Instance instance;
    const std::string error =
        ParseInstanceJson(ReadAll(instancePath.empty() ? std::cin : file), instance);
    if (!error.empty())
    {
        return Fail(error);
    }
    Ptr<Controller> controller = MakeController(name, instance);
    if (!controller)
    {
        return Fail("there is no controller " + name);
    }

    const auto start = std::chrono::steady_clock::now();
    const RoundPlan plan = controller->Decide(instance.state);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;

    const std::string text =
        FormatPlanJson(instance, plan, Describe(name, controller, elapsed.count()));
    std::ofstream output(outputPath);
    if (!outputPath.empty() && !output)
    {
        return Fail("cannot write " + outputPath);
    }
    (outputPath.empty() ? std::cout : output) << text;
    return plan.infeasible.empty() ? 0 : INFEASIBLE;
}
