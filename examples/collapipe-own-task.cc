/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A task and a model size of one's own: digits come in, and shall come out sorted. No file is read:
// a data set is two lists of token sequences, wherever they come from.
//
//     ./collapipe run own-task --topology=p2p

#include "ns3/collapipe-program.h"
#include "ns3/collapipe-training-run.h"

#include <algorithm>
#include <iostream>
#include <random>

using namespace ns3::collapipe;

constexpr int32_t FIRST_DIGIT = END_TOKEN + 1; // tokens 0 to 3 have a meaning of their own
constexpr uint32_t DIGITS = 10;
constexpr uint32_t LENGTH = 7; // digits of a sample

/// @return one sample: digits, and the same digits in order
Sample
MakeSample(std::mt19937_64& random)
{
    Sample sample;
    for (uint32_t i = 0; i < LENGTH; ++i)
    {
        sample.source.push_back(FIRST_DIGIT + static_cast<int32_t>(random() % DIGITS));
    }
    sample.target = sample.source;
    std::sort(sample.target.begin(), sample.target.end());
    sample.source.push_back(END_TOKEN);
    sample.target.push_back(END_TOKEN);
    return sample;
}

/// @return what is learnt from, and what is evaluated on
Corpus
MakeDigits(const RunConfig& config)
{
    std::mt19937_64 random(config.seed);
    Corpus corpus;
    auto& data = corpus.dataset;
    data.description = "sequences of digits, to be sorted";
    data.vocabulary = FIRST_DIGIT + DIGITS;
    for (uint32_t i = 0; i < 4000; ++i)
    {
        data.training.push_back(MakeSample(random));
    }
    for (uint32_t i = 0; i < 200; ++i)
    {
        data.validation.push_back(MakeSample(random));
    }
    return corpus;
}

int
main(int argc, char* argv[])
{
    return RunProgram("collapipe-own-task", [&] {
        RunConfig config;
        config.ownCorpus = MakeDigits;
        config.task = "translation"; // of one sequence into another
        config.model = "48x4x96";    // width, attention heads, width of the feed-forward layer
        config.blocks = 4;
        config.sequenceLength = LENGTH + 1; // with the end token
        config.rounds = 3;
        config.compare = "none";
        config.Parse(argc, argv);
        TrainingRun run(config);
        run.Run();
        PrintTable(std::cout, run.GetSummary(), run.GetRecorder().GetRounds());
        FinishOutput();
        return run.GetExitStatus();
    });
}
