"""What setup.cfg cannot say: what a wheel carries lies beside the package."""

from setuptools import find_packages, setup

CARRIED = {
    "logan_tf.recipes": "gin",
    "logan_tf.receipts": "docs/receipts",
    "logan_tf.pretrained": "pretrained",
}

setup(
    packages=[*find_packages(include=["logan_tf", "logan_tf.*"]), *CARRIED],
    package_dir=CARRIED,
    package_data={
        "logan_tf": ["py.typed"],
        "logan_tf.report": ["*.jinja"],
        "logan_tf.recipes": ["**/*.gin"],
        "logan_tf.receipts": ["*.json"],
        "logan_tf.pretrained": ["**/*"],
    },
)
