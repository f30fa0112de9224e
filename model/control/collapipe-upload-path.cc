/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-upload-path.h"

#include <initializer_list>

namespace ns3
{
namespace collapipe
{

namespace
{

template <typename T>
bool
Parse(const std::string& name, const std::initializer_list<T>& all, T& result)
{
    for (const T one : all)
    {
        if (name == ToString(one))
        {
            result = one;
            return true;
        }
    }
    return false;
}

} // namespace

std::string
ToString(UploadPath path)
{
    return path == UploadPath::COLLECTED ? "collected" : "direct";
}

std::string
ToString(UploadRule rule)
{
    switch (rule)
    {
    case UploadRule::DIRECT:
        break;
    case UploadRule::COLLECTED:
        return "collected";
    case UploadRule::AUTO:
        return "auto";
    }
    return "direct";
}

bool
ParseUploadPath(const std::string& name, UploadPath& path)
{
    return Parse(name, {UploadPath::DIRECT, UploadPath::COLLECTED}, path);
}

bool
ParseUploadRule(const std::string& name, UploadRule& rule)
{
    return Parse(name, {UploadRule::DIRECT, UploadRule::COLLECTED, UploadRule::AUTO}, rule);
}

} // namespace collapipe
} // namespace ns3
