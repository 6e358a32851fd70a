"""All that watches one server, put together: log, metrics, traces, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from ipaddress import ip_address

from ascribe.serve.address import parse
from ascribe.serve.observe import tracing
from ascribe.serve.observe.board import Board
from ascribe.serve.observe.debug import Debug
from ascribe.serve.observe.log import Log, Watch
from ascribe.serve.observe.metrics import Metrics
from ascribe.serve.observe.pages import Listener, Page, beside
from ascribe.serve.observe.snapshots import MEDIA
from ascribe.serve.observe.traced_doors import Asgi, TracedCalls, traced
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import Lease, Versions

__all__ = ["Observed"]

FLAG = "ASCRIBE_METRICS_HTTP"


class Observed:
    """`log` for whoever writes, `meter` for the room, `view` for who reads the counts, `around` for the HTTP door,
    `interceptors` for the gRPC one.

    Raises ServiceError for an address or a folder that cannot be had, MissingExtra for traces without their SDK.
    """

    def __init__(self, settings: Settings, versions: Versions, write: Callable[[bytes], object]) -> None:
        self._settings, self._versions = settings, versions
        self.meter = Metrics([slot.name for slot in versions.slots], self._held)
        place = settings.metrics_dir or (settings.shared / "metrics" if settings.shared else None)
        self._board = Board(self.meter.snapshot, place)
        self.view = self._board.view
        watch: Watch = self.meter
        self._pages: dict[str, Page] = {"/metrics": lambda: (MEDIA, self._board.page())}
        if settings.debug_page:
            watch = debug = Debug(self.meter, lambda: versions.slots, self.meter.snapshot)
            self._pages["/debug"] = debug.page
        self.log = Log(write, watch, settings.log_share)
        self._end_traces = tracing.start(settings.traces_exporter)
        self.interceptors = [TracedCalls()]
        self._own = parse(settings.metrics_http, FLAG) if settings.metrics_http else None
        first = settings.worker == 0  # of several processes one shows what all of them count
        self._listener = Listener(self._own, FLAG, self._pages) if self._own and first else None

    def around(self, app: Asgi, host: str) -> Asgi:
        """The door with a span for each request, and the pages unless they have an address of their own. `host`: where
        the door listens: the metrics are shown on loopback, elsewhere only where the settings say so.
        """
        shown = dict(self._pages)
        if self._own:
            shown = {}
        elif not (_loopback(host) if self._settings.metrics is None else self._settings.metrics):
            del shown["/metrics"]
        return beside(traced(app), shown)

    def start(self) -> None:
        self._board.start()
        if self._listener:
            self._listener.start()
            self.log.event("metrics", http=f"http://{self._listener.address}/metrics")

    def stop(self) -> None:
        """After the last request."""
        if self._listener:
            self._listener.stop()
        self._board.stop()
        self._end_traces()

    def _held(self) -> Iterator[Lease]:
        for slot in self._versions.slots:
            yield from (lease for lease in (slot.lease, slot.before) if lease)


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
