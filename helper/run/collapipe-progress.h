/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_PROGRESS_H
#define COLLAPIPE_PROGRESS_H

#include "ns3/collapipe-run-recorder.h"

#include <cstdint>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Tells the user how far a run is, on standard error: a bar that moves on a terminal, a line per
 * round elsewhere.
 */
class Progress
{
  public:
    /**
     * @param mode auto, bar, lines or none
     * @param rounds of the run
     */
    Progress(const std::string& mode, uint32_t rounds);

    /// @param step what is being done before the simulation, for example "reading data"
    void Step(const std::string& step);

    /// @param warning a sentence that the user should read; shown in every mode
    void Warn(const std::string& warning);

    /// @param text lines to show as they are; in every mode but none
    void Say(const std::string& text);

    /// @param share of the current round that is done, 0..1
    void Update(double share);

    /// @param row of a round that has ended
    void EndRound(const RoundRow& row);

    /// Takes the bar away.
    void Finish();

  private:
    /// What is shown
    enum Mode
    {
        NONE,
        LINES,
        BAR
    };

    /// Draws the bar where it has moved.
    void Draw();

    Mode m_mode;            //!< what is shown
    uint32_t m_rounds;      //!< of the run
    uint32_t m_ended{0};    //!< rounds that the simulation has ended
    double m_lastShare{0};  //!< of the current round
    std::string m_loss;     //!< latest, as text
    int m_drawnPercent{-1}; //!< what the bar shows
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_PROGRESS_H */
