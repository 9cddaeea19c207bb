"""What a run measured: `metrics.jsonl`, TensorBoard events when asked, and `curves.svg`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from yinshi.errors import MissingExtraError


class Metrics:
    """Appends records to `metrics.jsonl` in `folder`.

    A record has `kind` ("train" or "validation"), `step`, `epoch`, and its figures; `nats` is per
    token. With `resume_at` the file is first cut back to that many bytes.
    """

    def __init__(self, folder: Path, resume_at: int = 0, tensorboard: bool = False) -> None:
        self._file = (folder / "metrics.jsonl").open("ab")
        self._file.truncate(resume_at)
        self._events = _events(folder) if tensorboard else None

    def append(self, record: dict[str, Any]) -> None:
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()
        if self._events:
            for name, value in record.items():
                if name not in ("kind", "step"):
                    self._events.add_scalar(f"{record['kind']}/{name}", value, record["step"])

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._file.seek(0, 2)

    def close(self) -> None:
        self._file.close()
        if self._events:
            self._events.close()


def _events(folder: Path) -> Any:
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise MissingExtraError("--tensorboard", "tensorboard") from None
    return SummaryWriter(str(folder / "tensorboard"))


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def draw_curves(folder: Path) -> Path:
    """`curves.svg`: nats per token along the run, and validation perplexity after each epoch."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    records = read_metrics(folder)
    train = [r for r in records if r["kind"] == "train"]
    validation = [r for r in records if r["kind"] == "validation"]
    figure = Figure(figsize=(10, 4), layout="constrained")
    nats, perplexity = figure.subplots(1, 2)
    nats.plot([r["step"] for r in train], [r["nats"] for r in train], label="training")
    steps = [r["step"] for r in validation]
    nats.plot(steps, [r["nats"] for r in validation], "o-", label="validation")
    nats.set(xlabel="step", ylabel="nats per token", title="Cross-entropy")
    nats.legend()
    epochs = [r["epoch"] for r in validation]
    perplexity.plot(epochs, [r["perplexity"] for r in validation], "o-", color="C1")
    perplexity.set(xlabel="epoch", ylabel="perplexity per token", title="Validation perplexity")
    perplexity.xaxis.get_major_locator().set_params(integer=True)
    for axes in (nats, perplexity):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    path = folder / "curves.svg"
    with mpl.rc_context({"svg.hashsalt": "yinshi"}):
        figure.savefig(path, metadata={"Date": None})
    return path
