/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// The table of options: what is allowed, what would be ignored, what is suggested

#include "ns3/collapipe-option-help.h"
#include "ns3/collapipe-run-config.h"
#include "ns3/collapipe-run-options.h"
#include "ns3/collapipe-suggestion.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

using namespace ns3::collapipe;

namespace
{

/**
 * @param options of a command line
 * @param config what the program has set before
 * @return what is asked for
 */
RunConfig
Read(const std::vector<std::string>& options, RunConfig config = RunConfig())
{
    std::vector<std::string> arguments{"program"};
    arguments.insert(arguments.end(), options.begin(), options.end());
    std::vector<char*> pointers;
    for (auto& argument : arguments)
    {
        pointers.push_back(argument.data());
    }
    config.Parse(static_cast<int>(pointers.size()), pointers.data());
    return config;
}

/// @return what a command line is refused with; empty where it is taken
std::string
Refuse(const std::vector<std::string>& options)
{
    try
    {
        Read(options).Validate();
        return "";
    }
    catch (const UserError& error)
    {
        return error.what();
    }
}

bool
Contains(const std::string& text, const std::string& part)
{
    return text.find(part) != text.npos;
}

} // namespace

TEST(CollapipeOptionsTest, DefaultsAreAllowed)
{
    EXPECT_EQ(Refuse({}), "");
    EXPECT_EQ(Refuse({"--task=mlm"}), "");
    EXPECT_EQ(Refuse({"--task=translation"}), "");
    EXPECT_EQ(Refuse({"--task=classification"}), "");
}

/// What a task's runs were before there was another default task, they are still.
TEST(CollapipeOptionsTest, DefaultsGoByWhatIsLearnt)
{
    for (const std::vector<std::string>& line :
         {std::vector<std::string>{"--task=translation"},
          std::vector<std::string>{"--trainSource=a", "--trainTarget=b"}})
    {
        const auto translation = Read(line);
        EXPECT_EQ(translation.task, "translation");
        EXPECT_EQ(translation.model, "nano");
        EXPECT_EQ(translation.blocks, 8U);
        EXPECT_EQ(translation.sequenceLength, 20U);
        EXPECT_EQ(translation.vocabulary, 1000U);
        EXPECT_EQ(translation.microBatches, 4U);
        EXPECT_EQ(translation.microBatchSize, 8U);
        EXPECT_EQ(translation.localIterations, 25U);
        EXPECT_EQ(translation.rounds, 5U);
        EXPECT_EQ(translation.learningRate, 3e-3);
        EXPECT_EQ(translation.keepOptimizerState, false);
        EXPECT_EQ(translation.learning.warmup, 0U);
        EXPECT_EQ(translation.learning.decay, "none");
        EXPECT_EQ(translation.learning.dropout, 0);
        EXPECT_EQ(translation.learning.skipPadding, false);
        EXPECT_EQ(translation.learning.score, "end");
    }
    for (const std::vector<std::string>& line :
         {std::vector<std::string>{"--task=mlm"}, std::vector<std::string>{"--train=a"}})
    {
        const auto bert = Read(line);
        EXPECT_EQ(bert.model, "tiny");
        EXPECT_EQ(bert.blocks, 2U);
        EXPECT_EQ(bert.sequenceLength, 32U);
        EXPECT_EQ(bert.vocabulary, 4000U);
        EXPECT_EQ(bert.microBatches, 4U);
        EXPECT_EQ(bert.microBatchSize, 8U);
        EXPECT_EQ(bert.localIterations, 60U);
        EXPECT_EQ(bert.rounds, 12U);
        EXPECT_EQ(bert.learningRate, 2e-3);
        EXPECT_EQ(bert.keepOptimizerState, true);
        EXPECT_EQ(bert.learning.warmup, 50U);
        EXPECT_EQ(bert.learning.decay, "linear");
        EXPECT_EQ(bert.learning.dropout, 0.1);
        EXPECT_EQ(bert.learning.skipPadding, true);
        EXPECT_EQ(bert.learning.score, "end");
    }
}

/// A default task that is named is the one that is not, and a program's own values stay.
TEST(CollapipeOptionsTest, TheDefaultTaskNeedNotBeNamed)
{
    const auto unnamed = Read({});
    EXPECT_EQ(unnamed.task, "classification");
    EXPECT_EQ(unnamed.List(), Read({"--task=classification"}).List());
    RunConfig silent;
    silent.Complete();
    EXPECT_EQ(silent.List(), unnamed.List()) << "without a command line";
    RunConfig own;
    own.sequenceLength = 17;
    own.Complete();
    EXPECT_EQ(own.sequenceLength, 17U) << "what a program has set stays";
    EXPECT_EQ(Read({"--localIterations=25"}).localIterations, 25U) << "what is given counts";
    EXPECT_NE(unnamed.localIterations, 25U) << "or this test says nothing";
}

/// What a program sets goes before what is usual for a model of other people's, with a command line
/// and without one; what is given there goes before both.
TEST(CollapipeOptionsTest, AProgramsOwnValuesStayWithModelsOfOthers)
{
    RunConfig usual;
    usual.learning.config = "gpt2";
    usual.Complete();
    EXPECT_EQ(usual.task, "lm");
    EXPECT_EQ(usual.blocks, 12U);
    EXPECT_EQ(usual.localIterations, 10U);
    EXPECT_EQ(usual.rounds, 5U);
    EXPECT_EQ(usual.learningRate, 1e-3);
    EXPECT_EQ(usual.learning.warmup, 10U);
    EXPECT_EQ(usual.learning.dropout, 0.1);
    EXPECT_EQ(usual.sequenceLength, 64U);
    EXPECT_EQ(usual.vocabulary, 4000U);
    EXPECT_EQ(usual.List(), Read({"--config=gpt2"}).List()) << "as on a command line";
    RunConfig adapted;
    adapted.learning.config = "gpt2";
    adapted.learning.lora = 8;
    adapted.Complete();
    EXPECT_EQ(adapted.learningRate, 2e-3);
    EXPECT_EQ(adapted.learning.dropout, 0);
    RunConfig own;
    own.learning.config = "gpt2";
    own.task = "classification";
    own.rounds = 3;
    own.localIterations = 7;
    own.learningRate = 0.25;
    own.learning.warmup = 4;
    own.learning.dropout = 0.5;
    own.sequenceLength = 9;
    own.vocabulary = 99;
    auto silent = own;
    silent.Complete();
    own = Read({"--rounds=5", "--dropout=0"}, own);
    for (const auto& config : {silent, own})
    {
        EXPECT_EQ(config.task, "classification");
        EXPECT_EQ(config.localIterations, 7U);
        EXPECT_EQ(config.learningRate, 0.25);
        EXPECT_EQ(config.learning.warmup, 4U);
        EXPECT_EQ(config.sequenceLength, 9U);
        EXPECT_EQ(config.vocabulary, 99U);
    }
    EXPECT_EQ(silent.rounds, 3U);
    EXPECT_EQ(silent.learning.dropout, 0.5);
    EXPECT_EQ(own.rounds, 5U) << "what is given counts";
    EXPECT_EQ(own.learning.dropout, 0) << "also where it is a fresh configuration's";
    RunConfig cut;
    cut.learning.config = "gpt2";
    cut.blocks = 3;
    EXPECT_THROW(cut.Complete(), UserError) << "a model's blocks are no matter of taste";
}

/// A task that a program names stays, whatever the data are like.
TEST(CollapipeOptionsTest, AProgramsOwnTaskStays)
{
    RunConfig config;
    config.trainSource = "a";
    config.trainTarget = "b";
    config.task = "mlm";
    auto given = Read({"--task=translation"}, config);
    EXPECT_EQ(given.task, "translation");
    config.Complete();
    EXPECT_EQ(config.task, "mlm");
    RunConfig unnamed;
    unnamed.Validate(); // as if it were complete
    EXPECT_EQ(unnamed.task, "");
}

TEST(CollapipeOptionsTest, NamesAreTold)
{
    RunConfig config;
    const auto options = MakeOptions(config);
    for (std::size_t i = 0; i < options.size(); ++i)
    {
        EXPECT_FALSE(options[i].help.empty()) << options[i].name;
        EXPECT_EQ(FindOption(options, options[i].name), &options[i]) << "twice in the table";
        for (const auto& condition : options[i].conditions)
        {
            EXPECT_TRUE(condition.kind == OptionCondition::HOLDS ||
                        FindOption(options, condition.option))
                << options[i].name << " goes by --" << condition.option;
        }
    }
    std::ostringstream help;
    PrintOptionHelp(help, "program", options, "all");
    for (const auto& option : options)
    {
        EXPECT_TRUE(Contains(help.str(), "--" + option.name + ": ")) << option.name;
    }
    EXPECT_EQ(config.List().size(), options.size());
    EXPECT_EQ(config.ListTyped().size(), options.size());
}

/// Every number is refused one step beyond its range, and where it is none.
TEST(CollapipeOptionsTest, NumbersOutOfRangeAreRefusedWithTheRange)
{
    RunConfig config;
    for (const auto& option : MakeOptions(config))
    {
        if (std::holds_alternative<std::string*>(option.target) ||
            std::holds_alternative<bool*>(option.target))
        {
            continue;
        }
        const auto name = "--" + option.name + "=";
        for (const std::string text : {"nan", "inf", "-inf", "abc", "", "1e999", "-1", "0x10"})
        {
            if (text == "-1" && option.minimum < -1)
            {
                continue;
            }
            const auto sentence = Refuse({name + text});
            EXPECT_TRUE(Contains(sentence, name + text + ": this must be " + option.GetAllowed()))
                << name << text << " -> " << sentence;
        }
        if (option.maximum < 1e18 && option.names.empty())
        {
            std::ostringstream beyond;
            beyond.precision(17);
            beyond << name << option.maximum + 1;
            EXPECT_TRUE(Contains(Refuse({beyond.str()}), "this must be")) << beyond.str();
        }
    }
}

TEST(CollapipeOptionsTest, ProductsAreNotComputedInThirtyTwoBits)
{
    const auto sentence = Refuse({"--microBatches=65536", "--microBatchSize=65536"});
    EXPECT_TRUE(Contains(sentence, "4294967296 samples")) << sentence;
}

/// For every condition of every row there is a command line that it refuses.
TEST(CollapipeOptionsTest, IgnoredOptionsAreRefused)
{
    const std::vector<std::vector<std::string>> ignored{
        {"--task=mlm", "--trainSource=a", "--trainTarget=b"},
        {"--task=classification", "--trainSource=a", "--trainTarget=b"},
        {"--task=classification", "--valSource=a", "--valTarget=b"},
        {"--task=classification", "--language=fr"},
        {"--task=mlm", "--languages=de,en"},
        {"--task=mlm", "--score=rounds"},
        {"--task=mlm", "--decoderBlocks=2"},
        {"--task=mlm", "--beam=4"},
        {"--task=translation", "--train=a"},
        {"--task=translation", "--languages=de,en"},
        {"--task=translation", "--trainSource=a", "--trainTarget=b", "--language=fr"},
        {"--task=classification", "--train=a", "--languages=de,en"},
        {"--optimizer=adam", "--momentum=0.5"},
        {"--compute=analytic", "--learningRate=0.1"},
        {"--compute=analytic", "--dropout=0.1"},
        {"--compute=analytic", "--save=x"},
        {"--task=translation", "--score=none", "--beam=4"},
        {"--topology=p2p", "--clusterDistance=50"},
        {"--topology=wifi", "--clusterDistance=50"},
        {"--topology=wifi", "--lteResourceBlocks=25"},
        {"--topology=p2p", "--fading"},
        {"--topology=p2p", "--mobility=waypoint"},
        {"--topology=hybrid", "--speed=3"},
        {"--topology=hybrid", "--cellDistance=300"},
        {"--controller=uniform-pipeline", "--convergenceTarget=1"},
        {"--outputDir=", "--pcap"},
        {"--outputDir=", "--netAnim"},
        {"--saveEvery=2"},
    };
    for (const auto& line : ignored)
    {
        const auto sentence = Refuse(line);
        EXPECT_FALSE(sentence.empty()) << line.front() << " " << line.back() << " is taken";
        const auto named = std::any_of(line.begin(), line.end(), [&sentence](const auto& option) {
            return Contains(sentence, option.substr(0, option.find('=')));
        });
        EXPECT_TRUE(named) << sentence;
    }
}

TEST(CollapipeOptionsTest, WhatAsksForNothingIsNotIgnored)
{
    EXPECT_EQ(Refuse({"--outputDir=", "--pcap=false", "--timelineSize=0"}), "");
    EXPECT_EQ(Refuse({"--task=mlm", "--trainSource=", "--score=none", "--saveEvery=0"}), "");
    EXPECT_EQ(Refuse({"--topology=p2p", "--mobility=none", "--fading=false"}), "");
}

TEST(CollapipeOptionsTest, MisspeltWordsGetASuggestion)
{
    EXPECT_TRUE(Contains(Refuse({"--controller=dsda"}), "did you mean dssda?"));
    EXPECT_TRUE(Contains(Refuse({"--controller=UniformPipelin"}), "uniform-pipeline?"));
    EXPECT_TRUE(Contains(Refuse({"--contoller=dssda"}), "did you mean --controller?"));
    EXPECT_TRUE(Contains(Refuse({"--microbatches=2"}), "did you mean --microBatches?"));
    EXPECT_TRUE(Contains(Refuse({"--ChecksumEnable=true"}), "--ChecksumEnabled?"));
    EXPECT_TRUE(
        Contains(Refuse({"--ns3::collapipe::DssdaController::PenaltyWeigt=1"}), "PenaltyWeight?"));
    EXPECT_FALSE(Contains(Refuse({"--colour=red"}), "did you mean"));
    EXPECT_EQ(GetEditDistance("abc", "acb"), 1U);
    EXPECT_EQ(GetEditDistance("kitten", "sitting"), 3U);
    EXPECT_EQ(GetEditDistance("", "abc"), 3U);
}

TEST(CollapipeOptionsTest, AttributesOfAnotherTypeAreRefused)
{
    for (const std::string option : {"--ns3::TcpSocket::SegmentSize=abc",
                                     "--ns3::collapipe::DssdaController::PenaltyWeight=abc",
                                     "--ns3::PointToPointNetDevice::DataRate=fast",
                                     "--ns3::PointToPointChannel::Delay=soon",
                                     "--ChecksumEnabled=maybe"})
    {
        EXPECT_TRUE(Contains(Refuse({option}), option)) << option;
    }
}

/// The medium that a run names is the one that its radios have and its planner plans.
TEST(CollapipeOptionsTest, SharingReachesTheTopology)
{
    RunConfig config;
    EXPECT_TRUE(config.GetTopologyConfig().sharing == Sharing::WORK_CONSERVING);
    config.sharing = "reserved";
    EXPECT_TRUE(config.GetTopologyConfig().sharing == Sharing::RESERVED);
    config.sharing = "work-conserving";
    EXPECT_TRUE(config.GetTopologyConfig().sharing == Sharing::WORK_CONSERVING);
}

/// Clocks that nobody would choose, or that are none, are told.
TEST(CollapipeOptionsTest, SenselessClocksAreRefused)
{
    EXPECT_EQ(Refuse({"--clocks=0.5,0.75", "--energyBudget=1", "--staticPart=0.2"}), "");
    EXPECT_EQ(Refuse({"--clocks=0.5", "--controller=fedavg"}), "");
    EXPECT_TRUE(Contains(Refuse({"--clocks=0.5"}), "--energyBudget"));
    EXPECT_TRUE(Contains(Refuse({"--staticPart=0.2"}), "--staticPart goes with --clocks"));
    for (const std::string clocks : {"0", "1.5", "0.5,", "abc", "0.5,,0.7", "nan"})
    {
        EXPECT_TRUE(Contains(Refuse({"--clocks=" + clocks, "--energyBudget=1"}), "--clocks=") ||
                    clocks == "0.5,")
            << clocks;
    }
    for (const std::string device : {"clocks=0.5/2", "staticPart=0.5", "clocks=:power=3"})
    {
        EXPECT_TRUE(Contains(Refuse({"--deviceProfiles=flops=1e9:memory=1e9:" + device}),
                             "--deviceProfiles="))
            << device;
    }
    EXPECT_EQ(Refuse({"--deviceProfiles=flops=1e9:memory=1e9:clocks=0.5/0.7:staticPart=0.1"}), "");
}

/// What only says where and how a run is shown does not make it another run.
TEST(CollapipeOptionsTest, SurroundingsAreNoPartOfARun)
{
    RunConfig config;
    const auto options = MakeOptions(config);
    for (const std::string name : {"outputDir",
                                   "pcap",
                                   "netAnim",
                                   "flowMonitor",
                                   "timelineSize",
                                   "timelineGzip",
                                   "threads",
                                   "progress",
                                   "compare",
                                   "save",
                                   "load",
                                   "rounds"})
    {
        EXPECT_TRUE(FindOption(options, name)->isLocal) << name;
    }
    for (const std::string name : {"seed", "topology", "learningRate", "clusters", "task"})
    {
        EXPECT_FALSE(FindOption(options, name)->isLocal) << name;
    }
}
