"""What the demo asks the service, over both doors, and how it shows the answer."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import grpc
import numpy as np
from rich.table import Table

from ascribe.demo.told import say
from ascribe.serve.wire import attribution_pb2 as wire
from ascribe.serve.wire import attribution_pb2_grpc as door

__all__ = ["BUDGET", "SAMPLES", "ask_grpc", "ask_http", "show", "show_tiers"]

BUDGET, SAMPLES = 1024, 64
SHOWN = 10


def ask_http(url: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    sent = [{name: value for name, value in row.items() if name != "node"} for row in rows]
    body = json.dumps({"feature_vector": sent, "budget": BUDGET, "samples": SAMPLES}).encode()
    request = urllib.request.Request(f"{url}/v1/attributions", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        found: dict[str, Any] = json.load(answer)
        return found


def ask_grpc(address: str, rows: list[dict[str, Any]]) -> Any:
    vectors = [
        wire.FeatureVector(
            id=row["id"], names=list(row["values"]), values=list(row["values"].values()),
            units=list(row["units"].values()), measured_w=row["measured_w"],
        )
        for row in rows
    ]  # fmt: skip
    with grpc.insecure_channel(address) as channel:
        ask = door.AttributionServiceStub(channel).GetAttribution
        return ask(wire.AttributionRequest(feature_vector=vectors, budget=BUDGET, samples=SAMPLES), timeout=120)


def show(answer: dict[str, Any]) -> None:
    """Watts per counter of both moments, largest first."""
    table = Table("counter", *(a["id"] for a in answer["attributions"]), box=None)
    busy = answer["attributions"][0]["attribution_shares"]
    names = sorted(busy, key=lambda name: -abs(busy[name]))

    def row(label: str, cells: list[str]) -> None:
        table.add_row(label, *cells)

    for name in names[:SHOWN]:
        row(
            name,
            [
                f"{a['attribution_shares'][name]:+8.2f} W +- {a['stderr'].get(name, np.nan):.2f}"
                for a in answer["attributions"]
            ],
        )
    rest = [sum(a["attribution_shares"][name] for name in names[SHOWN:]) for a in answer["attributions"]]
    row(f"{len(names) - SHOWN} other counters", [f"{value:+8.2f} W" for value in rest])
    row("base (mean over training)", [f"{a['base_value']:8.2f} W" for a in answer["attributions"]])
    row("= predicted", [f"{a['prediction']:8.2f} W" for a in answer["attributions"]])
    row("unexplained", [f"{a['unexplained_w']:+8.2f} W" for a in answer["attributions"]])
    row("= measured", [f"{a['measured_w']:8.2f} W" for a in answer["attributions"]])
    say.print(table)
    say.print(
        f"{answer['method']}, {answer['game']} game, {answer['budget']} coalitions x {answer['samples']} completions; "
        f"{answer['timings_ms']['explain'] / len(answer['attributions']):.0f} ms a row"
    )


def show_tiers(url: str, name: str) -> None:
    """What each tier takes here, as the server measured it."""
    with urllib.request.urlopen(f"{url}/v1/models/{name}", timeout=10) as answer:
        card = json.load(answer)
    table = Table("tier", "one row", "standard error", box=None)
    for tier, told in card["tiers"].items():
        ms = told["latency_ms"].get("1")
        error = "" if told["stderr"] is None else f"{told['stderr']:.2f} {card['unit']}"
        table.add_row(tier, "" if ms is None else f"{ms:.3g} ms", error)
    say.print(table)
