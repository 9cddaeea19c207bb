"""唐 or 宋? Poems labelled by dynasty, split by author: a task of our own for classifiers.

The poems of the Tang and of the Song come from two editions, and a classifier is quick to learn the
edition instead of the poems: 隠 stands there for 隱 5,393 times in the Song, never in the Tang. So
that only words and subjects can tell,

- all texts are in simplified characters, and glyphs of one character become one glyph (`GLYPHS`);
- no marks but ， and 。 are left, and no poem with a hole in it that somebody wrote 囗;
- an author stands in one file only, with no more than `CAP` poems; what has no author, an author
  found in both collections, and what stands in both collections is left out.

What prepared the poems has already kept only the first of several with the very same text; so of a
poem that stands unchanged in both collections the Tang one is here.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from yinshi.atomic import write_atomically
from yinshi.corpus.dataset import Dataset
from yinshi.corpus.poem import HAN, Poem
from yinshi.corpus.splits import near_duplicate_groups, split
from yinshi.errors import DataError, UsageError

#: Part of a source's name → label.
LABELS = {"tang": "唐", "song": "宋"}
#: Share of the poems in each file.
FILES = {"train": 8, "dev": 1, "test": 1}
#: Most poems of one author: 陆游 alone left 9,000.
CAP = 100

#: One character each, the glyph that stays first. Candidates were the pairs of glyphs in the
#: UniVariants table (Koichi and Motoko Yasuoka, 1997) and in OpenCC's, and characters that stand
#: among the same others; these are the ones of which the two editions prefer different glyphs.
#: Words are left apart even where one does the other's work: 做 is not 作, 毋 is not 无.
GLYPHS = """
只祇秖秪祗衹 回廻囘廽 羁羇覊覉 窗牕窻窓 匆悤怱忩 岩嵒嵓巌 总緫惣摠 剑劒劔 疏疎踈 郁鬰欝 杯桮盃
翻飜繙 飙飚飇 蕊蘂蕋 斗鬬鬭 并竝倂 仿髣倣 粗麤麄 摇揺飖 皋皐臯 丛藂樷 效効傚 碗盌椀 啖噉啗 砖甎塼
驱駈敺 衔衘啣 船舩舡 粳稉秔 锄耡鉏 乃迺廼 莺鶑鸎 醾醿䕷 洼窊漥 舵柁柂 稿藁稾 盏醆琖 欹攲敧 袅褭嫋
欢驩懽 宁寜甯 尊樽罇 联聨聮 隐隠 猿猨 净浄 沈沉 惭慙 妆粧 赖頼 懒嬾 阶堦 愧媿 高髙 趁趂 叫呌 鸦鵶
棹櫂 蛇虵 驴馿 闹閙 睹覩 扫埽 雁鴈 餐飡 佛髴 发髪 污汚 榜牓 边邉 棋碁 宽寛 软輭 绵緜 漱潄 饼餠
村邨 炉𬬻 涅湼 幂羃 觑覰 吝恡 艳艶 圭珪 卫衞 迥逈 仙僊 黏粘 欻歘 毗毘 岁歳 锁鏁 每毎 婿壻 柏栢
辄輙 隙隟 羌羗 楫檝 磷燐 关闗 缠纒 篦箆 远逺 犁犂 奁匳 朵朶 叙敍 蠹蠧 颖颕 怀懐 塔墖 褒襃 廛鄽
游逰 敛歛 蜂蠭 渴渇 滟灔 瓶缾 戏戯 敕勅 误悮 期朞 焰燄 克尅 历歴 带帯 歌謌 邻隣 鬣鬛 勋勲 斲斵
稳穏 纤纎 款欵 解觧 击撃 赊賖 同仝 豆荳 球毬 耕畊 蒂蔕 蚁螘 嗅齅 羹羮 曳曵 卮巵 果菓 霸覇 冤寃
鼓皷 宴䜩 酱醤 铁鐡 璃瓈 滨濵 怪恠 乡郷 冰氷 搜捜 彝彜 默黙 橹樐 户戸 览覧 征徴 馈餽 样様 专専
签籖 苏甦 暖煖 逼偪 馁𫗪 瓷甆 瑰瓌 凭凴 拗抝 腊臈 萸茰 荔茘 寇冦 萼蕚 泪涙 坏壊 址阯 准凖 遁遯
叠疉 繁緐 呪咒 倦勌 瘦痩 养飬 纵縦 庄荘 谏諌 写冩 陕陜 衽袵 系繋 捏揑 姻婣 攒攅 昂昻 场塲 崖厓
峨峩 淫婬 燕鷰 黑黒 腮顋 陀陁 舄舃 递遰 裙帬 胸胷 癯臞 答荅 映暎 梨棃 丘邱 炯烱 筒筩 釜釡 旆斾
他它 舆轝 颦嚬 算筭 踏蹋 洁絜 焦燋 氓甿 斝斚 幕幙 概槩 剩賸 管筦 篪箎 唯惟 眯瞇 咳欬 胁脇 囊嚢
獐麞 煮煑 罂甖 往徃 肠膓 鬓髩 貌貎 觅覔 亩畆 橐槖 砻礲 憔顦 悴顇 早蚤 旁傍 淡澹 途涂 奈柰 伫𥩟
拼𢬵 殷慇 漫熳 圆圎 娟姢 图圗 虚虗 薰薫 憩憇 妒妬 耀燿 雏鶵 俎爼 揭掲 砧碪 艰囏 颓頺 照炤 糕餻
剪翦 渺淼 阒閴 俯俛 贻诒 坂阪 喧諠 浥裛 鳌鼇 恍怳 雠讐
"""

#: The same for words: 徘徊 is 裴回 in most pages of the Tang.
SPELLINGS = {"裴回": "徘徊", "凤皇": "凤凰", "寂莫": "寂寞", "岐路": "歧路", "路岐": "路歧"}

#: What editors write where they know no author.
_ANONYMOUS = re.compile("无名|佚名|不详|未详|失名|失姓名|阙名|歌辞")
_ONE_NAME = re.compile(f"[{HAN}]+")
_HOLE = "囗"
_SOURCE = re.compile(r"poet\.(tang|song)\.\d+\.json")

_SPELLING = re.compile("|".join(SPELLINGS))
_ONE_GLYPH = {
    ord(other): group[0] for group in GLYPHS.split() for other in group[1:]
} | str.maketrans("？！；、：", "。。。，，")


class Row(NamedTuple):
    """A line of a file."""

    label: str
    text: str
    author: str


@dataclass(frozen=True)
class DynastySet:
    """`files`: name → rows, half of them of each dynasty. `left_out`: why → how many poems."""

    files: dict[str, list[Row]]
    left_out: dict[str, int]

    def save(self, folder: str | Path) -> None:
        """Write train.tsv, dev.tsv and test.tsv to a new folder, all of them or nothing.

        Tab-separated without quoting, under the header label, text, author. Raises UsageError where
        the folder is there and not empty.
        """
        folder = Path(folder).resolve()
        check_new(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as beside:
            building = Path(beside, "new")
            building.mkdir()
            for name, rows in self.files.items():
                lines = ("\t".join(row) + "\n" for row in [Row._fields, *rows])
                write_atomically(building / f"{name}.tsv", "".join(lines).encode())
            if folder.exists():
                folder.rmdir()
            os.rename(building, folder)


def check_new(folder: str | Path) -> None:
    """Raises UsageError unless `folder` is absent or empty."""
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: found something there, expected a new folder; choose another")


def dynasty_set(dataset: Dataset, poems: int = 20_000, seed: int = 0) -> DynastySet:
    """Up to `poems` of each dynasty, 80 : 10 : 10 in train, dev and test as nearly as whole authors
    allow; the same ones for the same seed.

    `dataset` is prepared with `--collection all --script simplified`. Raises DataError where it has
    other characters, one dynasty only, or too few authors.
    """
    if dataset.options.script != "simplified":
        raise DataError(
            f"{dataset.folder}: found {dataset.options.script} characters, expected simplified "
            "ones; prepare it with --script simplified"
        )
    everything = [poem for name in dataset.splits for poem in dataset.split(name)]
    rows, left_out = _usable(everything)
    for part, label in LABELS.items():
        if all(row.label != label for row in rows):
            raise DataError(
                f"{dataset.folder}: found no poem of the {label} to use, expected both dynasties "
                f"(poet.{part}.N.json); prepare it with --collection all"
            )
    rng = np.random.default_rng(seed)
    rows = [rows[i] for i in rng.permutation(len(rows))]
    capped = _few_of_each_author(rows)
    sides = [_split_by_author(capped, label, seed) for label in LABELS.values()]
    files = {}
    for (name, share), *parts in zip(FILES.items(), *sides, strict=True):
        count = min(round(poems * share / sum(FILES.values())), *map(len, parts))
        if not count:
            raise DataError(
                f"{dataset.folder}: found too few authors to fill {name}, expected ten or more of "
                "each dynasty; prepare more poems"
            )
        drawn = [row for part in parts for row in part[:count]]
        files[name] = [drawn[i] for i in rng.permutation(len(drawn))]
    left_out[f"over {CAP} of one author"] = len(rows) - len(capped)
    left_out["not drawn"] = len(capped) - sum(map(len, files.values()))
    return DynastySet(files, left_out)


def one_spelling(text: str) -> str:
    """`text` by `GLYPHS` and `SPELLINGS`, with no marks but ， and 。.

    >>> one_spelling("隠几牕前；鶑啼裴回？")
    '隐几窗前。莺啼徘徊。'
    """
    return _SPELLING.sub(lambda found: SPELLINGS[found[0]], text.translate(_ONE_GLYPH))


def _usable(poems: Sequence[Poem]) -> tuple[list[Row], dict[str, int]]:
    """(what is left, why the others were not → how many of them), each for the first reason."""
    found = [(poem, _SOURCE.fullmatch(poem.source)) for poem in poems]
    rows = [
        Row(LABELS[match[1]], one_spelling(poem.text), one_spelling(poem.author))
        for poem, match in found
        if match
    ]
    groups = near_duplicate_groups([row.text for row in rows]).tolist()
    of_author, of_group = defaultdict[str, set[str]](set), defaultdict[int, set[str]](set)
    for row, group in zip(rows, groups, strict=True):
        of_author[row.author].add(row.label)
        of_group[group].add(row.label)
    seen: set[int] = set()
    reasons: dict[str, Callable[[Row, int], bool]] = {
        "without an author": lambda row, _: not _is_one_author(row.author),
        "by authors of both dynasties": lambda row, _: len(of_author[row.author]) > 1,
        "with a hole": lambda row, _: _HOLE in row.text,
        "in both collections": lambda _, group: len(of_group[group]) > 1,
        "near-duplicates": lambda _, group: group in seen,
    }
    left_out = {"of other sources": len(poems) - len(rows)} | dict.fromkeys(reasons, 0)
    kept = []
    for row, group in zip(rows, groups, strict=True):
        why = next((why for why, holds in reasons.items() if holds(row, group)), None)
        if why:
            left_out[why] += 1
        else:
            seen.add(group)
            kept.append(row)
    return kept, left_out


def _is_one_author(name: str) -> bool:
    """Whether it is a name, and of one person: 「魏徵、褚亮」 are two, 「周□」 is half a name."""
    return bool(_ONE_NAME.fullmatch(name)) and not _ANONYMOUS.search(name)


def _few_of_each_author(rows: Iterable[Row]) -> list[Row]:
    """The first `CAP` of each."""
    count: Counter[str] = Counter()
    kept = []
    for row in rows:
        count[row.author] += 1
        if count[row.author] <= CAP:
            kept.append(row)
    return kept


def _split_by_author(rows: Sequence[Row], label: str, seed: int) -> list[list[Row]]:
    """The rows of one dynasty for each of `FILES`, in order."""
    rows = [row for row in rows if row.label == label]
    authors = np.unique([row.author for row in rows], return_inverse=True)[1]
    return [[rows[i] for i in part] for part in split(authors, tuple(FILES.values()), seed)]
