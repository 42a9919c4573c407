"""Real handwritten digits that come with the package's dependencies."""

from logan_tf.data.tfds_images import TFDSImages


class Digits(TFDSImages):
    """Scikit-learn's 1,797 digits of 8×8 pixels, resized; ten classes.

    The splits are fixed: every fifth example of each class is held out ('test'). On
    first use TFDS writes them into `data_dir`; nothing is downloaded.

    Attributes:
      num_judged: how many samples of a generator of them are judged.
    """

    num_judged = 10_000

    def __init__(self, size: int = 16, data_dir: str | None = None) -> None:
        """Gray pictures of `size`×`size`; `data_dir` None is TFDS's own default."""
        super().__init__("digits", size, channels=1, data_dir=data_dir, num_classes=10)

    @property
    def digits(self) -> "Digits":
        """The gray digits that its pictures are made of: themselves."""
        return self
