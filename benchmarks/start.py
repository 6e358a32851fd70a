"""Seconds from starting `ascribe serve` to its ready line: the first time, and the median of five more.

python -m benchmarks.start [BUNDLE] [--quick]         default: runs/demo/bundle, made by a quick demo if it is not there
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time

from ascribe.bundle.archive import open_directory
from ascribe.bundle.registry import Registry
from benchmarks.demo_bundle import named
from benchmarks.record import keep


def main() -> None:
    bundle, quick = named(sys.argv[1:])
    with tempfile.TemporaryDirectory() as registry:
        store = Registry(registry)
        store.promote("m", store.publish("m", open_directory(bundle)), "2026-01-01T00:00:00Z")
        command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry, "--model", "m"]
        seconds = []
        for _ in range(3 if quick else 6):
            begin = time.perf_counter()
            server = subprocess.Popen(
                [*command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True
            )
            assert server.stdout is not None
            for line in server.stdout:
                if '"ready"' in line:
                    seconds.append(time.perf_counter() - begin)
                    break
            server.terminate()
            server.wait()
    numbers = {"ready_s": seconds[1:], "ready_median_s": statistics.median(seconds[1:])}  # the first reads files anew
    print(numbers)
    print(keep("start", numbers, quick))


if __name__ == "__main__":
    main()
