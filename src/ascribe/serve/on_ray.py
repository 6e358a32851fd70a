"""The service as a Ray Serve application: each replica holds the same rooms behind the same HTTP door.

    serve run ascribe.serve.on_ray:app registry=s3://bucket/registry model=node-power replicas=4

A replica is ready once its models are loaded, is replaced when it is not healthy (`check_health`), and drains before it
ends. Settings are those of `ascribe serve`, read where the application is built and handed to every replica.

There is no gRPC door here. Ray's gRPC proxy hands a replica the message and a context that knows no deadline and no
abandoned call, on which this wire's limits rest, and it answers health and names of its own: who needs gRPC runs
`ascribe serve` beside it.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ascribe.core.errors import MissingExtra
from ascribe.serve.asgi import Application
from ascribe.serve.settings import Settings, from_environment

try:
    from ray import serve
except ImportError as exc:
    raise MissingExtra("Ray Serve is not installed: pip install 'ascribe[ray]'") from exc

__all__ = ["Args", "Replica", "app", "deployment"]


class Args(BaseModel):
    """What `serve run` and a configuration file may say. `model`: NAME[@CHANNEL], several with commas; `replicas`: how
    many; `cpus`: cores of each, which are also its threads for explanations; `shadow`: a channel that is asked beside.
    """

    model_config = ConfigDict(extra="forbid")

    registry: str
    model: str
    replicas: int = Field(1, ge=1)
    cpus: int = Field(1, ge=1)
    shadow: str | None = None


@serve.ingress()
class Replica:
    """One process with all rooms. Ray calls `__serve_build_asgi_app__` for the application, and runs its lifespan."""

    def __init__(self, registry: str, models: list[str], settings: Settings, shadow: str | None = None) -> None:
        self._application = Application(registry, models, settings, shadow=shadow)

    def __serve_build_asgi_app__(self) -> Application:
        return self._application

    async def check_health(self) -> None:
        """Raises UnavailableError, so that Ray replaces the replica."""
        self._application.check()


deployment = serve.deployment(name="ascribe")(Replica)


def app(args: Args) -> Any:
    """The application, for `serve.run`. Rates are shared by the replicas; as many calls reach a replica at a time as it
    takes connections elsewhere. Raises ServiceError for settings that cannot be used.
    """
    settings = from_environment()
    settings = settings.model_copy(
        update={"workers": args.replicas, "explain_threads": settings.explain_threads or args.cpus}
    )
    models = [name.strip() for name in args.model.split(",")]
    Application(args.registry, models, settings)  # or each replica would say what is wrong, one after another
    return deployment.options(
        num_replicas=args.replicas,
        max_ongoing_requests=settings.max_connections,
        ray_actor_options={"num_cpus": args.cpus},
        graceful_shutdown_timeout_s=settings.drain_s + settings.grace_s + settings.timeout_s,
    ).bind(args.registry, models, settings, args.shadow)
