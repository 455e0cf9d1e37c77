"""How the site is built: `make docs`, or `sphinx-build -W -n docs FOLDER`. Needs no network."""

from __future__ import annotations

import sys
from pathlib import Path

from IPython.lib.lexers import IPython3Lexer
from pygments.lexers.special import OutputLexer
from sphinx.application import Sphinx

import kkjupyter

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "kkjupyter"
author = "the kkjupyter contributors"
copyright = author
version = release = kkjupyter.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "from_code",
    "lessons",
    "references",
]
exclude_patterns = ["_build"]
nitpicky = True
nitpick_ignore = [("py:class", "http.HTTPStatus")]

myst_heading_anchors = 3
myst_links_external_new_tab = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80
smartquotes_action = "D"  # dashes only: what stands in quotation marks may be there to be copied
napoleon_use_ivar = True
napoleon_use_rtype = False
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = "kkjupyter"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
# What a cell gives is not there to be copied.
copybutton_selector = "div.highlight-python pre, div.highlight-sh pre, div.highlight-js pre"


def setup(app: Sphinx) -> None:
    # Cells are Python with magics; what they give is not code.
    app.add_lexer("python", IPython3Lexer)
    app.add_lexer("output", OutputLexer)
