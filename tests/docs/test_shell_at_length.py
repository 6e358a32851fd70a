"""The other shell blocks run too, by `make soak`, on what a reader has by then."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docs import beforehand, elsewhere, recorded
from tests.docs.blocks import Block, blocks, lines
from tests.docs.going_on import beside
from tests.docs.test_shell import run
from tests.ports import held_port

PROGRAMS = ("ascribe", ".venv/bin/ascribe")
ADDRESS = re.compile(r"(?:127\.0\.0\.1|0\.0\.0\.0|bank\.example):(\d+)")


@dataclass(frozen=True)
class Case:
    """Blocks that run one after another in one shell, each as its page and first words; a text that several pages have
    runs once. `has`: what makes what lies there beforehand; it answers what stands in place of the reader's own words,
    and of defaults that take long. `then`: a line for when all of it runs.
    """

    blocks: tuple[tuple[str, str], ...]
    has: Callable[[Path, pytest.FixtureRequest], Mapping[str, str] | None] = beforehand.nothing
    then: str = ""

    def __str__(self) -> str:
        page, words = self.blocks[-1]
        return f"{page}-{'_'.join(words.split()[:3])}".replace("/", "_")


def on(page: str, *words: str) -> tuple[tuple[str, str], ...]:
    return tuple((page, first) for first in words)


ADOPTED = on("docs/adopt.md", "python - <<'EOF'\nimport pandas", "ascribe import examples/data/models/mob", "printf 'A")
PARTIES = on("docs/federated-servers.md", "ascribe federated import", "ascribe federated host --bundle")
TRAIN = ".venv/bin/ascribe train --data examples/data/"
CURL = "curl --fail-with-body -s http://127.0.0.1:8080"
SCORE = f"{CURL}/v1/predictions -H 'Content-Type: application/json' -d @row.json"
CASES = (
    Case(on("README.md", "ascribe import model.ubj"), beforehand.income),
    Case(on("README.md", "ascribe serve --registry runs/demo"), beforehand.demo),
    Case(
        (*on("README.md", "ascribe ingest --source"), *on("docs/for/energy.md", "ascribe ingest --source")),
        elsewhere.fleet, f"{CURL}/v1/nodes/n1/attribution",
    ),
    Case(on("README.md", "ascribe forecast train"), recorded.backbone),
    Case(on("docs/additive.md", "ascribe train"), beforehand.watts),
    Case((*ADOPTED, *on("docs/adopt.md", "ascribe explainers runs/mobilenet"))),
    Case((*ADOPTED[1:2], *on("docs/compare.md", "ascribe compare")), beforehand.demo),
    Case((*ADOPTED[1:2], *on("docs/compare.md", "ascribe probe")), beforehand.probed),
    Case(
        (*PARTIES, *on("docs/federated-servers.md", "ascribe federated score", "ascribe federated guest --bundle")),
    ),
    Case((*PARTIES, *on("docs/federated-servers.md", "ascribe federated split")), beforehand.loans),
    Case(on("docs/federated-servers.md", "ascribe federated host --registry"), elsewhere.companies, SCORE),
    Case(on("docs/federated-servers.md", "ASCRIBE_TLS_CERT", "ASCRIBE_PARTY_CA"), elsewhere.certificates, SCORE),
    Case(on("docs/federated.md", "ascribe federated split"), beforehand.halves),
    Case(on("docs/for/consortium.md", "ascribe federated split"), beforehand.loans),
    Case(on("docs/for/consortium.md", "ascribe federated import"), beforehand.exports),
    Case(on("docs/for/ml.md", "ascribe import model.ubj", "VERSION=$(ascribe publish runs/adult"), beforehand.income),
    Case(on("docs/for/operator.md", "ascribe pipeline forecast --help")),
    Case(
        (*on("docs/for/operator.md", "ascribe forecast train"), *on("docs/backtest.md", "ascribe forecast backtest")),
        recorded.traffic,
    ),
    Case(on("docs/forecast-data.md", "ascribe pipeline forecast"), recorded.series),
    Case(
        on("docs/forecast.md", "ascribe forecast train", "ascribe promote"), elsewhere.bucket,
        f"{CURL}/v1/models/backbone",
    ),
    Case(on("docs/importance.md", "ascribe importance"), beforehand.demo),
    Case(on("docs/index.md", ".venv/bin/ascribe serve"), beforehand.demo),
    Case(on("docs/observability.md", "OTEL_TRACES_EXPORTER"), elsewhere.collector, f"{CURL}/v1/models/node-power"),
    Case(on("docs/page.md", "ascribe ingest"), recorded.rows),
    Case(on("docs/pipeline.md", "ascribe pipeline run"), recorded.lake),
    Case((*ADOPTED[1:], *on("docs/plots.md", "ascribe explain runs/mobilenet"))),
    Case(on("docs/plots.md", "ascribe explain runs/demo/bundle"), beforehand.demo),
    Case(on("docs/prometheus.md", "ascribe ingest"), elsewhere.prometheus),
    Case(on("docs/quantize.md", "ascribe quantize"), beforehand.network),
    Case(on("docs/security.md", "ascribe keys new prometheus", "ascribe keys new scheduler")),
    Case(on("docs/telemetry.md", "ascribe ingest --source kafka"), elsewhere.topic),
    Case(on("docs/upgrades.md", "ascribe rollback"), elsewhere.two_versions),
    Case(on("docs/zh/index.md", ".venv/bin/ascribe serve"), beforehand.demo),
    Case(
        on("examples/README.md", "FEATURES=", f"{TRAIN}xeon", f"{TRAIN}opteron", ".venv/bin/ascribe plot"),
        beforehand.examples,
    ),
    Case(on("examples/data/fate/README.md", "ascribe federated import")),
)  # fmt: skip


def block(page: str, words: str) -> Block:
    (found,) = (b for b in blocks() if b.page == page and b.language in ("shell", "bash") and b.text.startswith(words))
    return found


def asks(block: Block) -> bool:
    return block.language in ("shell", "bash") and any(words[0] in PROGRAMS for words in lines(block.text))


def test_every_block_of_commands_is_run():
    """A new block stands in `CASES`, or is marked `runs`; and nothing stands there that no page has."""
    ran = {str(block(*named)) for case in CASES for named in case.blocks}
    assert {str(b) for b in blocks() if asks(b) and b.mark != "runs"} <= ran


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_commands_run_and_leave_what_they_name(case, tmp_path, request):
    own = case.has(tmp_path, request) or {}
    text = "\n".join(dict.fromkeys(block(*named).text for named in case.blocks)).replace("\\\n", " ")
    with ExitStack() as ports:
        run(written(here(beside(text, case.then), ports), own), tmp_path, seconds=1200)
    for name in outputs(written(text, own)):
        assert (tmp_path / name).exists(), name


def here(text: str, ports: ExitStack) -> str:
    """Addresses that servers listen at become free ones of this machine."""
    free: dict[str, str] = {}

    def elsewhere(m: re.Match[str]) -> str:
        return free.setdefault(m[1], f"127.0.0.1:{ports.enter_context(held_port())}")

    return ADDRESS.sub(elsewhere, text)


def written(text: str, own: Mapping[str, str]) -> str:
    """With the reader's own words, each of which the text has a place for."""
    for word in own:
        assert word in text, word
    places = "|".join(map(re.escape, sorted(own, key=len, reverse=True)))
    return re.sub(places, lambda m: own[m[0]], text) if own else text


def outputs(text: str) -> Iterator[str]:
    for words in lines(text):
        if words[0] in PROGRAMS:
            yield from (words[k + 1] for k, word in enumerate(words) if word in ("-o", "--out"))
