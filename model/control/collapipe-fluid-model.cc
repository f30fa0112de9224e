/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-fluid-model.h"

#include "collapipe-fluid-player.h"

namespace ns3
{
namespace collapipe
{

FluidModel::FluidModel()
    : m_player(std::make_unique<FluidPlayer>())
{
}

FluidModel::~FluidModel() = default;

FluidRound
FluidModel::Play(const SystemState& state, const RoundPlan& plan)
{
    return m_player->Play(state, plan);
}

} // namespace collapipe
} // namespace ns3
