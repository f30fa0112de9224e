/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RUN_RESULTS_H
#define COLLAPIPE_RUN_RESULTS_H

#include "collapipe-control-recorder.h"
#include "collapipe-output-directory.h"
#include "collapipe-position-recorder.h"
#include "collapipe-result-writer.h"
#include "collapipe-run-recorder.h"
#include "collapipe-timeline.h"
#include "collapipe-wait-observer.h"

#include "ns3/collapipe-run-applications.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * All recorders of a run together: they watch it through its trace sources, and write what they saw
 * once it has ended.
 */
class RunResults
{
  public:
    /**
     * Begins to watch.
     * @param applications of the run, installed
     * @param output folder for the results; null: none are written
     * @param timelineBytes bound of timeline.json; 0: none is written
     * @param compressed whether that becomes timeline.json.gz
     */
    RunResults(const RunApplications& applications,
               const OutputDirectory* output,
               uint64_t timelineBytes,
               bool compressed);
    ~RunResults();

    RunResults(const RunResults&) = delete; // traces hold its address
    RunResults& operator=(const RunResults&) = delete;

    /// @return rows by round and by node
    RunRecorder& GetRecorder();

    /// @return rows by round and by node
    const RunRecorder& GetRecorder() const;

    /**
     * Fills in what was watched, while the applications are still there.
     * @param model dimensions of what was trained
     * @param summary gets losses, messages, totals, simulated time, memory and the parameters' hash
     */
    void Complete(const ModelConfig& model, RunSummary& summary) const;

    /**
     * Has somebody told where the run stops, and for whom it waits.
     * @param warn called with a sentence
     */
    void WarnOfWaits(std::function<void(const std::string&)> warn);

    /// Forgets the applications, so that they can go.
    void Detach();

    /**
     * Writes rounds.csv, devices.csv, positions.csv and the files of decisions.
     * @param summary of the run
     */
    void WriteRows(const RunSummary& summary) const;

    /**
     * Ends timeline.json and writes summary.json.
     * @param summary of the run; gets the names of all files
     * @throws UserError where a file could not be written
     */
    void WriteRest(RunSummary& summary);

  private:
    void CountMessage(const MessageHeader& header, uint64_t bytes);

    RunApplications m_applications;             //!< watched
    const OutputDirectory* m_output;            //!< for the results; null: none
    std::unique_ptr<Timeline> m_timeline;       //!< null: none wanted
    ControlRecorder m_control;                  //!< what was decided
    RunRecorder m_recorder;                     //!< what happened
    PositionRecorder m_positions;               //!< where it happened
    std::map<MessageType, uint64_t> m_messages; //!< sent, by type
    std::unique_ptr<WaitObserver> m_waits;      //!< null: nobody is to be told
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RUN_RESULTS_H */
