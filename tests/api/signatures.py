"""Render the public API as text: one line for each name, with its signature.

The source is parsed, not imported. ``make api`` updates the committed snapshot.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import griffe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SNAPSHOT = Path(__file__).with_name("signatures.txt")
PUBLIC_MODULES = (
    "aiorekostream",
    "aiorekostream.distributed",
    "aiorekostream.emulator",
    "aiorekostream.results",
    "aiorekostream.results.awslambda",
)
PUBLIC_DUNDERS = frozenset(
    f"__{name}__"
    for name in (
        *("init", "call", "await", "len", "getitem", "contains"),
        *("enter", "exit", "iter", "next", "aenter", "aexit", "aiter", "anext"),
    )
)


def _final(member: griffe.Object | griffe.Alias) -> griffe.Object:
    return member.final_target if isinstance(member, griffe.Alias) else member


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name in PUBLIC_DUNDERS


def _parameters(function: griffe.Function) -> str:
    kinds = griffe.ParameterKind
    parts: list[str] = []
    starred = False
    given = list(function.parameters)
    for position, parameter in enumerate(given):
        if parameter.kind is kinds.keyword_only and not starred:
            parts.append("*")
        starred = starred or parameter.kind in {kinds.keyword_only, kinds.var_positional}
        star = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(
            parameter.kind or kinds.positional_or_keyword, ""
        )
        text = star + parameter.name
        if parameter.annotation is not None:
            text += f": {parameter.annotation}"
        if parameter.default is not None and not star:
            text += f" = {parameter.default}"
        parts.append(text)
        following = given[position + 1].kind if position + 1 < len(given) else None
        if parameter.kind is kinds.positional_only and following is not kinds.positional_only:
            parts.append("/")
    return ", ".join(parts)


def _function(function: griffe.Function) -> str:
    labels = function.labels
    marks = "".join(f"@{label} " for label in ("staticmethod", "classmethod") if label in labels)
    keyword = "async def" if "async" in labels else "def"
    returns = f" -> {function.returns}" if function.returns is not None else ""
    return f"{marks}{keyword} {function.name}({_parameters(function)}){returns}"


def _attribute(attribute: griffe.Attribute) -> str:
    mark = "property " if "property" in attribute.labels else ""
    text = f"{mark}{attribute.name}"
    if attribute.annotation is not None:
        text += f": {attribute.annotation}"
    value = attribute.value
    if isinstance(value, griffe.ExprCall) and str(value.function) == "attrs.field":
        text += _selected_keywords(value, {"default", "factory", "init", "kw_only", "alias"}, " = field({})")
    elif value is not None and ("class-attribute" in attribute.labels or "module-attribute" in attribute.labels):
        text += f" = {value}"
    return " ".join(text.split())


def _selected_keywords(call: griffe.ExprCall, names: set[str], form: str) -> str:
    keywords = [argument for argument in call.arguments if isinstance(argument, griffe.ExprKeyword)]
    selected = ", ".join(f"{keyword.name}={keyword.value}" for keyword in keywords if keyword.name in names)
    return form.format(selected) if selected else ""


def _decorator(decorator: griffe.Decorator) -> str:
    value = decorator.value
    if isinstance(value, griffe.ExprCall):
        return f"@{value.function}{_selected_keywords(value, {'init', 'kw_only', 'eq', 'order'}, '({})')} "
    return f"@{value} "


def _has_generated_constructor(class_: griffe.Class) -> bool:
    """Tell whether attrs generates the constructor from the fields; a base class may have one that is written out."""
    for cls in (class_, *class_.mro()):
        if "__init__" in cls.members:
            return False
        if any(_decorator(decorator).startswith("@attrs.") for decorator in cls.decorators):
            return True
    return False


def _class(class_: griffe.Class) -> Iterator[str]:
    bases = f"({', '.join(map(str, class_.bases))})" if class_.bases else ""
    yield f"{''.join(map(_decorator, class_.decorators))}class {class_.name}{bases}"
    members = {name: _final(member) for name, member in class_.all_members.items() if _is_public(name)}
    if _has_generated_constructor(class_):
        members.pop("__init__", None)
    # The order of attributes is that of the constructor's arguments; other members have no meaningful order.
    attributes = [name for name, member in members.items() if isinstance(member, griffe.Attribute)]
    for name in attributes + sorted(members.keys() - set(attributes)):
        for line in _lines(members[name]):
            yield f"    {line}"


def _lines(member: griffe.Object) -> Iterator[str]:
    if isinstance(member, griffe.Class):
        yield from _class(member)
    elif isinstance(member, griffe.Function):
        for overload in member.overloads or []:
            yield f"@overload {_function(overload)}"
        yield _function(member)
    elif isinstance(member, griffe.Attribute):
        yield _attribute(member)
    elif isinstance(member, griffe.TypeAlias):
        yield f"type {member.name} = {member.value}"
    else:
        yield f"{member.kind.value} {member.path}"


def render(modules: Iterable[str] = PUBLIC_MODULES, *, root: Path | None = None) -> str:
    """Render the names in the ``__all__`` of each module with their signatures."""
    paths = [str(root or Path(__file__).parents[2])]
    package = griffe.load("aiorekostream", search_paths=paths, resolve_aliases=True)
    lines: list[str] = []
    for name_of_module in modules:
        is_root = name_of_module == "aiorekostream"
        module = package if is_root else package[name_of_module.removeprefix("aiorekostream.")]
        lines += [f"# {name_of_module}", ""]
        for name in sorted(str(name) for name in module.exports or ()):
            lines += [*_lines(_final(module.members[name])), ""]
    return "\n".join(lines)


def main() -> None:
    """Write the snapshot."""
    SNAPSHOT.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"wrote {SNAPSHOT.name}\n")


if __name__ == "__main__":
    main()
