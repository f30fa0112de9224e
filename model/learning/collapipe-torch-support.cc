/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-torch-support.h"

#include "ns3/abort.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <mutex>

namespace ns3
{
namespace collapipe
{

namespace
{

/**
 * Looks a function up in the library that matrix products come from, and in those it needs: another
 * BLAS may be loaded too, on behalf of another library.
 * @param name the function
 * @return its address, or null
 */
void*
FindInBlas(const char* name)
{
    Dl_info info;
    void* product = dlsym(RTLD_DEFAULT, "sgemm_");
    if (!product || !dladdr(product, &info))
    {
        return nullptr;
    }
    void* library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!library)
    {
        return nullptr;
    }
    void* found = dlsym(library, name);
    dlclose(library);
    return found;
}

/**
 * @param dtype an element type
 * @return LibTorch's name for it
 */
at::ScalarType
ToScalarType(DType dtype)
{
    switch (dtype)
    {
    case DType::FLOAT32:
        return at::kFloat;
    case DType::FLOAT64:
        return at::kDouble;
    case DType::INT32:
        return at::kInt;
    case DType::UINT8:
        return at::kByte;
    case DType::FLOAT16:
        return at::kHalf;
    case DType::BFLOAT16:
        return at::kBFloat16;
    case DType::INT8:
        return at::kChar;
    }
    NS_ABORT_MSG("No such element type: " << uint32_t(dtype));
    return at::kFloat;
}

/**
 * The inverse of ToScalarType().
 * @param type LibTorch's element type
 * @return the same on the wire
 */
DType
ToDType(at::ScalarType type)
{
    for (const auto dtype : {DType::FLOAT32,
                             DType::FLOAT64,
                             DType::INT32,
                             DType::UINT8,
                             DType::FLOAT16,
                             DType::BFLOAT16,
                             DType::INT8})
    {
        if (ToScalarType(dtype) == type)
        {
            return dtype;
        }
    }
    NS_ABORT_MSG("A tensor of type " << at::toString(type) << " has no form on the wire");
    return DType::FLOAT32;
}

} // namespace

void
SetUpTorch()
{
    static std::once_flag done;
    std::call_once(done, [] {
        at::set_num_threads(1);
        using SetThreads = void (*)(int);
        const auto setThreads =
            reinterpret_cast<SetThreads>(FindInBlas("openblas_set_num_threads"));
        if (setThreads)
        {
            setThreads(1);
        }
    });
}

bool
IsTorchBlasThreadSafe()
{
    using GetParallel = int (*)();
    const auto getParallel = reinterpret_cast<GetParallel>(FindInBlas("openblas_get_parallel"));
    return !getParallel || getParallel() != 0;
}

bool
IsTorchBlasFast()
{
    return at::hasMKL() || FindInBlas("openblas_get_config");
}

at::Tensor
ToTorch(const TensorData& data)
{
    const std::vector<int64_t> shape(data.shape.begin(), data.shape.end());
    const auto type = ToScalarType(data.dtype);
    if (data.IsVirtual())
    {
        return at::zeros(shape, type);
    }
    const auto bytes = const_cast<uint8_t*>(data.data.get());
    const auto view = at::from_blob(
        bytes,
        shape,
        [owner = data.data](void*) {},
        type);
    const bool aligned = reinterpret_cast<uintptr_t>(bytes) % GetElementSize(data.dtype) == 0;
    return aligned ? view : view.clone();
}

TensorData
FromTorch(const at::Tensor& tensor)
{
    const auto owner = std::make_shared<at::Tensor>(tensor.detach().contiguous());
    TensorData data;
    data.dtype = ToDType(owner->scalar_type());
    data.shape.assign(owner->sizes().begin(), owner->sizes().end());
    data.data = std::shared_ptr<const uint8_t>(owner, static_cast<uint8_t*>(owner->data_ptr()));
    return data;
}

std::vector<at::Tensor>
ToParameters(const TensorList& list)
{
    std::vector<at::Tensor> parameters;
    for (const auto& data : list)
    {
        parameters.push_back(ToTorch(data).clone().requires_grad_());
    }
    return parameters;
}

TensorList
CopyValues(const std::vector<at::Tensor>& parameters)
{
    TensorList values;
    for (const auto& parameter : parameters)
    {
        values.push_back(FromTorch(parameter.detach().clone()));
    }
    return values;
}

TensorList
CopyGradients(const std::vector<at::Tensor>& parameters)
{
    TensorList gradients;
    for (const auto& parameter : parameters)
    {
        const auto& gradient = parameter.grad();
        gradients.push_back(
            FromTorch(gradient.defined() ? gradient.clone() : at::zeros_like(parameter)));
    }
    return gradients;
}

} // namespace collapipe
} // namespace ns3
