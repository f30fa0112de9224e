/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// Feeds readers of what others have written with damaged inputs: collapipe-fuzz TARGET
// [--seconds=S] [--seed=N] [--inputs=N]; without TARGET all of them, with --list their names. The
// same seed gives the same inputs. A crash, a hang or a reader that takes too much memory ends it;
// the input is left in the file collapipe-fuzz-input.
//
// Inputs begin as correct ones, which the targets make themselves, and are damaged in one to eight
// places. Where a checksum would hide the rest of a reader, it is mended again in half of them.

#include "collapipe-fuzz-target.h"

#include "ns3/collapipe-text-files.h"
#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

using namespace ns3;
using namespace ns3::collapipe;

namespace
{

using Random = std::mt19937_64;

constexpr unsigned HANG_S = 120; //!< of one input, which may begin a run

std::vector<Target>
GetTargets()
{
    std::vector<Target> targets;
    for (const auto& more :
         {GetMessageTargets(), GetPeerTargets(), GetFileTargets(), GetModelTargets()})
    {
        targets.insert(targets.end(), more.begin(), more.end());
    }
    return targets;
}

// ---------------------------------------------------------------- the engine

/// Damages an input.
void
Damage(Bytes& input, const std::vector<Bytes>& corpus, Random& random)
{
    for (auto places = 1 + random() % 8; places > 0; --places)
    {
        const auto place = input.empty() ? 0 : random() % input.size();
        const auto length = std::min<std::size_t>(1 + random() % 16, input.size() - place);
        const auto& other = corpus[random() % corpus.size()];
        switch (input.empty() ? 3 : random() % 7)
        {
        case 0:
            input[place] ^= static_cast<uint8_t>(1U << random() % 8);
            break;
        case 1:
            input[place] = static_cast<uint8_t>(random());
            break;
        case 2:
            input.erase(input.begin() + place, input.begin() + place + length);
            break;
        case 3:
            input.insert(input.begin() + place, 1 + random() % 16, static_cast<uint8_t>(random()));
            break;
        case 4: // what readers may take for a size
            std::fill_n(input.begin() + place, length, random() % 2 == 0 ? 0xff : 0x7f);
            break;
        case 5: // again, and again
            for (auto times = random() % 64; times > 0 && input.size() < 65536; --times)
            {
                const Bytes piece(input.begin() + place, input.begin() + place + length);
                input.insert(input.begin() + place, piece.begin(), piece.end());
            }
            break;
        default: // the end of another one
            const auto begin = random() % (other.size() + 1);
            input.resize(place);
            input.insert(input.end(), other.begin() + begin, other.end());
        }
    }
}

/// Leaves the input that ends the program where one finds it.
void
Keep(const Bytes& input)
{
    std::ofstream("collapipe-fuzz-input", std::ios::binary)
        .write(reinterpret_cast<const char*>(input.data()),
               static_cast<std::streamsize>(input.size()));
}

/// @return the process' address space now, in bytes
[[maybe_unused]] uint64_t
GetAddressSpace()
{
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

/**
 * Lets what takes too much fail. Sanitizers keep their shadow in the address space, too.
 * @param bytes beside what is taken now
 */
void
LimitMemory([[maybe_unused]] uint64_t bytes)
{
#ifndef __SANITIZE_ADDRESS__
    rlimit memory{};
    getrlimit(RLIMIT_AS, &memory);
    memory.rlim_cur = std::min<rlim_t>(GetAddressSpace() + bytes, memory.rlim_max);
    setrlimit(RLIMIT_AS, &memory);
#endif
}

void
Fuzz(const Target& target, uint64_t seed, double seconds, uint64_t inputs)
{
    LimitMemory(target.memoryBytes);
    Random random(seed);
    const auto corpus = target.makeCorpus();
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    uint64_t count = 0;
    uint64_t refused = 0;
    for (; count < inputs && std::chrono::steady_clock::now() < end; ++count)
    {
        auto input = corpus[random() % corpus.size()];
        if (count >= corpus.size())
        {
            Damage(input, corpus, random);
        }
        if (target.mend && random() % 2 == 0)
        {
            target.mend(input);
        }
        alarm(HANG_S); // SIGALRM ends what hangs
        static Bytes current;
        current = input;
        std::set_terminate([] {
            Keep(current);
            std::abort();
        });
        try
        {
            target.read(input);
        }
        catch (const UserError&)
        {
            ++refused;
        }
        catch (const DataError&)
        {
            ++refused;
        }
    }
    if (target.finish)
    {
        target.finish();
    }
    alarm(0);
    std::cout << target.name << ": " << count << " inputs, " << refused
              << " refused with a sentence, seed " << seed << std::endl;
}

} // namespace

/// What --help says
constexpr const char* HELP =
    "collapipe-fuzz [TARGET] [options]: feeds damaged inputs to what reads them\n"
    "  --list: names the targets; without one all of them run\n"
    "  --seconds=S: for each target [5]\n"
    "  --seed=N: of the inputs [1]\n"
    "  --inputs=N: at most, for each target [no limit]\n";

/**
 * Runs fuzz targets.
 * @param argc number of arguments
 * @param argv arguments
 * @return 0 where no input was too much
 */
int
main(int argc, char* argv[])
{
    double seconds = 5;
    uint64_t seed = 1;
    uint64_t inputs = UINT64_MAX;
    std::string wanted;
    for (int i = 1; i < argc; ++i)
    {
        const std::string argument = argv[i];
        const auto value = argument.substr(std::min(argument.find('=') + 1, argument.size()));
        if (argument == "--list")
        {
            for (const auto& target : GetTargets())
            {
                std::cout << target.name << "\n";
            }
            return 0;
        }
        if (argument.compare(0, 10, "--seconds=") == 0)
        {
            seconds = std::atof(value.c_str());
        }
        else if (argument.compare(0, 7, "--seed=") == 0)
        {
            seed = std::strtoull(value.c_str(), nullptr, 10);
        }
        else if (argument.compare(0, 9, "--inputs=") == 0)
        {
            inputs = std::strtoull(value.c_str(), nullptr, 10);
        }
        else if (argument == "--help" || argument == "-h")
        {
            std::cout << HELP;
            return 0;
        }
        else if (argument.compare(0, 1, "-") == 0)
        {
            std::cerr << "collapipe-fuzz: there is no option " << argument << "; see --help\n";
            return 2;
        }
        else
        {
            wanted = argument;
        }
    }
    bool isAny = false;
    for (const auto& target : GetTargets())
    {
        if (wanted.empty() || wanted == target.name)
        {
            isAny = true;
            Fuzz(target, seed, seconds, inputs);
        }
    }
    if (!isAny)
    {
        std::cerr << "collapipe-fuzz: there is no target " << wanted << "; --list names them\n";
        return 2;
    }
    return 0;
}
