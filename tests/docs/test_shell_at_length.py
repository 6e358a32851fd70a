"""The other shell blocks run too, by `make soak`, on what a reader has by then; those that no test runs are named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs import beforehand
from tests.docs.blocks import Block, blocks, lines
from tests.docs.test_shell import run
from tests.ports import held_port

PROGRAMS = ("ascribe", ".venv/bin/ascribe")
SERVER = re.compile(r"^\S*ascribe (?:serve|federated host|federated guest) .*$", re.MULTILINE)
ADDRESS = re.compile(r"127\.0\.0\.1:\d+")


@dataclass(frozen=True)
class Case:
    """Blocks that run one after another in one shell, each as its page and first words. `has`: what makes what lies
    there beforehand.
    """

    blocks: tuple[tuple[str, str], ...]
    has: Callable[[Path, pytest.FixtureRequest], None] = beforehand.nothing

    def __str__(self) -> str:
        page, words = self.blocks[-1]
        return f"{page}-{'_'.join(words.split()[:3])}".replace("/", "_")


def on(page: str, *words: str) -> tuple[tuple[str, str], ...]:
    return tuple((page, first) for first in words)


ADOPTED = on("docs/adopt.md", "python - <<'EOF'\nimport pandas", "ascribe import examples/data/models/mob", "printf 'A")
PARTIES = on("docs/federated-servers.md", "ascribe federated import", "ascribe federated host --bundle")
CASES = (
    Case(on("README.md", "ascribe import model.ubj"), beforehand.income),
    Case(on("README.md", "ascribe serve --registry runs/demo"), beforehand.demo),
    Case(on("docs/index.md", ".venv/bin/ascribe serve"), beforehand.demo),
    Case(on("docs/zh/index.md", ".venv/bin/ascribe serve"), beforehand.demo),
    Case(on("docs/additive.md", "ascribe train"), beforehand.watts),
    Case((*ADOPTED, *on("docs/adopt.md", "ascribe explainers runs/mobilenet"))),
    Case((*ADOPTED[1:], *on("docs/plots.md", "ascribe explain runs/mobilenet"))),
    Case((*ADOPTED[1:2], *on("docs/compare.md", "ascribe compare")), beforehand.demo),
    Case(on("docs/federated.md", "ascribe federated split"), beforehand.halves),
    Case(
        (*PARTIES, *on("docs/federated-servers.md", "ascribe federated score", "ascribe federated guest --bundle")),
    ),
    Case((*PARTIES, *on("docs/federated-servers.md", "ascribe federated split")), beforehand.loans),
    Case(on("docs/for/consortium.md", "ascribe federated split"), beforehand.loans),
    Case(on("docs/for/consortium.md", "ascribe federated import"), beforehand.exports),
    Case(on("docs/for/ml.md", "ascribe import model.ubj", "VERSION=$(ascribe publish runs/adult"), beforehand.income),
    Case(on("docs/for/operator.md", "ascribe pipeline forecast --help")),
    Case(on("docs/importance.md", "ascribe importance"), beforehand.demo),
    Case(on("docs/plots.md", "ascribe explain runs/demo/bundle"), beforehand.demo),
    Case(on("docs/quantize.md", "ascribe quantize"), beforehand.network),
    Case(on("docs/security.md", "ascribe keys new prometheus", "ascribe keys new scheduler")),
    Case(on("examples/data/fate/README.md", "ascribe federated import")),
)  # fmt: skip
TRAIN, SHORTER = (
    ".venv/bin/ascribe train --data examples/data/",
    "many minutes; docs/forecast.md runs the same on 14 days",
)
KAFKA, PLACES = "a Kafka, a bucket", "URI, DIR, FILE, NAME are the reader's own"
LEFT = {  # these are parsed only
    ("README.md", "ascribe ingest --source kafka"): KAFKA,
    ("docs/for/energy.md", "ascribe ingest --source kafka"): KAFKA,
    ("docs/telemetry.md", "ascribe ingest --source kafka"): KAFKA,
    ("docs/prometheus.md", "ascribe ingest"): "a Prometheus",
    ("docs/forecast.md", "ascribe serve"): "a bucket",
    ("docs/upgrades.md", "ascribe rollback"): "a bucket",
    ("docs/observability.md", "OTEL_TRACES_EXPORTER"): "a collector, and ... is the reader's own",
    ("docs/backtest.md", "ascribe forecast backtest"): PLACES,
    ("docs/forecast-data.md", "ascribe pipeline forecast"): PLACES,
    ("docs/pipeline.md", "ascribe pipeline run"): PLACES,
    ("docs/federated-servers.md", "ascribe federated host --registry"): "two companies' machines",
    ("docs/federated-servers.md", "ASCRIBE_TLS_CERT"): "two companies' certificates",
    ("docs/federated-servers.md", "ASCRIBE_PARTY_CA"): "two companies' certificates",
    ("README.md", "ascribe forecast train"): SHORTER,
    ("docs/for/operator.md", "ascribe forecast train"): SHORTER,
    ("examples/README.md", f"{TRAIN}xeon"): "many minutes; the demo does the same",
    ("examples/README.md", f"{TRAIN}opteron"): "many minutes; the demo does the same on another file",
    ("examples/README.md", ".venv/bin/ascribe plot"): "draws what the line before trains",
    ("docs/compare.md", "ascribe probe"): "many minutes; tests/test_measures.py asks for less",
    ("docs/page.md", "ascribe ingest"): "goes on until it is stopped, and says nothing that a script could wait for",
}
"""What a block needs that no folder has."""


def block(page: str, words: str) -> Block:
    (found,) = (b for b in blocks() if b.page == page and b.language in ("shell", "bash") and b.text.startswith(words))
    return found


def asks(block: Block) -> bool:
    return block.language in ("shell", "bash") and any(words[0] in PROGRAMS for words in lines(block.text))


def test_every_block_of_commands_is_run_or_has_a_reason():
    """A new block stands in `CASES`, or is marked `runs`, or in `LEFT`; and nothing stands there that no page has."""
    ran = {block(*named) for case in CASES for named in case.blocks}
    left = {block(*named) for named in LEFT}
    assert not ran & left
    assert {str(b) for b in blocks() if asks(b) and b.mark != "runs"} <= {str(b) for b in ran | left}


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_commands_run_and_leave_what_they_name(case, tmp_path, request):
    case.has(tmp_path, request)
    text = "\n".join(block(*named).text for named in case.blocks).replace("\\\n", " ")
    with ExitStack() as ports:
        run(served(text, ports), tmp_path, seconds=1200)
    for name in outputs(text):
        assert (tmp_path / name).exists(), name


def served(text: str, ports: ExitStack) -> str:
    """Servers in the background, each until it says that it is ready, as in another terminal; ended at the end. Their
    addresses become free ones, which are said where a server has them by default.
    """
    free: dict[str, str] = {}

    def elsewhere(m: re.Match[str]) -> str:
        return free.setdefault(m[0], f"127.0.0.1:{ports.enter_context(held_port())}")

    def behind(m: re.Match[str]) -> str:
        doors = "" if " --http " in m[0] or " host " in m[0] else " --http 127.0.0.1:8080 --grpc 127.0.0.1:50051"
        log = f"server{m.start()}.log"
        ready = f"until grep -q '\"ready\"' {log}; do kill -0 $! || {{ cat {log} >&2; exit 1; }}; sleep 0.2; done"
        return f'{m[0]}{doors} > {log} 2>&1 &\nSERVERS="$SERVERS $!"\n{ready}'

    return ADDRESS.sub(
        elsewhere, "trap 'kill $SERVERS; wait' EXIT\n" * bool(SERVER.search(text)) + SERVER.sub(behind, text)
    )


def outputs(text: str) -> Iterator[str]:
    for words in lines(text):
        if words[0] in PROGRAMS:
            yield from (words[k + 1] for k, word in enumerate(words) if word in ("-o", "--out"))
