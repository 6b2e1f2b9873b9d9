"""Configuration of the documentation: Sphinx with MyST pages, furo, and the reference from the docstrings."""

from __future__ import annotations

import importlib.metadata

project = "aiorekostream"
author = "the aiorekostream developers"
copyright = f"2026, {author}"  # noqa: A001  Sphinx's own word
release = importlib.metadata.version("aiorekostream")
version = ".".join(release.split(".")[:2])

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"aiorekostream {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_class_signature = "separated"
autodoc_default_options = {"exclude-members": "__init__, __new__"}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
