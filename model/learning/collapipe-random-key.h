/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_RANDOM_KEY_H
#define COLLAPIPE_RANDOM_KEY_H

#include <cstdint>
#include <initializer_list>

namespace ns3
{
namespace collapipe
{

/**
 * A bijection that scatters neighbouring values (Steele et al. 2014, SplitMix64).
 * @param value any
 * @return its image
 */
inline uint64_t
Scramble(uint64_t value)
{
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

/**
 * Names a random stream. What is drawn from it depends on what it is for and not on what was drawn
 * before, so it is the same on whichever device, in whichever order it is drawn.
 * @param parts what the stream is for; their order counts
 * @return a key; keys of different parts are as good as independent
 */
inline uint64_t
MakeRandomKey(std::initializer_list<uint64_t> parts)
{
    uint64_t key = 0;
    for (const uint64_t part : parts)
    {
        key = Scramble(key ^ Scramble(part));
    }
    return key;
}

/**
 * @ingroup collapipe
 * The random numbers of a key, 64 bits at a time (SplitMix64).
 */
class KeyedRandom
{
  public:
    /**
     * @param key of MakeRandomKey()
     */
    explicit KeyedRandom(uint64_t key)
        : m_state(key)
    {
    }

    /// @return the next 64 random bits
    uint64_t GetNext()
    {
        const uint64_t bits = Scramble(m_state);
        m_state += 0x9e3779b97f4a7c15;
        return bits;
    }

    /**
     * @param bound positive, far below 2^32
     * @return uniform in 0 .. bound-1, but for a bias of bound / 2^32
     */
    uint32_t GetInteger(uint32_t bound)
    {
        return static_cast<uint32_t>(((GetNext() >> 32) * bound) >> 32);
    }

    /// @return uniform in [0, 1)
    double GetUniform()
    {
        return static_cast<double>(GetNext() >> 11) / 9007199254740992.0; // 2^53
    }

  private:
    uint64_t m_state; //!< of SplitMix64
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_RANDOM_KEY_H */
