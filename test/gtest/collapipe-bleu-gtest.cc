/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// BLEU against scores that bleu-cases.py works out, and scores of classifications.

#include "ns3/collapipe-bleu.h"
#include "ns3/collapipe-quality-score.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace ns3::collapipe;

namespace
{

/// A corpus with what was worked out for it
struct BleuCase
{
    std::string name;                             //!< what is special about it
    std::vector<std::string> hypotheses;          //!< translations
    std::vector<std::string> references;          //!< of them
    std::vector<std::vector<std::string>> tokens; //!< of the hypotheses
    double score;                                 //!< 0 to 100
};

#include "collapipe-bleu-cases.h"

std::string
JoinWords(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words)
    {
        text += word + " ";
    }
    return text;
}

} // namespace

TEST(Bleu, ThereAreManyCases)
{
    EXPECT_GE(BLEU_CASES.size(), 40u);
}

TEST(Bleu, TokensAreThoseOfTheDefinition)
{
    for (const auto& test : BLEU_CASES)
    {
        for (std::size_t i = 0; i < test.hypotheses.size(); ++i)
        {
            EXPECT_EQ(TokenizeForBleu(test.hypotheses[i]), test.tokens[i]) << test.name;
        }
    }
}

TEST(Bleu, ScoresAreThoseOfTheDefinition)
{
    for (const auto& test : BLEU_CASES)
    {
        EXPECT_NEAR(ComputeBleu(test.hypotheses, test.references).score, test.score, 1e-9)
            << test.name;
    }
}

TEST(Bleu, TokenizingTwiceChangesNothingBeyondTheFirst)
{
    // All that tokenisation separates is separate by then, but for digits that met a mark
    for (const std::string text : {"Yes, we can.", "a 12-year-old (so) \"b\"", "x/y; z: w?"})
    {
        const auto once = TokenizeForBleu(text);
        EXPECT_EQ(TokenizeForBleu(JoinWords(once)), once);
    }
}

TEST(Bleu, DoesNotDependOnTheOrderOfSentences)
{
    for (const auto& test : BLEU_CASES)
    {
        const std::vector<std::string> hypotheses(test.hypotheses.rbegin(), test.hypotheses.rend());
        const std::vector<std::string> references(test.references.rbegin(), test.references.rend());
        EXPECT_DOUBLE_EQ(ComputeBleu(hypotheses, references).score,
                         ComputeBleu(test.hypotheses, test.references).score);
    }
}

TEST(Bleu, NumbersOfSentencesMustAgree)
{
    EXPECT_DEATH(ComputeBleu({"a"}, {}), "references");
}

TEST(ClassificationScore, FollowsTheDefinitionOfF1)
{
    std::mt19937 random(3);
    for (uint32_t classes = 2; classes < 7; ++classes)
    {
        std::vector<int32_t> predicted(200);
        std::vector<int32_t> actual(200);
        for (std::size_t i = 0; i < actual.size(); ++i)
        {
            actual[i] = random() % classes;
            predicted[i] = random() % 3 == 0 ? random() % classes : actual[i];
        }
        double f1Sum = 0;
        double last = 0;
        double right = 0;
        for (int32_t c = 0; c < int32_t(classes); ++c)
        {
            double truePositive = 0;
            double falsePositive = 0;
            double falseNegative = 0;
            for (std::size_t i = 0; i < actual.size(); ++i)
            {
                truePositive += predicted[i] == c && actual[i] == c;
                falsePositive += predicted[i] == c && actual[i] != c;
                falseNegative += predicted[i] != c && actual[i] == c;
            }
            const double precision = truePositive / (truePositive + falsePositive);
            const double recall = truePositive / (truePositive + falseNegative);
            last = 2 * precision * recall / (precision + recall);
            f1Sum += last;
            right += truePositive;
        }
        const auto score = ScoreClassification(predicted, actual, classes);
        EXPECT_NEAR(score.accuracy, right / actual.size(), 1e-12);
        EXPECT_NEAR(score.macroF1, f1Sum / classes, 1e-12);
        EXPECT_EQ(std::isfinite(score.binaryF1), classes == 2);
        if (classes == 2)
        {
            EXPECT_NEAR(score.binaryF1, last, 1e-12);
        }
        EXPECT_TRUE(std::isnan(score.bleu));
    }
}

TEST(ClassificationScore, KnowsItsLimits)
{
    EXPECT_TRUE(std::isnan(ScoreClassification({}, {}, 2).accuracy));
    const auto missing = ScoreClassification({0, 0}, {0, 0}, 2); // class 1 is nowhere
    EXPECT_EQ(missing.accuracy, 1);
    EXPECT_EQ(missing.macroF1, 0.5);
    EXPECT_EQ(missing.binaryF1, 0);
}
