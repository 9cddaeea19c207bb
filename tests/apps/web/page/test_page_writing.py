"""Writing in a browser: wishes, the address of a poem, changing it, and what goes wrong."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect
from visitor import Visitor, await_poem, poem_of, written

#: Of few drafts: here it is the page that counts.
QUATRAIN = "/?form=五绝&seed=3&candidates=8"
CLIPBOARD = ["clipboard-read", "clipboard-write"]
STREAM = "**/api/poems/stream"


def query(page: Page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def button(page: Page, name: str | re.Pattern[str]) -> None:
    page.get_by_role("button", name=name, exact=isinstance(name, str)).click()


def test_a_first_visit_finds_a_poem_that_its_address_keeps(visitor: Visitor) -> None:
    page = visitor.open()
    poem, asked = poem_of(page), query(page)
    assert len(poem) == 20
    assert asked["form"] == "五绝"
    address = page.url
    page.goto(address)
    await_poem(page)
    assert poem_of(page) == poem
    assert page.url == address


def test_wishes_are_written_as_the_api_writes_them(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    page.get_by_role("radio", name="藏頭").check()
    page.get_by_label("給定的字").fill("春夏秋冬")
    page.get_by_role("radio", name="七絕").check()
    page.get_by_text("更多心願").click()
    page.get_by_label("韻", exact=True).select_option("先")
    page.get_by_label("膽量").fill("0.9")
    before = page.url
    button(page, "吟一首詩")
    page.wait_for_url(lambda url: url != before)
    await_poem(page)
    asked = query(page)
    assert asked.pop("seed").isdecimal()
    assert asked == {
        "acrostic": "春夏秋冬",
        "form": "七绝",
        "rhyme": "先",
        "temperature": "0.9",
        "candidates": "8",
        "model": "poet",
    }
    poem = poem_of(page)
    assert poem[::7] == "春夏秋冬"
    body = {**asked, "temperature": 0.9, "candidates": 8, "seed": int(query(page)["seed"])}
    assert poem == written(visitor.ask("/api/poems", body)["poems"][0]["text"])


def test_an_address_is_its_poem_in_a_fresh_browser_and_back_and_forward(visitor: Visitor) -> None:
    address = "/?prefix=月&form=五律&seed=12&no_repeat=true&lines=3:____雪"
    page = visitor.open(address)
    poem = poem_of(page)
    body = {"prefix": "月", "form": "五律", "seed": 12, "no_repeat": True, "lines": {"3": "____雪"}}
    assert poem == written(visitor.ask("/api/poems", body)["poems"][0]["text"])
    assert (poem[0], poem[14]) == ("月", "雪")
    expect(page.get_by_label("給定的字")).to_have_value("月")
    first = page.url
    button(page, "吟一首詩")
    page.wait_for_url(lambda url: url != first)
    await_poem(page)
    other = poem_of(page)
    assert other != poem
    page.go_back()
    expect(page.locator("button.glyph").nth(1)).to_contain_text(poem[1])
    assert poem_of(page) == poem
    page.go_forward()
    expect(page.locator("button.glyph").nth(1)).to_contain_text(other[1])
    assert poem_of(page) == other
    assert poem_of(visitor.open(first)) == poem


def test_locked_characters_stay_and_the_rest_is_redrawn(visitor: Visitor) -> None:
    page = visitor.open("/?form=七绝&seed=4")
    poem, first = poem_of(page), page.url
    page.get_by_role("radio", name="改字").check()
    glyphs = page.locator("button.glyph")
    for k in (7, 8, 9, 10):
        glyphs.nth(k).click()
    expect(glyphs.nth(8)).to_have_attribute("aria-pressed", "true")
    expect(glyphs.nth(11)).to_have_attribute("aria-pressed", "false")
    glyphs.nth(10).click()  # locked again
    button(page, "重寫 3 字")
    page.wait_for_url("**keep=**")
    await_poem(page)
    redrawn = poem_of(page)
    assert redrawn != poem
    assert redrawn[:7] + redrawn[10:] == poem[:7] + poem[10:]
    assert query(page)["keep"].count("□") == 3
    assert query(page)["tones"] == "strict"
    button(page, "撤銷")
    expect(page.get_by_role("button", name="撤銷")).to_be_disabled()
    assert (poem_of(page), page.url) == (poem, first)
    button(page, "重做")
    expect(page.get_by_role("button", name="重做")).to_be_disabled()
    assert poem_of(page) == redrawn


def test_an_alternative_takes_the_place(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    poem = poem_of(page)
    page.locator("button.glyph").nth(8).click()
    offered = page.locator(".alternatives button:enabled")
    assert page.locator(".alternatives button").count() == 5
    taken = offered.locator(".poetry").all_inner_texts()
    k = next(k for k, each in enumerate(taken) if each != poem[8])
    offered.nth(k).click()
    page.wait_for_url("**text=**")
    await_poem(page)
    changed = poem[:8] + taken[k] + poem[9:]
    assert poem_of(page) == changed
    page.keyboard.press("Control+z")
    expect(page.locator("button.glyph").nth(8)).to_contain_text(poem[8])
    assert poem_of(page) == poem


def test_the_script_of_the_poem_switches(visitor: Visitor) -> None:
    page = visitor.open("/?form=七律&seed=2&rhyme=東")
    poem = poem_of(page)
    page.get_by_role("radio", name="簡體").check()
    page.wait_for_url("**script=simplified**")
    await_poem(page)
    body = {"form": "七律", "seed": 2, "rhyme": "東", "script": "simplified"}
    simplified = written(visitor.ask("/api/poems", body)["poems"][0]["text"])
    assert simplified != poem
    assert poem_of(page) == simplified
    page.get_by_role("radio", name="繁體").check()
    page.wait_for_url(lambda url: "script" not in url)
    assert poem_of(page) == poem


def test_an_alternative_in_simplified_characters(visitor: Visitor) -> None:
    page = visitor.open("/?text=白日依山尽，黄河入海流。欲穷千里目，更上一层楼。&script=simplified")
    page.locator("button.glyph").nth(2).click()
    character = page.locator(".alternatives button:enabled .poetry").first
    # It comes as the network has it, then in the script of the poem.
    page.locator(".alternatives .tone").first.wait_for()
    taken = character.inner_text()
    character.click()
    page.wait_for_url(lambda url: taken in parse_qs(urlsplit(url).query)["text"][0])
    await_poem(page)
    assert poem_of(page) == f"白日{taken}山尽黄河入海流欲穷千里目更上一层楼"


def test_several_poems_each_with_its_own_address(visitor: Visitor) -> None:
    page = visitor.open("/?prefix=月&count=3&seed=7", permissions=CLIPBOARD)
    texts = [
        p["text"]
        for p in visitor.ask("/api/poems", {"prefix": "月", "count": 3, "seed": 7})["poems"]
    ]
    cards = page.get_by_role("group", name="諸首").get_by_role("button")
    assert cards.count() == 3
    cards.nth(2).click()
    await_poem(page)
    assert poem_of(page) == written(texts[2])
    button(page, "抄錄連結")
    page.get_by_role("button", name="已抄錄").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(link).query)["seed"] == ["9"]
    page.goto(link)
    await_poem(page)
    assert poem_of(page) == written(texts[2])


def test_favourites_stay_in_this_browser(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    poem, address = poem_of(page), urlsplit(page.url).query
    button(page, "收藏")
    page.goto("/?form=五绝&seed=4&candidates=8")
    await_poem(page)
    page.reload()
    await_poem(page)
    assert poem_of(page) != poem
    page.get_by_role("button", name="藏卷").click()
    page.get_by_role("dialog").get_by_role("link").click()
    page.wait_for_url(f"**?{address}")
    await_poem(page)
    assert poem_of(page) == poem
    page.get_by_role("button", name="藏卷").click()
    button(page, "移除")
    assert page.evaluate("localStorage['yinshi.favourites']") == "[]"


@pytest.mark.parametrize("kind", ["SVG", "PNG"])
def test_the_poem_is_saved_as_a_picture(visitor: Visitor, kind: str, tmp_path: Path) -> None:
    page = visitor.open(QUATRAIN)
    with page.expect_download() as download:
        button(page, f"存為 {kind}")
    saved = tmp_path / "poem"
    download.value.save_as(saved)
    poem = poem_of(page)
    assert download.value.suggested_filename == f"{poem[:5]}.{kind.lower()}"
    if kind == "PNG":
        content = saved.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
        assert width > height > 700  # four columns in a frame, at twice the size
    else:
        drawn = re.findall("<text[^>]*>(.)</text>", saved.read_text(encoding="utf-8"))
        assert written("".join(drawn)) == f"{poem}吟詩"


def test_a_wish_that_cannot_be_met_says_why(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN, locale="en-GB")
    poem, before = poem_of(page), page.url
    page.get_by_role("radio", name="Acrostic").check()
    page.get_by_label("Characters you give").fill("春夏秋冬花")
    button(page, "Write a poem")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("This wish cannot be met.")
    expect(alert).to_contain_text("acrostic 春夏秋冬花: found 5 characters, 五绝 has 4 lines")
    assert (poem_of(page), page.url) == (poem, before)
    page.get_by_role("radio", name="正體中文").check()
    expect(alert).to_contain_text("這個心願難以成全。")
    page.get_by_label("給定的字").fill("春夏秋冬")
    button(page, "吟一首詩")
    page.wait_for_url("**acrostic=**")
    expect(alert).to_be_empty()
    visitor.forgive("422")


def test_a_busy_server_is_tried_again_later(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    full = {"Retry-After": "7"}
    page.route(
        STREAM, lambda route: route.fulfill(status=503, headers=full, json={"detail": "full"})
    )
    button(page, "吟一首詩")
    expect(page.get_by_role("alert")).to_contain_text("7 秒後再試")
    visitor.forgive("503")


def test_the_server_stops_in_the_middle(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    poem, before = poem_of(page), page.url
    draft = '{"event": "draft", "poem": 0, "text": "月明", "progress": 0.1}\n'
    page.route(STREAM, lambda route: route.fulfill(content_type="application/x-ndjson", body=draft))
    button(page, "吟一首詩")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("連線斷了")
    assert (poem_of(page), page.url) == (poem, before)
    page.unroute(STREAM)
    page.route(STREAM, lambda route: route.abort())
    button(page, "再試")
    expect(alert).to_contain_text("連線斷了")
    page.unroute(STREAM)
    button(page, "再試")
    page.wait_for_url(lambda url: url != before)
    await_poem(page)
    assert len(poem_of(page)) == 20
    expect(alert).to_be_empty()
    visitor.forgive("ERR_FAILED")


def test_a_poem_that_takes_long_shows_its_progress_and_can_be_stopped(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    poem, held = poem_of(page), list[Route]()
    page.route(STREAM, lambda route: held.append(route))
    button(page, "吟一首詩")
    expect(page.get_by_role("progressbar")).to_be_attached()
    with page.expect_event("requestfailed") as stopped:
        button(page, "停")
    assert stopped.value.url.endswith("/api/poems/stream")
    expect(page.get_by_role("alert")).to_contain_text("停筆")
    assert poem_of(page) == poem


def test_characters_appear_as_they_are_chosen(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    page.evaluate(
        """() => {
          window.seen = new Set();
          const look = () => seen.add(document.querySelectorAll(".drafted").length);
          new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
        }"""
    )
    before = page.url
    button(page, "吟一首詩")
    page.wait_for_url(lambda url: url != before)
    await_poem(page)
    grown = sorted(page.evaluate("[...seen]"))
    assert len(grown) > 4  # more than nothing and all
    assert grown[-1] <= 20
