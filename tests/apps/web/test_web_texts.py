"""POST /api/scan and /api/score, against the Python API; GET /api/models."""

from __future__ import annotations

import hashlib
import json
import math
from importlib import resources

import httpx
import pytest

from yinshi import ModelFile, Poet, scan
from yinshi.model_file import resolve_model

POEM = "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"
OLD = "床前明月光，疑是地上霜。舉頭望山月，低頭思故鄉。"


@pytest.mark.parametrize("text", [POEM, OLD, "云想衣裳花想容", "月\n月", "大江東去，浪淘盡"])
def test_a_scan_is_the_python_apis(api: httpx.Client, text: str) -> None:
    answer = api.post("/api/scan", json={"text": text})
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(scan(text).to_dict()))


def test_a_score_adds_up(api: httpx.Client) -> None:
    answer = api.post("/api/score", json={"text": POEM})
    assert answer.status_code == 200
    score = answer.json()
    assert score == {"model": "poet"} | Poet.load().read(POEM).to_dict()
    characters = score["characters"]
    assert "".join(each["character"] for each in characters) == f"{POEM}⏎"
    nats = [each["nats"] for each in characters]
    assert score["nats_per_character"] == pytest.approx(sum(nats) / len(nats))
    assert score["perplexity"] == pytest.approx(math.exp(score["nats_per_character"]))
    for each in characters:
        assert each["probability"] == pytest.approx(math.exp(-each["nats"]))
        others = [other["probability"] for other in each["alternatives"]]
        assert len(others) == 5
        assert others == sorted(others, reverse=True)
        likelier = sum(other > each["probability"] for other in others)
        assert likelier == min(each["rank"] - 1, 5)


def test_gates_only_if_asked(api: httpx.Client) -> None:
    assert "gates" not in api.post("/api/score", json={"text": POEM}).json()
    gates = api.post("/api/score", json={"text": POEM, "gates": True}).json()["gates"]
    for name in ("input", "forget", "output"):
        assert len(gates[name]) == len(POEM)
        assert all(0 < mean < 1 for mean in gates[name])
    assert len(set(gates["units"])) == 32
    for name in ("cell", "input_units", "forget_units", "output_units"):
        assert [len(row) for row in gates[name]] == [32] * len(POEM)


def test_a_simplified_text_is_read_in_the_models_script(api: httpx.Client) -> None:
    assert api.post("/api/score", json={"text": "举头望山月"}).json()["text"] == "舉頭望山月"


def test_the_models(api: httpx.Client) -> None:
    told = api.get("/api/models").json()
    (model,) = told["models"]
    file = ModelFile.load(resolve_model(None))
    content = (resources.files("yinshi") / "models" / "poet.safetensors").read_bytes()
    assert model.pop("styles")[0] == "陆游"  # who has most poems
    assert model == {
        "name": "poet",
        "is_default": True,
        "script": "traditional",
        "vocabulary_size": len(file.vocabulary),
        "parameters": sum(weight.size for weight in file.weights.values()),
        "conditions": ["dynasty", "form", "pattern", "rhyme", "author", "title"],
        "dynasties": ["宋", "唐"],
        "hash": hashlib.sha256(content).hexdigest(),
    }
    assert len(set(told["rhymes"])) == 106
    assert told["limits"]["count"] == 16
    for form in told["forms"][:4]:
        body = {"form": form, "seed": 1, "candidates": 4}
        assert api.post("/api/poems", json=body).json()["poems"][0]["form"] == form
