/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RESULT_WRITER_H
#define COLLAPIPE_RESULT_WRITER_H

#include "collapipe-parameter-value.h"
#include "collapipe-quality.h"
#include "collapipe-run-recorder.h"
#include "collapipe-run-totals.h"

#include <cstdint>
#include <iosfwd>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// A node that counted as failed, though no fault on request is why
struct UnexplainedFailure
{
    double atS{0};      //!< simulated time at which it was noticed, seconds
    std::string node;   //!< such as cluster0.device1
    std::string reason; //!< see CloseReason
};

/**
 * @ingroup collapipe
 * A run's outcome, as summary.json holds it.
 */
struct RunSummary
{
    /// What was asked for, by the options' names
    std::vector<std::pair<std::string, ParameterValue>> parameters;
    uint64_t seed{1};                         //!< of data, weights and the simulator
    uint64_t run{1};                          //!< of the simulator
    std::string topology;                     //!< network
    std::string controller;                   //!< who decided
    std::string task;                         //!< what was learnt
    uint32_t clusters{0};                     //!< number of clusters
    uint32_t devices{0};                      //!< devices of each
    std::string data;                         //!< where the text came from
    uint32_t vocabulary{0};                   //!< pieces of the tokenizer
    std::size_t trainingSamples{0};           //!< all clusters
    std::size_t validationSamples{0};         //!< evaluated on
    std::vector<std::size_t> clusterSamples;  //!< by cluster
    std::vector<std::string> classes;         //!< of a classification
    double initialLoss{0};                    //!< validation loss before the first round
    RunQuality quality;                       //!< what the model is worth
    double simulatedS{0};                     //!< simulated time at the end
    double wallS{0};                          //!< wall time of simulation and learning
    uint32_t handovers{0};                    //!< between cells
    std::vector<UnexplainedFailure> failures; //!< in their order
    uint64_t peakRssBytes{0};                 //!< peak resident memory of the process
    std::map<std::string, uint64_t> messages; //!< sent, by type
    RunTotals totals;                         //!< figures to compare
    std::vector<std::string> files;           //!< that the run leaves
    std::vector<std::string> warnings;        //!< what was left out of the data, and why
    uint32_t plannedRounds{0};                //!< that it should have had
    bool isInterrupted{false};                //!< a signal ended it after fewer
    std::string parametersHash;               //!< CRC-32 of the final parameters; empty: analytic
};

/**
 * @param path file to write: one line per round
 * @param summary the run
 * @param rows the rounds
 */
void WriteRounds(const std::string& path,
                 const RunSummary& summary,
                 const std::vector<RoundRow>& rows);

/**
 * @param path file to write: one line per round and node
 * @param rows the nodes
 */
void WriteDevices(const std::string& path, const std::vector<DeviceRow>& rows);

/**
 * @param path file to write: JSON
 * @param summary the run
 * @param rounds its rounds
 */
void WriteSummary(const std::string& path,
                  const RunSummary& summary,
                  const std::vector<RoundRow>& rounds);

/**
 * @param out where to print a table for people: a line per round
 * @param summary the run
 * @param rounds its rounds
 */
void PrintTable(std::ostream& out, const RunSummary& summary, const std::vector<RoundRow>& rounds);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RESULT_WRITER_H */
