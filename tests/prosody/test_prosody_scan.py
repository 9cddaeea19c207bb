from __future__ import annotations

import json
import random
import tarfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from yinshi.corpus.script import to_simplified
from yinshi.errors import UsageError
from yinshi.prosody.forms import Tones, form_named, patterns
from yinshi.prosody.readings import RHYMES, load_table, readings
from yinshi.prosody.scan import Scan, scan, split_lines

CLEAN = {
    "登鸛雀樓": "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。",
    "相思": "紅豆生南國，春來發幾枝。願君多采擷，此物最相思。",
    "春望": "國破山河在，城春草木深。感時花濺淚，恨別鳥驚心。"
    "烽火連三月，家書抵萬金。白頭搔更短，渾欲不勝簪。",
    "山居秋暝": "空山新雨後，天氣晚來秋。明月松間照，清泉石上流。"
    "竹喧歸浣女，蓮動下漁舟。隨意春芳歇，王孫自可留。",
    "楓橋夜泊": "月落烏啼霜滿天，江楓漁火對愁眠。姑蘇城外寒山寺，夜半鐘聲到客船。",
    "登高": "風急天高猿嘯哀，渚清沙白鳥飛迴。無邊落木蕭蕭下，不盡長江滾滾來。"
    "萬里悲秋常作客，百年多病獨登臺。艱難苦恨繁霜鬢，潦倒新停濁酒杯。",
    "錦瑟": "錦瑟無端五十弦，一弦一柱思華年。莊生曉夢迷蝴蝶，望帝春心託杜鵑。"
    "滄海月明珠有淚，藍田日暖玉生煙。此情可待成追憶，只是當時已惘然。",
}
OLD_STYLE = {
    "靜夜思": "牀前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。",
    "靜夜思, 全唐詩": "牀前看月光，疑是地上霜。舉頭望山月，低頭思故鄉。",
    "江雪": "千山鳥飛絕，萬徑人蹤滅。孤舟蓑笠翁，獨釣寒江雪。",
    "春曉": "春眠不覺曉，處處聞啼鳥。夜來風雨聲，花落知多少。",
    "望嶽": "岱宗夫如何，齊魯青未了。造化鍾神秀，陰陽割昏曉。"
    "盪胸生曾雲，決眥入歸鳥。會當凌絕頂，一覽衆山小。",
}


def found(text: str) -> list[tuple[str, int, int, str, str]]:
    return [(f.name, f.line, f.position, f.character, f.severity) for f in scan(text).faults]


@pytest.mark.parametrize("convert", [str, to_simplified], ids=["traditional", "simplified"])
@pytest.mark.parametrize("title", CLEAN)
def test_regulated_verse_is_clean_in_either_script(title: str, convert: type[str]) -> None:
    scanned = scan(convert(CLEAN[title]))
    assert scanned.form == {4: "绝", 8: "律"}[len(scanned.lines)].join(
        ("五" if len(scanned.lines[0].text) == 5 else "七", "")
    )
    assert scanned.is_clean("strict")
    assert scanned.is_clean("loose")
    assert not [fault for fault in scanned.faults if fault.severity != "note"]


@pytest.mark.parametrize("convert", [str, to_simplified], ids=["traditional", "simplified"])
@pytest.mark.parametrize("title", OLD_STYLE)
def test_old_style_verse_is_found_to_be_so(title: str, convert: type[str]) -> None:
    scanned = scan(convert(OLD_STYLE[title]))
    assert scanned.form == "古體"
    assert scanned.faults, "it says why"
    assert not any(scanned.is_clean(tones) for tones in ("strict", "loose", "off"))


def test_everything_about_one_poem() -> None:
    scanned = scan(CLEAN["登鸛雀樓"])
    assert (scanned.pattern, scanned.rhyme) == ("仄起首句不入韻", "尤")
    assert [line.text for line in scanned.lines] == split_lines(CLEAN["登鸛雀樓"])
    assert [line.pattern for line in scanned.lines] == [
        *("中仄平平仄", "平平中仄平", "中平平仄仄", "中仄仄平平")
    ]
    assert [line.rhyme for line in scanned.lines] == [None, "尤", None, "尤"]
    assert scanned.lines[0].tones == ("入", "入", "平", "平", "上")
    assert scanned.lines[0].rhymes == ("陌", "質", "微", "刪", "軫")
    assert scanned.faults == ()


def test_a_polyphone_keeps_all_its_tones_and_fits_by_one() -> None:
    scanned = scan(CLEAN["春望"])
    assert scanned.lines[7].tones[3] == "平去"  # 勝, level here
    assert scanned.lines[7].pattern[3] == "平"


#: Each from a real poem: 王維 渭城曲, 終南別業; 李商隱 樂遊原; 杜甫 登岳陽樓; 錢起; 金昌緒 春怨.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "渭城朝雨浥輕塵，客舍青青楊柳春。勸君更盡一杯酒，西出陽關無故人。",
            [("失粘", 3, 2, "君", "minor"), ("半拗", 3, 5, "一", "note")],
        ),
        (
            "向晚意不適，驅車登古原。夕陽無限好，只是近黃昏。",
            [("大拗", 1, 4, "不", "note")],
        ),
        (
            "打起黃鶯兒，莫教枝上啼。啼時驚妾夢，不得到遼西。",
            [
                ("三平尾", 1, 3, "黃", "minor"),
                ("鄰韻", 1, 5, "兒", "note"),
                ("拗救", 2, 3, "枝", "note"),
            ],
        ),
        (
            "昔聞洞庭水，今上岳陽樓。吳楚東南坼，乾坤日夜浮。"
            "親朋無一字，老病有孤舟。戎馬關山北，憑軒涕泗流。",
            [("拗", 1, 1, "昔", "minor")],
        ),
    ],
)
def test_real_departures(text: str, expected: list[tuple[str, int, int, str, str]]) -> None:
    assert found(text) == expected


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("黃河", "黃海", ("失律", 2, 2, "海", "fault")),
        ("入海流", "入海秋", None),  # 秋 is of the same rhyme
        ("入海流", "入海東", ("出韻", 4, 5, "樓", "fault")),  # of two, the later one strays
        ("入海流", "入海月", ("出韻", 2, 5, "月", "fault")),
        ("入海流", "入海樓", ("重韻", 4, 5, "樓", "fault")),
        ("千里目", "千里山", ("失律", 3, 5, "山", "fault")),
        ("黃河入海流", "萬河入海流", ("孤平", 2, 1, "萬", "minor")),
        ("一層樓", "千層樓", ("三平尾", 4, 3, "千", "minor")),
        ("山盡", "山不", None),  # rare readings don't count: 不 is oblique
        ("山盡", "囗盡", None),  # an unknown character fits
    ],
)
def test_a_change_to_a_clean_poem(
    old: str, new: str, fault: tuple[str, int, int, str, str] | None
) -> None:
    text = CLEAN["登鸛雀樓"].replace(old, new)
    assert text != CLEAN["登鸛雀樓"]
    assert found(text) == ([fault] if fault else [])
    assert scan(text).is_clean("strict") is (fault is None)
    assert scan(text).is_clean("loose") is (fault is None or fault[-1] == "minor")


def test_a_rare_reading_is_told() -> None:
    (fault,) = scan(CLEAN["登鸛雀樓"].replace("依山", "依不")).faults
    assert "never reads it 平" in fault.reason
    assert str(fault).startswith("大拗 (line 1, 4 不): 仄 for 平")


def test_a_rare_rhyme_is_no_rare_tone() -> None:
    (fault,) = scan(CLEAN["登鸛雀樓"].replace("一層樓", "一層平")).faults  # 平: 庚, and rarely 先
    assert fault.reason == "rhymes in 庚, not in 尤"


def test_a_word_that_simplified_characters_write_alike_may_rhyme_twice() -> None:
    text = CLEAN["登鸛雀樓"].replace("入海流", "入海鍾").replace("一層樓", "一層鐘")
    assert found(text) == []
    assert [f.severity for f in scan(to_simplified(text)).faults] == ["note"]


def test_rhyme_alone() -> None:
    scanned = scan(CLEAN["登鸛雀樓"].replace("黃河", "黃海"))
    assert not scanned.is_clean("loose")
    assert scanned.is_clean("off")
    assert not scan(CLEAN["登鸛雀樓"].replace("入海流", "入海東")).is_clean("off")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("秦時明月漢時關。", "其他"),
        ("關關雎鳩，在河之洲。窈窕淑女，君子好逑。", "其他"),
        ("明月幾時有，把酒問青天。不知天上宮闕，今夕是何年。", "其他"),
        ("白日依山盡，黃河入海流。欲窮千里目。", "其他"),
        ("一二三四五，" * 6, "古體"),
        ("慈母手中線，遊子身上衣。臨行密密縫，意恐遲遲歸。誰言寸草心，報得三春暉。", "古體"),
    ],
)
def test_other_shapes(text: str, form: str) -> None:
    scanned = scan(text)
    assert (scanned.form, scanned.faults, scanned.pattern) == (form, (), None)
    assert not scanned.is_clean("loose")


def test_old_style_verse_shows_its_rhymes() -> None:
    rhymes = [line.rhyme for line in scan(OLD_STYLE["望嶽"]).lines]
    assert rhymes == [None, "篠"] * 4


def test_a_pailu() -> None:
    couplets = ["白日依山盡，黃河入海{}。", "欲窮千里目，更上一層{}。"] * 5
    text = "".join(c.format(w) for c, w in zip(couplets, "流樓秋舟愁頭州遊憂收", strict=True))
    scanned = scan(text)
    assert (scanned.form, scanned.rhyme, scanned.is_clean()) == ("五排", "尤", True)


@pytest.mark.parametrize(
    "text",
    [
        "白日依山盡,黃河入海流.欲窮千里目,更上一層樓.",
        "白日依山盡\n黃河入海流\n欲窮千里目\n更上一層樓\n",
        "「白日依山盡，黃河（一作洪河）入海流。\r\n欲窮千里目，《更上》一層樓！」",
        "　白日依山盡　黃河入海流　欲窮千里目　更上一層樓",
    ],
)
def test_punctuation_and_notes_do_not_matter(text: str) -> None:
    assert scan(text) == scan(CLEAN["登鸛雀樓"])


@pytest.mark.parametrize("text", ["", "，。", "hello", "\n\n"])
def test_no_verse(text: str) -> None:
    assert split_lines(text) == []
    with pytest.raises(UsageError, match="expected a poem"):
        scan(text)


def test_as_json() -> None:
    told = json.loads(json.dumps(scan(CLEAN["春望"]).to_dict()))
    assert told["form"] == "五律"
    assert told["clean"] == {"strict": True, "loose": True}
    assert told["lines"][1]["rhyme"] == "侵"


# The guarantee on which the search relies.


@cache
def characters() -> tuple[str, ...]:
    """Known characters, rare ones too, that a text in traditional characters is made of."""
    table = load_table()
    return tuple(sorted(c for c in table.own if c not in table.simplified and c < "\ua000"))


def usual(character: str) -> tuple[set[str], set[str]]:
    """Tone classes, and level rhymes."""
    kept = [r for r in readings(character) if not r.rare]
    classes = {"平" if r.is_level else "仄" for r in kept}
    return classes, {r.rhyme for r in kept if r.is_level}


def compose(form: str, tones: Tones, rng: random.Random) -> tuple[str, str]:
    """Characters drawn at random that fit a pattern, and the rhyme they were drawn for."""
    pattern = rng.choice(patterns(form_named(form)))
    level = [rhyme for rhyme, tone in RHYMES.items() if tone == "平" and rhyme not in "江佳"]
    rhyme = rng.choice(level)
    used = set[str]()
    lines = []
    for options, rhymed in zip(pattern.alternatives(tones), pattern.rhymed, strict=True):
        template, line = rng.choice(options), ""
        for place, wanted in enumerate(template):
            while True:
                character = rng.choice(characters())
                classes, rhymes = usual(character)
                at_rhyme = rhymed and place == len(template) - 1
                if at_rhyme and (rhyme not in rhymes or character in used):
                    continue
                if wanted == "中" or wanted in classes:
                    break
            line += character
        if rhymed:
            used.add(line[-1])
        lines.append(line)
    return "，".join(lines) + "。", rhyme


@pytest.mark.parametrize("tones", ["strict", "loose"])
@pytest.mark.parametrize("form", ["五绝", "七绝", "五律", "七律", "排律:20"])
def test_whatever_fits_a_pattern_scans_clean(form: str, tones: Tones) -> None:
    rng = random.Random(f"{form} {tones}")
    for _ in range(60):
        text, rhyme = compose(form, tones, rng)
        for script in (text, to_simplified(text)):
            scanned = scan(script)
            assert scanned.is_clean(tones), (script, *map(str, scanned.faults))
            assert scanned.form == ("五排" if ":" in form else form)
        assert all(rhyme in usual(line.text[-1])[1] for line in scan(text).lines[1::2])


# Real verse.


@pytest.fixture(scope="module")
def three_hundred(tang_archive: Path) -> dict[str, list[Scan]]:
    """唐詩三百首's regulated verse by its tags; entries cut short or run together are left out."""
    with tarfile.open(tang_archive) as tar:
        name = next(m for m in tar if m.name.endswith("/唐诗三百首.json"))
        poems = json.load(tar.extractfile(name))  # type: ignore[arg-type]
    forms = {"五言律诗": (8, 5), "七言律诗": (8, 7), "七言绝句": (4, 7)}
    scans: dict[str, list[Scan]] = {tag: [] for tag in forms}
    for poem in poems:
        lines = split_lines("".join(poem["paragraphs"]))
        for tag in forms.keys() & set(poem["tags"]):
            if (len(lines), *{len(line) for line in lines}) == forms[tag]:
                scans[tag].append(scan("，".join(lines)))
    return scans


@pytest.mark.parametrize(
    ("tag", "strict", "loose", "rhyme"),
    [
        ("五言律诗", 0.90, 0.95, 0.99),
        ("七言律诗", 0.87, 0.97, 0.97),
        ("七言绝句", 0.95, 0.97, 0.97),
    ],
)
def test_real_regulated_verse_passes(
    tag: str, strict: float, loose: float, rhyme: float, three_hundred: dict[str, list[Scan]]
) -> None:
    scans = three_hundred[tag]
    assert len(scans) >= 48
    assert share([in_tones(s, ("fault", "minor")) for s in scans]) >= strict
    assert share([in_tones(s, ("fault",)) for s in scans]) >= loose
    assert share([s.is_clean("off") for s in scans]) >= rhyme


def in_tones(scanned: Scan, forbidden: Sequence[str]) -> bool:
    tones = [fault for fault in scanned.faults if not fault.is_of_rhyme]
    return scanned.is_regulated and not any(fault.severity in forbidden for fault in tones)


def share(passes: list[bool]) -> float:
    return sum(passes) / len(passes)
