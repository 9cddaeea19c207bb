from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from regulated_poems import verse_model
from tiny_models import tiny_model, told_model

from yinshi.apps.cli.main import main
from yinshi.writing.poet import Poet

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sets this for its own process; here it must not outlive the test."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", os.environ.get("OPENBLAS_NUM_THREADS", "1"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    tiny_model().save(path)
    return path


@pytest.fixture(scope="module")
def verse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "verse.safetensors"
    verse_model().save(path)
    return path


def write(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["write", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_poems_are_parted_by_blank_lines(model: Path, capsys: Capture) -> None:
    code, out, err = write(capsys, "月", "红", "--model", model, "--count", 2, "--seed", 5)
    poems = Poet.load(model).write(["月", "红"], count=2, seed=5)
    assert code == 0
    assert out == "\n\n".join(map(str, poems)) + "\n"
    assert err == ""


def test_the_seed_taken_at_random_writes_the_same_again(model: Path, capsys: Capture) -> None:
    code, out, err = write(capsys, "--model", model)
    seed = re.search(r"--seed (\d+) writes the same again", err)
    assert code == 0
    assert seed
    assert write(capsys, "--model", model, "--seed", seed[1]) == (0, out, "")


def test_json(model: Path, capsys: Capture) -> None:
    code, out, err = write(capsys, "红", "--model", model, "--count", 2, "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["model"] == str(model)
    assert len(told["poems"]) == 2
    for poem in told["poems"]:
        assert poem["text"].startswith("紅")
        (again,) = Poet.load(model).write("红", seed=poem["seed"])
        assert again.to_dict() == pytest.approx(poem)


def test_every_option_reaches_the_poet(model: Path, capsys: Capture) -> None:
    poet = Poet.load(model)
    for options, arguments in [
        ({"seed": 1, "temperature": 2.0}, ["--seed", 1, "--temperature", 2]),
        ({"seed": 1, "top_k": 2}, ["--seed", 1, "--top-k", 2]),
        ({"seed": 1, "top_p": 0.3}, ["--seed", 1, "--top-p", 0.3]),
        ({"seed": 1, "max_length": 9}, ["--seed", 1, "--max-length", 9]),
        ({"seed": 1, "script": "simplified"}, ["--seed", 1, "--script", "simplified"]),
        ({"method": "greedy"}, ["--greedy"]),
        ({"method": "beam", "beam_width": 3, "count": 2}, ["--beam", 3, "--count", 2]),
    ]:
        expected = "\n\n".join(map(str, poet.write("紅顏", **options))) + "\n"  # type: ignore[arg-type]
        assert write(capsys, "紅顏", "--model", model, *arguments) == (0, expected, "")


def test_wishes_reach_the_poet(verse: Path, tmp_path: Path, capsys: Capture) -> None:
    poem = tmp_path / "poem.txt"
    poem.write_text("\ufeff白日依山盡，\n□□□□□。\n欲窮千里目，\n更上□□□。\n", encoding="utf-8")
    poet = Poet.load(verse)
    for wishes, arguments in [
        ({"form": "五绝"}, ["--form", "五绝"]),
        ({"form": "排律:10", "rhyme": "东"}, ["--form", "排律:10", "--rhyme", "东"]),
        ({"tones": "loose"}, ["--tones", "loose"]),
        ({"acrostic": "春夏秋冬"}, ["--acrostic", "春夏秋冬"]),
        (
            {"acrostic": "春__冬", "acrostic_at": 2, "tones": "off"},
            ["--acrostic", "春__冬", "--acrostic-at", 2, "--tones", "off"],
        ),
        (
            {"acrostic": "_樓_流", "acrostic_at": "end"},
            ["--acrostic", "_樓_流", "--acrostic-at", "end"],
        ),
        (
            {"lines": {1: "月____", 3: "____春"}},
            ["--line", "1:月____", "--line", "3：____春"],
        ),
        ({"keep": poem.read_text(encoding="utf-8-sig")}, ["--keep", poem]),
        (
            {"avoid": "愁", "no_repeat": True, "candidates": 9},
            ["--avoid", "愁", "--no-repeat", "--candidates", 9],
        ),
        ({"prefixes": "月", "form": "七绝"}, ["--first", "月", "--form", "七绝"]),
    ]:
        expected = "\n\n".join(map(str, poet.write(seed=3, **wishes))) + "\n"  # type: ignore[arg-type]
        told = write(capsys, "--model", verse, "--seed", 3, *arguments)
        assert told == (0, expected, "")


def test_a_poem_to_keep_may_come_from_standard_input(
    verse: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = "白日依山盡，黃河入海流。□□□□□，更上一層樓。"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(keep.encode())))
    code, out, _ = write(capsys, "--keep", "-", "--model", verse, "--json")
    (poem,) = json.loads(out)["poems"]
    assert code == 0
    assert poem["text"].startswith("白日依山盡，黃河入海流。")
    assert poem["text"].endswith("，更上一層樓。")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--form", "五绝", "--line", "3:____春"],
            "error: line 3, character 5: 春 (line 3) is 平, 仄 is due there in 五绝 "
            "仄起首句不入韻, the nearest pattern; tones off would do",
        ),
        (["--line", "春"], "error: found --line '春': expected a number and a line"),
        (["--acrostic", "春夏秋冬", "--acrostic-at", "tail"], "error: acrostic_at 'tail'"),
        (["月", "--first", "月"], "error: found PREFIX 月 and --first 月"),
        (["--form", "五绝", "--greedy"], "error: method 'greedy': wishes"),
        (["--form", "五绝", "--beam", 3], "error: method 'beam': wishes"),
        (["--keep", "no such file"], "error: --keep no such file: No such file"),
        (["--keep", os.devnull], f"error: --keep {os.devnull}: found nothing"),
        (["--keep", "."], "error: --keep .: Is a directory"),
        (["--form", "五绝", "--candidates", 0], "error: candidates 0"),
        (["--candidates", 9], "error: candidates 9: found no wish"),
        (["--acrostic-at", "end"], "error: acrostic_at 'end': found no acrostic"),
    ],
)
def test_wishes_that_can_not_be_met(
    arguments: list[object], told: str, verse: Path, capsys: Capture
) -> None:
    code, out, err = write(capsys, *arguments, "--model", verse)
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_a_poem_to_keep_has_to_be_text(verse: Path, tmp_path: Path, capsys: Capture) -> None:
    poem = tmp_path / "poem.txt"
    poem.write_bytes(b"\xff\xfe\x00")
    code, _, err = write(capsys, "--keep", poem, "--model", verse)
    assert code == 2
    assert err == f"error: --keep {poem}: found bytes that are not UTF-8 text\n"


def test_prosody_is_read_only_where_it_is_asked_for(model: Path) -> None:
    code = (
        "import sys\nfrom yinshi.apps.cli.main import main\n"
        f"try: main(['write', '月', '--seed', '0', '--model', {str(model)!r}])\n"
        "finally: print([name for name in sys.modules if 'prosody' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["犬"], "error: the model has never seen 犬"),
        (["月", "--count", 0], "error: count 0"),
        (["月", "--temperature", 0], "error: temperature 0"),
        (["月", "--greedy", "--beam", 3], "error: found --greedy and --beam"),
        (["月", "--greedy", "--top-p", 0.5], "error: found --top-p with --greedy"),
        (
            ["月", "--beam", 3, "--seed", 1, "--top-k", 5],
            "error: found --seed, --top-k with --beam",
        ),
        (["月", "--beam", 0], "error: beam_width 0"),
    ],
)
def test_faults_of_the_request(
    arguments: list[object], told: str, model: Path, capsys: Capture
) -> None:
    code, out, err = write(capsys, *arguments, "--model", model)
    assert (code, out) == (2, "")
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_a_foreign_file_is_not_a_model(tmp_path: Path, capsys: Capture) -> None:
    foreign = tmp_path / "poem.txt"
    foreign.write_text("月。")
    for path in (foreign, tmp_path, tmp_path / "none"):
        code, out, err = write(capsys, "月", "--model", path)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {path}")
        assert err.count("\n") == 1


def test_writing_needs_neither_pytorch_nor_what_training_needs(model: Path) -> None:
    absent = ("torch", "pyarrow", "rich", "matplotlib", "tensorboardX", "tomli_w")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}))\n"  # None: the import fails
        "from yinshi.apps.cli.main import main\n"
        f"main(['write', '月', '发', '--seed', '0', '--model', {str(model)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    expected = "\n\n".join(map(str, Poet.load(model).write(["月", "发"], seed=0)))
    assert done.stderr.decode() == ""
    assert done.stdout.decode().splitlines() == expected.splitlines()


def test_the_nearest_real_lines(verse: Path, small_dataset: Path, capsys: Capture) -> None:
    """白日依山盡 and 白日沈西嶺 share 白, 日 and 白日, of nine characters and pairs each."""
    wishes = ["--form", "五绝", "--line", "1:白日依山盡", "--seed", 0, "--corpus", small_dataset]
    code, out, err = write(capsys, "--model", verse, *wishes)
    assert (code, err) == (0, "")
    poem, near = out.split("\n\n")
    assert poem.startswith("白日依山盡，")
    assert near.startswith("白日依山盡  33% 白日沈西嶺  無名《其")
    (told,) = json.loads(write(capsys, "--model", verse, *wishes, "--json")[1])["poems"]
    first = told["nearest"][0]
    assert (first["line"], first["text"], first["author"]) == ("白日依山盡", "白日沈西嶺", "無名")
    assert first["similarity"] == pytest.approx(2 * 3 / (9 + 9))


def test_a_corpus_that_is_none_is_refused(verse: Path, tmp_path: Path, capsys: Capture) -> None:
    code, _, err = write(capsys, "--model", verse, "--corpus", tmp_path / "none")
    assert code
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1


def test_a_line_asked_for_twice_is_refused(verse: Path, capsys: Capture) -> None:
    """Neither of the two is left aside in silence."""
    code, out, err = write(capsys, "--model", verse, "--line", "1:白____", "--line", "1:____盡")
    assert (code, out) == (2, "")
    assert err.startswith("error: found --line 1 twice, '白____' and '____盡'")
    assert len(err.splitlines()) == 1


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "told.safetensors"
    told_model().save(path)
    return path


def test_title_style_and_dynasty_reach_the_poet(told: Path, capsys: Capture) -> None:
    poet = Poet.load(told)
    for wishes, arguments in [
        ({"title": "月山"}, ["--title", "月山"]),
        ({"style": "李白"}, ["--style", "李白"]),
        ({"dynasty": "宋"}, ["--dynasty", "宋"]),
        ({"title": "红颜", "style": "李白"}, ["--title", "红颜", "--style", "李白"]),
    ]:
        poems = poet.write("月", seed=3, **wishes)  # type: ignore[arg-type]
        expected = "\n\n".join(map(str, poems)) + "\n"
        code, out, err = write(capsys, "月", "--model", told, "--seed", 3, *arguments)
        assert (code, out, err) == (0, expected, "")
        assert out.startswith(wishes.get("title", "月"))
    out = write(capsys, "--model", told, "--title", "红颜", "--style", "李白", "--json")[1]
    (poem,) = json.loads(out)["poems"]
    assert (poem["title"], poem["style"]) == ("红颜", "李白")
    assert "红颜" not in poem["text"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--style", "李太白"], "style '李太白': none of the 1 authors that the model knows; near"),
        (["--dynasty", "明"], "dynasty '明': expected 唐 or 宋"),
        (["--title", "?"], "title '?': found no character that the model knows"),
    ],
)
def test_what_the_model_was_never_told(
    arguments: list[str], fault: str, told: Path, model: Path, capsys: Capture
) -> None:
    code, out, err = write(capsys, *arguments, "--model", told)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {fault}")
    assert err.count("\n") == 1
    code, out, err = write(capsys, *arguments, "--model", model)
    assert (code, out) == (2, "")
    assert "the model was trained on poems alone" in err
    assert err.count("\n") == 1
