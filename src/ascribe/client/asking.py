"""The client that waits: every verb of a server."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, Unpack

from ascribe.client import calls
from ascribe.client.calls import EnergyWishes, ExplainWishes, ForecastWishes, PredictWishes, StreamAnswer
from ascribe.client.opening import waiting
from ascribe.client.options import Tls, opened
from ascribe.client.ways import CHUNKS, ENDED, TIMEOUT_S, TRIES, append, check_time, made, only
from ascribe.serve.cards.repertoire import ExplainersCard
from ascribe.serve.cards.served import ModelCard, NodeCard
from ascribe.serve.forecasts.messages import ForecastResponse
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.messages import AttributionResponse, EnergyResponse, PredictionResponse

__all__ = ["Client"]


class Client:
    """Asks the server at `http(s)://HOST:PORT` or `grpc(s)://HOST:PORT`, and waits; for any number of threads.

    `timeout`: seconds for a call with all its tries. Rows: see `rows.vectors`. A call is sent again, at most `tries`
    times, where it surely was not done (nobody listens) or the server says when to come again. Every call raises
    AscribeError: InputError, NotFound, CapabilityError, and ServiceError with its kinds in `serve.faults`.

    >>> Client("ftp://127.0.0.1")
    Traceback (most recent call last):
    ascribe.core.errors.InputError: 'ftp://127.0.0.1' is no address of a server: use http(s)://HOST:PORT or grpc(s)://HOST:PORT
    >>> with Client("http://127.0.0.1:8080") as client:       # doctest: +SKIP
    ...     client.explain({"busy": 0.6, "ghz": 2.5, "misses": 9.0}, tier="exact").attributions[0].attribution_shares
    """

    def __init__(
        self, url: str, api_key: str | None = None, token: str | None = None, timeout: float = TIMEOUT_S,
        tls: Tls | None = None, tries: int = TRIES,
    ) -> None:  # fmt: skip
        options = opened(url, api_key, token, timeout, tls, tries)
        self._way = waiting(options)
        self._ask = self._way.ask

    def predict(self, X: Any, **wishes: Unpack[PredictWishes]) -> PredictionResponse:
        """Predictions; with `explain="later"` the answer's `attribution_id` is for `attribution`."""
        return self._ask(calls.predict(X, **wishes))

    def explain(self, X: Any, **wishes: Unpack[ExplainWishes]) -> AttributionResponse:
        """How much of each row's prediction each feature accounts for."""
        return self._ask(calls.explain(X, **wishes))

    def attribution(self, attribution_id: str, wait_s: float = 0.0) -> AttributionResponse | None:
        """What `predict` promised; None where it is not ready within so many seconds (at most 30)."""
        return self._ask(calls.attribution(attribution_id, wait_s)).response

    def energy(self, X: Any, observed: Sequence[Any], **wishes: Unpack[EnergyWishes]) -> EnergyResponse:
        """Energy and proposal of hidden features: `observed` names features, or is a list of such lists."""
        return self._ask(calls.energy(X, observed, **wishes))

    def forecast(self, series: Any, **wishes: Unpack[ForecastWishes]) -> ForecastResponse:
        """Curves of series from their recent samples, or by name; see `samples.samples` for what may be given."""
        return self._ask(calls.forecast(series, **wishes))

    def stream(
        self, chunks: Iterable[Any], most: int = CHUNKS, **wishes: Unpack[ExplainWishes]
    ) -> Iterator[StreamAnswer]:
        """Each chunk of rows explained, in the order in which answers come; `index` counts chunks from 0. A chunk that
        cannot be answered has an `error` and ends nothing.
        """
        return self._way.stream(((k, made(X, wishes)) for k, X in enumerate(chunks)), most)

    def submit(self, X: Any, **wishes: Unpack[ExplainWishes]) -> JobCard:
        """Have many rows explained in the background; not sent again where it may have been accepted."""
        return self._ask(calls.submit(X, **wishes))

    def job(self, job: str) -> JobCard:
        """How far a job is."""
        return self._ask(calls.job(job))

    def cancel(self, job: str) -> JobCard:
        """End a job that has not ended."""
        return self._ask(calls.cancel(job))

    def wait(self, job: str, timeout: float | None = None, every_s: float = 0.5) -> JobCard:
        """The job's card once it has ended, asked for every so often. Raises DeadlineError after `timeout` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while (card := self.job(job)).state not in ENDED:
            check_time(card, until)
            time.sleep(every_s)
        return card

    def result(self, job: str, offset: int = 0, limit: int = 0) -> AttributionResponse:
        """The answers of a finished job: `limit` rows from `offset` on (0: all). Raises CapabilityError before."""
        total = self.job(job).total
        last = min(offset + limit, total) if limit else total
        found = self._ask(calls.page(job, offset, limit))
        while (at := offset + len(found.attributions)) < last:
            append(found, self._ask(calls.page(job, at, last - at)))
        return found

    def models(self) -> list[str]:
        """Names of the models that are served."""
        return self._ask(calls.models())

    def card(self, model: str | None = None) -> ModelCard:
        """Features, units, tiers, version of a model; None: the only one."""
        return self._ask(calls.card(model or only(self.models())))

    def explainers(self, model: str | None = None) -> ExplainersCard:
        """What a model can be asked; None: the only one."""
        return self._ask(calls.explainers(model or only(self.models())))

    def nodes(self) -> list[str]:
        """Nodes that the server's lake has heard of."""
        return self._ask(calls.nodes())

    def node(self, node: str) -> NodeCard:
        """The latest vector of a node."""
        return self._ask(calls.node(node))

    def explain_node(
        self, node: str, model: str | None = None, tier: str | None = None, output: str | None = None
    ) -> AttributionResponse:
        """The latest vector of a node, explained."""
        return self._ask(calls.explain_node(node, model, tier, output))

    def status(self) -> dict[str, Any]:
        """How ingest, pipeline and drift stand."""
        return self._ask(calls.status())

    def close(self) -> None:
        """Connections are let go; `with` does it too."""
        self._way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
