"""Objects on a directory or on S3-compatible storage: create-only writes and a compare-and-swap pointer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from filelock import FileLock, Timeout
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import LocalStore, S3Store

from ascribe.core.errors import Conflict, NotFound, RegistryError

__all__ = ["Store", "open_store"]

LOCK_SECONDS = 30


class Store:
    """A few verbs over obstore. On a directory a pointer is swapped under a file lock and by an atomic rename; on
    S3-compatible storage by `If-Match` on the e-tag.
    """

    def __init__(self, objects: Any, directory: Path | None, uri: str) -> None:
        self._objects, self._directory, self.uri = objects, directory, uri

    def read(self, path: str) -> bytes:
        """Raises NotFound."""
        return self._read_tagged(path)[0]

    def create(self, path: str, raw: bytes) -> None:
        """Write once. Raises Conflict if the object exists."""
        with self._translated(path):
            obstore.put(self._objects, path, raw, mode="create")

    def put(self, path: str, raw: bytes) -> None:
        """Write or replace; readers see the old bytes or the new ones. For records that nobody decides by."""
        with self._translated(path):
            obstore.put(self._objects, path, raw)

    def remove(self, path: str) -> None:
        """Remove an object; none there is no error."""
        with suppress(NotFound), self._translated(path):
            obstore.delete(self._objects, path)

    def tag(self, path: str) -> str:
        """What changes whenever the object does (its e-tag), without reading it. Raises NotFound."""
        with self._translated(path):
            return str(obstore.head(self._objects, path).get("e_tag"))

    def names(self, prefix: str) -> list[str]:
        """Paths of all objects below a prefix, sorted."""
        with self._translated(prefix):
            return sorted(str(meta["path"]) for page in obstore.list(self._objects, prefix) for meta in page)

    def swap(self, path: str, change: Callable[[bytes | None], bytes]) -> bytes:
        """Replace an object by `change(its bytes, or None)`, once, against exactly the bytes that were read.

        Raises Conflict if somebody else wrote in between (nothing is overwritten: read again and decide again).
        """
        with self._locked(path):
            try:
                old, tag = self._read_tagged(path)
            except NotFound:
                old, tag = None, None
            new = change(old)
            mode: Any = "overwrite" if self._directory else "create" if old is None else {"e_tag": tag}
            with self._translated(path):
                obstore.put(self._objects, path, new, mode=mode)
            return new

    def _read_tagged(self, path: str) -> tuple[bytes, str | None]:
        with self._translated(path):
            got = obstore.get(self._objects, path)
            return bytes(got.bytes()), got.meta.get("e_tag")

    @contextmanager
    def _locked(self, path: str) -> Iterator[None]:
        if self._directory is None:
            yield
            return
        lock = self._directory / ".locks" / (path.replace("/", "~") + ".lock")
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock, timeout=LOCK_SECONDS):
                yield
        except Timeout as exc:
            raise Conflict(f"{path} in {self.uri} has been locked for {LOCK_SECONDS} s: try again") from exc

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        """obstore's errors as ours."""
        try:
            yield
        except (NotFoundError, FileNotFoundError) as exc:
            raise NotFound(f"no {path} in {self.uri}") from exc
        except (AlreadyExistsError, FileExistsError) as exc:
            raise Conflict(f"{path} exists in {self.uri} and is never overwritten") from exc
        except PreconditionError as exc:
            raise Conflict(f"{path} in {self.uri} was changed by somebody else: read it again") from exc
        except (BaseError, OSError) as exc:
            raise RegistryError(f"{self.uri} cannot be used: {str(exc).splitlines()[0]}") from exc


def open_store(uri: str) -> Store:
    """`file:///path`, a plain path, or `s3://bucket/prefix` (settings from the environment, as obstore names them)."""
    parts = urlsplit(uri)
    try:
        if parts.scheme in ("", "file"):
            directory = Path(parts.path if parts.scheme else uri).expanduser().resolve()
            directory.mkdir(parents=True, exist_ok=True)
            return Store(LocalStore(directory), directory, uri)
        if parts.scheme == "s3":
            return Store(S3Store.from_url(uri), None, uri)
    except (BaseError, OSError) as exc:
        raise RegistryError(f"{uri} cannot be opened: {str(exc).splitlines()[0]}") from exc
    raise RegistryError(f"{uri}: use a directory, file:///path or s3://bucket/prefix")
