"""The page itself: languages, keyboard, small screens, accessibility, safety and weight."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect
from visitor import Visitor, await_poem, poem_of

import yinshi

PAGE = Path(yinshi.__file__).parent / "apps" / "web" / "page"
#: Of few drafts: here it is the page that counts.
QUATRAIN = "/?form=五绝&seed=1&candidates=8"
REGULATED = "/?form=七律&seed=2&rhyme=東&candidates=8"


@pytest.mark.parametrize(
    ("locale", "language", "word"),
    [
        ("zh-TW", "zh-Hant", "作詩"),
        ("zh-CN", "zh-Hans", "作诗"),
        ("fr-FR", "en", "Write"),
    ],
)
def test_the_language_is_the_browsers(
    visitor: Visitor, locale: str, language: str, word: str
) -> None:
    page = visitor.open(QUATRAIN, locale=locale, awaits=False)
    expect(page.get_by_role("radio", name=word)).to_be_checked()
    assert page.evaluate("document.documentElement.lang") == language


def test_the_language_switches_and_stays(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN, locale="zh-CN")
    poem = poem_of(page)
    page.get_by_role("radio", name="English").check()
    expect(page.get_by_role("button", name="Write a poem")).to_be_visible()
    assert poem_of(page) == poem
    page.reload()
    expect(page.get_by_role("button", name="Write a poem")).to_be_visible()


def test_everything_has_its_words_in_each_language(visitor: Visitor) -> None:
    page, shown = visitor.open(QUATRAIN), {}
    for name in ("正體中文", "简体中文", "English"):
        page.get_by_role("radio", name=name).check()
        shown[name] = "".join(page.locator(".desk, .tools, footer, .hint").all_inner_texts())
    names_of_forms = dict.fromkeys(map(ord, "五七絕律排"))
    assert not re.search("[\u4e00-\u9fff]", shown["English"].translate(names_of_forms))
    assert set("絕體韻網") & set(shown["正體中文"])
    assert not set("絕體韻網") & set(shown["简体中文"])


def test_a_poem_with_the_keyboard_alone(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    poem = poem_of(page)
    focused = "document.activeElement"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(f"{focused}.getAttribute('aria-label')") == "給定的字":
            break
    assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") == "solid"
    page.keyboard.type("月")
    page.keyboard.press("Enter")
    page.wait_for_url("**prefix=**")
    await_poem(page)
    poem = poem_of(page)
    assert poem[0] == "月"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(f"{focused}.dataset.index") == "0":
            break
    head = page.locator(".of-one h2")
    expect(head).to_have_text(poem[0])
    for key, at in (
        ("ArrowDown", 1),
        ("ArrowLeft", 6),
        ("ArrowUp", 5),
        ("ArrowRight", 0),
        ("End", 19),
    ):
        page.keyboard.press(key)
        expect(head).to_have_text(poem[at])
    page.keyboard.press("Enter")
    expect(page.locator("button.glyph").nth(19)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    expect(page.locator("button.glyph").nth(19)).to_have_attribute("aria-pressed", "false")


def test_a_poem_is_announced_once_it_is_done(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    status = page.get_by_role("status")
    page.evaluate(
        """() => {
          window.told = [];
          const status = document.querySelector("[role=status]");
          const tell = () => told.push(status.textContent);
          const all = { childList: true, characterData: true, subtree: true };
          new MutationObserver(tell).observe(status, all);
        }"""
    )
    page.get_by_role("button", name="吟一首詩").click()
    while not page.evaluate("told.length"):  # wait_for_function would need unsafe-eval
        page.wait_for_timeout(50)
    await_poem(page)
    told = page.evaluate("told")
    assert len(told) == 1
    assert re.sub(r"[，。？！\s]|詩成：", "", told[0]) == poem_of(page)
    expect(status).to_have_count(1)


def test_a_phone_shows_all_of_it(visitor: Visitor) -> None:
    phone = {"width": 360, "height": 740}
    page = visitor.open(REGULATED, viewport=phone, has_touch=True, is_mobile=True)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) == 360
    box = page.locator(".verses").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.locator("button.glyph").nth(20).tap()
    expect(page.locator(".of-one h2")).to_have_text(poem_of(page)[20])
    expect(page.locator(".of-one h2")).to_be_in_viewport()
    expect(page.locator("button.glyph").nth(20)).to_be_in_viewport()
    page.get_by_role("radio", name="English").check()
    assert page.evaluate(width) == 360
    page.get_by_role("radio", name="Horizontal").check()
    page.locator("summary").last.click()
    page.locator("canvas").wait_for()
    assert page.evaluate(width) == 360


def test_long_poems_wrap(visitor: Visitor) -> None:
    page = visitor.open(
        "/?form=排律:20&seed=2&candidates=8", viewport={"width": 360, "height": 740}
    )
    assert len(poem_of(page)) == 100
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_axe_finds_no_barrier(visitor: Visitor) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visitor.open(f"{REGULATED}&count=2")
    page.get_by_text("更多心願").click()
    page.get_by_text("觀其心").click()
    page.locator("canvas").wait_for()
    page.locator("button.glyph").nth(13).click()
    page.get_by_role("radio", name="改字").check()
    page.locator("button.glyph").nth(3).click()
    assert axe.run(page).response["violations"] == []
    page.emulate_media(color_scheme="dark")
    assert axe.run(page).response["violations"] == []
    page.get_by_role("radio", name="讀詩").check()
    page.get_by_role("button", name="藏卷").click()
    assert axe.run(page).response["violations"] == []


def test_no_script_gets_in(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    policy = page.request.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'owned'";
          document.body.append(script);
        }"""
    )
    assert page.title() != "owned"
    visitor.forgive("Content Security Policy")


def test_the_first_load_is_small(visitor: Visitor) -> None:
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(r'(?:src|href)="/(assets/[^"]+)"', index)
    assert {Path(name).name for name in loaded} == {
        path.name for path in (PAGE / "assets").iterdir()
    }
    assert all(re.search(r"-[0-9A-Z]{8}\.(js|css|svg)$", name) for name in loaded)
    contents = [index.encode(), *((PAGE / name).read_bytes() for name in loaded)]
    assert sum(len(gzip.compress(content)) for content in contents) < 150_000


def test_it_is_built_from_its_sources() -> None:
    web = Path(__file__).parents[4] / "web"
    if not web.is_dir():
        pytest.skip("needs the sources of the page, which are in the repository")
    sources = [path for path in (web / "src").rglob("*") if path.is_file()]
    names = [path.relative_to(web).as_posix() for path in sources]
    found = hashlib.sha256()
    for name in sorted([*names, "build.mjs", "package-lock.json"]):
        found.update(f"{name}\n".encode() + (web / name).read_bytes())
    built_from = (PAGE / "built-from.txt").read_text(encoding="ascii").strip()
    assert found.hexdigest() == built_from, "run `make page`"


def test_nothing_in_it_leads_elsewhere() -> None:
    own = {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1998/Math/MathML",
        "http://www.w3.org/1999/xlink",
    }
    for path in PAGE.rglob("*.*"):
        found = re.findall(r"https?://[\w./]+", path.read_text(encoding="utf-8"))
        assert {url.rstrip("/") for url in found} <= own | {"http://www.w3.org/1999/xhtml"}, path


def test_title_and_style_are_asked_where_the_network_knows_them(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    sent = []

    def untold(route: Route) -> None:
        told = route.fetch().json()
        told["models"][0] |= {"conditions": [], "styles": [], "dynasties": []}
        route.fulfill(json=told)

    def keep(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or ""))
        route.abort()

    page.route("**/api/models", untold)
    page.reload()
    await_poem(page)
    page.get_by_text("更多心願").click()
    assert page.get_by_label("題目").count() == 0
    page.unroute("**/api/models")
    page.reload()
    await_poem(page)
    page.route("**/api/poems/stream", keep)
    page.get_by_text("更多心願").click()
    page.get_by_label("題目").fill("登高")
    page.get_by_label("擬某家").fill("李白")
    page.get_by_label("朝代").select_option("宋")
    page.get_by_role("button", name="吟一首詩").click()
    expect(page.get_by_role("alert")).to_contain_text("連線斷了")
    asked = {"form": "五绝", "title": "登高", "style": "李白", "dynasty": "宋", "model": "poet"}
    assert {name: sent[0][name] for name in asked} == asked
    visitor.forgive("ERR_FAILED")


def test_motion_is_reduced_where_it_is_unwanted(visitor: Visitor) -> None:
    page = visitor.open(QUATRAIN)
    page.evaluate("document.querySelector('.verses').innerHTML = '<span class=drafted>月</span>'")
    found = {}
    for wanted in ("reduce", "no-preference"):
        page.emulate_media(reduced_motion=wanted)
        style = page.locator(".drafted").evaluate("e => getComputedStyle(e).animationName")
        found[wanted] = style
    assert found == {"reduce": "none", "no-preference": "inked"}
