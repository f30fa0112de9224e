/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "collapipe-analytic-backend.h"

#include "collapipe-batch.h"
#include "collapipe-gradient-statistics.h"
#include "collapipe-parameter-layout.h"
#include "collapipe-part-shapes.h"

#include "ns3/abort.h"

#include <limits>
#include <map>
#include <utility>

namespace ns3
{
namespace collapipe
{

NS_OBJECT_ENSURE_REGISTERED(AnalyticBackend);

namespace
{

/**
 * A part that knows its shapes only.
 */
class AnalyticPart : public ModelPart
{
  public:
    /**
     * @param shapes of the part
     * @param part the run of the model
     */
    AnalyticPart(const PartShapes& shapes, const PartRange& part)
        : m_shapes(shapes),
          m_part(part)
    {
    }

    void SetRecompute(bool /* recompute */) override
    {
    }

    TensorList Forward(uint32_t microBatch, TensorList input) override
    {
        const uint32_t samples = m_shapes.CheckForward(input);
        if (m_shapes.HasBackward())
        {
            NS_ABORT_MSG_IF(!m_samples.emplace(microBatch, samples).second,
                            "Micro-batch " << microBatch << " goes forward twice");
        }
        return m_shapes.GetForwardOutput(samples);
    }

    TensorList Backward(uint32_t microBatch, TensorList gradient) override
    {
        const auto found = m_samples.find(microBatch);
        NS_ABORT_MSG_IF(found == m_samples.end(),
                        "Micro-batch " << microBatch
                                       << " goes backward without having gone forward");
        const uint32_t samples = found->second;
        m_shapes.CheckBackward(gradient, samples);
        m_samples.erase(found);
        return m_shapes.GetBackwardOutput(samples);
    }

    void Step() override
    {
    }

    double GetSquaredGradientNorm() const override
    {
        return 0;
    }

    TensorList ExportTiedGradient() const override
    {
        return m_shapes.GetTiedGradient();
    }

    void ScaleGradients(double /* factor */) override
    {
    }

    TensorList ExportStatistics() const override
    {
        return GetStatisticsShapes(m_part);
    }

    TensorList ExportGradients() const override
    {
        return m_shapes.GetParameters();
    }

    void ReplaceGradients(const TensorList& /* gradients */) override
    {
    }

    TensorList ExportParameters(bool withOptimizer) const override
    {
        return m_shapes.GetExport(withOptimizer);
    }

  private:
    PartShapes m_shapes;                    //!< of the part
    PartRange m_part;                       //!< the run of the model
    std::map<uint32_t, uint32_t> m_samples; //!< sizes of the micro-batches under way
};

} // namespace

TypeId
AnalyticBackend::GetTypeId()
{
    static TypeId tid = TypeId("ns3::collapipe::AnalyticBackend")
                            .SetParent<ComputeBackend>()
                            .SetGroupName("CollaPipe")
                            .AddConstructor<AnalyticBackend>();
    return tid;
}

bool
AnalyticBackend::IsComputing() const
{
    return false;
}

ModelParameters
AnalyticBackend::CreateParameters(const ModelConfig& config, uint64_t /* seed */) const
{
    const auto make = [&config](const PartRange& part) {
        TensorList list;
        for (auto& place : GetParameterLayout(config, part))
        {
            list.push_back(std::move(place.shape));
        }
        return list;
    };
    ModelParameters parameters;
    parameters.embedding = make({true, 0, 0, false});
    for (uint32_t block = 0; block < config.encoderBlocks; ++block)
    {
        parameters.blocks.push_back(make({false, block, block + 1, false}));
    }
    parameters.decoder = make({false, 0, 0, true});
    return parameters;
}

std::unique_ptr<ModelPart>
AnalyticBackend::CreatePart(const ModelConfig& config,
                            const PartRange& part,
                            const OptimizerConfig& optimizer,
                            const TensorList& parameters,
                            const TrainingPosition& /* start */) const
{
    const PartShapes shapes(config, part, optimizer);
    shapes.CheckParameters(parameters);
    return std::make_unique<AnalyticPart>(shapes, part);
}

EvaluationResult
AnalyticBackend::Evaluate(const ModelConfig& config,
                          const ModelParameters& /* parameters */,
                          const std::vector<Sample>& samples) const
{
    std::vector<const Sample*> pointers;
    for (const auto& sample : samples)
    {
        pointers.push_back(&sample);
    }
    EvaluationResult result;
    result.loss = std::numeric_limits<double>::quiet_NaN();
    result.labelTokens = CountLabelTokens(config, pointers);
    return result;
}

} // namespace collapipe
} // namespace ns3
