"""`yinshi scan`: the tones and rhymes of poems, and what is wrong with them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from yinshi.errors import SourceError, UsageError
from yinshi.prosody.scan import OLD_STYLE, OTHER, Fault, Line, Scan, scan, split_lines

#: tone → its colour; 入, which modern Chinese has lost, stands out.
COLOURS = {"平": "green", "上": "yellow", "去": "yellow", "入": "magenta"}
SEVERITIES = {"fault": "red", "minor": "yellow", "note": "bright_black"}
#: From so many verse lines on, one line of a file may be a poem of its own.
SHORTEST_POEM = 4


@click.command("scan", short_help="Explain the tones and rhymes of poems.")
@click.argument("file", required=False, default="-", metavar="[FILE|-]")
@click.option("--summary", is_flag=True, help="Only the shares by form.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: str, summary: bool, as_json: bool) -> None:
    """Say form, pattern, tones and rhymes of each poem in FILE, and every fault with its place.

    Poems are parted by blank lines, or stand one a line as `title::author::text`. Tones and
    rhymes are those of 平水韻; the rules are in docs/prosody.md.

    \b
        echo 白日依山盡，黃河入海流。欲窮千里目，更上一層樓。 | yinshi scan
        yinshi write 月 --count 5 | yinshi scan
    """
    poems = poems_of(_read(file))
    if not poems:
        raise UsageError(f"{_name(file)}: found no Chinese verse, expected poems, UTF-8")
    scans = [scan(poem) for poem in poems]
    if as_json:
        told = {"poems": [found.to_dict() for found in scans], "summary": summary_of(scans)}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    if not summary:
        click.echo("\n".join(map(_card, scans)), nl=False)
    if len(scans) > 1 or summary:
        click.echo(("" if summary else "\n") + _table(summary_of(scans)))


def poems_of(text: str) -> list[str]:
    """The poems of a file: parted by blank lines, or without any, one a line.

    Without blank lines, several lines that each hold four lines of verse are a poem each; other
    lines together are one poem. `title::author::` before a text goes.
    """
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.strip():
            blocks[-1].append(line.rpartition("::")[2])
        else:
            blocks.append([])
    if len(blocks) == 1 and all(len(split_lines(line)) >= SHORTEST_POEM for line in blocks[0]):
        blocks = [[line] for line in blocks[0]]
    poems = ["\n".join(block) for block in blocks]
    return [poem for poem in poems if split_lines(poem)]


def summary_of(scans: Iterable[Scan]) -> dict[str, dict[str, int]]:
    """Form → poems, and how many of them are clean in strict tones, loose tones, and rhyme."""
    counts: dict[str, Counter[str]] = {}
    for found in scans:
        counted = counts.setdefault(found.form, Counter(poems=0, strict=0, loose=0, rhyme=0))
        counted["poems"] += 1
        for name, tones in (("strict", "strict"), ("loose", "loose"), ("rhyme", "off")):
            counted[name] += found.is_clean(tones)  # type: ignore[arg-type]
    most = sorted(counts.items(), key=lambda item: -item[1]["poems"])
    return {form: dict(counted) for form, counted in most}


def _read(file: str) -> str:
    content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{_name(file)}: not UTF-8 (byte {error.start}), expected a UTF-8 text; convert it, "
            "for example by iconv -f GB18030 -t UTF-8"
        ) from None


def _name(file: str) -> str:
    return "standard input" if file == "-" else file


def _card(found: Scan) -> str:
    """One poem: a heading, a row for each line, a row for each fault."""
    facts = [click.style(found.form, bold=True)]
    if found.pattern and found.rhyme:
        facts += [found.pattern, f"{found.rhyme}韻"]
    if found.is_regulated:
        facts.append(_verdict(found))
    rows = ["  ".join(facts)]
    rows += [_row(line, i, found.faults) for i, line in enumerate(found.lines, 1)]
    rows += [
        f"  {click.style(str(fault), fg=SEVERITIES[fault.severity])}" for fault in found.faults
    ]
    return "\n".join(rows) + "\n"


def _verdict(found: Scan) -> str:
    if found.is_clean("strict"):
        return click.style("clean", fg="green")
    if found.is_clean("loose"):
        return click.style("clean in loose tones", fg="yellow")
    return click.style("with faults", fg="red")


def _row(line: Line, number: int, faults: Sequence[Fault]) -> str:
    """The text, faulty characters marked; each one's tone; the pattern; the rhyme."""
    faulty = {
        fault.position: SEVERITIES[fault.severity]
        for fault in faults
        if fault.line == number and fault.severity != "note"
    }
    text = "".join(
        click.style(character, fg=faulty.get(i), bold=i in faulty)
        for i, character in enumerate(line.text, 1)
    )
    wanted = line.pattern or "中" * len(line.text)
    tones = [_tone(*pair) for pair in zip(line.tones, wanted, strict=True)]
    coloured = "".join(click.style(tone, fg=COLOURS.get(tone)) for tone in tones)
    return "  ".join(part for part in ("", text, coloured, line.pattern, line.rhyme or "") if part)


def _tone(tones: str, wanted: str) -> str:
    """The tone in which a character is read here: one that fits the pattern, 中 if several do."""
    fitting = [t for t in tones if wanted == "中" or (t == "平") == (wanted == "平")] or [*tones]
    oblique = [t for t in fitting if t != "平"]
    return fitting[0] if len(fitting) == 1 or fitting == oblique else "中"


def _table(summary: dict[str, dict[str, int]]) -> str:
    rows = ["form     poems   strict    loose    rhyme"]
    for form, counts in summary.items():
        row = f"{form} {counts['poems']:>9,}"
        if form not in (OLD_STYLE, OTHER):  # in which nothing is judged
            names = ("strict", "loose", "rhyme")
            row += "".join(f" {counts[name] / counts['poems']:8.1%}" for name in names)
        rows.append(row)
    return "\n".join(rows)
