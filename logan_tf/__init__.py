"""LOGAN: latent optimisation for generative adversarial networks (Wu et al. 2019).

Importing this package or any of its subpackages imports no TensorFlow, so that command
lines answer at once; import the modules that you use.
"""

__version__ = "0.2.0"
