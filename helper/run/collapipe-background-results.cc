/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-background-results.h"

#include <iomanip>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>

namespace ns3
{
namespace collapipe
{

namespace
{

/// What all users' packets of one period were, together
struct Total
{
    uint64_t received{0};  //!< packets
    uint64_t lost{0};      //!< packets
    double jitterS{0};     //!< sum over the packets
    DelayStatistics delay; //!< of the packets
};

Total
Sum(const std::vector<BackgroundFlow>& flows, const std::string& traffic, bool training)
{
    Total total;
    for (const auto& flow : flows)
    {
        if (flow.traffic == traffic && flow.training == training)
        {
            total.received += flow.received;
            total.lost += flow.lost;
            total.jitterS += flow.jitterSumS;
            total.delay.Add(flow.delay);
        }
    }
    return total;
}

std::string
Describe(const Total& total)
{
    std::ostringstream text;
    const double sent = static_cast<double>(total.received + total.lost);
    text << std::fixed << std::setprecision(1) << "delay " << 1e3 * total.delay.GetMeanS()
         << " ms in the mean and " << 1e3 * total.delay.GetQuantileS(0.95)
         << " ms for 95 % of packets, jitter "
         << (total.received > 0 ? 1e3 * total.jitterS / total.received : 0) << " ms, loss "
         << std::setprecision(2) << (sent > 0 ? 100 * total.lost / sent : 0) << " %";
    return text.str();
}

} // namespace

ResultTable<BackgroundFlow>
MakeBackgroundTable()
{
    constexpr double NOTHING = std::numeric_limits<double>::quiet_NaN();
    const auto delay = [](double share) {
        return [share](const BackgroundFlow& flow) {
            return flow.received > 0 ? flow.delay.GetQuantileS(share) : NOTHING;
        };
    };
    ResultTable<BackgroundFlow> table;
    return table.Add("user", "", [](const auto& flow) { return flow.user; })
        .Add("traffic", "", [](const auto& flow) { return flow.traffic; })
        .Add("direction", "", [](const auto& flow) { return flow.toUser ? "down" : "up"; })
        .Add("period", "", [](const auto& flow) { return flow.training ? "training" : "before"; })
        .Add("duration_s", "s", [](const auto& flow) { return flow.durationS; })
        .Add("sent", "", [](const auto& flow) { return flow.sent; })
        .Add("received", "", [](const auto& flow) { return flow.received; })
        .Add("lost", "", [](const auto& flow) { return flow.lost; })
        .Add("goodput_bps",
             "bit/s",
             [](const auto& flow) {
                 return flow.durationS > 0 ? 8.0 * flow.bytes / flow.durationS : NOTHING;
             })
        .Add("delay_s",
             "s",
             [](const auto& flow) { return flow.received > 0 ? flow.delay.GetMeanS() : NOTHING; })
        .Add("delay_p50_s", "s", delay(0.5))
        .Add("delay_p95_s", "s", delay(0.95))
        .Add("delay_p99_s", "s", delay(0.99))
        .Add("jitter_s", "s", [](const auto& flow) {
            return flow.received > 1 ? flow.jitterSumS / (flow.received - 1) : NOTHING;
        });
}

void
WriteBackground(const std::string& path, const std::vector<BackgroundFlow>& flows)
{
    WriteResultTable(path, MakeBackgroundTable(), flows);
}

std::string
DescribeBackground(const std::vector<BackgroundFlow>& flows)
{
    std::map<std::string, std::set<std::string>> users; // by traffic
    for (const auto& flow : flows)
    {
        users[flow.traffic].insert(flow.user);
    }
    std::string text;
    for (const auto& [traffic, names] : users)
    {
        text += (text.empty() ? "" : "\n") + std::to_string(names.size()) +
                " other users of the radios, " + traffic + ": " +
                Describe(Sum(flows, traffic, true));
        const Total before = Sum(flows, traffic, false);
        if (before.received > 0)
        {
            text += "; before the training " + Describe(before);
        }
    }
    return text;
}

} // namespace collapipe
} // namespace ns3
