"""The client that is awaited: the same verbs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from typing import Any, Self, Unpack

from ascribe.client import calls
from ascribe.client.calls import EnergyWishes, ExplainWishes, ForecastWishes, PredictWishes, StreamAnswer
from ascribe.client.opening import awaiting
from ascribe.client.options import Tls, opened
from ascribe.client.ways import CHUNKS, ENDED, TIMEOUT_S, TRIES, Chunk, append, check_time, made, only
from ascribe.serve.cards.repertoire import ExplainersCard
from ascribe.serve.cards.served import ModelCard, NodeCard
from ascribe.serve.forecasts.messages import ForecastResponse
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.messages import AttributionResponse, EnergyResponse, PredictionResponse

__all__ = ["AsyncClient"]


class AsyncClient:
    """As `Client`, awaited; for one event loop. Closed by `await client.aclose()`, or by `async with`.

    >>> AsyncClient("ftp://127.0.0.1")
    Traceback (most recent call last):
    ascribe.core.errors.InputError: 'ftp://127.0.0.1' is no address of a server: use http(s)://HOST:PORT or grpc(s)://HOST:PORT
    >>> async def watts() -> float:
    ...     async with AsyncClient("http://127.0.0.1:8080") as client:
    ...         return (await client.predict({"busy": 0.6, "ghz": 2.5, "misses": 9.0})).predictions[0].prediction
    """

    def __init__(
        self, url: str, api_key: str | None = None, token: str | None = None, timeout: float = TIMEOUT_S,
        tls: Tls | None = None, tries: int = TRIES,
    ) -> None:  # fmt: skip
        options = opened(url, api_key, token, timeout, tls, tries)
        self._way = awaiting(options)
        self._ask = self._way.ask

    async def predict(self, X: Any, **wishes: Unpack[PredictWishes]) -> PredictionResponse:
        """Predictions; with `explain="later"` the answer's `attribution_id` is for `attribution`."""
        return await self._ask(calls.predict(X, **wishes))

    async def explain(self, X: Any, **wishes: Unpack[ExplainWishes]) -> AttributionResponse:
        """How much of each row's prediction each feature accounts for."""
        return await self._ask(calls.explain(X, **wishes))

    async def attribution(self, attribution_id: str, wait_s: float = 0.0) -> AttributionResponse | None:
        """What `predict` promised; None where it is not ready within so many seconds (at most 30)."""
        return (await self._ask(calls.attribution(attribution_id, wait_s))).response

    async def energy(self, X: Any, observed: Sequence[Any], **wishes: Unpack[EnergyWishes]) -> EnergyResponse:
        """Energy and proposal of hidden features: `observed` names features, or is a list of such lists."""
        return await self._ask(calls.energy(X, observed, **wishes))

    async def forecast(self, series: Any, **wishes: Unpack[ForecastWishes]) -> ForecastResponse:
        """Curves of series from their recent samples, or by name; see `samples.samples` for what may be given."""
        return await self._ask(calls.forecast(series, **wishes))

    def stream(
        self, chunks: Iterable[Any] | AsyncIterable[Any], most: int = CHUNKS, **wishes: Unpack[ExplainWishes]
    ) -> AsyncIterator[StreamAnswer]:
        """Each chunk of rows explained, in the order in which answers come; `index` counts chunks from 0. A chunk that
        cannot be answered has an `error` and ends nothing.
        """
        return self._way.stream(_numbered(chunks, wishes), most)

    async def submit(self, X: Any, **wishes: Unpack[ExplainWishes]) -> JobCard:
        """Have many rows explained in the background; not sent again where it may have been accepted."""
        return await self._ask(calls.submit(X, **wishes))

    async def job(self, job: str) -> JobCard:
        """How far a job is."""
        return await self._ask(calls.job(job))

    async def cancel(self, job: str) -> JobCard:
        """End a job that has not ended."""
        return await self._ask(calls.cancel(job))

    async def wait(self, job: str, timeout: float | None = None, every_s: float = 0.5) -> JobCard:
        """The job's card once it has ended, asked for every so often. Raises DeadlineError after `timeout` seconds."""
        until = None if timeout is None else time.monotonic() + timeout
        while (card := await self.job(job)).state not in ENDED:
            check_time(card, until)
            await asyncio.sleep(every_s)
        return card

    async def result(self, job: str, offset: int = 0, limit: int = 0) -> AttributionResponse:
        """The answers of a finished job: `limit` rows from `offset` on (0: all). Raises CapabilityError before."""
        total = (await self.job(job)).total
        last = min(offset + limit, total) if limit else total
        found = await self._ask(calls.page(job, offset, limit))
        while (at := offset + len(found.attributions)) < last:
            append(found, await self._ask(calls.page(job, at, last - at)))
        return found

    async def models(self) -> list[str]:
        """Names of the models that are served."""
        return await self._ask(calls.models())

    async def card(self, model: str | None = None) -> ModelCard:
        """Features, units, tiers, version of a model; None: the only one."""
        return await self._ask(calls.card(model or only(await self.models())))

    async def explainers(self, model: str | None = None) -> ExplainersCard:
        """What a model can be asked; None: the only one."""
        return await self._ask(calls.explainers(model or only(await self.models())))

    async def nodes(self) -> list[str]:
        """Nodes that the server's lake has heard of."""
        return await self._ask(calls.nodes())

    async def node(self, node: str) -> NodeCard:
        """The latest vector of a node."""
        return await self._ask(calls.node(node))

    async def explain_node(
        self, node: str, model: str | None = None, tier: str | None = None, output: str | None = None
    ) -> AttributionResponse:
        """The latest vector of a node, explained."""
        return await self._ask(calls.explain_node(node, model, tier, output))

    async def status(self) -> dict[str, Any]:
        """How ingest, pipeline and drift stand."""
        return await self._ask(calls.status())

    async def aclose(self) -> None:
        """Connections are let go."""
        await self._way.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


async def _numbered(chunks: Iterable[Any] | AsyncIterable[Any], wishes: ExplainWishes) -> AsyncIterator[Chunk]:
    """Chunks of either kind, counted from 0."""
    k = 0
    if isinstance(chunks, AsyncIterable):
        async for X in chunks:
            yield k, made(X, wishes)
            k += 1
        return
    for X in chunks:
        yield k, made(X, wishes)
        k += 1
