/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_HELD_BASE_JSON_H
#define COLLAPIPE_HELD_BASE_JSON_H

/**
 * @file
 * @ingroup collapipe
 * Private: which frozen weights a node has, in the JSON of instances.
 */

// Private: who includes all headers of the module needs no JSON library for this one.
#if __has_include(<nlohmann/json.hpp>)

#include "collapipe-json-field.h"
#include "collapipe-system-state.h"

namespace ns3
{
namespace collapipe
{

/**
 * @param field what FormatHeldBase() gave
 * @param model whose frozen weights they are
 * @return which a node has
 * @throws FieldError where they are none of the model's, or none are sent
 */
HeldBase ReadHeldBase(const Field& field, const ModelProfile& model);

/**
 * @param held frozen weights that a node has
 * @return their JSON: blocks as runs of a first one and one past the last
 */
Json FormatHeldBase(const HeldBase& held);

} // namespace collapipe
} // namespace ns3

#endif

#endif /* COLLAPIPE_HELD_BASE_JSON_H */
