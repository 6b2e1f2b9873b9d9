"""Configuration of the documentation: Sphinx with MyST pages, furo, and the reference from the docstrings."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import re
from typing import TYPE_CHECKING, Generic, TypeVar, get_args, get_origin

from docutils import nodes
from sphinx.util.inspect import object_description
from sphinx.util.typing import stringify_annotation

if TYPE_CHECKING:
    from sphinx.addnodes import desc_content
    from sphinx.application import Sphinx

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

autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_attr_annotations = False  # the signature has the types

PACKAGE = "aiorekostream"
# The modules of the reference; each has a page in docs/reference.
MODULES = (
    *("client", "clock", "domain", "emulator", "errors", "fleet", "limits", "rate_limiting"),
    *("results", "results.awslambda", "testing"),
)
LONGEST_DEFAULT = 40  # characters
_PUBLIC = {
    name
    for module in (PACKAGE, *(f"{PACKAGE}.{module}" for module in MODULES))
    for name in importlib.import_module(module).__all__
}


def drop_private_bases(_app: Sphinx, _name: str, _object: object, _options: object, bases: list[object]) -> None:
    """Keep the bases that a reader can use: those of the reference, and those of other packages."""

    def is_public(base: object) -> bool:
        origin: object = getattr(base, "__origin__", base)
        name, module = getattr(origin, "__name__", ""), str(getattr(origin, "__module__", ""))
        return origin not in {object, Generic} and (module.split(".", maxsplit=1)[0] != PACKAGE or name in _PUBLIC)

    bases[:] = filter(is_public, bases)


def shorten_signature(
    _app: Sphinx,
    _kind: str,
    _name: str,
    described: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None] | None:
    """Replace long defaults by an ellipsis, and the type variables of a class by what they stand for."""
    if signature is None or not callable(described):
        return None
    for parameter in inspect.signature(described).parameters.values():
        default = object_description(parameter.default)
        if len(default) > LONGEST_DEFAULT or default.startswith(("<", "mappingproxy")):
            signature = re.sub(rf" ?= ?{re.escape(default)}", " = ...", signature)
    for base in getattr(described, "__orig_bases__", ()):
        variables = getattr(get_origin(base), "__parameters__", ())
        for variable, argument in zip(variables, get_args(base), strict=False):
            text = stringify_annotation(argument, "smart")
            signature = re.sub(rf"[~\w.]*\b{variable.__name__}\b", text, signature)
    for variable in getattr(described, "__parameters__", ()):
        text = stringify_annotation(upper_bound(variable), "smart")
        signature = re.sub(rf"[~\w.]*\b{variable.__name__}\b", text, signature)
    return signature, returns


def upper_bound(variable: TypeVar) -> object:
    """Return what a type variable stands for at the most; a generic bound without its arguments."""
    bound: object = variable.__bound__
    origin: object = getattr(bound, "__origin__", None)
    return origin if isinstance(origin, type) else bound or object


def bind_type_variables(described: object) -> None:
    """Replace the type variables of a method or a getter by their bounds; a constructor is bound with its class."""
    if not inspect.isfunction(described) or described.__name__ == "__init__":
        return
    for name, annotation in inspect.get_annotations(described, eval_str=True).items():
        if isinstance(annotation, TypeVar):
            described.__annotations__[name] = upper_bound(annotation)
        elif variables := getattr(annotation, "__parameters__", ()):
            described.__annotations__[name] = annotation[tuple(upper_bound(each) for each in variables)]


def drop_empty_bases(_app: Sphinx, _domain: str, kind: str, content: desc_content) -> None:
    """Remove the line of bases of a class that has none left."""
    if kind in {"class", "exception"}:
        for child in list(content.children):
            if isinstance(child, nodes.paragraph) and child.astext().strip() == "Bases:":
                content.remove(child)


def drop_generated_docstring(
    _app: Sphinx, _kind: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Remove what attrs writes into the constructors that it generates."""
    lines[:] = [line for line in lines if not line.startswith("Method generated by attrs for class ")]


def setup(app: Sphinx) -> None:
    """Connect the functions of this file."""
    app.connect("autodoc-process-bases", drop_private_bases)
    for module in MODULES:
        for cls in vars(importlib.import_module(f"{PACKAGE}.{module}")).values():
            for member in vars(cls).values() if inspect.isclass(cls) else ():
                bind_type_variables(getattr(member, "fget", member))
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("object-description-transform", drop_empty_bases)
    app.connect("autodoc-process-docstring", drop_generated_docstring, priority=0)  # before napoleon
