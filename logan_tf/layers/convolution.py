"""A convolution whose bias learns from all positions in bfloat16, too."""

import keras
import tensorflow as tf

from logan_tf.layers.affine import shift


class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, whose bias has an exact gradient in every precision.

    The gradient of TensorFlow's BiasAdd, by which Keras adds a bias, is a sum over
    batch and positions. A CPU makes it of bfloat16 numbers one by one, in bfloat16: at
    16,384 of them a quarter of it is lost, more where it is large. So it is BiasAdd,
    which merges with the convolution, in float32 alone.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """[batch, height, width, channels] → [batch, …, filters]: channels last."""
        outputs = self.convolution_op(inputs, self.kernel)
        if self.use_bias:
            add = tf.nn.bias_add if outputs.dtype.size >= 4 else shift
            outputs = add(outputs, tf.convert_to_tensor(self.bias))
        return self.activation(outputs)
