"""Commands that go on until they are stopped, as in terminals of their own: each in the background, the next one once
what it is for is seen; in the end each is asked to stop, and must end well.
"""

from __future__ import annotations

import re

from tests.docs.blocks import lines

__all__ = ["GOES_ON", "beside"]

GOES_ON = re.compile(
    r"^(?:[A-Z_]+=\S+ )*\S*ascribe +(serve|federated (?:host|guest)|ingest|pipeline +(?:watch|forecast(?=.* --every)))"
    r" .*?(?= *(?:#.*)?$)",
    re.MULTILINE,
)
LONGEST_S = 900
ENDED = "trap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT\n"


def beside(text: str, then: str = "") -> str:
    """The script of a block: `then` comes once all of it runs. Servers are told the doors that they have anyway."""
    stops: list[str] = []

    def behind(m: re.Match[str]) -> str:
        own, log = f"GOES_ON{m.start()}", f"going_on{m.start()}.log"
        doors = " --http 127.0.0.1:8080 --grpc 127.0.0.1:50051"
        command = m[0] + doors * (m[1] in ("serve", "federated guest") and " --http " not in m[0])
        stops.append(f"kill ${own} && wait ${own} || {{ cat {log} >&2; exit 1; }}")
        alive = f"kill -0 ${own} && (( SECONDS < {LONGEST_S} ))"
        until = f"until {_seen(m[1], m[0], log)}; do {alive} || {{ cat {log} >&2; exit 1; }}; sleep 0.2; done"
        return f"{command} > {log} 2>&1 &\n{own}=$!\n{until}"

    script = GOES_ON.sub(behind, text)
    return ENDED * bool(stops) + "\n".join([script, then, *stops])


def _seen(command: str, line: str, log: str) -> str:
    """What succeeds once a command does what it is for."""
    if command == "ingest":
        ((_, *words),) = lines(line)
        lake = words[words.index("--lake") + 1]
        return f"ascribe lake show {lake} 2> /dev/null | grep -Eq '^ *rows +[1-9]'"
    if command.startswith("pipeline"):  # which has run, or had nothing to do, when it waits again
        return f"grep 'waiting for' {log} | grep -qv 'first r'"
    return f"grep -q '\"ready\"' {log}"
