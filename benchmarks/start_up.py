"""How long `quotad up` takes until everything is ready: in an empty data directory, and again in the same one.

    .venv/bin/python benchmarks/start_up.py [--runs 5]

Prints one line per run and the medians, with the later start as a share of the first one of the same run.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUOTAD = str(Path(sys.executable).with_name("quotad"))
PORT_BASE = 23400
READY_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
POLL_SECONDS = 0.02


def start_and_stop(data_dir: Path) -> tuple[float, float]:
    """Seconds from the command to the ready file, and from Ctrl-C to the end."""
    ready_file = data_dir.with_name("ready.json")
    ready_file.unlink(missing_ok=True)
    argv = [QUOTAD, "up", "--data-dir", str(data_dir), "--ready-file", str(ready_file), "--port-base", str(PORT_BASE)]
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        while not ready_file.exists():
            if process.poll() is not None or time.monotonic() - began > READY_SECONDS_MAX:
                sys.exit(f"quotad up was not ready; its exit code is {process.poll()}")
            time.sleep(POLL_SECONDS)
        ready = time.monotonic() - began
    finally:
        stopping = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(STOP_SECONDS_MAX)
    return ready, time.monotonic() - stopping


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, choices=range(1, 21), metavar="1..20")
    runs = parser.parse_args().runs
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, {runs} runs")
    firsts, laters, stops = [], [], []
    for number in range(runs):
        directory = Path(tempfile.mkdtemp(prefix="quota-start-up-"))
        try:
            first, _ = start_and_stop(directory / "data")
            later, stop = start_and_stop(directory / "data")
        finally:
            shutil.rmtree(directory)
        firsts.append(first)
        laters.append(later)
        stops.append(stop)
        print(f"run {number + 1}: first {first:.1f} s, later {later:.1f} s ({later / first:.0%}), stop {stop:.1f} s")
    print(
        f"median: first {statistics.median(firsts):.1f} s, later {statistics.median(laters):.1f} s "
        f"[{min(laters):.1f} to {max(laters):.1f}], stop {statistics.median(stops):.1f} s"
    )


if __name__ == "__main__":
    main()
