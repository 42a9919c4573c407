"""The residual network for pictures of 32×32 that keras.applications lacks."""

import keras
from keras import layers

from logan_tf.errors import ConfigurationError


def resnet_56(
    shape: tuple[int, int, int], num_classes: int, depth: int = 56
) -> keras.Model:
    """He et al. 2016, section 4.2: three groups of blocks with 16, 32, 64 channels.

    Shortcuts without weights (their option A): where a group halves its pictures, every
    second pixel goes on, with channels of zeros.

    Args:
      shape: (height, width, channels), sides multiples of 4.
      num_classes: outputs, as logits.
      depth: layers with weights, 6 n + 2; 56 has .85 million parameters.

    Raises:
      ConfigurationError: another depth.
    """
    if depth < 8 or depth % 6 != 2:
        raise ConfigurationError(
            f"depth must be 6 n + 2, such as 20 or 56, not {depth}"
        )
    images = keras.Input(shape)
    x = _normalized(images, 16, 1)
    x = layers.ReLU()(x)
    for width in (16, 32, 64):
        for block in range((depth - 2) // 6):
            x = _block(x, width, 2 if width > 16 and block == 0 else 1)
    x = layers.GlobalAveragePooling2D()(x)
    logits = layers.Dense(num_classes, kernel_initializer="he_normal")(x)
    return keras.Model(images, logits, name=f"resnet_{depth}")


def _block(x: keras.KerasTensor, width: int, stride: int) -> keras.KerasTensor:
    y = layers.ReLU()(_normalized(x, width, stride))
    y = _normalized(y, width, 1)
    if stride > 1:
        x = layers.AveragePooling2D(1, stride)(x)
        zeros = (width - x.shape[-1]) // 2
        # Channels are padded as if they were a side.
        x = layers.Permute((1, 3, 2))(x)
        x = layers.ZeroPadding2D(((0, 0), (zeros, zeros)))(x)
        x = layers.Permute((1, 3, 2))(x)
    return layers.ReLU()(layers.Add()([x, y]))


def _normalized(x: keras.KerasTensor, width: int, stride: int) -> keras.KerasTensor:
    x = layers.Conv2D(
        width,
        3,
        stride,
        "same",
        use_bias=False,
        kernel_initializer="he_normal",
    )(x)
    return layers.BatchNormalization()(x)
