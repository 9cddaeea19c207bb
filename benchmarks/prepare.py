"""Seconds and peak memory of `yinshi prepare` for Tang, and for Tang and Song.

    python benchmarks/prepare.py [../shared/corpus/chinese-poetry-99ebbef.tar.xz]

Goal: Tang in seconds, both in well under a minute and under 2 GB.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ARCHIVE = Path(__file__).parents[2] / "shared" / "corpus" / "chinese-poetry-99ebbef.tar.xz"

#: Run in a process of its own, whose peak memory is this collection's alone.
PREPARE = """
import json, resource, sys
from pathlib import Path
from yinshi.corpus.prepare import prepare
from yinshi.recipe import CorpusRecipe
archive, collection, out = sys.argv[1:]
manifest = prepare([Path(archive)], CorpusRecipe(collection=collection), Path(out))
unit = 1 if sys.platform == "darwin" else 1024
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
print(json.dumps({
    "poems": manifest["counts"]["read"],
    "characters": sum(manifest["characters"].values()),
    "V": manifest["vocabulary_size"],
    "peak": peak,
}))
"""


def measure(archive: Path, collection: str) -> tuple[dict[str, int], float]:
    """(what one process told, its wall-clock seconds, start included)."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", PREPARE, str(archive), collection, f"{folder}/data"],
            check=True,
            capture_output=True,
            text=True,
        )
        return json.loads(done.stdout), time.perf_counter() - started


def main() -> None:
    archive = Path(sys.argv[1]) if len(sys.argv) > 1 else ARCHIVE
    print("| collection | poems read | characters written | V | seconds | peak memory |")
    print("|---|---:|---:|---:|---:|---:|")
    for collection in ("tang", "all"):
        told, seconds = measure(archive, collection)
        print(
            f"| {collection} | {told['poems']:,} | {told['characters']:,} | {told['V']:,} "
            f"| {seconds:.1f} | {told['peak'] / 2**30:.2f} GiB |"
        )


if __name__ == "__main__":
    main()
