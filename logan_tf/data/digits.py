"""Gray pictures of ten classes: the embedded digits, MNIST and its like."""

from typing import Any

from logan_tf.data.tfds_images import TFDSImages
from logan_tf.errors import ConfigurationError

NUM_CLASSES = 10


class Digits(TFDSImages):
    """A TFDS data set of gray pictures of ten classes, resized.

    By default scikit-learn's 1,797 digits of 8×8 pixels: every fifth example of each
    class is held out ('test'). On first use TFDS writes them into `data_dir`; nothing
    is downloaded. Others ('mnist', 'fashion_mnist', 'kmnist': 60,000 and 10,000
    pictures of 28×28) are downloaded where `data_dir` does not have them.

    Attributes:
      name: of the data set, without its version.
      num_judged: how many samples of a generator of them are judged.
    """

    num_judged = 10_000

    def __init__(
        self, size: int = 16, data_dir: str | None = None, name: str = "digits"
    ) -> None:
        """Gray pictures of `size`×`size`; `data_dir` None is TFDS's own default.

        Raises:
          ConfigurationError: a size that cannot be. Of the data it is raised when these
            are first needed: pictures in color, other than ten classes.
        """
        super().__init__(
            name, size, channels=1, data_dir=data_dir, num_classes=NUM_CLASSES
        )
        self.name = name.partition(":")[0]

    @property
    def digits(self) -> "Digits":
        """The gray digits that its pictures are made of: themselves."""
        return self

    def _require_classes(self, label: Any) -> None:
        stored = getattr(label, "num_classes", None) or 0
        if stored != NUM_CLASSES:
            raise ConfigurationError(
                f"{self.name} has {stored} classes, not ten: use 'digits', 'mnist', "
                "'fashion_mnist' or 'kmnist', or another data set with @TFDSImages()"
            )
