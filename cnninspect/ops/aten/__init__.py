"""Rules of single ATen ops, for functional calls that have no formula of their own; one file per kind of op.

A rule's functions bind the op's arguments under the names of its schema (`self`, `dim`, `keepdim`...).
"""


def packets(names: str) -> tuple[str, ...]:
    """The packets of ops given by name, with a trailing `(_)` for both the op and its in-place form."""
    found: list[str] = []
    for name in names.split():
        plain = name.removesuffix("(_)")
        found += [f"aten.{plain}", f"aten.{plain}_"] if plain != name else [f"aten.{name}"]
    return tuple(found)
