/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-message-seal.h"

#include "ns3/abort.h"
#include "ns3/collapipe-random-key.h"

#include <algorithm>

#ifdef COLLAPIPE_HAS_OPENSSL
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#endif

namespace ns3
{
namespace collapipe
{

namespace
{

/// Appends a number in network byte order.
void
Append(std::vector<uint8_t>& bytes, uint64_t number)
{
    for (int shift = 56; shift >= 0; shift -= 8)
    {
        bytes.push_back(static_cast<uint8_t>(number >> shift));
    }
}

} // namespace

MessageSeal::MessageSeal(std::vector<uint8_t> key, bool isFromCaller, Ipv4Address called)
    : m_key(std::move(key)),
      m_isFromCaller(isFromCaller),
      m_called(called.Get())
{
    NS_ABORT_MSG_IF(IsOn() && !IsAvailable(),
                    "messages cannot be authenticated: this was built without OpenSSL");
}

bool
MessageSeal::IsOn() const
{
    return !m_key.empty();
}

void
MessageSeal::Skip()
{
    ++m_count;
}

#ifdef COLLAPIPE_HAS_OPENSSL

bool
MessageSeal::IsAvailable()
{
    return true;
}

MessageSeal::Tag
MessageSeal::Next(const std::vector<Piece>& pieces)
{
    static EVP_MAC* const HMAC_ALGORITHM = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    std::vector<uint8_t> context;
    Append(context, m_count++);
    Append(context, m_isFromCaller ? 1 : 0);
    Append(context, m_called);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    EVP_MAC_CTX* mac = EVP_MAC_CTX_new(HMAC_ALGORITHM);
    bool isGood = mac && EVP_MAC_init(mac, m_key.data(), m_key.size(), parameters) == 1 &&
                  EVP_MAC_update(mac, context.data(), context.size()) == 1;
    for (const auto& [data, size] : pieces)
    {
        isGood = isGood && (size == 0 || EVP_MAC_update(mac, data, size) == 1);
    }
    std::array<uint8_t, 32> whole{};
    std::size_t length = 0;
    isGood = isGood && EVP_MAC_final(mac, whole.data(), &length, whole.size()) == 1 &&
             length == whole.size();
    EVP_MAC_CTX_free(mac);
    NS_ABORT_MSG_IF(!isGood, "OpenSSL does not compute an HMAC-SHA256");
    Tag tag;
    std::copy_n(whole.begin(), tag.size(), tag.begin());
    return tag;
}

#else

bool
MessageSeal::IsAvailable()
{
    return false;
}

MessageSeal::Tag
MessageSeal::Next(const std::vector<Piece>& /* pieces */)
{
    ++m_count;
    return {};
}

#endif

std::vector<uint8_t>
MessageSeal::MakeKey(uint64_t seed, uint64_t run)
{
    std::vector<uint8_t> key;
    for (uint64_t word = 0; word < 4; ++word)
    {
        Append(key, MakeRandomKey({seed, run, word, 0x6b6579}));
    }
    return key;
}

} // namespace collapipe
} // namespace ns3
