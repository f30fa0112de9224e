/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

// A network of one's own: everyone, the edge server included, on one Ethernet segment. Chosen by
// name, like those there are.
//
//     ./collapipe run own-topology --rounds=2 --pcap

#include "ns3/collapipe-program.h"
#include "ns3/collapipe-training-run.h"
#include "ns3/csma-helper.h"
#include "ns3/data-rate.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/string.h"

#include <iostream>

using namespace ns3;
using namespace ns3::collapipe;

/// One Ethernet for all.
class EthernetTopology : public TopologyHelper
{
  protected:
    // The nodes are there, with positions and Internet stacks. Join them, and say by which
    // addresses they reach each other.
    void DoBuild() override
    {
        CsmaHelper csma;
        csma.SetChannelAttribute("DataRate", DataRateValue(RATE));
        csma.SetChannelAttribute("Delay", TimeValue(DELAY));
        csma.SetQueue("ns3::DropTailQueue<Packet>", "MaxSize", StringValue("1000p"));
        m_devices = csma.Install(GetNodes()); // edge servers first, then cluster by cluster
        Ipv4AddressHelper addresses("10.0.0.0", "255.255.0.0");
        const auto interfaces = addresses.Assign(m_devices);

        uint32_t next = 0;
        for (auto& cell : m_network.cells) // one, unless --cells asks for more
        {
            cell.edgeAddress = interfaces.GetAddress(next++);
        }
        next += m_network.leadServer ? 1 : 0; // averages several cells, over links of its own
        for (auto& cluster : m_network.clusters)
        {
            for (uint32_t i = 0; i < cluster.GetN(); ++i)
            {
                cluster.addresses.push_back(interfaces.GetAddress(next++));
            }
            cluster.edgeAddresses = cluster.addresses; // the edge server uses the same
        }
        m_network.readyAt = Seconds(0); // nobody has to associate
    }

    // What a controller may expect of the links before anything was measured. With DEDICATED every
    // link has a rate of its own: here a guess, the segment dealt out to the clusters.
    void DoFillLinks(SystemState& state) const override
    {
        LinkState link;
        link.fixedRateBps =
            RATE.GetBitRate() * GetPayloadShare(HEADER_BYTES) / state.clusters.size();
        link.latencyS = DELAY.GetSeconds();
        state.uplink = state.downlink = {SharingMode::DEDICATED, 0};
        for (auto& cluster : state.clusters)
        {
            cluster.d2d = {SharingMode::DEDICATED, 0};
            for (auto& row : cluster.d2dLinks)
            {
                row.assign(row.size(), link);
            }
            cluster.controlUnit.uplink = cluster.controlUnit.downlink = link;
            for (auto& device : cluster.devices)
            {
                device.uplink = device.downlink = link;
            }
        }
    }

    // Optional: captures below IP.
    void DoEnablePcap(const std::string& prefix) override
    {
        CsmaHelper().EnablePcap(prefix + "-ethernet", m_devices.Get(0), true);
    }

    // Whatever is random gets a fixed stream, so that a seed gives the same run again.
    int64_t DoAssignStreams(int64_t stream) override
    {
        return CsmaHelper().AssignStreams(m_devices, stream);
    }

  private:
    const DataRate RATE{"100Mbps"};
    const Time DELAY{MicroSeconds(5)};
    static constexpr uint32_t HEADER_BYTES = 18; //!< of Ethernet, with its checksum

    NetDeviceContainer m_devices; //!< the edge server's first
};

int
main(int argc, char* argv[])
{
    TopologyHelper::Register("ethernet", [] { return std::make_unique<EthernetTopology>(); });
    return RunProgram("collapipe-own-topology", [&] {
        RunConfig config;
        config.topology = "ethernet";
        config.compare = "none";
        config.Parse(argc, argv);
        TrainingRun run(config);
        run.Run();
        PrintTable(std::cout, run.GetSummary(), run.GetRecorder().GetRounds());
        FinishOutput();
        return run.GetExitStatus();
    });
}
