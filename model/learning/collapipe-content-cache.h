/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_CONTENT_CACHE_H
#define COLLAPIPE_CONTENT_CACHE_H

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ns3
{
namespace collapipe
{

/**
 * @param bytes any
 * @return their SHA-256 (FIPS 180-4) in hexadecimal digits
 */
std::string ComputeSha256(std::string_view bytes);

/**
 * @ingroup collapipe
 * What was made of some bytes, kept in a folder for the next time. An entry is named by the hash of
 * what it was made of and carries that hash and its own: what is damaged, or was made of something
 * else, is as if it were not there. Entries are written as a whole or not at all.
 */
class ContentCache
{
  public:
    /// Entries that are kept; the oldest go first
    static constexpr std::size_t MOST_ENTRIES = 100;

    /**
     * @param folder made when something is kept; empty: nothing is found and nothing is kept
     */
    explicit ContentCache(std::string folder);

    /**
     * @param name of what is kept
     * @return its folder in the cache: `$COLLAPIPE_CACHE`, else `$XDG_CACHE_HOME/collapipe`, else
     *         `$HOME/.cache/collapipe`; empty where none of them is set
     */
    static std::string GetFolder(const std::string& name);

    /**
     * @param key all that the value depends on
     * @return the value, where it is kept and whole
     */
    std::optional<std::string> Find(std::string_view key) const;

    /**
     * Keeps a value; where that cannot be, nothing happens.
     * @param key all that it depends on
     * @param value to be found under the key
     */
    void Keep(std::string_view key, std::string_view value) const;

  private:
    /// Removes the oldest entries beyond MOST_ENTRIES.
    void Prune() const;

    std::string m_folder; //!< where the entries are
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_CONTENT_CACHE_H */
