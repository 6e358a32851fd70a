"""Lines of many threads come out whole, in each thread's order, in few writes; none is lost at the end."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import asyncio, sys, threading, time
from ascribe.serve.observe import lines
writes = []
lines.to_stdout = writes.append
async def main():
    log = lines.Lines()
    def some(name):
        for k in range(200):
            log(f"{name} {k}\\n".encode())
    threads = [threading.Thread(target=some, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    some("d")
    until = time.monotonic() + 20
    while b"d 199\\n" not in b"".join(writes) and time.monotonic() < until:
        await asyncio.sleep(lines.GATHER_S)
    before = len(writes)
    assert b"d 199\\n" in b"".join(writes)  # without any close
    for thread in threads:
        thread.join()
    return log, before
log, before = asyncio.run(main())
log(b"last\\n")  # the loop has ended
log.close()
sys.stdout.write(f"{len(writes)}\\n" + b"".join(writes).decode())
"""


def test_lines_come_out_whole_and_in_order():
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    count, *lines = told.splitlines()
    assert int(count) < 100
    assert lines[-1] == "last"
    for name in "abcd":
        assert [line for line in lines if line.startswith(name)] == [f"{name} {k}" for k in range(200)]
    assert len(lines) == 801


def test_who_reads_the_log_may_go_away():
    program = "import sys\nfrom ascribe.serve.observe.lines import to_stdout\nsys.stdout.close()\nto_stdout(b'x')\n"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
