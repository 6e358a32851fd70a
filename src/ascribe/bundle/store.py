"""Objects on a directory or on S3-compatible storage: create-only writes and a compare-and-swap pointer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from filelock import FileLock, Timeout
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError, PreconditionError
from obstore.store import LocalStore, MemoryStore, S3Store

from ascribe.core.errors import Conflict, NotFound, RegistryError

__all__ = ["Store", "folder_of", "open_store"]

LOCK_SECONDS = 30
LONGEST_PART, LONGEST_KEY = 255, 1024  # bytes of a file's name, and of an object's
NOTHING = MemoryStore()  # nobody writes to it


class Store:
    """A few verbs over obstore. On a directory a pointer is swapped under a file lock and by an atomic rename; on
    S3-compatible storage by `If-Match` on the e-tag. `directory`: where it lies if it is one; it is made by who writes,
    and empty until then.
    """

    def __init__(self, objects: Any, directory: Path | None, uri: str) -> None:
        self._held, self.directory, self.uri = objects, directory, uri

    @property
    def _objects(self) -> Any:
        """What is written to."""
        if self._held is None:
            self._held = LocalStore(self.directory, mkdir=True)
        return self._held

    @property
    def _there(self) -> Any:
        """What is read."""
        return NOTHING if self.directory is not None and not self.directory.exists() else self._objects

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
            obstore.delete(self._there, path)

    def tag(self, path: str) -> str:
        """What changes whenever the object does (its e-tag), without reading it. Raises NotFound."""
        with self._translated(path):
            return str(obstore.head(self._there, path).get("e_tag"))

    def names(self, prefix: str) -> list[str]:
        """Paths of all objects below a prefix, sorted."""
        return sorted(self.written(prefix))

    def written(self, prefix: str) -> dict[str, datetime]:
        """When each object below a prefix was written, by the store's clock (UTC)."""
        with self._translated(prefix):
            return {str(m["path"]): m["last_modified"] for page in obstore.list(self._there, prefix) for m in page}

    def names_after(self, prefix: str, path: str) -> list[str]:
        """Paths below a prefix that sort after `path`, sorted: the store leaves the others out itself."""
        with self._translated(prefix):
            pages = obstore.list(self._there, prefix, offset=path)
            return sorted(str(m["path"]) for page in pages for m in page if str(m["path"]) > path)

    def replace(self, path: str, raw: bytes, tag: str) -> None:
        """Write over the object that has this e-tag and no other. S3-compatible storage only: a directory has no
        conditional write. Raises Conflict.
        """
        with self._translated(path):
            obstore.put(self._objects, path, raw, mode={"e_tag": tag})

    @contextmanager
    def locked(self, path: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """On a directory: nobody else swaps this object meanwhile. Raises Conflict after waiting so long in vain."""
        if self.directory is None:
            yield
            return
        lock = self.lock_of(path)
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(lock, timeout=seconds):
                yield
        except Timeout as exc:
            raise Conflict(f"{path} in {self.uri} has been locked for {seconds:g} s: try again") from exc

    def lock_of(self, path: str) -> Path:
        """The lock file of an object of a directory."""
        assert self.directory is not None
        return self.directory / ".locks" / (path.replace("/", "~") + ".lock")

    def swap(self, path: str, change: Callable[[bytes | None], bytes]) -> bytes:
        """Replace an object by `change(its bytes, or None)`, once, against exactly the bytes that were read.

        Raises Conflict if somebody else wrote in between (nothing is overwritten: read again and decide again).
        """
        with self.locked(path):
            try:
                old, tag = self._read_tagged(path)
            except NotFound:
                old, tag = None, None
            new = change(old)
            if self.directory is None and old is not None:
                self.replace(path, new, str(tag))
            elif self.directory is None:
                self.create(path, new)
            else:
                self.put(path, new)
            return new

    def _read_tagged(self, path: str) -> tuple[bytes, str | None]:
        if self._too_long(path):
            raise NotFound(f"no {path[:LONGEST_PART]}... in {self.uri}: no name there is as long as this")
        with self._translated(path):
            got = obstore.get(self._there, path)
            return bytes(got.bytes()), got.meta.get("e_tag")

    def _too_long(self, path: str) -> bool:
        """Whether nothing can have been written under this path; reading it would be an error of the store."""
        if self.directory is None:
            return len(urlsplit(self.uri).path.lstrip("/")) + len(path.encode()) > LONGEST_KEY
        return any(len(part.encode()) > LONGEST_PART for part in path.split("/"))

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
            hint = (
                ""
                if self.directory is not None
                else "; AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on say where and as whom"
            )
            raise RegistryError(f"{self.uri} cannot be used: {str(exc).splitlines()[0]}{hint}") from exc


def folder_of(uri: str) -> Path | None:
    """The folder that is named, from the root; None for what is none.

    >>> folder_of("file:///srv/lake/"), folder_of("s3://telemetry/lake")
    (PosixPath('/srv/lake'), None)
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    return Path(parts.path if parts.scheme else uri).expanduser().resolve()


def open_store(uri: str) -> Store:
    """`file:///path`, a plain path, or `s3://bucket/prefix` (settings from the environment, as obstore names them)."""
    try:
        if (directory := folder_of(uri)) is not None:
            if directory.exists() and not directory.is_dir():
                raise RegistryError(f"{uri} cannot be opened: it is a file, not a directory")
            return Store(None, directory, uri)
        if urlsplit(uri).scheme == "s3":
            return Store(S3Store.from_url(uri), None, uri)
    except (BaseError, OSError) as exc:
        raise RegistryError(f"{uri} cannot be opened: {str(exc).splitlines()[0]}") from exc
    raise RegistryError(f"{uri}: use a directory, file:///path or s3://bucket/prefix")
