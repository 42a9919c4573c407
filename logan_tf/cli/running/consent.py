"""The flags by which a person consents to what a recipe or a run asks for."""

from absl import flags

flags.DEFINE_multi_string("module", [], "A module of yours whose classes recipes name.")
flags.DEFINE_multi_string(
    "trust",
    [],
    "A SavedModel that the recipe names as a classifier: it is a program, and runs.",
)
flags.DEFINE_bool(
    "follow_links", False, "Follow links in the run directory: you made them."
)
