"""What a second party costs: guest and host over real sockets beside the same model in one process.

    python -m benchmarks.federated [--quick]

Rows of the real SecureBoost pair (examples/data/fate), p50, p95 and p99 in milliseconds of one request:

local        both halves in this process, called as functions, with or without values
bitmap, json the host is a process of its own, asked over gRPC on the loopback; with `delay_ms` on the way back
overhead     p50 over p50 of local, side by side in one run

`wire`: bytes of routes of one answer, and of the whole answer. The guest's work is in this process, so that the
difference is the exchange and nothing else. Written to benchmarks/results/federated.json.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ascribe.bundle.archive import open_directory
from ascribe.bundle.federated.half import open_party
from ascribe.core.federated.explaining import Explainer, with_cover
from ascribe.core.federated.party import Party, answer, ask, local, merge
from ascribe.core.federated.records import Ask, Reply
from ascribe.core.federated.table import Table
from ascribe.serve.federated import wire
from ascribe.serve.federated.features.file import FileFeatures, read_rows
from ascribe.serve.federated.link import Link
from ascribe.serve.federated.scored import Asked, Scorer
from ascribe.serve.federated.settings import PartySettings
from benchmarks.record import keep

DATA = Path(__file__).parents[1] / "examples" / "data" / "fate"
ROWS, REPEATS = (1, 10, 50, 300, 1000), {1: 400, 10: 300, 50: 200, 300: 100, 1000: 60}
DELAYS_MS = (0, 5, 25)
TOLERANCE = 1e-9


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats, no delays but 5 ms")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        for role in ("guest", "host"):
            _imported(role, Path(folder) / role)
        guest, host = (open_party(open_directory(Path(folder) / role)) for role in ("guest", "host"))
        command = [
            sys.executable, "-m", "ascribe", "federated", "host", "--bundle", f"{folder}/host", "--features",
            str(DATA / "breast_hetero_host.csv"), "--listen", "127.0.0.1:0",
        ]  # fmt: skip
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                found = asyncio.run(_measured(guest, host, _ready(server), quick))
            finally:
                server.terminate()
    print(f"-> {keep('federated', found, quick)}")


async def _measured(guest: Party, host: Party, at: str, quick: bool) -> dict[str, Any]:
    ids, table = read_rows(DATA / "breast_hetero_guest.csv")
    features = FileFeatures(str(DATA / "breast_hetero_host.csv"))
    explainer = Explainer(_covered(guest, host, ids, table, features), {guest.hosts[0]: "bank"})
    out: dict[str, Any] = {"unit": "ms", "rows": {}, "wire": {}, "largest_margin_error": 0.0}
    recorded = _recorded()
    for rows in ROWS:
        names = (ids * 2)[:rows]
        own = Table(rows, {c: np.concatenate([held] * 2)[:rows] for c, held in table.columns.items()})
        repeats = max(10, REPEATS[rows] // (10 if quick else 1))
        out["wire"][str(rows)] = _sizes(host, ask(guest, names), features)
        held: dict[str, Any] = {}
        for explain in (False, True):
            cases = {"local": _in_process(guest, host, names, own, features, explainer if explain else None)}
            scorers = {form: _scorer(guest, at, form, explainer) for form in ("bitmap", "json")}
            for form, scorer in scorers.items():
                cases[form] = _over_sockets(scorer, names, own, explain)
            told = await _timed(cases, repeats)
            for form, scorer in scorers.items():
                found = await scorer.score(names, own, Asked("check"))
                error = np.abs(found.answer.margin[:, 0] - [recorded[n] for n in names]).max()
                out["largest_margin_error"] = max(out["largest_margin_error"], float(error))
                told[form]["overhead_p50"] = round(told[form]["p50"] - told["local"]["p50"], 4)
                await scorer.close()
            held["explained" if explain else "scored"] = told
        out["rows"][str(rows)] = held
        _say(rows, held)
    assert out["largest_margin_error"] <= TOLERANCE
    out["delayed"] = await _delayed(guest, at, ids, table, (5,) if quick else DELAYS_MS)
    return out


def _in_process(
    guest: Party, host: Party, names: list[str], own: Table, features: FileFeatures, explainer: Explainer | None
) -> Callable[[], Awaitable[Any]]:
    async def call() -> Any:
        asked = ask(guest, names)
        found = merge(guest, local(guest, own), {guest.hosts[0]: _reply(host, asked, features)})
        return explainer(found) if explainer else found

    return call


def _over_sockets(scorer: Scorer, names: list[str], own: Table, explain: bool) -> Callable[[], Awaitable[Any]]:
    return lambda: scorer.score(names, own, Asked("bench", explain=explain))


async def _timed(cases: dict[str, Callable[[], Awaitable[Any]]], repeats: int) -> dict[str, dict[str, float]]:
    """Cases in turn, so that whatever else the machine does hits all of them."""
    spent: dict[str, list[float]] = {name: [] for name in cases}
    for i in range(repeats + 3):
        for name, call in cases.items():
            start = time.perf_counter()
            await call()
            if i >= 3:
                spent[name].append((time.perf_counter() - start) * 1000)
    return {name: {f"p{q}": round(float(np.percentile(ms, q)), 4) for q in (50, 95, 99)} for name, ms in spent.items()}


async def _delayed(guest: Party, at: str, ids: list[str], table: Table, delays: tuple[int, ...]) -> dict[str, Any]:
    """The way back held for some milliseconds, as between two places: one exchange is one delay, whatever the rows."""
    out: dict[str, Any] = {}
    for delay_ms in delays:
        server = await asyncio.start_server(_between(at, delay_ms / 1000), "127.0.0.1", 0)
        scorer = _scorer(guest, f"127.0.0.1:{server.sockets[0].getsockname()[1]}", "bitmap", None)
        cases = {}
        for rows in (1, 300):
            own = Table(rows, {c: held[:rows] for c, held in table.columns.items()})
            cases[str(rows)] = _over_sockets(scorer, ids[:rows], own, False)
        out[str(delay_ms)] = await _timed(cases, 30)
        await scorer.close()
        server.close()
        print(f"{delay_ms} ms away: " + ", ".join(f"{n} rows {t['p50']:.2f} ms" for n, t in out[str(delay_ms)].items()))
    return out


def _between(at: str, delay_s: float) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    host, _, port = at.rpartition(":")

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(host, int(port))

        async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, wait_s: float) -> None:
            loop = asyncio.get_running_loop()
            while piece := await source.read(1 << 16):
                if wait_s:
                    loop.call_later(wait_s, sink.write, piece)  # later, but without holding up what follows
                else:
                    sink.write(piece)
            sink.close()

        with suppress(asyncio.CancelledError, ConnectionError):
            await asyncio.gather(carry(reader, far_writer, 0.0), carry(far_reader, writer, delay_s))

    return accept


def _scorer(guest: Party, at: str, form: Any, explainer: Explainer | None) -> Scorer:
    parties = PartySettings(form=form, timeout_s=30)
    return Scorer(guest, [Link(guest, guest.hosts[0], at, parties)], parties, explainer)


def _sizes(host: Party, asked: Ask, features: FileFeatures) -> dict[str, dict[str, int]]:
    reply = _reply(host, asked, features)
    out = {}
    for form in wire.FORMS:
        message = wire.reply_message(host, reply, asked, "bench", form)
        (part,) = message.parts
        out[form] = {"routes_bytes": len(part.routes.bits or part.routes.json), "answer_bytes": message.ByteSize()}
    return out


def _reply(host: Party, asked: Ask, features: FileFeatures) -> Reply:
    rows, found = features.find(asked.ids)
    return answer(host, asked, rows, found)


def _covered(guest: Party, host: Party, ids: list[str], table: Table, features: FileFeatures) -> Party:
    asked = ask(guest, ids)
    return with_cover(guest, merge(guest, local(guest, table), {guest.hosts[0]: _reply(host, asked, features)}))


def _imported(role: str, folder: Path) -> None:
    file = DATA / "secureboost" / f"{role}.model_cache.json"
    command = [sys.executable, "-m", "ascribe", "federated", "import", str(file), "--role", role, "--out", str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def _ready(server: subprocess.Popen[str]) -> str:
    assert server.stdout is not None
    for line in server.stdout:
        if '"event":"ready"' in line:
            threading.Thread(target=server.stdout.read, daemon=True).start()  # its log goes on
            return line.split('"grpc":"', 1)[1].split('"', 1)[0]
    raise SystemExit("the host did not start")


def _recorded() -> dict[str, float]:
    with (DATA / "secureboost" / "expected_scores.csv").open() as file:
        return {row["id"]: float(row["margin"]) for row in csv.DictReader(file)}


def _say(rows: int, held: dict[str, Any]) -> None:
    for what, told in held.items():
        parts = ", ".join(f"{name} {numbers['p50']:.3f}" for name, numbers in told.items())
        print(f"{rows:5d} rows {what:9s} p50 ms: {parts}")


if __name__ == "__main__":
    main()
