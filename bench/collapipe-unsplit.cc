/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The computation of a training run alone: an ordinary loop over as many samples, no network.
//
// Takes collapipe-quickstart's options. Prints the seconds that the loop took.

#include "ns3/collapipe-compute-backend.h"
#include "ns3/collapipe-run-data.h"
#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/object-factory.h"

#include <algorithm>
#include <chrono>
#include <iostream>

using namespace ns3::collapipe;

namespace
{

/// Trains as many iterations as all clusters do together, and evaluates as often as a run does.
void
Train(const RunConfig& config, const Corpus& corpus)
{
    const auto model = GetModelConfig(config, corpus);
    const auto& dataset = corpus.dataset;
    ns3::ObjectFactory factory("ns3::collapipe::TorchBackend");
    const auto backend = factory.Create<ComputeBackend>();
    UnsplitTrainer trainer(model,
                           config.GetOptimizerConfig(),
                           backend->CreateParameters(model, config.seed));
    backend->Evaluate(model, trainer.GetParameters(), dataset.validation);
    std::size_t next = 0;
    for (uint32_t round = 0; round < config.rounds; ++round)
    {
        for (uint32_t i = 0; i < config.clusters * config.localIterations; ++i)
        {
            std::vector<Sample> samples(config.microBatches * config.microBatchSize);
            for (auto& sample : samples)
            {
                sample = dataset.training[next++ % dataset.training.size()];
            }
            trainer.Iterate(samples);
            trainer.Step();
        }
        backend->Evaluate(model, trainer.GetParameters(), dataset.validation);
    }
}

} // namespace

int
main(int argc, char* argv[])
{
    try
    {
        RunConfig config;
        config.Parse(argc, argv);
        config.Validate();
        const auto corpus = LoadCorpus(config);
        const auto start = std::chrono::steady_clock::now();
        Train(config, corpus);
        const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
        std::cout << wall.count() << "\n";
    }
    catch (const std::runtime_error& error)
    {
        std::cerr << "collapipe-unsplit: " << error.what() << "\n";
        return 2;
    }
    return 0;
}
