"""What a gin file can name. Importing this module makes it known to gin.

The modules themselves know nothing of gin: every choice is an argument of a class or
function, and here they are registered, under the names that recipes use. A user's own
classes join the list from a module named with --module, by the same call.
"""

import gin
import keras

from logan_tf.accuracy import (
    accuracy_score,
    classifier_input,
    classifier_training,
    residual_network,
)
from logan_tf.data import (
    digits,
    image_records,
    points,
    priors,
    stacked_digits,
    tfds_images,
)
from logan_tf.evaluation import evaluator, image_metrics, point_metrics
from logan_tf.game import (
    augmentation,
    controls,
    energy,
    game,
    latent,
    latent_rule,
    objectives,
    schedules,
)
from logan_tf.game.dynamics import (
    competitive,
    consensus,
    extragradient,
    extrapolation_from_the_past,
    follow_the_ridge,
    joint_gradient_norm,
    momentum,
    nagarajan_kolter,
    optimistic,
    plain,
    symplectic,
    unrolled,
)
from logan_tf.game.penalties import (
    consistency,
    dragan,
    feature_matching,
    historical_averaging,
    lecam,
    orthogonality,
    pulling_away,
    wgan_gp,
    zero_centred,
)
from logan_tf.layers import weight_clipping
from logan_tf.metrics import classifiers, random_network
from logan_tf.networks import (
    autoencoder,
    biggan,
    biggan_deep,
    dcgan,
    mlp,
    sagan,
    sngan,
    sngan_resnet,
)
from logan_tf.networks.around import minibatch, packed, virtual
from logan_tf.sampling import latent_moves
from logan_tf.training import averaging, experiment, trainer

_KERAS_OPTIMIZERS = ("Adam", "AdamW", "Adamax", "Nadam", "RMSprop", "SGD")

for name in _KERAS_OPTIMIZERS:
    gin.external_configurable(
        getattr(keras.optimizers, name), module="keras.optimizers"
    )

for schedule in ("ExponentialDecay", "PolynomialDecay", "CosineDecay"):
    gin.external_configurable(
        getattr(keras.optimizers.schedules, schedule),
        module="keras.optimizers.schedules",
    )

for module in (sngan, dcgan, mlp, biggan_deep, biggan, sagan, sngan_resnet):
    for network in ("Generator", "Discriminator"):
        gin.external_configurable(
            getattr(module, network), module=module.__name__.rsplit(".", 1)[-1]
        )

gin.external_configurable(autoencoder.Discriminator, module="autoencoder")
gin.external_configurable(virtual.Generator, module="virtual")
for coupling in (packed, minibatch):
    gin.external_configurable(
        coupling.Discriminator, module=coupling.__name__.rsplit(".", 1)[-1]
    )

for objective in (
    objectives.hinge,
    objectives.wasserstein,
    objectives.non_saturating,
    objectives.minimax,
    objectives.least_squares,
    objectives.smoothed,
    objectives.relativistic,
):
    gin.external_configurable(objective, module="objectives")

for configurable in (
    latent.gradient_step,
    latent.natural_gradient_step,
    latent.LatentOptimizer,
    latent_moves.Langevin,
    latent_moves.OptimalTransport,
    latent_rule.LatentRule,
    augmentation.DiffAugment,
    augmentation.InstanceNoise,
    controls.RandomDirection,
    controls.LatentPenalty,
    controls.root_of_natural_gradient_step,
    energy.EnergyMargin,
    game.Game,
    consistency.BalancedConsistency,
    dragan.Dragan,
    feature_matching.FeatureMatching,
    historical_averaging.HistoricalAveraging,
    lecam.LeCam,
    orthogonality.Orthogonality,
    pulling_away.PullingAway,
    wgan_gp.WganGp,
    weight_clipping.WeightClipping,
    zero_centred.R1,
    zero_centred.R2,
    plain.Plain,
    symplectic.SymplecticGradientAdjustment,
    consensus.Consensus,
    nagarajan_kolter.NagarajanKolter,
    extragradient.Extragradient,
    extrapolation_from_the_past.ExtrapolationFromThePast,
    optimistic.Optimistic,
    unrolled.Unrolled,
    competitive.CompetitiveGradientDescent,
    competitive.AdaptiveCompetitiveGradientDescent,
    follow_the_ridge.FollowTheRidge,
    momentum.Momentum,
    joint_gradient_norm.JointGradientNorm,
    schedules.Simultaneous,
    schedules.Alternating,
    schedules.Adaptive,
    averaging.ExponentialMovingAverage,
    averaging.PolynomialAverage,
    priors.uniform_prior,
    priors.normal_prior,
    digits.Digits,
    stacked_digits.StackedDigits,
    points.Ring,
    points.Grid,
    points.SwissRoll,
    tfds_images.TFDSImages,
    image_records.ImageRecords,
    experiment.Experiment,
    trainer.Trainer,
    evaluator.Evaluator,
    classifiers.Inception,
    classifiers.SavedModelClassifier,
    random_network.RandomNetwork,
    image_metrics.ImageMetrics,
    image_metrics.DigitMetrics,
    point_metrics.PointsModes,
    accuracy_score.AccuracyScore,
    classifier_input.ClassifierInput,
    classifier_training.ClassifierTraining,
    residual_network.resnet_56,
):
    gin.external_configurable(configurable)
