/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_FAULT_SCHEDULE_H
#define COLLAPIPE_FAULT_SCHEDULE_H

#include "ns3/collapipe-plan.h"

#include <cstdint>
#include <istream>
#include <string>
#include <vector>

namespace ns3
{
namespace collapipe
{

/// What goes wrong
enum class FaultKind : uint8_t
{
    CRASH,     //!< a node loses power for ever
    REBOOT,    //!< a node loses power for a while, and begins anew
    PAUSE,     //!< a node's program stands still for a while
    SLOW,      //!< a node computes more slowly for a while
    LINK,      //!< a node's link towards a peer is down for a while
    AWAY,      //!< a node is out of its radios' range for a while
    BATTERY,   //!< a device's battery is empty
    CORRUPT,   //!< the next training messages of a node are damaged
    DUPLICATE, //!< the next training messages of a node are sent twice
    DELAY      //!< the next training messages of a node are held back
};

/// All kinds, in the order of the enumeration
constexpr uint32_t FAULT_KINDS = 10;

/**
 * @param kind what goes wrong
 * @return its name in files, for example "reboot"
 */
std::string ToString(FaultKind kind);

/// A node as a fault names it
struct FaultPlace
{
    /// What it is
    enum Kind : uint8_t
    {
        NODE, //!< of a cluster
        EDGE, //!< the edge server of a cell
        LEAD  //!< the server that averages the cells
    };

    Kind kind{NODE};              //!< what it is
    uint32_t index{0};            //!< of the cluster, or of the cell
    NodeIndex node{CONTROL_UNIT}; //!< within the cluster

    /// @return its name in files, for example "cluster0.device1"
    std::string GetName() const;

    /**
     * @param text cluster0.device1, cluster0.control, edge0 or edge, lead
     * @param place filled in
     * @return whether that is a name
     */
    static bool Parse(const std::string& text, FaultPlace& place);
};

/**
 * @ingroup collapipe
 * One thing that goes wrong, once.
 */
struct Fault
{
    FaultKind kind{FaultKind::CRASH}; //!< what
    FaultPlace place;                 //!< where
    FaultPlace peer;                  //!< of LINK: to whom
    double atS{0};                    //!< when: of simulated time, or after the phase has begun
    uint32_t round{0};                //!< where not 0: of this round's phase
    Phase phase{Phase::TRAINING};     //!< likewise
    double durationS{10};             //!< how long, of those that pass; of DELAY: by how much
    double factor{4};                 //!< of SLOW
    uint32_t count{1};                //!< messages, of CORRUPT, DUPLICATE and DELAY
};

/// How often things go wrong at random
struct RandomFaults
{
    uint64_t seed{0};    //!< of the random numbers
    double perMinute{0}; //!< faults of the network per simulated minute, on average; 0: none
};

/**
 * @ingroup collapipe
 * What shall go wrong in a run.
 */
struct FaultSchedule
{
    std::vector<Fault> faults; //!< on request
    RandomFaults random;       //!< at random

    /**
     * @param text `random:SEED,RATE`, or the path of a TOML file; empty: nothing goes wrong
     * @return the schedule
     * @throws UserError where it cannot be read, in a sentence that names the line or the field
     */
    static FaultSchedule Load(const std::string& text);

    /**
     * Reads a TOML document with a table `[[fault]]` for each:
     *
     *     [[fault]]
     *     kind = "reboot"            # crash reboot pause slow link away battery corrupt duplicate
     * delay node = "cluster0.device1"  # or cluster0.control, edge0, lead at = 12.5 # seconds of
     * simulated time for = 20                   # seconds
     *
     * Instead of at alone, `round = 2`, `phase = "training"` (distribution, upload) and `at` after
     * it has begun; `peer` of a link, `factor` of slow, `count` of corrupt, duplicate and delay.
     * @param file the document
     * @param name of it, for messages
     * @return the schedule
     * @throws UserError
     */
    static FaultSchedule Read(std::istream& file, const std::string& name);
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_FAULT_SCHEDULE_H */
