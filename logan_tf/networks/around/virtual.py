"""Virtual batch normalization (Salimans et al. 2016, §3.4) in another generator.

Every sample is normalized by the moments of a fixed reference batch and its own:

    E_i[x] = w E[x over sample i] + (1 − w) E[x over the reference],  w = 1 / (R + 1),

E[x²] alike, for R references. So a sample depends on no other sample of its batch, in
training and in sampling, and ∂f/∂z is each sample's own. References pass through the
network with every batch, and gradients through them, to any order.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from logan_tf.data.priors import Prior, uniform_prior
from logan_tf.errors import ConfigurationError, require_at_least
from logan_tf.layers.batch_normalization import Normalization

_SEED = (1606, 3498)  # of the references: any, but always the same


class Generator(keras.Model):
    """Latents [batch, dim] → the network's examples.

    It needs no standing statistics, and no sums over replicas: each has the same
    references.

    Args:
      network: makes a generator with batch normalizations of ours.
      references: R, 2 or more; a batch costs as much as one of R samples more.
      prior: what the references' latents are drawn from.

    Raises:
      ConfigurationError: for too few references, or a network without batch
        normalization.
    """

    def __init__(
        self,
        network: Callable[[], keras.Model],
        references: int = 32,
        prior: Prior = uniform_prior,
    ) -> None:
        super().__init__()
        require_at_least(2, **{"virtual.Generator.references": references})
        self._network = network()
        self.references = references
        self._prior = prior
        layers = [
            layer
            for layer in self._network._flatten_layers()
            if isinstance(layer, Normalization)
        ]
        if not layers:
            raise ConfigurationError(
                "virtual.Generator needs a network with batch normalization, which "
                f"{type(self._network).__name__} has not: take the network itself"
            )
        for layer in layers:
            layer.references = references
        self.latent_dim = self._network.latent_dim
        self.conditional = getattr(self._network, "conditional", False)
        self.num_classes = getattr(self._network, "num_classes", 0)

    def call(
        self,
        latents: tf.Tensor,
        labels: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """References have the classes in turns. Training and sampling are the same."""
        seed = tf.constant(_SEED)
        references = self._prior((self.references, self.latent_dim), seed)
        latents = tf.concat([tf.cast(references, latents.dtype), latents], axis=0)
        if labels is not None:
            turns = tf.range(self.references) % max(self.num_classes, 1)
            labels = tf.concat([tf.cast(turns, labels.dtype), labels], axis=0)
        return self._network(latents, labels, training=training)[self.references :]
