"""`yinshi.scan` measured: poems a second, real regulated verse that passes, planted errors caught.

    python benchmarks/scan.py [--archive ../shared/corpus/chinese-poetry-99ebbef.tar.xz]

Seconds are of one core's time. The regulated verse is that of 唐詩三百首, by the form that its
tags name. An error is planted in a poem of eight lines that passes: at a fixed place (the second,
fourth, sixth or last of a line) a character of one tone gives way to one of the other tone alone,
drawn from the poems themselves.
"""

from __future__ import annotations

import argparse
import json
import random
import tarfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import yinshi
from yinshi.prosody.scan import Scan, split_lines

ARCHIVE = Path(__file__).parents[2] / "shared" / "corpus" / "chinese-poetry-99ebbef.tar.xz"
TAGS = {"五言律诗": "五律", "七言律诗": "七律", "七言绝句": "七绝", "五言绝句": "五绝"}
SHAPES = {"五律": (8, 5), "七律": (8, 7), "七绝": (4, 7), "五绝": (4, 5)}
CATALOGUE = "唐诗三百首.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, default=ARCHIVE)
    parser.add_argument("--planted", type=int, default=20, help="errors a poem (default 20)")
    arguments = parser.parse_args()
    poems = read(arguments.archive)
    all_texts = ["".join(poem["paragraphs"]) for name, group in poems.items() for poem in group]
    print_speed([text for text in all_texts if split_lines(text)])
    labelled = regulated(poems[CATALOGUE])
    print_shares(labelled)
    print_planted([text for texts in labelled.values() for text in texts], arguments.planted)


def read(archive: Path) -> dict[str, list[dict[str, list[str]]]]:
    """The first thousand poems of 全唐詩, and 唐詩三百首."""
    found = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            if name in (CATALOGUE, "poet.tang.0.json"):
                file = tar.extractfile(member)
                assert file is not None
                found[name] = json.load(file)
            if len(found) == 2:
                return found
    raise SystemExit(f"{archive}: found no 全唐诗/{CATALOGUE}")


def print_speed(texts: Sequence[str]) -> None:
    yinshi.scan(texts[0])  # reads the table
    print("| pass | poems | poems/s |\n|---|---:|---:|")
    for name in ("first, its characters new", "second"):
        started = time.process_time()
        for text in texts:
            yinshi.scan(text)
        seconds = time.process_time() - started
        print(f"| {name} | {len(texts):,} | {len(texts) / seconds:,.0f} |")


def regulated(poems: Sequence[dict[str, list[str]]]) -> dict[str, list[str]]:
    """Form → texts tagged so, and of its shape: some tagged entries are cycles or cut short."""
    found = defaultdict(list)
    left_out = Counter[str]()
    for poem in poems:
        for form in {TAGS[tag] for tag in poem["tags"] if tag in TAGS}:
            text = "".join(poem["paragraphs"])
            lines = split_lines(text)
            if (len(lines), *{len(line) for line in lines}) == SHAPES[form]:
                found[form].append(text)
            else:
                left_out[form] += 1
    print("\nleft out, not of their form's shape:", dict(left_out))
    return found


def print_shares(labelled: dict[str, list[str]]) -> None:
    print("\n| form | poems | strict | loose | rhyme | all, strict | all, loose |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for form, texts in labelled.items():
        scans = [yinshi.scan(text) for text in texts]
        shares = [
            sum(passes) / len(scans)
            for passes in (
                [in_tones(scan, "strict") for scan in scans],
                [in_tones(scan, "loose") for scan in scans],
                [scan.is_clean("off") for scan in scans],
                [scan.is_clean("strict") for scan in scans],
                [scan.is_clean("loose") for scan in scans],
            )
        ]
        print(f"| {form} | {len(scans)} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")


def in_tones(scan: Scan, tones: str) -> bool:
    forbidden = ("fault", "minor") if tones == "strict" else ("fault",)
    return scan.is_regulated and not any(
        fault.severity in forbidden for fault in scan.faults if not fault.is_of_rhyme
    )


def print_planted(texts: Sequence[str], each: int) -> None:
    print("\n| tones | passing poems of 8 lines | planted | caught | of them named there |")
    print("|---|---:|---:|---:|---:|")
    for tones in ("strict", "loose"):
        rng = random.Random(0)
        passing = [t for t in texts if len(split_lines(t)) == 8 and yinshi.scan(t).is_clean(tones)]
        characters = [c for text in passing for line in split_lines(text) for c in line]
        caught = named = 0
        for text in passing:
            for _ in range(each):
                changed, line, position = plant(text, characters, rng)
                scan = yinshi.scan(changed)
                caught += not scan.is_clean(tones)
                places = {(f.line, f.position) for f in scan.faults if f.severity != "note"}
                named += (line, position) in places
        planted = each * len(passing)
        print(
            f"| {tones} | {len(passing)} | {planted:,} | {caught / planted:.1%} "
            f"| {named / planted:.1%} |"
        )


def plant(text: str, characters: Sequence[str], rng: random.Random) -> tuple[str, int, int]:
    """`text` with one tone wrong, and where: line and position from 1."""
    scan = yinshi.scan(text)
    places = [
        (i, j)
        for i, line in enumerate(scan.lines)
        for j, wanted in enumerate(line.pattern)
        if (j % 2 or j == len(line.text) - 1) and tone_class(line.tones[j]) == wanted
    ]
    i, j = rng.choice(places)
    lines = [line.text for line in scan.lines]
    wrong = {"平": "仄", "仄": "平"}[scan.lines[i].pattern[j]]
    while True:
        character = rng.choice(characters)
        if tone_class(yinshi.scan(character).lines[0].tones[0]) == wrong:
            break
    lines[i] = lines[i][:j] + character + lines[i][j + 1 :]
    return "，".join(lines), i + 1, j + 1


def tone_class(tones: str) -> str:
    """平, 仄, or "" for a character that is both or unknown."""
    classes = {"平" if tone == "平" else "仄" for tone in tones}
    return "" if len(classes) > 1 or tones == "？" else classes.pop()


if __name__ == "__main__":
    main()
