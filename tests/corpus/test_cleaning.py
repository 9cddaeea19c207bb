"""Every rule on lines from the corpus, what it must leave alone, and what holds of any text."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yinshi.corpus.cleaning import (
    HAN,
    LONGEST_LINE,
    PUNCTUATION,
    RULES,
    CleaningStatistics,
    catalogue_entries,
    citations,
    clean,
    clean_name,
    clean_poems,
    described_characters,
    editorial_brackets,
    footnote_marks,
    lacunae,
    notes,
    page_marks,
    prose,
    punctuation,
    quotation_marks,
    restored_characters,
    standard_forms,
    stray_symbols,
)
from yinshi.corpus.poem import Poem
from yinshi.corpus.sources import read_sources

COUPLET = "白日依山盡，黃河入海流。"
QUATRAIN = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"


def cleaned(text: str) -> str | None:
    return clean(text, CleaningStatistics())


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("咦!擘破乾坤一玄牝,挐將日影掛林梢.", "咦！擘破乾坤一玄牝，挐將日影掛林梢。"),
        ("九日重陽節 三秋季月殘", "九日重陽節，三秋季月殘"),
        ("黃河入海流。 欲窮千里目，", "黃河入海流。欲窮千里目，"),
        ("爲君分(更)作", "爲君分（更）作"),
        ("菊花催晚［氣］", "菊花催晚[氣]"),
        ("\uf900雲⽇", "豈雲日"),  # a compatibility ideograph and a Kangxi radical
    ],
)
def test_standard_forms(found: str, expected: str) -> None:
    assert standard_forms(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("別有嶺頭鳴咽處，爲君分（更）作斷腸流。", "別有嶺頭鳴咽處，爲君分作斷腸流。"),
        (
            "稱尊莫不尊。（一本作「遵」。（「稱尊」，作「知尊」。））且能行禮樂",
            "稱尊莫不尊。且能行禮樂",
        ),
        ("晴遊鹿引麛。（《唐詩紀事》五八《李洞》。", "晴遊鹿引麛。"),  # never closed
        ("居人笑老子，醉髮亂鬅鬙）。", "居人笑老子，醉髮亂鬅鬙。"),  # never opened
        (COUPLET, COUPLET),
    ],
)
def test_notes(found: str, expected: str) -> None:
    assert notes(found) == expected


def test_notes_span_paragraphs() -> None:
    """The source joins paragraphs before the rule sees them."""
    paragraphs = ["白日依山盡（一作", "落。），黃河入海流。"]
    assert cleaned("".join(paragraphs)) == COUPLET


def test_deeply_nested_notes_take_linear_time() -> None:
    assert notes("（" * 200_000 + "）" * 200_000 + "月") == "月"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("流到滄溟日，翻濤更好看。〖2〗。", "流到滄溟日，翻濤更好看。。"),
        ("〔黄鍾爲宮〕奉先嚴祀，率禮大經。", "奉先嚴祀，率禮大經。"),
    ],
)
def test_editorial_brackets(found: str, expected: str) -> None:
    assert editorial_brackets(found) == expected


def test_page_marks() -> None:
    assert page_marks("密竹移林夹道-1435-暑天凉。-730-。") == "密竹移林夹道暑天凉。。"
    assert page_marks("一百五日今朝是") == "一百五日今朝是"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("路指[一三]三危迥，士馬[甦][一四]。", "路指三危迥，士馬[甦]。"),
        ("崩[一○]臺鶴胃若弦聲", "崩臺鶴胃若弦聲"),
        ("各各覓高枝。[五]更分散去", "各各覓高枝。[五]更分散去"),  # restored: 五更分散去
        ("[一]片冰心", "[一]片冰心"),
    ],
)
def test_footnote_marks(found: str, expected: str) -> None:
    assert footnote_marks(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("船擁清溪尚一樽。以上宋陸游《老學庵筆記》卷九。", "船擁清溪尚一樽。"),
        ("被唾如今見亦羞。按：《全唐詩》卷八一○收此首，缺題，今重錄。", "被唾如今見亦羞。"),
        ("金谷千年更不春。見《太平廣記》卷四八九引。今人校錄。", "金谷千年更不春。"),
        ("信脚到太古。《誠齋集》卷一一四《詩話》ff。", "信脚到太古。"),
        ("出處：宋《錦綉萬花谷》前集卷七。", ""),
        (
            "自卑而尊人。《相鼠》與《茅鴟》，宜鑒詩人剌。",
            "自卑而尊人。《相鼠》與《茅鴟》，宜鑒詩人剌。",
        ),
        ("家藏一卷古《孝經》，皆得力。", "家藏一卷古《孝經》，皆得力。"),
        ("撫卷一長歎。以上便爲太微宮。", "撫卷一長歎。以上便爲太微宮。"),
    ],
)
def test_citations(found: str, expected: str) -> None:
    assert citations(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("疲{艹/尔}竟何人", "疲□竟何人"),
        ("千溪{山|穴/大}屼透雲間", "千溪□屼透雲間"),
        ("知音{開", "知音□開"),
        ("人多⿰忄霍", "人多□忄霍"),
        ("香爐\ue829下烟霞客", "香爐□下烟霞客"),
    ],
)
def test_described_characters(found: str, expected: str) -> None:
    assert described_characters(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("不[啄]太倉粟，[接梨過半箸]", "不啄太倉粟，接梨過半箸"),
        ("三秋[□]漢初", "三秋□漢初"),
        ("何人坐有[H。70x]氊", "何人坐有□氊"),
    ],
)
def test_restored_characters(found: str, expected: str) -> None:
    assert restored_characters(found) == expected


def test_quotation_marks() -> None:
    assert quotation_marks("更欲賦《閒居》。“歡”「『悲』」〈〉") == "更欲賦閒居。歡悲"


def test_stray_symbols() -> None:
    assert stray_symbols("Ｂ亂後碧井廢，留玩/。況0]·ff𥌓〇□。") == "亂後碧井廢，留玩。況𥌓〇□。"


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("石上真□健筆題。風月滿堂無地着。", ""),
        ("吉語來何晚，將軍□素書。", ""),
        ("跡雖寄戎旅，心已混樵漁。吉語來何晚，將軍□素書。", "跡雖寄戎旅，心已混樵漁。"),
        ("空房妾獨居。鬢髪沒情梳。□□，□□。□□，□□。", "空房妾獨居。鬢髪沒情梳。"),
        ("林藏●●多殘笋。少落花。", ""),
        ("一言深悟主。……天地包羞日。山河匿怨中。", ""),
        (COUPLET, COUPLET),
    ],
)
def test_lacunae(found: str, expected: str) -> None:
    assert lacunae(found) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("只樵歌催日晚。。", "只樵歌催日晚。"),
        ("步兵從宦豈論錢？。但願", "步兵從宦豈論錢？但願。"),
        ("。，白日依山盡，", "白日依山盡。"),
        ("南浦，；、北山：", "南浦，北山。"),
        ("黃河入海流，。欲窮", "黃河入海流。欲窮。"),
        (COUPLET, COUPLET),
    ],
)
def test_punctuation(found: str, expected: str) -> None:
    assert punctuation(found) == expected


def test_catalogue_entries() -> None:
    assert catalogue_entries("詩題：茶首句：漁舟晚。") == ""
    assert catalogue_entries("首句：煌煌世胄餘。") == ""
    assert catalogue_entries("歌曰：麥苗芃芃兮鶬鶊飛。") == "歌曰：麥苗芃芃兮鶬鶊飛。"


def test_prose() -> None:
    long = "唐貞元時縣人董生召南隱居行義於其中"
    assert prose(long + "。") == long + "。"
    assert prose("月" * LONGEST_LINE + "。") != ""
    assert prose("月" * (LONGEST_LINE + 1) + "。") == ""
    assert prose("專補全唐詩。") == ""


def test_rules_work_together() -> None:
    found = "優哉遵渚鴻，自得養身旨（作「志（英華）」）。-12-不[啄]太倉粟[二]，飲。（同前）。"
    assert cleaned(found) == "優哉遵渚鴻，自得養身旨。不啄太倉粟，飲。"


@pytest.mark.parametrize(
    "text",
    [QUATRAIN, "歌曰：麥苗芃芃兮鶬鶊飛！", "金烏飛、玉兔走；何處去？", "一二三四五，𡇼〇㑳。"],
)
def test_a_clean_poem_is_left_alone(text: str) -> None:
    statistics = CleaningStatistics()
    assert clean(text, statistics) == text
    assert not statistics.touched
    assert not statistics.dropped


def test_statistics_count_poems_by_rule() -> None:
    poems = [
        Poem("登樓", "王", QUATRAIN, "s"),
        Poem("甲", "乙", "白日（一）依山（二）盡，黃河入海流。", "s"),
        Poem("丙", "丁", "白□依山盡（一作落），黃河入海流。", "s"),
        Poem("戊", "己", "白□依山。黃河入海流。", "s"),
        Poem("庚", "辛", "", "s"),
        Poem("壬", "癸", "（此首重出）。", "s"),
    ]
    kept, statistics = clean_poems(poems)
    assert [poem.text for poem in kept] == [QUATRAIN, COUPLET]
    assert statistics.touched == {"notes": 3, "lacunae": 2}
    assert statistics.dropped == {"lacunae": 2, "empty": 1, "notes": 1}


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("望秦川歌  其一", "望秦川歌 其一"),
        ("句（《永樂大典》題作《偶題》）", "句"),
        ("曹菘〖1〗", "曹菘"),
        ("敦煌人作品[一]", "敦煌人作品"),
        ("送[韓]（劉）\u3000歸", "送韓 歸"),
        ("梅\ud800花\x00", "梅 花"),
        ("登鸛雀樓", "登鸛雀樓"),
    ],
)
def test_clean_name(found: str, expected: str) -> None:
    assert clean_name(found) == expected


_MESS = st.text(
    st.sampled_from(
        "月山□…（）〖〗〔〕[]{}《》「」，。？！；、：,.!|/·-1一二○ 詩題首句按以上卷A⿰豈\ue829"
    )
    | st.characters(codec="utf-8"),
    max_size=60,
)
_SHAPE = re.compile(f"[{HAN}][{HAN}{PUNCTUATION}]*[。？！]")


@given(_MESS)
def test_any_text_becomes_a_clean_one_or_none(text: str) -> None:
    result = cleaned(text)
    if result is not None:
        assert _SHAPE.fullmatch(result)
        assert not re.search(f"[{PUNCTUATION}]{{2}}", result)
        assert cleaned(result) == result


@given(st.text(st.sampled_from("月山卷，。？！；、"), min_size=1, max_size=80))
def test_the_quick_way_agrees_with_the_rules(text: str) -> None:
    """`clean` lets clean texts pass unseen: the rules must indeed have nothing to do there."""
    result = text
    for rule in RULES:
        result = rule(result)
    assert (cleaned(text) or "") == result


def test_the_tang_archive_after_cleaning(tang_archive: Path) -> None:
    poems = read_sources([tang_archive], "tang").poems
    kept, statistics = clean_poems(poems)
    assert len(poems) - len(kept) == statistics.dropped.total()
    assert 0.985 < len(kept) / len(poems) < 0.995
    assert all(_SHAPE.fullmatch(poem.text) for poem in kept)
    assert statistics.touched["notes"] == 4591


def test_the_simplified_archive_after_cleaning(simplified_archive: Path) -> None:
    poems = read_sources([simplified_archive], "tang").poems
    kept, statistics = clean_poems(poems)
    assert 0.97 < len(kept) / len(poems) < 0.99
    assert all(_SHAPE.fullmatch(poem.text) for poem in kept)
    assert statistics.touched["page_marks"] == 1425
