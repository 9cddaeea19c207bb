"""Reading the tables of a report, for tests."""

from __future__ import annotations

from pathlib import Path


def tables(path: Path) -> list[list[dict[str, str]]]:
    """Each table of the Markdown file `path`: a dictionary a row, by header."""
    found: list[list[list[str]]] = []
    before = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        before = line
    return [
        [dict(zip(headers, row, strict=True)) for row in rows] for headers, _rule, *rows in found
    ]
