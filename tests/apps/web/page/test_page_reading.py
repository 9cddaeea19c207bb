"""Reading in a browser: what scan and network say of a poem and its characters."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from visitor import Visitor, poem_of

TOWER = "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。"


def note_of(page: Page, term: str) -> str:
    """What the margin says under a term."""
    return page.locator(f".of-one dl div:has(dt:text-is('{term}')) dd").inner_text().strip()


def test_a_poem_pasted_in_is_scanned(visitor: Visitor) -> None:
    page = visitor.open("/?form=五绝&seed=1&candidates=8", locale="en-GB")
    page.get_by_role("radio", name="Read").check()
    page.get_by_label("A poem, its lines parted by marks").fill(TOWER)
    page.get_by_role("button", name="Read", exact=True).click()
    page.wait_for_url("**text=**")
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text("五絕 · 仄起首句不入韻 · 尤韻")
    expect(page.locator(".of-poem")).to_contain_text("No fault")
    rhyming = page.locator("button.glyph.rhyme")
    assert [each[0] for each in rhyming.all_inner_texts()] == ["流", "樓"]
    colours = rhyming.evaluate_all("all => all.map(e => getComputedStyle(e).color)")
    others = page.locator("button.glyph:not(.rhyme)").first
    assert len(set(colours)) == 1
    assert others.evaluate("e => getComputedStyle(e).color") not in colours
    told = visitor.ask("/api/score", {"text": TOWER})
    expect(page.locator(".of-poem")).to_contain_text(f"Perplexity {told['perplexity']:.1f}")


def test_a_character_tells_its_tone_demand_and_chance(visitor: Visitor) -> None:
    page = visitor.open(f"/?text={TOWER}", locale="en-GB")
    score = visitor.ask("/api/score", {"text": TOWER})["characters"]
    glyphs = page.locator("button.glyph")
    glyphs.nth(9).hover()  # 流
    assert page.locator(".of-one h2").inner_text() == "流"
    assert note_of(page, "Tone") == "level 平"
    assert note_of(page, "Rhyme group") == "尤 rhyme word"
    assert note_of(page, "The pattern asks") == "level 平"
    chance = note_of(page, "Chance, says the network")
    assert f"surprise {score[10]['nats']:.1f} nats" in chance  # its mark counts too
    assert f"{score[10]['rank']} of 7871" in chance
    glyphs.nth(0).hover()
    assert note_of(page, "Tone") == "entering 入"
    assert note_of(page, "The pattern asks") == "either"
    glyphs.nth(0).click()
    page.mouse.move(2, 2)  # chosen, it stays
    assert page.locator(".of-one h2").inner_text() == "白"
    offered = [each["character"] for each in score[0]["alternatives"]]
    assert page.locator(".alternatives .poetry").all_inner_texts() == offered


def test_faults_are_marked_and_named_in_the_language_of_the_reader(visitor: Visitor) -> None:
    page = visitor.open(f"/?text={TOWER.replace('樓', '山')}")
    faulty = page.locator("button.glyph.fault")
    assert [each[0] for each in faulty.all_inner_texts()] == ["山"]
    expect(page.locator(".remark-text")).to_have_text(
        "出韻 病 第 4 句第 5 字「山」：不在全詩的韻部"
    )
    page.get_by_role("radio", name="English").check()
    expect(page.locator(".remark-text")).to_contain_text("rhymes in 刪, not in 尤")
    expect(faulty).to_have_accessible_name("山, level 平, rhyme word 刪, 出韻")


def test_tone_marks_beside_the_characters(visitor: Visitor) -> None:
    page = visitor.open(f"/?text={TOWER}")
    page.get_by_label("標平仄").check()
    marks = {"tone level": "○", "tone oblique": "●", "tone either": "◐"}
    found = page.locator(".glyph .tone").evaluate_all("all => all.map(e => e.className)")
    assert "".join(marks[each] for each in found) == "●●○○●○○●●○●○○●●◐●●○○"


def test_a_poem_that_the_network_cannot_read_is_scanned_all_the_same(visitor: Visitor) -> None:
    page = visitor.open("/?text=龘日依山盡，黃河入海流。欲窮千里目，更上一層樓。")
    expect(page.locator(".verdict")).to_contain_text("五絕")
    answer = page.request.post("/api/score", data={"text": "龘日依山盡。"})
    if answer.ok:
        pytest.skip("this network reads what it has never seen")
    expect(page.locator(".of-poem")).to_contain_text("網絡讀不了這首詩")
    visitor.forgive("422")


def test_text_is_never_read_as_html(visitor: Visitor) -> None:
    page = visitor.open(
        "/?text=<img src=x onerror=document.title=1>白日依山盡，黃河入海流。", awaits=False
    )
    expect(page.locator("button.glyph")).to_have_count(10)
    assert page.locator("img").count() == 0
    expect(page.locator(".of-poem")).to_contain_text("網絡讀不了這首詩")
    visitor.forgive("422")
    assert "<" in page.locator(".verses").inner_text()


def test_the_network_at_work(visitor: Visitor) -> None:
    page = visitor.open(f"/?text={TOWER}", locale="en-GB")
    page.get_by_text("See inside").click()
    heat = page.get_by_role("img", name="Cell tanh c")
    told = visitor.ask("/api/score", {"text": TOWER, "gates": True})
    characters, gates = told["characters"], told["gates"]
    assert heat.evaluate("e => [e.width, e.height]") == [len(TOWER) - 1, len(gates["units"])]
    nats = [each["nats"] for each in characters]
    most = characters[nats.index(max(nats))]
    curve = page.get_by_role("img", name="Surprise of each character")
    expect(curve).to_have_accessible_name(
        f"Surprise of each character (−log p, nats): Mean {told['nats_per_character']:.2f}; "
        f"the most surprising is {most['character']} ({max(nats):.1f}), "
        f"the least {characters[nats.index(min(nats))]['character']} ({min(nats):.1f})."
    )
    points = curve.locator("polyline").get_attribute("points")
    assert points is not None
    heights = [100 - float(point.split(",")[1]) for point in points.split()]
    assert heights == pytest.approx([96 * each / max(nats) for each in nats], abs=1e-6)
    page.get_by_text("As a table").click()
    rows = page.locator("tbody tr").all_inner_texts()
    assert [row.split("\t") for row in rows] == [
        [
            each["character"],
            f"{each['nats']:.2f}",
            *(f"{gates[gate][t]:.3f}" for gate in ("input", "forget", "output")),
        ]
        for t, each in enumerate(characters[:-1])
    ] + [["⏎", f"{nats[-1]:.2f}", "", "", ""]]
    page.get_by_role("radio", name="Forget gate f").check()
    heat = page.get_by_role("img", name="Forget gate f")
    box = heat.bounding_box()
    assert box is not None
    heat.hover(position={"x": 1.5 * box["width"] / len(gates["cell"]), "y": 1})
    expect(page.locator(".told")).to_have_text(
        f"At 日, unit {gates['units'][0]}: {gates['forget_units'][1][0]:.2f}"
    )


def test_a_poem_of_ones_own_can_be_changed_too(visitor: Visitor) -> None:
    page = visitor.open(f"/?text={TOWER}")
    page.get_by_role("radio", name="改字").check()
    for k in (15, 16):
        page.locator("button.glyph").nth(k).click()
    page.get_by_role("button", name="重寫 2 字").click()
    page.wait_for_url("**keep=**")
    page.locator(".verdict strong").wait_for()
    poem = poem_of(page)
    assert poem[:15] + poem[17:] == "白日依山盡黃河入海流欲窮千里目一層樓"
