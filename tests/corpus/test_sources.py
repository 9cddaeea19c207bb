"""Poems from every kind of source, the same from each; and one clear line for each fault."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from yinshi.corpus import containers
from yinshi.corpus.poem import Poem
from yinshi.corpus.sources import archive_hash, read_sources
from yinshi.errors import SourceError


def entry(text: str, title: str = "題", author: str = "人") -> dict[str, Any]:
    return {"title": title, "author": author, "paragraphs": text.split("|"), "id": "x"}


def poems_file(*texts: str) -> bytes:
    return json.dumps([entry(text) for text in texts], ensure_ascii=False).encode()


#: Name → content; 10000 before 2000 in the alphabet, not by number.
FILES = {
    "root/全唐诗/poet.tang.10000.json": poems_file("丙。"),
    "root/全唐诗/poet.song.0.json": poems_file("宋。"),
    "root/全唐诗/poet.tang.0.json": poems_file("白日依山盡，|黃河入海流。", "甲。"),
    "root/全唐诗/poet.tang.2000.json": poems_file("乙。"),
    "root/全唐诗/authors.tang.json": b"[]",
    "root/rank/poet.tang.rank.0.json": b"[{}]",
    "root/strains/json/poet.tang.0.json": b'[{"strains": []}]',
    "root/README.md": "詩".encode(),
}
TANG = ["白日依山盡，黃河入海流。", "甲。", "乙。", "丙。"]

Pack = Callable[[Path, dict[str, bytes]], Path]


def pack_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def pack_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_bytes(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pack_tar(compress: Callable[[bytes], bytes]) -> Pack:
    def pack(path: Path, files: dict[str, bytes]) -> Path:
        path.write_bytes(compress(tar_bytes(files)))
        return path

    return pack


KINDS: dict[str, Pack] = {
    "folder": pack_folder,
    "a.zip": pack_zip,
    "a.tar": pack_tar(bytes),
    "a.tar.gz": pack_tar(gzip.compress),
    "a.tar.bz2": pack_tar(bz2.compress),
    "a.tar.xz": pack_tar(lzma.compress),
}


def texts(path: Path, collection: str = "tang") -> list[str]:
    return [poem.text for poem in read_sources([path], collection).poems]


def fault(path: Path, collection: str = "all") -> str:
    """The one line that reading `path` ends in."""
    with pytest.raises(SourceError) as raised:
        read_sources([path], collection)
    message = str(raised.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", KINDS)
def test_collections_in_numeric_order(tmp_path: Path, kind: str) -> None:
    path = KINDS[kind](tmp_path / kind, FILES)
    assert texts(path, "tang") == TANG
    assert texts(path, "song") == ["宋。"]
    assert texts(path, "all") == [*TANG, "宋。"]
    first = read_sources([path], "tang").poems[0]
    assert first == Poem("題", "人", TANG[0], "poet.tang.0.json")


def test_the_hash_is_of_the_contents_not_of_the_container(tmp_path: Path) -> None:
    paths = [pack(tmp_path / kind, FILES) for kind, pack in KINDS.items()]
    hashes = read_sources(paths, "all").hashes
    assert list(hashes) == list(KINDS)
    digests = "".join(
        f"{hashlib.sha256(FILES['root/全唐诗/' + name]).hexdigest()}  {name}\n"
        for name in sorted(n.split("/")[-1] for n in list(FILES)[:4])
    )
    assert set(hashes.values()) == {"sha256:" + hashlib.sha256(digests.encode()).hexdigest()}
    assert {archive_hash(path) for path in paths} == set(hashes.values())


def test_the_hash_changes_with_a_byte_that_counts(tmp_path: Path) -> None:
    def hash_of(**changed: bytes) -> str:
        path = pack_zip(
            tmp_path / "a.zip", FILES | {f"root/全唐诗/{k}": v for k, v in changed.items()}
        )
        return read_sources([path], "all").hashes["a.zip"]

    plain = hash_of()
    assert hash_of(**{"authors.tang.json": b"[1]"}) == plain
    assert hash_of(**{"poet.song.0.json": poems_file("宋！")}) != plain
    assert hash_of(**{"poet.song.1.json": b"[]"}) != plain


def test_the_simplified_layout(tmp_path: Path) -> None:
    simplified = {"chinese-poetry-zhCN-master/poetry/poet.tang.0.json": poems_file("红。")}
    assert texts(pack_zip(tmp_path / "s.zip", simplified)) == ["红。"]


def test_several_sources_one_behind_the_other(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    one = pack_zip(tmp_path / "a.zip", {"poet.tang.0.json": poems_file("一。")})
    two = pack_zip(tmp_path / "b" / "a.zip", {"poet.tang.0.json": poems_file("二。")})
    sources = read_sources([one, two], "tang")
    assert [poem.text for poem in sources.poems] == ["一。", "二。"]
    assert list(sources.hashes) == ["a.zip", "a.zip (2)"]
    assert len(set(sources.hashes.values())) == 2


def test_a_single_json_file(tmp_path: Path) -> None:
    path = tmp_path / "唐诗三百首.json"
    path.write_bytes(poems_file("月。"))
    assert texts(path, "song") == ["月。"]


def test_text_of_one_poem_a_line(tmp_path: Path) -> None:
    path = tmp_path / "poems.txt"
    path.write_bytes(
        "\ufeff登樓::王之渙::白日依山盡。\r\n\n詠鵝 :: 鵝鵝鵝。\n床前明月光。".encode()
    )
    assert read_sources([path], "tang").poems == [
        Poem("登樓", "王之渙", "白日依山盡。", "poems.txt"),
        Poem("詠鵝", "", "鵝鵝鵝。", "poems.txt"),
        Poem("", "", "床前明月光。", "poems.txt"),
    ]


def test_links_and_devices_in_a_tar_are_ignored(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (
            ("poet.tang.1.json", tarfile.SYMTYPE),
            ("poet.tang.2.json", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        info = tarfile.TarInfo("poet.tang.0.json")
        info.size = len(poems_file("月。"))
        archive.addfile(info, io.BytesIO(poems_file("月。")))
    assert texts(tmp_path / "a.tar") == ["月。"]


# Faults


def test_no_such_path(tmp_path: Path) -> None:
    assert "does not exist; expected a folder, a .zip" in fault(tmp_path / "absent.zip")


def test_a_pipe_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "neither a file nor a folder" in fault(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["empty.txt", "empty.zip", "empty.json"])
def test_an_empty_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert "an empty file" in fault(tmp_path / name)


def test_only_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n \n")
    assert "only empty lines" in fault(tmp_path / "a.txt")


def test_an_empty_folder(tmp_path: Path) -> None:
    assert "no poet.tang.N.json or poet.song.N.json in it" in fault(tmp_path)


def test_an_archive_without_the_collection(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"poet.tang.0.json": b"[]"})
    assert "no poet.song.N.json in it" in fault(path, "song")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (poems_file("月。")[:-5], "not whole JSON"),
        (b"\x00\xff\xfe\x80garbage", "not whole JSON"),
        (b"[" * 200_000, "not whole JSON"),
        (b'{"a": 1}', "found one dict, expected a list of poems"),
        (b'[{"title": "a"}]', "entry 0 is no poem"),
        (json.dumps([entry("a"), 3]).encode(), "entry 1 is no poem"),
        (b'[{"paragraphs": "ab"}]', "entry 0 is no poem"),
        (b'[{"paragraphs": [1]}]', "entry 0 is no poem"),
        (b'[{"paragraphs": [], "title": 7}]', "entry 0 is no poem"),
    ],
)
def test_json_of_another_shape(tmp_path: Path, content: bytes, found: str) -> None:
    path = pack_zip(tmp_path / "a.zip", {"x/poet.tang.0.json": content})
    message = fault(path)
    assert found in message
    assert "poet.tang.0.json" in message
    (tmp_path / "single.json").write_bytes(content)
    assert found in fault(tmp_path / "single.json")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "folder"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_an_archive_cut_short(tmp_path: Path, kind: str, part: float) -> None:
    noise = random.Random(0)  # so that the packed archive is long
    files = {
        f"poet.tang.{n}.json": poems_file(*(chr(noise.randint(0x4E00, 0x9FFF)) for _ in range(999)))
        for n in range(5)
    }
    path = KINDS[kind](tmp_path / kind, files)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    assert "damaged or cut short" in fault(path)


def test_a_tar_cut_between_two_members(tmp_path: Path) -> None:
    """Nothing but the missing end tells; tarfile takes it for the end of the archive."""
    whole = tar_bytes({"poet.tang.0.json": b"[]", "poet.tang.1.json": b"[]"})
    (tmp_path / "a.tar").write_bytes(whole[:1024])
    assert "damaged or cut short" in fault(tmp_path / "a.tar")


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz", "a.tar.xz", "a.tar"])
def test_damaged_bytes_never_end_in_another_exception(tmp_path: Path, kind: str) -> None:
    whole = KINDS[kind](tmp_path / kind, FILES).read_bytes()
    noise = random.Random(1)
    for _ in range(60):
        content = bytearray(whole)
        for _ in range(noise.randint(1, 4)):
            content[noise.randrange(len(content))] = noise.randrange(256)
        (tmp_path / kind).write_bytes(content)
        with suppress(SourceError):
            read_sources([tmp_path / kind], "all")


def test_garbage_with_the_name_of_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.tar.xz").write_bytes(b"no archive at all")
    assert "not the archive its name says" in fault(tmp_path / "a.tar.xz")


def test_a_packed_file_that_is_no_tar(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("月。".encode() * 999))
    assert "damaged or cut short" in fault(tmp_path / "a.txt.gz")


def test_binary_garbage(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)))
    assert "neither an archive nor a text" in fault(tmp_path / "a.bin")


def test_text_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "gbk.txt").write_bytes(b"ab\n" + "床前明月光".encode("gb18030"))
    message = fault(tmp_path / "gbk.txt")
    assert "not UTF-8 in line 2 (byte 3, 0xb4)" in message
    assert "iconv" in message


def test_a_line_with_too_many_fields(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("月。\na::b::c::d\n", encoding="utf-8")
    assert "line 2 has '::' 3 times; expected title::author::text" in fault(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "name", ["../poet.tang.0.json", "/etc/x", "a/../../b", "C:\\x", "a\\..\\b"]
)
@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_names_that_leave_the_archive(tmp_path: Path, kind: str, name: str) -> None:
    message = fault(KINDS[kind](tmp_path / kind, FILES | {name: b"x"}))
    assert f"refused, since it holds the name {name!r}" in message


def test_the_same_file_twice(tmp_path: Path) -> None:
    files = {"a/poet.tang.0.json": b"[]", "b/poet.tang.0.json": b"[]"}
    assert "found poet.tang.0.json twice" in fault(pack_zip(tmp_path / "a.zip", files))


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_unpacking_to_too_much(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = KINDS[kind](tmp_path / kind, {"poet.tang.0.json": b" " * 3_000_000 + b"[]"})
    assert texts(path) == []
    monkeypatch.setattr(containers, "FILE_LIMIT", 2 << 20)
    assert "unpacks to more than" in fault(path)


@pytest.mark.parametrize("kind", KINDS)
def test_many_files_unpacking_to_too_much(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"poet.tang.{n}.json": b" " * 900_000 + b"[]" for n in range(3)}
    path = KINDS[kind](tmp_path / kind, files)
    monkeypatch.setattr(containers, "TOTAL_LIMIT", 2 << 20)
    assert "unpacks to more than" in fault(path)


def test_a_zip_that_declares_less_than_it_holds(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "a.zip", {"poet.tang.0.json": b" " * 3_000_000})
    size = (3_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    assert "damaged or cut short" in fault(path)


def test_a_bomb_is_not_unpacked_to_its_end(tmp_path: Path) -> None:
    """A gigabyte of zeros beside the poems: refused by its ratio after 64 MB."""
    info = tarfile.TarInfo("zeros.bin")
    info.size = 1 << 30
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as packed:
        packed.write(info.tobuf())
        for _ in range(80):
            packed.write(bytes(1 << 20))
    assert "unpacks to more than 64 MB" in fault(tmp_path / "a.tar.gz")


# The real archives


def test_the_traditional_archive(tang_archive: Path) -> None:
    sources = read_sources([tang_archive], "tang")
    assert len(sources.poems) == 57_607
    assert sum(len(poem.text) for poem in sources.poems) == 3_668_082
    assert [poem.source for poem in sources.poems[:1001]][-1] == "poet.tang.1000.json"


def test_the_simplified_archive(simplified_archive: Path) -> None:
    poems = read_sources([simplified_archive], "all").poems
    assert len(poems) == 57_591
    assert {poem.source for poem in poems} == {f"poet.tang.{n}000.json" for n in range(1, 58)} | {
        "poet.tang.0.json"
    }
