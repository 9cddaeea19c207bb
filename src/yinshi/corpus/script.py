"""Traditional ⇄ simplified characters, by OpenCC's tables.

OpenCC is imported at the first conversion, so that a program which converts nothing stays quick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

#: OpenCC's tables between regional forms of a character, those of the two scripts first.
_VARIANT_TABLES = ("s2t", "t2s", "jp2t", "tw2t", "hk2t", "t2tw", "t2hk", "t2jp")


def to_traditional(text: str) -> str:
    """`text` in traditional characters; ambiguous ones (发) by the phrases they stand in."""
    return _converter("s2t")(text)


def to_simplified(text: str) -> str:
    """`text` in simplified characters."""
    return _converter("t2s")(text)


def simplified_forms(characters: Sequence[str]) -> list[str]:
    """The simplified form of each single character, in one call for all of them.

    >>> simplified_forms(["髮", "發", "月"])
    ['发', '发', '月']
    """
    # A line each, so that no phrase table sees two of them as one word.
    return to_simplified("\n".join(characters)).split("\n") if characters else []


def variants(character: str) -> list[str]:
    """Other forms of `character` by every table, and the forms of those: 桜 → 櫻, 樱."""
    forms = [character]
    for form in forms:
        for table in _VARIANT_TABLES:
            variant = _converter(table)(form)
            if len(variant) == 1 and variant not in forms:
                forms.append(variant)  # the loop goes on over it
    return forms[1:]


@cache
def _converter(table: str) -> Callable[[str], str]:
    from opencc import OpenCC

    convert: Callable[[str], str] = OpenCC(table).convert
    return convert
