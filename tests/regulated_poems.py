"""Regulated poems of the Tang that scan clean, and a random model of their characters."""

from __future__ import annotations

from tiny_models import tiny_model

from yinshi.corpus.vocabulary import Vocabulary
from yinshi.model_file import ModelFile

POEMS = {
    "登鸛雀樓": "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。",
    "楓橋夜泊": "月落烏啼霜滿天，江楓漁火對愁眠。姑蘇城外寒山寺，夜半鐘聲到客船。",
    "春望": "國破山河在，城春草木深。感時花濺淚，恨別鳥驚心。"
    "烽火連三月，家書抵萬金。白頭搔更短，渾欲不勝簪。",
    "山居秋暝": "空山新雨後，天氣晚來秋。明月松間照，清泉石上流。"
    "竹喧歸浣女，蓮動下漁舟。隨意春芳歇，王孫自可留。",
    "登高": "風急天高猿嘯哀，渚清沙白鳥飛迴。無邊落木蕭蕭下，不盡長江滾滾來。"
    "萬里悲秋常作客，百年多病獨登臺。艱難苦恨繁霜鬢，潦倒新停濁酒杯。",
    "錦瑟": "錦瑟無端五十絃，一絃一柱思華年。莊生曉夢迷蝴蝶，望帝春心託杜鵑。"
    "滄海月明珠有淚，藍田日暖玉生煙。此情可待成追憶，只是當時已惘然。",
}

#: More rhyme words, and what simplified wishes can mean: 發 or 髮.
MORE = (
    "東風中空紅同公宮窮通鴻從先前千年邊眠憐仙弦田川懸悠遊洲浮頭收憂由鷗"
    "真人春新塵身親鄰頻津秦臣發髮後后雲夏冬南西北夜雪"
)


def verse_model(seed: int = 0) -> ModelFile:
    """A random model that knows the characters of `POEMS` and of `MORE`."""
    characters = "".join(dict.fromkeys("，。" + "".join(POEMS.values()) + MORE))
    return tiny_model(characters, seed=seed)


def vocabulary() -> Vocabulary:
    return verse_model().vocabulary
