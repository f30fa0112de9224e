/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_COMPARISON_H
#define COLLAPIPE_COMPARISON_H

#include "collapipe-training-run.h"

#include "ns3/collapipe-run-totals.h"

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * The same scenario under another controller, RunConfig::compare, as a second process of the same
 * program that runs beside the first one. Its results go into a folder of the controller's name
 * inside the first one's.
 */
class Comparison
{
  public:
    /**
     * Starts the second run, where one is wanted and its controller finds a plan.
     * @param config of the first run
     * @param run the first run, made and not yet run
     * @param argc as main's
     * @param argv as main's
     */
    Comparison(const RunConfig& config, TrainingRun& run, int argc, char** argv);

    /// Ends the second run where it still runs.
    ~Comparison();

    Comparison(const Comparison&) = delete;
    Comparison& operator=(const Comparison&) = delete;

    /// Waits for the second run to end. To be called before the first one's results are saved.
    void Wait();

    /**
     * @param out where to print the comparison, where there is one
     */
    void Print(std::ostream& out) const;

  private:
    /**
     * @param config of the first run
     * @param argc as main's
     * @param argv as main's
     * @return the first run's arguments, but those that the other controller would ignore
     */
    static std::vector<std::string> SelectArguments(const RunConfig& config, int argc, char** argv);

    /**
     * @param arguments of the first run
     * @param folder for the results of the second run
     */
    void Start(std::vector<std::string> arguments, const std::string& folder);

    /// @return the last line that the second run complained with
    std::string ReadLastError() const;

    std::string m_name;                         //!< controller of the second run
    std::string m_first;                        //!< controller of the first
    TrainingRun& m_run;                         //!< the first run
    std::unique_ptr<OutputDirectory> m_scratch; //!< where the first run keeps no results
    std::string m_folder;                       //!< results of the second run
    int m_errors{-1};                           //!< file of what the second run complains of
    int m_process{0};                           //!< its process; 0: none runs
    bool m_succeeded{false};                    //!< it ended well, and m_totals are its
    RunTotals m_totals;                         //!< of the second run
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_COMPARISON_H */
