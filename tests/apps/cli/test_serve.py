"""`yinshi serve` as a process: what it prints, how it starts, and how it stops."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

COMMAND = [sys.executable, "-m", "yinshi.apps.cli.main", "serve"]
#: Written in half a second, so that a signal meets it half-way.
SEARCH = {"form": "五绝", "seed": 1, "candidates": 128}


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """(process, client) of a server that answers."""
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments], stderr=subprocess.PIPE, encoding="utf-8"
    )
    assert process.stderr
    try:
        line = process.stderr.readline()
        found = re.match(r"(http://[^ ]+) \(the API: /docs\)", line)
        assert found, line
        with httpx.Client(base_url=found[1], timeout=60, trust_env=False) as client:
            client.get("/healthz")  # the socket listens before the first answer
            yield process, client
    finally:
        if process.poll() is None:
            process.kill()
        process.stderr.close()
        process.wait()


@pytest.mark.parametrize("path", ["/api/poems", "/api/poems/stream"])
def test_sigterm_finishes_what_runs_and_refuses_what_is_new(path: str) -> None:
    with served() as (process, client), ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(client.post, path, json=SEARCH | {"seed": s}) for s in (1, 2)]
        while "yinshi_active_poems 1" not in client.get("/metrics").text:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        while client.get("/healthz").status_code == 200:
            time.sleep(0.01)
        assert client.get("/healthz").json() == {"status": "stopping"}
        refused = client.post("/api/poems", json={})
        assert refused.status_code == 503
        assert refused.json()["detail"].startswith("the server is stopping")
        assert refused.headers["retry-after"] == "5"
        for answer in asked:
            assert answer.result().status_code == 200
            assert '"text"' in answer.result().text.splitlines()[-1]
        assert process.wait(20) == 0
        assert process.stderr
        assert process.stderr.read() == ""


def test_ctrl_c_stops_an_idle_server() -> None:
    with served() as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stderr
        assert process.stderr.read() == ""


def test_several_workers_answer_and_count_together() -> None:
    with served("--workers", "2") as (process, client):
        poems = {client.post("/api/poems", json={"seed": 5}).text for _ in range(6)}
        assert len(poems) == 1
        for _ in range(4):  # whichever answers
            counted = client.get("/metrics").text
            assert "yinshi_poems_total 6.0" in counted
            assert "yinshi_active_poems 0.0" in counted
            client.close()
            client = httpx.Client(base_url=client.base_url, timeout=60, trust_env=False)
        client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--model", "nowhere"], 1, "error: nowhere: no such file; expected a model file"),
        (["--model", __file__], 1, "not a whole safetensors file"),
        (["--model", "poet", "--model", "poet"], 2, "found two models called poet"),
        (["--host", "203.0.113.1"], 2, "error: 203.0.113.1, port 8000: "),
        (["--host", "no.such.host.invalid"], 2, "error: no.such.host.invalid, port 8000: "),
        (["--port", "70000"], 2, "70000"),
        (["--workers", "0"], 2, "0"),
    ],
)
def test_what_can_not_be_served_is_one_line(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1 or code == 2
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [*COMMAND, "--port", port], capture_output=True, encoding="utf-8", check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"error: 127.0.0.1, port {port}: address already in use; expected an address of this "
        "machine and a free port (--host, --port)\n"
    )


def test_an_open_host_is_told_what_to_put_in_front() -> None:
    with served("--host", "0.0.0.0") as (process, _):
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert process.stderr
        said = process.stderr.read()
    for word in ("0.0.0.0", "proxy", "TLS", "limits the requests", "FORWARDED_ALLOW_IPS"):
        assert word in said


def test_without_the_extra_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ModuleNotFoundError(name='uvicorn')\n")
    done = subprocess.run(
        COMMAND,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: yinshi serve needs optional packages: pip install 'yinshi[web]'\n"
    )
