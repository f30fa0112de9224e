/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-plugin.h"

#include "ns3/collapipe-user-error.h"
#include "ns3/type-id.h"

#include <dlfcn.h>
#include <exception>
#include <set>
#include <sstream>
#include <unistd.h>

namespace ns3
{
namespace collapipe
{

namespace
{

/// @return what dlopen() is to be given: without a slash it would not look in the current folder
std::string
FindLibrary(const std::string& path)
{
    const bool isHere = path.find('/') == std::string::npos && access(path.c_str(), F_OK) == 0;
    return isHere ? "./" + path : path;
}

void
LoadPlugin(const std::string& path)
{
    static std::set<std::string> loaded;
    if (!loaded.insert(path).second)
    {
        return;
    }
    const auto before = TypeId::GetRegisteredN();
    void* library = nullptr;
    std::string error;
    try
    {
        library = dlopen(FindLibrary(path).c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!library)
        {
            const char* reason = dlerror();
            error = reason ? reason : "unknown error";
        }
    }
    catch (const std::exception& exception) // of a static object of the library's
    {
        error = exception.what();
    }
    if (!error.empty())
    {
        throw UserError("--plugin=" + path + " cannot be loaded: " + error);
    }
    if (TypeId::GetRegisteredN() == before)
    {
        throw UserError("--plugin=" + path +
                        ": this library registers no class with ns-3; it needs "
                        "NS_OBJECT_ENSURE_REGISTERED(MyClass) in one of its files");
    }
}

} // namespace

void
LoadPlugins(const std::string& paths)
{
    std::istringstream list(paths);
    std::string path;
    while (std::getline(list, path, ','))
    {
        if (!path.empty())
        {
            LoadPlugin(path);
        }
    }
}

} // namespace collapipe
} // namespace ns3
