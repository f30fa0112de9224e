/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// What a training run learns, by an ordinary loop: the whole model of every cluster, FedAvg, no
// network, no cuts, no micro-batches.
//
// Takes collapipe-quickstart's options. Prints a line of JSON per round, and one at the end with
// the scores of the model.

#include "ns3/collapipe-aggregator.h"
#include "ns3/collapipe-message-application.h"
#include "ns3/collapipe-quality.h"
#include "ns3/collapipe-run-data.h"
#include "ns3/collapipe-unsplit-trainer.h"
#include "ns3/object-factory.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>

using namespace ns3::collapipe;

namespace
{

/// What a cluster has learnt in a round
struct LocalResult
{
    TensorList tensors; //!< parameters, and optimizer state where it is kept
    double loss{0};     //!< mean over the iterations
};

/**
 * The loop.
 */
class FedAvgLoop
{
  public:
    explicit FedAvgLoop(const RunConfig& config)
        : m_config(config),
          m_corpus(LoadCorpus(config)),
          m_data(PartitionData(config, m_corpus.dataset))
    {
        ns3::ObjectFactory factory("ns3::collapipe::TorchBackend");
        m_context.backend = factory.Create<ComputeBackend>();
        m_context.model = GetModelConfig(config, m_corpus);
        m_context.optimizer = config.GetOptimizerConfig();
        m_context.seed = config.seed;
        m_global.parameters = m_context.backend->CreateParameters(m_context.model, config.seed);
        for (uint32_t cluster = 0; cluster < m_data.size(); ++cluster)
        {
            m_sources.push_back(MakeSampleSource(m_data[cluster], config.seed, cluster, 0));
        }
    }

    void Run()
    {
        const QualityScorer scorer(m_config.GetQualityPlan(),
                                   m_context.model,
                                   m_context.backend,
                                   m_corpus);
        const auto start = std::chrono::steady_clock::now();
        const auto getWall = [start] {
            return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        };
        for (uint32_t round = 1; round <= m_config.rounds; ++round)
        {
            nlohmann::ordered_json line{{"round", round}, {"train_loss", TrainRound(round)}};
            line["validation_loss"] =
                m_context.backend
                    ->Evaluate(m_context.model, m_global.parameters, m_corpus.dataset.validation)
                    .loss;
            if (scorer.IsDue(round))
            {
                AddScores(line, scorer.ScoreValidation(m_global.parameters));
            }
            line["wall_s"] = getWall();
            std::cout << line.dump() << std::endl;
        }
        RunQuality quality;
        scorer.Complete(m_global.parameters, quality);
        nlohmann::ordered_json line{{"test", true}, {"test_loss", quality.testLoss}};
        AddScores(line, quality.test);
        std::cout << line.dump() << std::endl;
    }

  private:
    void AddScores(nlohmann::ordered_json& line, const QualityScore& score) const
    {
        const auto classes = m_corpus.dataset.classes.size();
        for (const auto& [name, value] : ListScores(m_config.task, classes, score))
        {
            line[name] = value;
        }
    }

    /// Trains one cluster for a round.
    LocalResult TrainCluster(uint32_t cluster, uint32_t round) const
    {
        const PartRange whole{true, 0, m_context.model.encoderBlocks, true};
        const auto position =
            GetTrainingPosition(m_context, cluster, 0, round, m_config.localIterations);
        const auto start = m_global.Gather(whole);
        const auto parameters = m_global.parameters.Gather(whole).size();
        UnsplitTrainer trainer(m_context.model,
                               m_context.optimizer,
                               m_global.parameters,
                               position,
                               {start.begin() + parameters, start.end()});
        LocalResult result;
        for (uint32_t i = 0; i < m_config.localIterations; ++i)
        {
            std::vector<Sample> samples;
            const uint32_t n = m_config.microBatches * m_config.microBatchSize;
            for (const auto* sample : m_sources[cluster](n))
            {
                samples.push_back(*sample);
            }
            result.loss += trainer.Iterate(samples) / m_config.localIterations;
            trainer.Step();
        }
        result.tensors = trainer.GetParameters().Gather(whole);
        if (m_config.keepOptimizerState)
        {
            const auto state = trainer.GetOptimizerState();
            result.tensors.insert(result.tensors.end(), state.begin(), state.end());
        }
        return result;
    }

    /// Trains all clusters and averages. @return mean training loss
    double TrainRound(uint32_t round)
    {
        const unsigned threads = std::max(1U, m_config.threads);
        const PartRange whole{true, 0, m_context.model.encoderBlocks, true};
        Aggregator aggregator(m_context.model);
        double loss = 0;
        for (uint32_t first = 0; first < m_data.size(); first += threads)
        {
            std::vector<std::future<LocalResult>> running;
            for (uint32_t c = first; c < std::min<std::size_t>(first + threads, m_data.size()); ++c)
            {
                running.push_back(std::async(std::launch::async,
                                             [this, c, round] { return TrainCluster(c, round); }));
            }
            for (uint32_t i = 0; i < running.size(); ++i)
            {
                const auto result = running[i].get();
                const double weight =
                    double(m_data[first + i].size()) / double(m_corpus.dataset.training.size());
                aggregator.Add({first + i, 0}, weight, whole, result.tensors);
                loss += weight * result.loss;
            }
        }
        m_global = aggregator.Average();
        return loss;
    }

    RunConfig m_config;                             //!< what was asked for
    Corpus m_corpus;                                //!< the data
    std::vector<std::vector<const Sample*>> m_data; //!< by cluster
    std::vector<SampleSource> m_sources;            //!< by cluster
    TrainingContext m_context;                      //!< model, optimizer, backend
    ModelState m_global;                            //!< after the last round
};

} // namespace

int
main(int argc, char* argv[])
{
    try
    {
        RunConfig config;
        config.Parse(argc, argv);
        config.Validate();
        FedAvgLoop(config).Run();
    }
    catch (const std::runtime_error& error)
    {
        std::cerr << "collapipe-fedavg: " << error.what() << "\n";
        return 2;
    }
    return 0;
}
