/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-run-results.h"

#include "collapipe-result-columns.h"
#include "collapipe-user-error.h"

#include "ns3/simulator.h"

#include <iomanip>
#include <sstream>
#include <sys/resource.h>
#include <utility>
#include <zlib.h>

namespace ns3
{
namespace collapipe
{

namespace
{

/// Longer than TCP retries a connection's first packet, shorter than anybody would wait
const Time PATIENCE = Seconds(60);

/// @return the process's peak resident memory in bytes
uint64_t
GetPeakRss()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

/// @return CRC-32 of all parameters in chain order, as eight hexadecimal digits; empty if virtual
std::string
HashParameters(const ModelState& model, const ModelConfig& config)
{
    uint32_t crc = crc32_z(0, nullptr, 0);
    for (const auto& tensor : model.Gather({true, 0, config.encoderBlocks, true}))
    {
        if (tensor.IsVirtual())
        {
            return "";
        }
        crc = crc32_z(crc, tensor.data.get(), tensor.GetByteSize());
    }
    std::ostringstream text;
    text << std::hex << std::setw(8) << std::setfill('0') << crc;
    return text.str();
}

} // namespace

RunResults::RunResults(const RunApplications& applications,
                       const OutputDirectory* output,
                       uint64_t timelineBytes,
                       bool compressed)
    : m_applications(applications),
      m_output(output),
      m_timeline(output && timelineBytes > 0
                     ? std::make_unique<Timeline>(
                           output->GetPath(compressed ? "timeline.json.gz" : "timeline.json"),
                           timelineBytes,
                           applications)
                     : nullptr),
      m_control(applications.loops),
      m_recorder(applications),
      m_positions(applications)
{
    for (const auto& application : m_applications.GetAll())
    {
        application->TraceConnectWithoutContext("Tx",
                                                MakeCallback(&RunResults::CountMessage, this));
    }
}

RunResults::~RunResults() = default;

RunRecorder&
RunResults::GetRecorder()
{
    return m_recorder;
}

const RunRecorder&
RunResults::GetRecorder() const
{
    return m_recorder;
}

void
RunResults::CountMessage(const MessageHeader& header, uint64_t /* bytes */)
{
    ++m_messages[header.type];
}

void
RunResults::Complete(const ModelConfig& model, RunSummary& summary) const
{
    summary.initialLoss = m_recorder.GetInitialLoss();
    summary.quality.untrained = m_recorder.GetInitialQuality();
    if (!m_recorder.GetRounds().empty())
    {
        summary.quality.validation = m_recorder.GetRounds().back().quality;
    }
    summary.simulatedS = Simulator::Now().GetSeconds();
    summary.peakRssBytes = GetPeakRss();
    summary.messages.clear();
    for (const auto& [type, count] : m_messages)
    {
        summary.messages[ToString(type)] = count;
    }
    summary.totals = ComputeTotals(summary.initialLoss,
                                   m_recorder.GetRounds(),
                                   m_recorder.GetDevices(),
                                   m_control.GetNodes());
    summary.parametersHash = HashParameters(m_applications.leader->GetModel(), model);
}

void
RunResults::WarnOfWaits(std::function<void(const std::string&)> warn)
{
    m_waits = std::make_unique<WaitObserver>(m_applications, PATIENCE, std::move(warn));
}

void
RunResults::Detach()
{
    m_waits.reset();
    m_recorder.Detach();
    m_applications = RunApplications();
}

void
RunResults::WriteRows(const RunSummary& summary) const
{
    WriteRounds(m_output->GetPath("rounds.csv"), summary, m_recorder.GetRounds());
    WriteDevices(m_output->GetPath("devices.csv"), m_recorder.GetDevices());
    WriteResultTable(m_output->GetPath("positions.csv"),
                     MakePositionTable(),
                     m_positions.GetRows());
    m_control.Write([this](const std::string& name) { return m_output->GetPath(name); });
}

void
RunResults::WriteRest(RunSummary& summary)
{
    if (m_timeline && !m_timeline->Close())
    {
        throw UserError("cannot write the timeline; is the disk full?");
    }
    summary.files = m_output->ListNames();
    WriteSummary(m_output->GetPath("summary.json"), summary, m_recorder.GetRounds());
    m_output->CheckComplete();
}

} // namespace collapipe
} // namespace ns3
