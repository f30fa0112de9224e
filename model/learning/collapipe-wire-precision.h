/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_WIRE_PRECISION_H
#define COLLAPIPE_WIRE_PRECISION_H

#include "collapipe-tensor-data.h"

#include <string>

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * In which type float32 tensors travel. What computes is float32 always; a tensor is rounded when
 * it is sent, and what the receiver computes on is what it got.
 *
 * INT8 is symmetric with one scale per tensor, max |x| / 127, which travels as a float32 behind it.
 */
struct WirePrecision
{
    DType activations{DType::FLOAT32}; //!< hidden states
    DType gradients{DType::FLOAT32};   //!< gradients of hidden states
    DType parameters{DType::FLOAT32};  //!< weights, to the nodes and back; not optimizer state
};

/**
 * @param name fp32, fp16, bf16 or int8
 * @param dtype filled in
 * @return whether there is such a precision
 */
bool ParsePrecision(const std::string& name, DType& dtype);

/**
 * Appends a tensor as it travels.
 * @param list where
 * @param tensor of float32
 * @param dtype FLOAT32, FLOAT16, BFLOAT16 (rounded to nearest, ties to even) or INT8
 */
void AppendEncoded(TensorList& list, const TensorData& tensor, DType dtype);

/**
 * The inverse of AppendEncoded(), up to rounding.
 * @param list as received
 * @param position of the tensor; moved behind it and what belongs to it
 * @return the tensor in float32; aborts where there is none or an int8 tensor has no scale
 */
TensorData TakeDecoded(const TensorList& list, std::size_t& position);

/**
 * @param parameters of a part, optionally followed by its optimizer's state
 * @param count how many are parameters
 * @param dtype in which these travel; the rest goes as it is
 * @return all, as they travel
 */
TensorList EncodeParameters(const TensorList& parameters, std::size_t count, DType dtype);

/**
 * The inverse of EncodeParameters().
 * @param list as received
 * @param count how many are parameters
 * @return all of it, the parameters in float32
 */
TensorList DecodeParameters(const TensorList& list, std::size_t count);

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_WIRE_PRECISION_H */
