"""A real server that scrapes every second: the present is followed, and an exporter that goes away is a gap."""

import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from ascribe.train.sources.prometheus import opened
from tests.prometheus_server import serving

WATTS = 200.0
RANGE_J = 262_143.32885
LONGEST_S = 180.0


class Exporter:
    """Two sockets of 200 W; socket 0 wraps two seconds after the start. Answers 500 while `broken`."""

    def __init__(self):
        self.start = time.time()
        self.broken = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = outer.text().encode()
                self.send_response(500 if outer.broken else 200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def text(self) -> str:
        joules = WATTS * (time.time() - self.start)
        return (
            "# TYPE node_rapl_package_joules_total counter\n"
            f'node_rapl_package_joules_total{{index="0",path="p0"}} {(RANGE_J - 2 * WATTS + joules) % RANGE_J!r}\n'
            f'node_rapl_package_joules_total{{index="1",path="p1"}} {joules!r}\n'
            "# TYPE node_load1 gauge\nnode_load1 1.25\n"
        )


def rates(base: str) -> np.ndarray:
    """Columns (from s, to s, W of both sockets together) between scrapes that succeeded, from the server's samples."""
    with urllib.request.urlopen(f"{base}/api/v1/query?query=node_rapl_package_joules_total[5m]", timeout=30) as reply:
        found = json.loads(reply.read())["data"]["result"]
    scrapes, joules = (np.array([[float(one[k]) for one in part["values"]] for part in found]) for k in (0, 1))
    assert len(found) == 2
    assert np.ptp(scrapes, axis=0).max() == 0
    at = scrapes[0]
    return np.column_stack([at[:-1], at[1:], (np.diff(joules) % RANGE_J).sum(axis=0) / np.diff(at)])


@pytest.fixture
def scraped(tmp_path):
    exporter = Exporter()
    config = (
        "global: {scrape_interval: 1s, scrape_timeout: 900ms}\n"
        "scrape_configs:\n"
        "- job_name: node\n"
        f"  static_configs: [{{targets: ['127.0.0.1:{exporter.server.server_port}'], labels: {{host: n0}}}}]\n"
    )
    with serving(tmp_path, tmp_path / "tsdb", config) as base:
        yield exporter, base
    exporter.server.shutdown()
    exporter.server.server_close()


def test_the_present_is_followed_and_a_failed_scrape_is_a_gap_not_a_wrong_number(scraped):
    exporter, base = scraped
    source = opened(f"prometheus+{base}?preset=node_exporter&node=host&step=1s&scrape=1s&start=4s")
    labelled, empty, broken_at, mended_at = [], 0, None, None
    seen = {}
    until = time.monotonic() + LONGEST_S
    for batch in source.batches(lambda stream: None):
        assert time.monotonic() < until
        empty += not batch.ends
        for v in batch.vectors:
            for end_us, watts in zip(v.timestamp.tolist(), v.power_w.tolist(), strict=True):
                assert end_us not in seen
                seen[end_us] = watts
        labelled = [end for end, watts in seen.items() if np.isfinite(watts)]
        if broken_at is None and len(labelled) >= 2:
            exporter.broken, broken_at = True, time.time() * 1e6
        elif broken_at and mended_at is None and time.time() * 1e6 > broken_at + 4e6:
            exporter.broken, mended_at = False, time.time() * 1e6
        elif mended_at and max(labelled) > mended_at + 1e6:
            source.close()
    assert empty > 0
    # A scrape may wait between the server's clock and the exporter's: a window is held to the scrapes about it.
    scrapes = rates(base)
    for end in labelled:
        near = scrapes[(scrapes[:, 1] > end / 1e6 - 4) & (scrapes[:, 0] < end / 1e6), 2]
        assert near.min() - 1e-6 < seen[end] < near.max() + 1e-6
    assert np.median(scrapes[:, 2]) == pytest.approx(2 * WATTS, rel=0.4)  # half would be one socket
    down = [end for end in labelled if broken_at + 2e6 < end < mended_at]
    assert down == []
    assert source.lag()[source.options.stream] <= 1
