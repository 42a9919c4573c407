"""Sphinx: `make docs` builds this folder into `docs/_build/html`, without network."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from pygments.lexers.python import PythonLexer
from sphinx.application import Sphinx

from logan_tf import __version__

project = "logan_tf"
author = "the authors of logan_tf"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "docstrings",
    "from_code",
    "outside",
]
exclude_patterns = ["_build", "_extensions", "receipts"]

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_dmath_double_inline = True
myst_heading_anchors = 4
nb_execution_mode = "auto"  # Pages with `{code-cell}` alone; the others have no kernel.
nb_execution_cache_path = str(Path(__file__).parent / "_build/.jupyter_cache")
nb_execution_in_temp = True  # They write modules and run directories.
nb_execution_timeout = 600  # seconds a cell, on a machine that others use
nb_execution_raise_on_error = True
nb_merge_streams = True
nb_output_stderr = "remove"  # The start-up notes of TensorFlow; what fails raises.

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_ivar = True
smartquotes_action = "D"  # Dashes alone: what docstrings quote is typed.
default_role = "code"  # Docstrings say `name` of whatever is code.

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_title = f"logan_tf {version}"
html_show_sourcelink = False


def setup(app: Sphinx) -> None:
    """gin's values are Python's."""
    app.add_lexer("gin", PythonLexer)
