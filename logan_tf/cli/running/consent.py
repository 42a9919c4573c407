"""The flags by which a person lets a recipe run code that it names."""

from absl import flags

flags.DEFINE_multi_string("module", [], "A module of yours whose classes recipes name.")
flags.DEFINE_multi_string(
    "trust",
    [],
    "A SavedModel that the recipe names as a classifier: it is a program, and runs.",
)
