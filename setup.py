"""What setup.cfg cannot say: recipes and receipts lie beside the package, not in it."""

from setuptools import find_packages, setup

CARRIED = {"logan_tf.recipes": "gin", "logan_tf.receipts": "docs/receipts"}

setup(
    packages=[*find_packages(include=["logan_tf", "logan_tf.*"]), *CARRIED],
    package_dir=CARRIED,
    package_data={
        "logan_tf": ["py.typed"],
        "logan_tf.report": ["*.jinja"],
        "logan_tf.recipes": ["**/*.gin"],
        "logan_tf.receipts": ["*.json"],
    },
)
