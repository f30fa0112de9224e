/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_SCENARIO_H
#define COLLAPIPE_SCENARIO_H

#include <istream>
#include <string>
#include <utility>
#include <vector>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * Options of a run under a name: a TOML document with a title, a text that says where its figures
 * come from, and the options as a campaign has them:
 *
 *     title = "Phones in one cell"
 *     text = "..."
 *     [options]
 *     topology = "lte"
 *     clusters = 8
 *     "ns3::collapipe::DssdaController::PenaltyWeight" = 10
 *
 * What the command line says beside it wins.
 */
struct Scenario
{
    std::string title; //!< one line
    std::string text;  //!< what it is and where its figures come from
    /// Names without dashes and values as the command line takes them, in alphabetical order
    std::vector<std::pair<std::string, std::string>> options;

    /**
     * @param name a file's path, or the name of a file without its ending in the folder that the
     *        environment's COLLAPIPE_SCENARIOS names
     * @return the scenario
     * @throws UserError where it cannot be read, in a sentence that names what is wrong
     */
    static Scenario Load(const std::string& name);

    /**
     * @param file the document
     * @param name of it, for messages
     * @return the scenario
     * @throws UserError where it is none
     */
    static Scenario Read(std::istream& file, const std::string& name);
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_SCENARIO_H */
