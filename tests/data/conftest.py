"""Data that the tests of this directory share."""

import pytest


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A directory of prepared data; the first test that needs the digits makes them."""
    return str(tmp_path_factory.mktemp("tensorflow_datasets"))
