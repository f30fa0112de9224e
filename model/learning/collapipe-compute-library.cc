/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-compute-library.h"

#include "collapipe-compute-backend.h"

#include "ns3/abort.h"
#include "ns3/collapipe-version.h"
#include "ns3/type-id.h"

#include <cstdio>
#include <dlfcn.h>

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
 * @param path of a file
 * @return whether there is such a file
 */
bool
Exists(const std::string& path)
{
    std::FILE* file = std::fopen(path.c_str(), "rb");
    return file && std::fclose(file) == 0;
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
    const std::string path = Exists(beside) ? beside : name;
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
                                   "): install the LibTorch that it was built with" + ADVICE};
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
