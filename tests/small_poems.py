"""A small collection of our own for tests: quatrains put together from lines written for them."""

from __future__ import annotations

import numpy as np

from yinshi.corpus.poem import Poem

LINES = [
    "春山新雨後", "夜半一燈明", "風過竹聲細", "花開江上城",
    "舟行千里月", "雁去萬重雲", "酒盡人初散", "霜來葉自聞",
    "白日沈西嶺", "清泉出石門", "故園秋草綠", "古寺暮鐘昏",
    "小徑無人到", "寒窗有客吟", "溪聲長在耳", "山色不離心",
]  # fmt: skip


def quatrain(rng: np.random.Generator) -> str:
    first, second, third, fourth = rng.choice(LINES, size=4, replace=False)
    return f"{first}，{second}。{third}，{fourth}。"


def small_poems(count: int, seed: int = 0) -> list[Poem]:
    rng = np.random.default_rng(seed)
    return [Poem(f"其{n}", "無名", quatrain(rng), "small.txt") for n in range(count)]
