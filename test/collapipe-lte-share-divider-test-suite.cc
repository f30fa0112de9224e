/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Who gets which resource blocks, without a cell around it.

#include "ns3/collapipe-lte-share-divider.h"
#include "ns3/test.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <sstream>
#include <vector>

namespace ns3
{
namespace collapipe
{
namespace tests
{
namespace
{

/**
 * Random users, demands and retransmissions: shares over many TTIs, and what holds in every one.
 */
class DividerTest : public TestCase
{
  public:
    DividerTest()
        : TestCase("Shares of random users over many TTIs")
    {
    }

  private:
    void DoRun() override
    {
        std::mt19937 random(1);
        for (int instance = 0; instance < 40; ++instance)
        {
            for (const auto manner : {ShareManner::TOGETHER, ShareManner::IN_TURNS})
            {
                CheckBacklogged(random, manner);
                CheckCapped(random, manner);
                CheckMixed(random, manner);
                CheckCappedBesideOthers(random, manner);
            }
            CheckTurns(random);
        }
    }

    /// Everybody has more to send than fits
    void CheckBacklogged(std::mt19937& random, ShareManner manner)
    {
        const uint32_t users = 1 + random() % 40;
        const uint32_t units = 6 + random() % 95;
        const uint32_t ttis = 4000;
        std::vector<ShareClaim> claims(users);
        double weights = 0;
        for (auto& claim : claims)
        {
            claim.weight = std::exp(std::uniform_real_distribution<>(-3, 0)(random));
            weights += claim.weight;
        }
        std::vector<double> got(users);
        std::vector<std::vector<uint32_t>> history(7, std::vector<uint32_t>(users));
        ShareDivider divider(manner);
        for (uint32_t tti = 0; tti < ttis; ++tti)
        {
            uint32_t left = units;
            for (auto& claim : claims)
            {
                // Every tenth transport block is sent again, seven TTIs later
                const uint32_t before = history[tti % 7][&claim - claims.data()];
                claim.used = before > 0 && random() % 10 == 0 ? before : 0;
                left -= claim.used;
                claim.demand = claim.used ? 0 : units;
                claim.minimum = claim.used ? 0 : std::min<uint32_t>(3, units);
            }
            divider.Divide(claims, left, true);
            uint32_t sum = 0;
            bool open = false;
            for (uint32_t i = 0; i < users; ++i)
            {
                NS_TEST_ASSERT_MSG_EQ(
                    (claims[i].granted == 0 || claims[i].granted >= claims[i].minimum),
                    true,
                    "a grant of no use");
                sum += claims[i].granted;
                open = open || claims[i].demand > 0;
                history[tti % 7][i] = claims[i].granted;
                got[i] += claims[i].granted + claims[i].used;
            }
            NS_TEST_ASSERT_MSG_EQ(sum, (open && left >= 3 ? left : 0), "units wasted or invented");
        }
        for (uint32_t i = 0; i < users; ++i)
        {
            const double wanted = claims[i].weight / weights * units * ttis;
            NS_TEST_ASSERT_MSG_EQ_TOL(got[i],
                                      wanted,
                                      2.0 * units + 0.01 * wanted,
                                      "user " << i << " of " << users << " on " << units);
        }
    }

    /// Not work-conserving: nobody gets more than his share, though much is free
    void CheckCapped(std::mt19937& random, ShareManner manner)
    {
        const uint32_t units = 25 + random() % 76;
        std::vector<ShareClaim> claims(1 + random() % 8);
        for (auto& claim : claims)
        {
            claim.weight = std::uniform_real_distribution<>(0.005, 0.12)(random);
            claim.capped = true;
            claim.demand = units;
            claim.minimum = 3;
        }
        std::vector<double> got(claims.size());
        ShareDivider divider(manner);
        const uint32_t ttis = 4000;
        for (uint32_t tti = 0; tti < ttis; ++tti)
        {
            divider.Divide(claims, units, false);
            for (uint32_t i = 0; i < claims.size(); ++i)
            {
                got[i] += claims[i].granted;
            }
        }
        for (uint32_t i = 0; i < claims.size(); ++i)
        {
            const double share = got[i] / ttis / units;
            NS_TEST_ASSERT_MSG_EQ_TOL(share, claims[i].weight, 0.002, "capped user " << i);
        }
    }

    /// Some want little: they get it soon, and the others the rest in proportion
    void CheckMixed(std::mt19937& random, ShareManner manner)
    {
        const uint32_t units = 25 + random() % 76;
        std::vector<ShareClaim> claims(4);
        claims[0].weight = 0.02; // control traffic beside two that take all
        claims[1].weight = 0.1 + random() % 100 / 100.0;
        claims[2].weight = 0.1 + random() % 100 / 100.0;
        claims[3].weight = 0.02; // backlogged without a weight
        std::vector<double> got(4);
        uint32_t waiting = 0;
        uint32_t longest = 0;
        ShareDivider divider(manner);
        for (uint32_t tti = 0; tti < 4000; ++tti)
        {
            claims[0].demand = 1;
            claims[0].minimum = 1;
            for (const int i : {1, 2, 3})
            {
                claims[i].demand = units;
                claims[i].minimum = 3;
            }
            divider.Divide(claims, units, true);
            waiting = claims[0].granted ? 0 : waiting + 1;
            longest = std::max(longest, waiting);
            for (uint32_t i = 0; i < 4; ++i)
            {
                got[i] += claims[i].granted;
            }
        }
        NS_TEST_ASSERT_MSG_LT_OR_EQ(longest, 8, "control traffic starves");
        // In turns, one of a whole band may come before or after the end
        const double turns = manner == ShareManner::IN_TURNS ? 2.0 * units : 0.5 * units;
        for (const int i : {1, 3})
        {
            const double wanted = claims[i].weight / claims[2].weight * got[2];
            NS_TEST_ASSERT_MSG_EQ_TOL(got[i],
                                      wanted,
                                      turns + 0.01 * wanted,
                                      "backlogged user " << i);
        }
    }

    /// Not work-conserving: capped users have their shares, the others all that is left
    void CheckCappedBesideOthers(std::mt19937& random, ShareManner manner)
    {
        const uint32_t units = 25 + random() % 76;
        const uint32_t ttis = 4000;
        std::vector<ShareClaim> claims(4);
        for (uint32_t i = 0; i < 4; ++i)
        {
            claims[i].capped = i < 2;
            claims[i].weight = i < 2 ? std::uniform_real_distribution<>(0.05, 0.45)(random) : 0.02;
            claims[i].demand = units;
            claims[i].minimum = 1;
        }
        std::vector<double> got(4);
        ShareDivider divider(manner);
        for (uint32_t tti = 0; tti < ttis; ++tti)
        {
            divider.Divide(claims, units, false);
            for (uint32_t i = 0; i < 4; ++i)
            {
                got[i] += claims[i].granted;
            }
        }
        double left = 1;
        for (uint32_t i = 0; i < 2; ++i)
        {
            NS_TEST_ASSERT_MSG_EQ_TOL(got[i] / ttis / units,
                                      claims[i].weight,
                                      0.002,
                                      "capped user " << i << " beside others");
            left -= claims[i].weight;
        }
        for (uint32_t i = 2; i < 4; ++i)
        {
            NS_TEST_ASSERT_MSG_EQ_TOL(got[i] / ttis / units,
                                      left / 2,
                                      0.02 * left + 0.004,
                                      "what is left to user " << i);
        }
    }

    /// In turns: of those with any demand, at most one is served in part, and nothing is left over
    /// that somebody can fill
    void CheckTurns(std::mt19937& random)
    {
        const uint32_t units = 25 + random() % 76;
        std::vector<ShareClaim> claims(1 + random() % 20);
        for (auto& claim : claims)
        {
            claim.weight = std::uniform_real_distribution<>(0.02, 1)(random);
        }
        ShareDivider divider(ShareManner::IN_TURNS);
        for (uint32_t tti = 0; tti < 1000; ++tti)
        {
            uint32_t wanted = 0;
            for (auto& claim : claims)
            {
                claim.demand = random() % (units + 1);
                claim.minimum = std::min<uint32_t>(1, claim.demand);
                wanted += claim.demand;
            }
            divider.Divide(claims, units, true);
            uint32_t granted = 0;
            uint32_t inPart = 0;
            for (const auto& claim : claims)
            {
                NS_TEST_ASSERT_MSG_LT_OR_EQ(claim.granted, claim.demand, "more than it can fill");
                granted += claim.granted;
                inPart += claim.granted > 0 && claim.granted < claim.demand;
            }
            NS_TEST_ASSERT_MSG_EQ(granted, std::min(wanted, units), "units wasted or invented");
            NS_TEST_ASSERT_MSG_LT_OR_EQ(inPart, 1, "blocks cut in pieces");
        }
    }
};

static class LteShareDividerTestSuite : public TestSuite
{
  public:
    LteShareDividerTestSuite()
        : TestSuite("collapipe-lte-share-divider", Type::UNIT)
    {
        AddTestCase(new DividerTest);
    }
} g_lteShareDividerTestSuite;

} // namespace
} // namespace tests
} // namespace collapipe
} // namespace ns3
