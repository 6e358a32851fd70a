"""Each alert, with its own windows and patience, evaluated by promtool on series made for it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus_server import programs

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "ascribe.rules.yaml"
ALERTS = {r["alert"]: r for group in yaml.safe_load(RULES.read_text())["groups"] for r in group["rules"]}
MINUTES = 60

CALLS = (("attribution", "fast"), ("attribution", "balanced"), ("attribution", "accurate"), ("prediction", ""))
INFO = {'attribution_model_info{model="m",version="1",sha256="a"}': "1+0x{n}"}
GOOD = {'attribution_requests_total{method="attribution",tier="fast",code="ok"}': "0+600x{n}"}
READS = {
    'attribution_ingested_rows_total{group="g"}': "0+600x{n}",
    'attribution_quarantine_total{group="g"}': "0+1x{n}",
    'attribution_dead_letter_total{group="g"}': "0+1x{n}",
    'attribution_consumer_lag_records{group="g",topic="t",partition="0"}': "50+0x{n}",
}
HEALTHY = {
    **INFO, **GOOD, **READS,
    'attribution_model_reload_total{result="loaded"}': "1+1x{n}",
    'attribution_model_reload_total{result="failed"}': "3+0x{n}",
    'attribution_feature_out_of_range_total{feature="busy"}': "0+5x{n}",
    "attribution_share_rows_total": "0+600x{n}",
    **{
        f'attribution_request_duration_seconds_bucket{{method="{method}",tier="{tier}",le="{le}"}}': "0+600x{n}"
        for method, tier in CALLS
        for le in ("0.005", "2", "+Inf")
    },
    **{f'attribution_efficiency_residual_watts_bucket{{le="{le}"}}': "0+600x{n}" for le in ("0.000001", "1", "+Inf")},
}  # fmt: skip


def slow(method: str, tier: str, share: int) -> dict[str, str]:
    """So many percent of 600 requests a minute take between 5 ms and 2 s."""
    of = f'method="{method}",tier="{tier}"'
    return {f'attribution_request_duration_seconds_bucket{{{of},le="0.005"}}': f"0+{600 - 6 * share}x{{n}}"}


HARM: dict[str, dict[str, str]] = {
    "AscribeNoModel": {next(iter(INFO)): "_x{n}"},
    "AscribeErrors": {'attribution_requests_total{method="attribution",tier="",code="internal"}': "0+12x{n}"},
    "AscribeSlow": slow("attribution", "accurate", 10),
    "AscribeSlowPredictions": slow("prediction", "", 10),
    "AscribeShedding": {'attribution_requests_total{method="attribution",tier="",code="shed"}': "0+30x{n}"},
    "AscribeDeadlines": {'attribution_requests_total{method="attribution",tier="",code="deadline"}': "0+12x{n}"},
    "AscribeResidual": {'attribution_efficiency_residual_watts_bucket{le="0.000001"}': "0+500x{n}"},
    "AscribeReloadFailed": {'attribution_model_reload_total{result="failed"}': "0+0x30 1+0x{n}"},
    "AscribeOutOfRange": {'attribution_feature_out_of_range_total{feature="busy"}': "0+100x{n}"},
    "AscribeLag": {'attribution_consumer_lag_records{group="g",topic="t",partition="0"}': "10000+100x{n}"},
    "AscribeIngestStopped": {'attribution_ingested_rows_total{group="g"}': "700+0x{n}"},
    "AscribeRefusedRows": {'attribution_quarantine_total{group="g"}': "0+60x{n}"},
}
TOO = {"AscribeIngestStopped": {"AscribeRefusedRows"}}  # what is refused is then all that comes


def fired(place: Path, series: dict[str, str], minute: int) -> set[str]:
    """Names of the alerts that fire at a minute, as promtool sees them."""
    (place / "rules.yaml").write_text(RULES.read_text())
    wrong = [{"eval_time": f"{minute}m", "alertname": name, "exp_alerts": []} for name in ALERTS]
    test: dict[str, Any] = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": s, "values": v.format(n=MINUTES)} for s, v in series.items()],
                "alert_rule_test": wrong,
            }
        ],
    }
    (place / "test.yaml").write_text(yaml.safe_dump(test))
    command = [programs()[1], "test", "rules", "test.yaml"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0 or "got:[" in said, said
    return {name for name in ALERTS if f"alertname: {name}," in said or f"alertname:{name}," in said}


def test_every_alert_has_a_harm():
    assert set(HARM) == set(ALERTS)
    assert len(ALERTS) == 12


def test_nothing_fires_where_all_is_well(tmp_path):
    assert fired(tmp_path, HEALTHY, MINUTES - 1) == set()


@pytest.mark.parametrize("name", sorted(HARM))
def test_each_alert_fires_on_its_own_harm_alone(tmp_path, name):
    assert fired(tmp_path, HEALTHY | HARM[name], 40) == {name} | TOO.get(name, set())


@pytest.mark.parametrize("name", ["AscribeErrors", "AscribeShedding", "AscribeResidual", "AscribeSlowPredictions"])
def test_patience_is_kept(tmp_path, name):
    """A harm of two minutes wakes nobody."""
    assert name not in fired(tmp_path, HEALTHY | HARM[name], 2)
