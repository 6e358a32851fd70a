"""Dashboard and alerts: every name is on a real page, every query is answered by a real Prometheus, alerts fire."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ascribe.bundle.archive import open_directory, write
from ascribe.bundle.registry import Registry
from ascribe.train.ingest.metrics import Metrics as IngestMetrics
from ascribe.train.ingest.run import Ingested
from tests.ports import held_port
from tests.prometheus_server import asked, programs, serving
from tests.waiting import until

from .. import tiny
from ..conftest import Served, open_server

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus" / "ascribe.rules.yaml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "ascribe.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
NAME = re.compile(r"\b(?:attribution|nv_inference|request)_[a-z_]+\b")
PAGE = ROOT / "docs" / "observability.md"
WINDOW_S = 4


def names_in(query: str) -> set[str]:
    """Names of metrics: labels and what is quoted are none."""
    return set(NAME.findall(re.sub(r'"[^"]*"|\{[^}]*\}|by \([^)]*\)', "", query)))


def queries() -> list[tuple[str, str]]:
    return [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from open_server(
        tmp_path_factory.mktemp("charted"), max_rows=8, poll_s=0.1, lake=str(tmp_path_factory.mktemp("lake") / "lake")
    )


@pytest.fixture(scope="module")
def ingest() -> Iterator[tuple[IngestMetrics, int]]:
    """What `ascribe ingest --metrics` shows."""
    with held_port() as port:
        metrics = IngestMetrics(f"127.0.0.1:{port}", "ascribe")
        metrics.set(Ingested(rows=10, quarantined=1, dead=1, lag={"kafka/raw_metrics/0": 3}))
        yield metrics, port


@pytest.fixture(scope="module")
def prometheus(
    server: Served, ingest: tuple[IngestMetrics, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Scrapes both, twice a second; the rules as they are, but with windows of seconds and no patience."""
    place = tmp_path_factory.mktemp("prometheus")
    at = str(server.http.base_url).rstrip("/").removeprefix("http://")
    (place / "rules.yaml").write_text(hurried(RULES.read_text()))
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "200ms"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {"job_name": "serve", "static_configs": [{"targets": [at]}]},
            {"job_name": "ingest", "static_configs": [{"targets": [f"127.0.0.1:{ingest[1]}"]}]},
        ],
    }
    with serving(place, place / "tsdb", yaml.safe_dump(config)) as base:
        yield base


def hurried(rules: str) -> str:
    return re.sub(r"for: \d+m", "for: 0s", re.sub(r"\[\d+m\]", f"[{WINDOW_S}s]", rules))


def filled(query: str) -> str:
    """A query as Grafana sends it, with every model chosen."""
    for name, value in (("$__rate_interval", f"{WINDOW_S}s"), ("$__range", "60s"), ("$model", ".*")):
        query = query.replace(name, value)
    assert "$" not in query
    return query


def firing(base: str) -> set[str]:
    with urllib.request.urlopen(f"{base}/api/v1/alerts", timeout=10) as reply:
        alerts = json.loads(reply.read())["data"]["alerts"]
    names = {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}
    return {name for name in names if "Slow" not in name}  # what is slow depends on what else this machine does


class Traffic:
    """Requests of every kind, and rows that come in, until the end of a `with`."""

    def __init__(self, server: Served, ghz: float, ingest: IngestMetrics | None = None) -> None:
        self.values, self.ingest = tiny.ROW | {"ghz": ghz}, ingest
        self.server, self.stop = server, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        with httpx.Client(base_url=self.server.http.base_url) as http:
            while not self.stop.wait(0.05):
                if self.ingest:
                    kept = self.ingest._total.rows + 10
                    self.ingest.set(Ingested(rows=kept, quarantined=1, dead=1, lag={"kafka/raw_metrics/0": 3}))
                for path, words in (
                    ("attributions", {"tier": "exact"}), ("attributions", {"tier": "accurate"}), ("predictions", {}),
                    ("attributions", {"model": "nobody"}),
                ):  # fmt: skip
                    http.post(f"/v1/{path}", json={"feature_vector": {"values": self.values}} | words)

    def __enter__(self) -> Traffic:
        self.thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        self.thread.join()


def test_every_name_is_on_a_real_page(server, ingest):
    pages = [server.http.get("/metrics").text, httpx.get(f"http://127.0.0.1:{ingest[1]}/metrics").text]
    there = set()
    for family in (family for text in pages for family in text_string_to_metric_families(text)):
        there.add(family.name)
        there |= {sample.name for sample in family.samples}
        there |= {f"{family.name}_{end}" for end in ("bucket", "sum", "count") if family.type == "histogram"}
        there |= {f"{family.name}_total"} if family.type == "counter" else set()
    used = {name for _, query in queries() for name in names_in(query)}
    used |= {name for alert in ALERTS for name in names_in(alert["expr"])}
    assert len(used) > 20
    assert used - there == set()
    said = set(NAME.findall(PAGE.read_text()))
    assert {n for n in said if n.startswith("attribution_")} - there == set()


def test_the_dashboard_is_one():
    assert DASHBOARD["uid"] == "ascribe"
    assert {v["name"] for v in DASHBOARD["templating"]["list"]} == {"source", "model"}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken
        taken |= cells
    for panel in PANELS:
        assert panel["title"] and panel["targets"]
        assert panel["datasource"]["uid"] == "${source}"


def test_the_rules_pass_the_servers_own_check():
    done = subprocess.run([programs()[1], "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(ALERTS)} rules found" in done.stdout


def test_every_alert_leads_to_a_heading_of_the_page():
    headings = {line.lstrip("# ").strip().lower() for line in PAGE.read_text().splitlines() if line.startswith("#")}
    for alert in ALERTS:
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert page == "docs/observability.md"
        assert anchor in headings


def test_every_query_of_the_dashboard_is_answered(server, prometheus):
    queries_of_events = {"shed", "deadline"}  # series of a code that never came
    with Traffic(server, ghz=9.0):
        until(lambda: asked(prometheus, "attribution_share_rows_total > 20", time.time()), "no traffic was scraped")
        left = {
            (title, query) for title, query in queries()
            if not any(f"{word}|" in query for word in ("internal", *queries_of_events))
        }  # fmt: skip
        assert len(left) > 20

        def unanswered() -> bool:
            left.difference_update({one for one in left if asked(prometheus, filled(one[1]), time.time())})
            return not left

        until(unanswered, f"no answer to {left}")


def test_watts_by_counter_and_the_base_value_add_up_to_the_prediction(server, prometheus):
    (panel,) = [panel for panel in PANELS if panel["title"].startswith("Watts by counter")]
    predicted = float(tiny.BIAS + tiny.WEIGHTS @ list((tiny.ROW | {"ghz": 3.0}).values()))
    with Traffic(server, ghz=3.0):

        def adds_up() -> bool:
            found = [asked(prometheus, filled(target["expr"]), time.time()) for target in panel["targets"]]
            watts = [value for answers in found for _, value in answers]
            return len(watts) == 4 and abs(sum(watts) - predicted) < 0.01 * predicted

        until(adds_up, "the stack is not the prediction")


def test_alerts_fire_when_they_should_and_only_they(server, ingest, prometheus):
    until(lambda: firing(prometheus) == {"AscribeIngestStopped"}, "records wait, none is kept, and nobody is told")
    with Traffic(server, ghz=2.5, ingest=ingest[0]):
        until(lambda: not firing(prometheus), "something fires though all is well")
    with Traffic(server, ghz=9.0, ingest=ingest[0]):
        until(lambda: firing(prometheus) == {"AscribeOutOfRange"}, "ghz leaves the range, and that alone is not told")
    assert "AscribeReloadFailed" not in firing(prometheus)
    registry, bad = promoted_wrong(server)
    until(lambda: "AscribeReloadFailed" in firing(prometheus), "a version failed to load, and nobody is told")
    registry.promote(tiny.NAME, server.version, tiny.AT, expected=bad)
    with Traffic(server, ghz=2.5, ingest=ingest[0]):
        until(lambda: not firing(prometheus), "all is well again, and something still fires")


def promoted_wrong(server: Served) -> tuple[Registry, str]:
    """Production points at a version whose stored example is not what it answers."""
    place = Path(server.registry).parent
    held = open_directory(place / "bundle")
    files = {name: (place / "bundle" / name).read_bytes() for name in held.manifest.files}
    example = {"x": held.manifest.example["x"], "prediction": [1.0]}
    wrong = msgspec.structs.replace(held.manifest, created="2026-11-02T00:00:00+00:00", example=example)
    write(place / "wrong", wrong, files)
    registry = Registry(server.registry)
    version = registry.publish(tiny.NAME, open_directory(place / "wrong"))
    registry.promote(tiny.NAME, version, tiny.AT, expected=server.version)
    return registry, version
