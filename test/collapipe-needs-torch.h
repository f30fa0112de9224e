/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_NEEDS_TORCH_H
#define COLLAPIPE_NEEDS_TORCH_H

#include "ns3/test.h"
#include "ns3/type-id.h"

#include <memory>
#include <string>

namespace ns3
{
namespace collapipe
{
namespace tests
{

/// @return whether this build has LibTorch
inline bool
HasTorch()
{
    TypeId tid;
    return TypeId::LookupByNameFailSafe("ns3::collapipe::TorchBackend", &tid);
}

/// @return TypeId of the backend that tests take for which any is good
inline std::string
GetAnyBackend()
{
    return HasTorch() ? "ns3::collapipe::TorchBackend" : "ns3::collapipe::AnalyticBackend";
}

/// Stands for a test case that this build cannot run; cmake/run-test.cmake knows its name.
class SkippedTestCase : public TestCase
{
  public:
    /// @param name the test case's
    explicit SkippedTestCase(const std::string& name)
        : TestCase("SKIPPED, no LibTorch: " + name)
    {
    }

  private:
    void DoRun() override
    {
    }
};

/**
 * @param testCase one that needs LibTorch; taken over
 * @return the same, or where there is no LibTorch one that is skipped under its name
 */
inline TestCase*
WithTorch(TestCase* testCase)
{
    if (HasTorch())
    {
        return testCase;
    }
    const std::unique_ptr<TestCase> unused(testCase);
    return new SkippedTestCase(testCase->GetName());
}

} // namespace tests
} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_NEEDS_TORCH_H */
