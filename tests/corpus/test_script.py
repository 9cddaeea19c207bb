"""Conversion between the scripts, and the variants an error message can name."""

from __future__ import annotations

import subprocess
import sys

from yinshi.corpus.script import simplified_forms, to_simplified, to_traditional, variants


def test_a_line_in_both_scripts() -> None:
    assert to_simplified("黃河入海流，更上一層樓。") == "黄河入海流，更上一层楼。"
    assert to_traditional("举头望明月，紅红。") == "舉頭望明月，紅紅。"


def test_phrases_decide_ambiguous_characters() -> None:
    assert to_traditional("白发三千丈，出发。") == "白髮三千丈，出發。"


def test_simplified_forms_are_per_character_and_in_order() -> None:
    assert simplified_forms(["髮", "發", "月", "，"]) == ["发", "发", "月", "，"]
    assert simplified_forms([]) == []


def test_neighbours_in_the_list_make_no_phrase() -> None:
    """乾坤 keeps 乾 as a phrase; of the single characters 乾 becomes 干."""
    assert to_simplified("乾坤") == "乾坤"
    assert simplified_forms(["乾", "坤"]) == [to_simplified("乾"), "坤"] == ["干", "坤"]


def test_variants() -> None:
    assert {"櫻", "樱"} <= set(variants("桜"))
    assert "紅" in variants("红")
    assert "峯" in variants("峰")
    assert variants("山") == []
    assert "红" not in variants("红")


def test_importing_the_module_does_not_load_opencc() -> None:
    program = "import sys, yinshi.corpus.script; sys.exit('opencc' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
