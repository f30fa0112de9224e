/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#ifndef COLLAPIPE_MODEL_PART_H
#define COLLAPIPE_MODEL_PART_H

#include "collapipe-memory-account.h"
#include "collapipe-model-config.h"

namespace ns3
{
namespace collapipe
{

/**
 * @ingroup collapipe
 * How a segment updates its parameters at the flush.
 */
struct OptimizerConfig
{
    std::string name{"adam"};  //!< "adam" or "sgd"
    double learningRate{1e-3}; //!< step size, its peak where it changes
    double momentum{0.9};      //!< of sgd
    double beta1{0.9};         //!< of adam
    double beta2{0.98};        //!< of adam
    double epsilon{1e-9};      //!< of adam
    double clipNorm{0};        //!< largest norm of all gradients of the model; 0: no limit
    uint64_t warmupSteps{0};   //!< steps over which the step size rises from 0 to its peak
    std::string decay{"none"}; //!< after that: "none", "inverse-sqrt" or "linear"
    uint64_t totalSteps{0};    //!< where the linear decay reaches 0

    /**
     * The step size. It rises linearly over the warm-up of w steps; after that it stays, falls with
     * sqrt(w / step) (Vaswani et al., section 5.3; without warm-up w counts as 1), or falls
     * linearly to 0 after totalSteps (Devlin et al., section A.2).
     * @param step number of the step in the whole training, over all rounds, from 1
     * @return step size
     */
    double GetLearningRate(uint64_t step) const;
};

/**
 * @ingroup collapipe
 * Where in a training a part begins: what its learning-rate schedule and its random streams go by,
 * so that they do not depend on how the training is cut into rounds, devices and micro-batches.
 */
struct TrainingPosition
{
    uint64_t stream{0}; //!< key of the run, cluster and chain; see MakeRandomKey()
    uint64_t step{0};   //!< optimizer steps that came before, over all rounds
};

/**
 * Clipping by the global norm (Pascanu et al., "On the Difficulty of Training Recurrent Neural
 * Networks", 2013).
 * @param optimizer with the largest norm allowed
 * @param squaredNorm of all gradients of the model together
 * @return by what they are to be multiplied before the step
 */
double GetClipFactor(const OptimizerConfig& optimizer, double squaredNorm);

/**
 * @ingroup collapipe
 * What one pipeline stage computes: a run of the model with the activations it keeps, its
 * gradients and its optimizer. Calls of one part are made one at a time, in the schedule's
 * order, but from any thread.
 *
 * Let b be the micro-batch size, T and U the source and target lengths, D the width.
 *
 * | part begins with | Forward's input                                  |
 * |------------------|--------------------------------------------------|
 * | the embedding    | source tokens [b,T] int32                        |
 * | a block/decoder  | hidden [b,T,D] float32, padding [b,T] uint8 (1 = padding) |
 *
 * and, where the part ends with the decoder, two more: target tokens [b,U+1] int32 (begin token
 * first, end token last, padded) and the normaliser [1] float32: the number of label tokens that
 * are not padding in the *whole iteration*, so that the micro-batches' gradients add up to that
 * of the mean loss over the iteration.
 *
 * A BERT has its head in the decoder's place; U is then ModelConfig::GetLabelLength(). A class c of
 * a classification travels as the token c + 1; the labels of a masked text stand at the positions
 * that were masked.
 *
 * | part ends with | Forward's output            | Backward's input       |
 * |----------------|-----------------------------|------------------------|
 * | a block or the embedding | hidden, padding   | d hidden [b,T,D]       |
 * | the decoder    | loss contribution [1] float64 (sum / normaliser) | nothing |
 *
 * Backward's output is d hidden of the part's input, or nothing where it begins with the embedding.
 */
class ModelPart
{
  public:
    virtual ~ModelPart() = default;

    /**
     * To be called before the first pass.
     * @param recompute whether nothing is kept of a forward pass but its input, and the backward
     *        pass begins with running it again; the results are the same
     */
    virtual void SetRecompute(bool recompute) = 0;

    /**
     * @param microBatch index within the iteration; names the activations kept for Backward()
     * @param input see the class
     * @return see the class
     */
    virtual TensorList Forward(uint32_t microBatch, TensorList input) = 0;

    /**
     * Accumulates the part's gradients and lets go of the micro-batch's activations.
     * @param microBatch one that Forward() has seen in this iteration
     * @param gradient see the class
     * @return see the class
     */
    virtual TensorList Backward(uint32_t microBatch, TensorList gradient) = 0;

    /// Optimizer step with the accumulated gradients, which are then zero.
    virtual void Step() = 0;

    /**
     * @return the squared Euclidean norm of all accumulated gradients; 0 where nothing is computed.
     *         Of a table with two copies the part with the embedding counts the sum, the one with
     *         the projection nothing
     */
    virtual double GetSquaredGradientNorm() const = 0;

    /**
     * Where embedding and projection to the vocabulary are one table that is trained, the parts
     * that hold one of its two copies exchange the copies' gradients before every step.
     * @return the gradient of the part's copy, see PartShapes::GetTiedGradient(); nothing where it
     *         holds none, or both, which it keeps equal itself
     */
    virtual TensorList ExportTiedGradient() const
    {
        return {};
    }

    /**
     * Makes the gradient of the part's copy the sum of both copies', once per iteration and before
     * the norm is asked for. Both parts add the same two tensors, so their copies stay equal to the
     * last bit, however these were rounded to be sent.
     * @param own what ExportTiedGradient() of this part gave
     * @param other what that of the other copy's part gave
     */
    virtual void JoinTiedGradients(const TensorList& /* own */, const TensorList& /* other */)
    {
    }

    /**
     * @param factor by which all accumulated gradients are multiplied before the step
     */
    virtual void ScaleGradients(double factor) = 0;

    /**
     * @return what the part has learnt of its gradients since it was made, encoded: see
     *         GradientStatistics
     */
    virtual TensorList ExportStatistics() const = 0;

    /// @return the accumulated gradients, one per parameter, in chain order
    virtual TensorList ExportGradients() const = 0;

    /**
     * Puts others in the accumulated gradients' place: their mean with those of parts that hold the
     * same run of the model and train it on other data. Once per iteration, before
     * ExportTiedGradient() and the norm are asked for. What the part has learnt of its gradients
     * stays that of its own.
     * @param gradients as ExportGradients() gives them
     */
    virtual void ReplaceGradients(const TensorList& gradients) = 0;

    /**
     * @param withOptimizer whether the optimizer's state follows the parameters
     * @return parameters in chain order; a snapshot that later steps do not change
     */
    virtual TensorList ExportParameters(bool withOptimizer) const = 0;

    /**
     * @return the memory that the part has taken since it was made, as the library that computes
     *         really allocated it; zeros where nothing is computed. What was handed over (outputs,
     *         exports) is the network's, not the part's
     */
    virtual MemoryReport GetMemory() const
    {
        return {};
    }
};

} // namespace collapipe
} // namespace ns3

#endif /* COLLAPIPE_MODEL_PART_H */
