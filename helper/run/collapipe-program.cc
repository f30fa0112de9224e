/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-program.h"

#include "ns3/collapipe-clean-exit.h"
#include "ns3/collapipe-text-files.h"
#include "ns3/collapipe-user-error.h"

#include <algorithm>
#include <exception>
#include <iostream>
#include <new>
#include <system_error>

namespace ns3
{
namespace collapipe
{

int
RunProgram(const std::string& name, const std::function<int()>& body)
{
    std::string error;
    int status = 1;
    try
    {
        InstallCleanExit();
        return body();
    }
    catch (const UserError& exception)
    {
        error = exception.what();
        status = 2;
    }
    catch (const DataError& exception)
    {
        error = exception.what();
        status = 2;
    }
    catch (const std::bad_alloc&)
    {
        error = "there is not enough memory; is it limited (ulimit -v)?";
    }
    catch (const std::system_error& exception)
    {
        error = std::string("the system does not give what the program needs: ") + exception.what();
    }
    catch (const std::exception& exception)
    {
        error = exception.what();
        error.resize(std::min(error.find('\n'), error.size())); // LibTorch adds a stack of calls
    }
    std::cerr << name << ": " << error << "\n";
    return status;
}

} // namespace collapipe
} // namespace ns3
