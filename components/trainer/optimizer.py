"""The optimizer Muon: orthogonalised steps for convolutions, Nesterov SGD for everything else."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# Of the quintic whose iteration drives all singular values towards 1 (Jordan, see `Muon`).
_QUINTIC = (3.4445, -4.7750, 2.0315)


@keras.saving.register_keras_serializable("image_classification")
class Muon(keras.optimizers.Optimizer):
    """MomentUm Orthogonalized by Newton-schulz.

    The step of a convolution's kernel is its Nesterov momentum with all singular values made about 1, the kernel read
    as a matrix [height * width * in, out]. After it the kernel is scaled to a norm of sqrt(out): a normalisation
    follows every convolution, so that only the direction of the kernel counts, and the learning rate is the angle.
    All other variables (biases, offsets, the last layer) take plain Nesterov steps.

    Source: Keller Jordan and others, 'Muon: An optimizer for hidden layers in neural networks', 2024, and
    `airbench94_muon.py` of https://github.com/KellerJordan/cifar10-airbench.

    Args:
      learning_rate: of the kernels; a number or a schedule.
      momentum: of the kernels.
      vector_rate: learning rate of the variables with one axis, as a multiple of `learning_rate`.
      matrix_rate: likewise of those with two axes.
      other_momentum: of both.
      iterations: of Newton-Schulz; few are enough, the singular values need not be very near to 1.
    """

    def __init__(
        self,
        learning_rate: Any = 0.24,
        momentum: float = 0.6,
        vector_rate: float = 1.0,
        matrix_rate: float = 1.0,
        other_momentum: float = 0.85,
        iterations: int = 3,
        name: str = "muon",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, name=name, **kwargs)
        self.momentum = momentum
        self.vector_rate = vector_rate
        self.matrix_rate = matrix_rate
        self.other_momentum = other_momentum
        self.newton_schulz_iterations = iterations

    def build(self, variables: list[keras.Variable]) -> None:
        if not self.built:
            super().build(variables)
            self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        kernel = len(variable.shape) == 4
        momentum = self.momentum if kernel else self.other_momentum
        average = self.momentums[self._get_variable_index(variable)]
        self.assign(average, momentum * average + gradient)
        step = gradient + momentum * average
        if kernel:
            turned = variable - learning_rate * orthogonalised(step, self.newton_schulz_iterations)
            self.assign(variable, turned * (tf.sqrt(float(variable.shape[-1])) / tf.norm(turned)))
        else:
            rate = self.vector_rate if len(variable.shape) == 1 else self.matrix_rate
            self.assign_sub(variable, learning_rate * rate * step)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "vector_rate": self.vector_rate,
            "matrix_rate": self.matrix_rate,
            "other_momentum": self.other_momentum,
            "iterations": self.newton_schulz_iterations,
        }


def orthogonalised(kernel: tf.Tensor, iterations: int) -> tf.Tensor:
    """Return `kernel`, float32 [..., out], with the singular values of its [-1, out] matrix close to 1.

    By Newton-Schulz iteration: matrix products alone, and no singular value decomposition. The result has singular
    values between about 0.7 and 1.2 where those of `kernel` were not much smaller than its norm.
    """
    a, b, c = _QUINTIC
    matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.transpose(matrix) if tall else matrix  # the products are then of the smaller size
    x = x / (tf.norm(x) + 1e-7)
    for _ in range(iterations):
        gram = tf.matmul(x, x, transpose_b=True)
        x = a * x + tf.matmul(b * gram + c * tf.matmul(gram, gram), x)
    return tf.reshape(tf.transpose(x) if tall else x, kernel.shape)
