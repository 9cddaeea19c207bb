"""What editors left in the poems, and how it is taken out again.

The texts come from printed critical editions, and bring with them notes `（一作…）`, page marks
`-1498-`, restored characters `[栽]`, characters described by their parts `{木豪}`, lacunae `□`.
A rule is a function from text to text in `RULES`; they apply in that order, and a text in which a
rule leaves no character is a poem dropped by it. What remains consists of Chinese characters and
`PUNCTUATION`, begins with a character and ends a sentence; cleaning it again changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from yinshi.corpus.poem import HAN, PUNCTUATION, Poem

Rule = Callable[[str], str]

#: Characters without a pause; more are prose, or verse left unpunctuated. (韓愈 does write 18.)
LONGEST_LINE = 18


@dataclass
class CleaningStatistics:
    """By rule, how many poems it changed (the dropped ones too), and how many it dropped."""

    touched: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def clean_poems(poems: Iterable[Poem]) -> tuple[list[Poem], CleaningStatistics]:
    """The poems that can be saved, text, title and author cleaned, in the same order."""
    statistics = CleaningStatistics()
    kept = []
    for poem in poems:
        text = clean(poem.text, statistics)
        if text is not None:
            title, author = clean_name(poem.title), clean_name(poem.author)
            kept.append(replace(poem, title=title, author=author, text=text))
    return kept, statistics


def clean(
    text: str, statistics: CleaningStatistics, rules: Sequence[Rule] | None = None
) -> str | None:
    """`text` after `rules`, `RULES` for None, or None where one of them drops it; counts into
    `statistics`."""
    if _CLEAN.fullmatch(text):  # most poems; no rule would change them
        return text
    if not _CHARACTER.search(text):
        statistics.dropped["empty"] += 1
        return None
    for rule in RULES if rules is None else rules:
        before, text = text, rule(text)
        if text != before:
            statistics.touched[rule.__name__] += 1
        if not _CHARACTER.search(text):
            statistics.dropped[rule.__name__] += 1
            return None
    return text


def clean_name(name: str) -> str:
    """A title or an author without notes, footnote marks and needless space; perhaps empty."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    for rule in (notes, editorial_brackets, footnote_marks, restored_characters):
        name = rule(name)
    return " ".join(_UNPRINTABLE.sub(" ", name).split())


# The rules, in the order in which they apply.


def standard_forms(text: str) -> str:
    """Half-width and variant punctuation 「,」→「，」, compatibility characters 豈 → 豈, no space.

    In a text without any punctuation, space separates the lines and becomes 「，」.
    """
    text = text.translate(_STANDARD_PUNCTUATION)
    text = _COMPATIBILITY.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)
    pause = "" if _PAUSE.search(text) else "，"
    return pause.join(text.split())


def notes(text: str) -> str:
    """Notes in round brackets, nested too; one never closed runs to the end of the text.

    「爲君分（更）作斷腸流。」 → 「爲君分作斷腸流。」
    """
    return _outside(text, "（", "）")


def editorial_brackets(text: str) -> str:
    """〖the editor's remarks〗 and 〔the key in which a hymn is sung〕."""
    return _outside(_outside(text, "〖", "〗"), "〔", "〕")


def page_marks(text: str) -> str:
    """The page of the printed edition: 「移林夾道-1435-暑天涼」."""
    return _PAGE_MARK.sub("", text)


def footnote_marks(text: str) -> str:
    """「路指[一三]三危迥」 → 「路指三危迥」. At the start of a line, [五] is restored."""
    return _FOOTNOTE_MARK.sub("", text)


def citations(text: str) -> str:
    """From the first sentence that names its source (以上…《…》卷二十) to the end of the text."""
    if "《" not in text:
        return text
    sentences = _SENTENCE.findall(text)
    cited = (i for i, sentence in enumerate(sentences) if _CITATION.search(sentence))
    return "".join(sentences[: next(cited, None)])


def described_characters(text: str) -> str:
    """{木豪}, ⿰木豪 or a private code point: a character that can't be written is a lacuna □."""
    return _DESCRIBED.sub("□", text)


def restored_characters(text: str) -> str:
    """「不[啄]太倉粟」 → 「不啄太倉粟」; brackets around anything else, [H.70x], are a lacuna □."""
    return _RESTORED.sub(lambda match: match[1] if _CHARACTER.search(match[1]) else "□", text)


def quotation_marks(text: str) -> str:
    """Marks of speech and of titles go, the words stay: 「更欲賦《閒居》」 → 「更欲賦閒居」."""
    return _QUOTATION_MARKS.sub("", text)


def stray_symbols(text: str) -> str:
    """Whatever is no character, punctuation or lacuna: digits, letters, odd brackets, /, ·."""
    return _SYMBOL.sub("", text)


def lacunae(text: str) -> str:
    """A hole □ at the end of a poem costs its last sentences; followed by a whole one, the poem."""
    sentences = _SENTENCE.findall(text)
    whole = [not _LACUNA.search(sentence) for sentence in sentences]
    first_hole = whole.index(False) if False in whole else len(whole)
    return "" if any(whole[first_hole:]) else "".join(sentences[:first_hole])


def punctuation(text: str) -> str:
    """None at the beginning, no two in a row (。？！ prevail), one of 。？！ at the end."""
    text = _PAUSES.sub(_strongest, text.lstrip(PUNCTUATION))
    if not text or text[-1] in "。？！":
        return text
    return text.rstrip(PUNCTUATION) + "。"


def catalogue_entries(text: str) -> str:
    """A lost poem of which the catalogue knows 詩題：… or 首句：… is no poem."""
    return "" if _CATALOGUE_ENTRY.match(text) else text


def prose(text: str) -> str:
    """Prefaces that got in as poems: a line over `LONGEST_LINE`, or a word of the 全唐詩 itself."""
    return "" if _PROSE.search(text) else text


RULES: tuple[Rule, ...] = (
    standard_forms,
    notes,
    editorial_brackets,
    page_marks,
    footnote_marks,
    citations,
    described_characters,
    restored_characters,
    quotation_marks,
    stray_symbols,
    lacunae,
    punctuation,
    catalogue_entries,
    prose,
)

#: Those that change how a poem is written; the others decide whether it is kept, and how much.
NORMALISING: tuple[Rule, ...] = tuple(
    rule for rule in RULES if rule not in (lacunae, catalogue_entries, prose)
)

# What the rules look for. `_HOLES` stand for lost characters (… for lost lines).

_HOLES = "□■○●◇◆〓…＝=＊*"
_CLEAN = re.compile(f"(?:[{HAN}]{{1,{LONGEST_LINE}}}+[，。？！；、])++(?<=[。？！])")
_CHARACTER = re.compile(f"[{HAN}{_HOLES}]")
_PAUSE = re.compile(f"[{PUNCTUATION}]")
_PAUSES = re.compile(f"[{PUNCTUATION}]{{2,}}")
_SENTENCE = re.compile("[^。？！；]*[。？！；]+|[^。？！；]+")
_LACUNA = re.compile(f"[{_HOLES}]")
_SYMBOL = re.compile(f"[^{HAN}{PUNCTUATION}{_HOLES}]")
_PROSE = re.compile(f"[{HAN}]{{{LONGEST_LINE + 1}}}|全唐[詩诗]")
_QUOTATION_MARKS = re.compile("[「」『』“”‘’〈〉《》\"']")
_STANDARD_PUNCTUATION = str.maketrans(
    ",.;:!?()［］｛｝【】．｡､﹐﹑﹒﹔﹕﹖﹗", "，。；：！？（）[]{}〖〗。。、，、。；：？！"
)
_COMPATIBILITY = re.compile("[\u2f00-\u2fdf\uf900-\ufaff\U0002f800-\U0002fa1f]")
_PAGE_MARK = re.compile(r"[-－—]\d+[-－—]")
_FOOTNOTE_MARK = re.compile(rf"(?<=[^{PUNCTUATION}])\[[一二三四五六七八九十百○〇]+\]")
_DESCRIBED = re.compile(r"\{[^{}]*\}|[{}\u2e80-\u2eff\u2ff0-\u2fff\ue000-\uf8ff]")
_RESTORED = re.compile(r"\[([^\[\]]*)\]")
_CITATION = re.compile(
    "^按：《|^以上[^，]*《|^[見见]《|^原[載载]《"
    "|》[^，。？！；《》]{0,6}卷|》[一二三四五六七八九十百○〇]+[《：]"
)
_CATALOGUE_ENTRY = re.compile("(?:[詩诗][題题]|首句|句首|出[處处]|附注)：")
_PLAIN_NAME = re.compile(f"[{HAN}]*")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def _outside(text: str, opening: str, closing: str) -> str:
    """`text` without what stands between the brackets; a closing bracket too many just goes."""
    if opening not in text and closing not in text:
        return text
    kept = []
    depth = 0
    for piece in re.split(f"([{opening}{closing}])", text):
        if piece == opening:
            depth += 1
        elif piece == closing:
            depth = max(0, depth - 1)
        elif depth == 0:
            kept.append(piece)
    return "".join(kept)


def _strongest(marks: re.Match[str]) -> str:
    return next((mark for mark in marks[0] if mark in "。？！"), marks[0][0])
