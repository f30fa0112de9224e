/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-compute-library.h"

#include "collapipe-compute-backend.h"

#include "ns3/abort.h"
#include "ns3/collapipe-version.h"
#include "ns3/type-id.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

// The build says one of these: COLLAPIPE_COMPUTE_LIBRARY, the file name of the library; or
// COLLAPIPE_COMPUTE_LINKED, where it is linked to the module; or neither, where there is no
// LibTorch.

#ifdef COLLAPIPE_COMPUTE_LINKED
extern "C" const ns3::collapipe::ComputeLibrary* CollapipeGetComputeLibrary();
#endif

namespace ns3
{
namespace collapipe
{

namespace
{

/// Where the library is not to be had
constexpr const char* ADVICE =
    ", or take what computes nothing (AnalyticBackend, --compute=analytic)";

/// The library, or why there is none
struct Opened
{
    const ComputeLibrary* library{nullptr}; //!< null where there is none
    std::string error;                      //!< why; a sentence without full stop
};

#ifdef COLLAPIPE_COMPUTE_LIBRARY
/// @return path of the shared library that holds this function; empty where it is the program's own
std::string
GetOwnPath()
{
    Dl_info info;
    const auto address = reinterpret_cast<const void*>(&GetComputeLibraryError);
    return dladdr(address, &info) && info.dli_fname ? info.dli_fname : "";
}

/**
 * LibTorch's libraries take some 600 MB of address space, its threads' memory comes on top. Where
 * it runs out they abort, or ask for it again and again, and say nothing.
 * @return what is wrong with the limit of this process; empty: nothing
 */
std::string
CheckAddressSpace()
{
    constexpr double MIB = 1024 * 1024;
    rlimit limit;
    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    {
        return "";
    }
    const double neededMib = 1280 + 64.0 * std::thread::hardware_concurrency();
    double pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const double leftMib = (limit.rlim_cur - pages * sysconf(_SC_PAGESIZE)) / MIB;
    return leftMib >= neededMib
               ? ""
               : "The limit of address space (ulimit -v) leaves " +
                     std::to_string(std::lround(leftMib)) + " MiB, and LibTorch may need " +
                     std::to_string(std::lround(neededMib)) + ": raise it";
}

/// @return what to do where a library could not be opened, by what dlerror() says
std::string
Advise(const std::string& reason)
{
    const bool isFull = reason.find(std::strerror(EMFILE)) != std::string::npos;
    return isFull ? "raise the limit of open files (ulimit -n)"
                  : "install the LibTorch that it was built with";
}

/**
 * Opens the library that stands beside the module's own, or else where the system looks for them.
 * @return it
 */
Opened
Open()
{
    const std::string name = COLLAPIPE_COMPUTE_LIBRARY;
    const std::string own = GetOwnPath();
    const std::string beside = own.substr(0, own.rfind('/') + 1) + name;
    const std::string path = access(beside.c_str(), F_OK) == 0 ? beside : name;
    const auto narrow = CheckAddressSpace();
    if (!narrow.empty())
    {
        return {nullptr, narrow + ADVICE};
    }
    // Global, as all that a program is linked to: LibTorch's BLAS is then found by name, whichever
    // the system has. Never closed: the backend's memory and types are in use until the end.
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (!handle)
    {
        const std::string reason = dlerror();
        return {nullptr,
                path == name ? "CollaPipe's library " + name +
                                   ", which computes with LibTorch, is not beside " + own +
                                   ": build or install it again" + ADVICE
                             : "CollaPipe's library " + path + " cannot be loaded (" + reason +
                                   "): " + Advise(reason) + ADVICE};
    }
    const auto get =
        reinterpret_cast<GetComputeLibraryFunction>(dlsym(handle, GET_COMPUTE_LIBRARY));
    const ComputeLibrary* library = get ? get() : nullptr;
    if (!library || GetVersion() != library->version)
    {
        return {nullptr,
                path + " is of another release than " + own + " (" + GetVersion() +
                    "): build or install both again" + ADVICE};
    }
    return {library, ""};
}
#elif defined(COLLAPIPE_COMPUTE_LINKED)
/// @return the library that this one is linked to
Opened
Open()
{
    return {CollapipeGetComputeLibrary(), ""};
}
#else
/// @return that there is none
Opened
Open()
{
    return {nullptr,
            std::string("This build of CollaPipe has no LibTorch: install it and build again") +
                ADVICE};
}
#endif

/// @return the library, opened once
const Opened&
GetOpened()
{
    static const Opened opened = Open();
    return opened;
}

} // namespace

const std::string&
GetComputeLibraryError()
{
    return GetOpened().error;
}

const ComputeLibrary&
GetComputeLibrary()
{
    NS_ABORT_MSG_IF(!GetOpened().library, GetOpened().error);
    return *GetOpened().library;
}

} // namespace collapipe

#if defined(COLLAPIPE_COMPUTE_LIBRARY) || defined(COLLAPIPE_COMPUTE_LINKED)

namespace collapipe
{

namespace
{

/// Stands for TorchBackend, which is not known here, where its type is registered
struct TorchBackendName;

/// @return a new TorchBackend
ObjectBase*
CreateTorchBackend()
{
    return GetComputeLibrary().createBackend();
}

} // namespace

} // namespace collapipe

/// The constructor of the type: opens the library.
template <>
TypeId
TypeId::AddConstructor<collapipe::TorchBackendName>()
{
    DoAddConstructor(MakeCallback(&collapipe::CreateTorchBackend));
    return *this;
}

namespace collapipe
{

namespace
{

/// Registers the type before main(), as NS_OBJECT_ENSURE_REGISTERED does for one that is known.
const TypeId g_torchBackend = TypeId("ns3::collapipe::TorchBackend")
                                  .SetParent<ComputeBackend>()
                                  .SetGroupName("CollaPipe")
                                  .AddConstructor<TorchBackendName>();

} // namespace

} // namespace collapipe

#endif

} // namespace ns3
