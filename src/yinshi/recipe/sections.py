"""Frozen dataclasses of sections ⇄ nested plain values; all faults at once."""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Mapping
from dataclasses import MISSING, asdict, field, fields, is_dataclass
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

from yinshi.errors import RecipeError

Bound = tuple[float, float]

#: PyTorch's generators take 64 bits.
MAX_SEED = 2**63 - 1


def number(default: Any, low: float, high: float = math.inf) -> Any:
    """A numeric field with its closed range."""
    return field(default=default, metadata={"range": (low, high)})


class Nested:
    """Sections ⇄ nested plain values, all faults at once."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], name: str = "") -> Self:
        """The recipe of nested `values`; raises RecipeError with *all* its faults."""
        faults: list[str] = []
        recipe = build(cls, values, faults)
        if faults:
            raise RecipeError(name or str(values.get("name", "unnamed")), faults)
        assert isinstance(recipe, cls)
        return recipe

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values; what is None is left out."""
        return _without_none(asdict(self))  # type: ignore[call-overload]


def build(
    kind: type,
    values: Mapping[str, Any],
    faults: list[str],
    prefix: str = "",
    top: type | None = None,
) -> Any:
    """An instance of the dataclass `kind`; every fault found is appended to `faults`.

    `prefix` is where it stands in the dataclass `top`.
    """
    top = top or kind
    hints = get_type_hints(kind)
    known = {f.name: f for f in fields(kind)}
    built: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            faults.append(f"unknown key {prefix}{key}{nearest(prefix + key, keys_of(top))}")
            continue
        if is_dataclass(hints[key]):
            if isinstance(value, Mapping):
                built[key] = build(hints[key], value, faults, f"{prefix}{key}.", top)
            else:
                faults.append(f"{prefix}{key}: found {value!r}, expected a section")
            continue
        fault, converted = _convert(value, hints[key], known[key].metadata.get("range"))
        if fault:
            faults.append(f"{prefix}{key}: found {value!r}, expected {fault}")
        else:
            built[key] = converted
    instance = kind(**built)
    if hasattr(instance, "faults"):
        faults += [f"{prefix}{fault}" for fault in instance.faults()]
    return instance


def _convert(value: Any, hint: Any, bounds: Bound | None) -> tuple[str, Any]:
    """(what was expected, or "" if it fits; the value as `hint`'s type)."""
    if get_origin(hint) in (Union, UnionType):
        if value is None:
            return "", None
        hint = next(option for option in get_args(hint) if option is not type(None))
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        return ("" if value in choices else "one of " + ", ".join(choices)), value
    if get_origin(hint) is tuple:
        if isinstance(value, list | tuple) and all(_is_number(v) for v in value):
            return "", tuple(value)
        return "a list of numbers", None
    if hint is float and _is_number(value):
        value = float(value)
    if type(value) is not hint or (hint is float and not _is_number(value)):
        return {int: "a whole number", float: "a number", bool: "true or false"}.get(
            hint, "a text in quotes"
        ), None
    if bounds and not bounds[0] <= value <= bounds[1]:
        low, high = bounds
        return (f"at least {low:g}" if high == math.inf else f"{low:g} to {high:g}"), None
    return "", value


def _is_number(value: Any) -> bool:
    """Whether a finite float can hold it: TOML's whole numbers have no largest."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= sys.float_info.max


def keys_of(kind: type) -> list[str]:
    """Every key of the dataclass `kind`, those of its sections as section.key."""
    keys = []
    for part in fields(kind):
        if part.default is not MISSING and is_dataclass(part.default):
            keys += [f"{part.name}.{f.name}" for f in fields(part.default)]
        keys.append(part.name)
    return keys


def nearest(name: str, names: list[str]) -> str:
    """ ", nearest valid name: …" or nothing. A bare key also finds its section's."""
    found = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if not found:
        last = {n.rpartition(".")[2]: n for n in names}
        found = [last[m] for m in difflib.get_close_matches(name.rpartition(".")[2], last, n=1)]
    return f" (nearest valid name: {found[0]})" if found else ""


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in values.items()
        if value is not None
    }
