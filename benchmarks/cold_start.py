"""Cold start: `yinshi write 月` beside `python -c "import numpy"`, each in a new process.

    python benchmarks/cold_start.py [--runs 20] [--model PATH]

The runs alternate, so that a busy machine slows both alike. The aim is a ratio of at most 3.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

PYTHON = [sys.executable, "-c"]
WRITE = "import sys; from yinshi.apps.cli.main import main; main(sys.argv[1:])"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--model", help="default: the shipped model")
    arguments = parser.parse_args()
    model = ["--model", arguments.model] if arguments.model else []
    write = [*PYTHON, WRITE, "write", "--seed", "0", *model]
    commands = {
        "python -c 'pass'": [*PYTHON, "pass"],
        "python -c 'import numpy'": [*PYTHON, "import numpy"],
        "yinshi --help": [*PYTHON, WRITE, "--help"],
        "yinshi write": write,
        "yinshi write 月": [*write, "月"],
        "yinshi write 日 红 山 夜 湖 海 月": [*write, *"日红山夜湖海月"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(arguments.runs):
        for name, command in commands.items():
            times[name].append(_seconds(command))
    numpy = statistics.median(times["python -c 'import numpy'"])
    print("| command | median ms | fastest ms | × import numpy |")
    print("|---|---|---|---|")
    for name, seconds in times.items():
        middle, least = statistics.median(seconds), min(seconds)
        print(f"| `{name}` | {1e3 * middle:.0f} | {1e3 * least:.0f} | {middle / numpy:.2f} |")


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
