"""The real digits and the classifier of 16 x 16, once for all tests of a process."""

import pytest

from logan_tf.data.digits import Digits
from logan_tf.evaluation import digit_classifier


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory) -> str:
    return str(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def digits(data_dir) -> Digits:
    return Digits(16, data_dir)


@pytest.fixture(scope="session")
def classifier(digits, tmp_path_factory) -> digit_classifier.DigitClassifier:
    cache = tmp_path_factory.mktemp("cache")
    return digit_classifier.load_or_train(digits, cache_dir=cache)
