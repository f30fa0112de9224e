/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-progress.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

constexpr int BAR_WIDTH = 30;
constexpr const char* CLEAR_LINE = "\r\033[K";

} // namespace

Progress::Progress(const std::string& mode, uint32_t rounds)
    : m_mode(mode == "none"                                                    ? NONE
             : mode == "bar" || (mode == "auto" && isatty(STDERR_FILENO) == 1) ? BAR
                                                                               : LINES),
      m_rounds(rounds)
{
}

void
Progress::Step(const std::string& step)
{
    if (m_mode == BAR)
    {
        std::cerr << CLEAR_LINE << step << " ..." << std::flush;
    }
    else if (m_mode == LINES)
    {
        std::cerr << step << " ...\n";
    }
}

void
Progress::Say(const std::string& text)
{
    if (m_mode != NONE)
    {
        Finish();
        std::cerr << text;
    }
}

void
Progress::Warn(const std::string& warning)
{
    Finish();
    std::cerr << "warning: " << warning << "\n";
}

void
Progress::Update(double share)
{
    if (share < m_lastShare)
    {
        ++m_ended;
    }
    m_lastShare = share;
    if (m_mode == BAR)
    {
        Draw();
    }
}

void
Progress::Draw()
{
    const double done = (m_ended + m_lastShare) / m_rounds;
    const int percent = static_cast<int>(100 * done);
    if (percent == m_drawnPercent)
    {
        return;
    }
    m_drawnPercent = percent;
    const int filled = static_cast<int>(BAR_WIDTH * done);
    std::cerr << CLEAR_LINE << '[' << std::string(filled, '#')
              << std::string(BAR_WIDTH - filled, '.') << "] " << std::setw(3) << percent
              << " %  round " << std::min(m_ended + 1, m_rounds) << '/' << m_rounds
              << "  simulated " << Simulator::Now().As(Time::S) << m_loss << std::flush;
}

void
Progress::EndRound(const RoundRow& row)
{
    std::ostringstream loss;
    loss << std::fixed << std::setprecision(3) << "  validation loss " << row.validationLoss;
    m_loss = loss.str();
    if (m_mode == LINES)
    {
        std::cerr << "round " << row.round << '/' << m_rounds << ": latency " << std::fixed
                  << std::setprecision(3) << row.latencyS << " s, training loss " << row.trainLoss
                  << ", validation loss " << row.validationLoss << std::defaultfloat << "\n";
    }
}

void
Progress::Finish()
{
    if (m_mode == BAR)
    {
        std::cerr << CLEAR_LINE << std::flush;
    }
}

} // namespace collapipe
} // namespace ns3
