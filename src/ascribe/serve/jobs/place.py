"""Where jobs and late attributions lie: a store that processes share, or a folder of this process alone."""

from __future__ import annotations

import threading
from tempfile import TemporaryDirectory

from ascribe.bundle.store import Store, open_store

__all__ = ["Place"]


class Place:
    """`uri`: a directory or `s3://bucket/prefix`; None: a temporary folder, made when it is first needed."""

    def __init__(self, uri: str | None) -> None:
        self.shared = uri is not None
        self._uri, self._lock = uri, threading.Lock()
        self._folder: TemporaryDirectory[str] | None = None
        self._store: Store | None = None

    def store(self) -> Store:
        """Raises RegistryError where it cannot be opened."""
        with self._lock:
            if self._store is None:
                if self._uri is None:
                    self._folder = TemporaryDirectory(prefix="ascribe-jobs-", ignore_cleanup_errors=True)
                self._store = open_store(self._uri or self._folder.name)  # type: ignore[union-attr]
            return self._store

    def close(self) -> None:
        """Remove the folder, if it was this process's own."""
        with self._lock:
            if self._folder is not None:
                self._folder.cleanup()
                self._folder = self._store = None
