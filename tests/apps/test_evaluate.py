from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from yinshi.apps.cli.evaluate import MEANINGS
from yinshi.apps.cli.main import main
from yinshi.corpus.dataset import Dataset, write_dataset
from yinshi.corpus.poem import Poem
from yinshi.corpus.vocabulary import Vocabulary
from yinshi.model_file import ModelFile, resolve_model
from yinshi.recipe import CorpusRecipe, Recipe

TEXTS = ["白日依山盡，黃河入海流。", "明月出天山，蒼茫雲海間。"]
RECIPE = Recipe.from_dict({"network": {"embedding": 3, "hidden": 4}})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    poems = [Poem("", "", text, "test") for text in TEXTS]
    splits = {"train": poems, "validation": poems[:1], "test": poems[1:]}
    write_dataset(tmp_path / "data", splits, Vocabulary.count(TEXTS), CorpusRecipe())
    return tmp_path / "data"


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Path:
    """The folder of a run whose best model has weights of 0: its perplexity is V."""
    dataset = Dataset.load(data)
    shapes = RECIPE.network.weight_shapes(len(dataset.vocabulary))
    weights = {name: np.zeros(shape) for name, shape in shapes.items()}
    model = ModelFile(weights, RECIPE, dataset.vocabulary, {"data_hash": dataset.hash})
    (tmp_path / "run").mkdir()
    model.save(tmp_path / "run" / "best.safetensors")
    return tmp_path / "run"


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", *map(str, arguments)])
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return int(stopped.value.code or 0), out, err


def test_json(data: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = evaluate(capsys, run, "--data", data, "--json", "--pad-to", 20)
    found = json.loads(out)
    V = len(Dataset.load(data).vocabulary)
    assert (code, err) == (0, "")
    assert found["perplexity"] == pytest.approx(V)
    assert list(found["conventions"]) == [
        "per_token",
        "per_character",
        "padded_to_20",
        "mean_of_poems",
        "base2_of_nats",
    ]
    assert found["conventions"]["padded_to_20"] == pytest.approx(V ** (13 / 20))
    assert found["unknown_rate"] == 0
    assert (found["tokens"], found["poems"], found["vocabulary_size"]) == (13, 1, V)
    assert 1 < found["baseline"] < V
    assert (found["split"], found["warnings"]) == ("test", [])


def test_card(data: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = evaluate(capsys, run / "best.safetensors", "--data", data)
    lines = out.splitlines()
    assert lines[0] == f"{run / 'best.safetensors'} on the test split of {data}"
    V = len(Dataset.load(data).vocabulary)
    assert (code, err) == (0, "")  # no bar where there is no terminal
    assert any(line.split()[:2] == ["per_token", f"{V:.2f}"] for line in lines)
    assert all(meaning in out for meaning in MEANINGS.values())  # none is cut or wrapped
    assert any(line.split()[0] == "trigram" for line in lines if line.strip())
    assert lines[-1] == f"poems 1, tokens 13, V {V}, unknown characters 0.00%"


def test_card_says_when_figures_can_not_be_compared(
    data: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = evaluate(capsys, run, "--data", data, "--split", "train")
    assert code == 0
    assert "note: these are the training poems" in out


def test_bad_input_is_one_line(
    data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign, cut = tmp_path / "foreign.safetensors", tmp_path / "cut.safetensors"
    foreign.write_text("not a model")
    cut.write_bytes((run / "best.safetensors").read_bytes()[:-100])
    cases = [
        ((tmp_path / "absent", "--data", data), "no such file; expected a model file"),
        ((data, "--data", data), "best.safetensors: no such file; expected a model file or"),
        ((foreign, "--data", data), "not a whole safetensors file"),
        ((cut, "--data", data), "not a whole safetensors file"),
        ((run, "--data", tmp_path / "absent"), "found no such folder, expected prepared data"),
        ((run, "--data", data, "--split", "dev"), "no split 'dev', expected one of train"),
    ]
    for arguments, message in cases:
        code, out, err = evaluate(capsys, *arguments)
        assert (code, out) == (1, "")
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1


def test_bad_usage(run: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ((run,), (run, "--data", data, "--pad-to", "0")):
        code, out, err = evaluate(capsys, *arguments)
        assert (code, out) == (2, "")
        assert "--data" in err or "--pad-to" in err


@pytest.fixture
def told_run(data: Path, tmp_path: Path) -> Path:
    """One whose network can be told of 唐, of five characters a line, and of titles; its weights
    are 0, and so its perplexity is V and 3 for these."""
    dataset, names = Dataset.load(data), ("dynasty:唐", "length:5", "title")
    shapes = RECIPE.network.weight_shapes(len(dataset.vocabulary) + len(names))
    weights = {name: np.zeros(shape) for name, shape in shapes.items()}
    facts = {"data_hash": dataset.hash}
    (tmp_path / "told").mkdir()
    model = ModelFile(weights, RECIPE, dataset.vocabulary, facts, header_names=names)
    model.save(tmp_path / "told" / "best.safetensors")
    return tmp_path / "told"


def test_what_is_given(data: Path, told_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    V = len(Dataset.load(data).vocabulary)
    arguments = (told_run, "--data", data, "--json", "--given", "form+dynasty")
    code, out, err = evaluate(capsys, *arguments)
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["perplexity"] == pytest.approx(V + 3)
    assert (found["given"], found["tokens"], found["vocabulary_size"]) == ("form+dynasty", 13, V)
    assert found["baseline"] is not None
    code, out, err = evaluate(capsys, *arguments, "--given", "none")
    several = json.loads(out)
    assert (code, err) == (0, "")
    assert several["split"] == "test"
    assert list(several["given"]) == ["form+dynasty", "none"]
    assert several["given"]["none"]["perplexity"] == pytest.approx(V + 3)
    code, out, _ = evaluate(capsys, told_run, "--data", data, "--given", "title")
    assert code == 0
    assert out.startswith(f"{told_run} on the test split of {data}, given title\n")


def test_a_table_of_what_is_given(
    data: Path, told_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    V = len(Dataset.load(data).vocabulary)
    parts = ["--given", "none", "--given", "title", "--given", "dynasty+title"]
    code, out, err = evaluate(capsys, told_run, "--data", data, *parts)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"{told_run} on the test split of {data}"
    assert row(out, "given") == ["perplexity", "per", "character", "beside", "none"]
    for part in parts[1::2]:
        assert row(out, f"{part} ") == [f"{V + 3:.2f}", f"{V + 3:.2f}", "+0.0%"]
    assert out.splitlines()[-1].startswith("poems 1, tokens 13, V ")


def test_what_can_not_be_given(
    data: Path, run: Path, told_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [
        (
            (run, "--given", "title"),
            "found title given: the model was trained with conditions none",
        ),
        ((told_run, "--given", "form+author"), "conditions dynasty+form+title; give it no others"),
        (
            (told_run, "--given", "titel"),
            "--given 'titel': expected none, or some of dynasty, form",
        ),
        ((told_run, "--given", "title", "--poems", 3), "found --given with --poems or --file"),
    ]
    for arguments, message in cases:
        code, out, err = evaluate(capsys, *arguments, "--data", data)
        assert (code, out) == (2, "")
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1


POEMS = "白日依山盡，黃河入海流。明月出天山，蒼茫雲海間。"


@pytest.fixture
def poems_data(tmp_path: Path) -> Path:
    """The same quatrain to train on and, with another after it, to test on."""
    train = [Poem("", "", POEMS, "test")]
    test = [*train, Poem("", "", "蒼茫雲海間，明月出天山。黃河入海流，白日依山盡。", "test")]
    splits = {"train": train, "validation": train, "test": test}
    write_dataset(tmp_path / "poems", splits, Vocabulary.count([POEMS]), CorpusRecipe())
    return tmp_path / "poems"


def row(out: str, label: str) -> list[str]:
    (found,) = [line for line in out.splitlines() if line.strip().startswith(label)]
    return found.strip().removeprefix(label).split()


def test_poems_of_a_file(
    poems_data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "poems.txt").write_text(f"{POEMS}\n\n江南好，風景舊曾諳。\n", encoding="utf-8")
    code, out, err = evaluate(capsys, run, "--data", poems_data, "--file", tmp_path / "poems.txt")
    assert (code, err) == (0, "")
    assert out.startswith(f"{tmp_path / 'poems.txt'} beside the test split of {poems_data}")
    assert row(out, "五绝") == ["these", "real", "recombined"]
    assert row(out, "share") == ["50.0%", "100.0%"]
    assert row(out, "poems") == ["1", "2", "2"]
    assert row(out, "lines copied") == ["100.0%"] * 3
    assert row(out, "known span, longest") == ["20", "20", "5"]
    assert row(out, "distinct-3") == ["1.000", "1.000", "0.500"]  # two lines, each twice
    assert "in these forms 50.0% of 2 poems, 100.0% of the real ones" in out
    assert "equally many poems in each column: 五绝 1" in out


def test_poems_drawn_as_json(
    poems_data: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = evaluate(
        capsys, run, "--data", poems_data, "--poems", 3, "--seed", 5, "--temperature", 1, "--json"
    )
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["poems"], found["seed"], found["temperature"]) == (3, 5, 1.0)
    assert found["split"] == "test"
    assert isinstance(found["forms"], dict)


def test_poems_of_a_form_are_drawn_in_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    model = resolve_model(None)
    vocabulary = ModelFile.load(model).vocabulary
    poem = [Poem("", "", POEMS, "test")]
    splits = {"train": poem, "validation": poem, "test": poem}
    write_dataset(tmp_path / "data", splits, vocabulary, CorpusRecipe())
    code, out, _ = evaluate(
        capsys, "--data", tmp_path / "data", "--poems", 2, "--form", "五绝", "--json"
    )
    found = json.loads(out)
    assert code == 0
    assert found["forms"]["五绝"]["share"] == 1
    assert found["forms"]["五绝"]["asked"]["strict"] == 1
    assert found["forms"]["五绝"]["asked"]["rhyme"] == 1
    assert found["forms"]["五绝"]["real"]["poems"] == 1


def test_poems_that_can_not_be_judged(
    poems_data: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin").write_bytes("poème".encode("latin-1"))
    (tmp_path / "none").write_text("no poem")
    cases = [
        (("--poems", 2, "--file", tmp_path / "none"), 2, "found --poems and --file"),
        (("--form", "五绝"), 2, "expected --poems N"),
        (("--file", tmp_path / "absent"), 1, "No such file"),
        (("--file", tmp_path / "latin"), 1, "not UTF-8 (byte 2)"),
        (("--file", tmp_path / "none"), 2, "found no Chinese verse"),
    ]
    for arguments, exit_code, message in cases:
        code, out, err = evaluate(capsys, run, "--data", poems_data, *arguments)
        assert (code, out) == (exit_code, "")
        assert err.startswith("error: ")
        assert message in err
        assert err.count("\n") == 1
