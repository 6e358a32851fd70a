"""A bundle as a directory or as one archive; bytes are verified before anybody parses them."""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ascribe.bundle.manifest import FileEntry, Manifest, digest
from ascribe.core.errors import BundleError, NotFound, TamperedError

__all__ = ["Bundle", "entry", "open_directory", "pack", "unpack", "write", "write_manifest"]

MANIFEST = "manifest.json"
# what zipfile raises for damaged bytes, directory entries and compression marks
TORN = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, OSError, ValueError, RuntimeError)
EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's zero: the same bundle always packs to the same bytes


@dataclass(frozen=True)
class Bundle:
    """A manifest and a way to its files."""

    manifest: Manifest
    fetch: Callable[[str], bytes]
    origin: str

    def has(self, role: str) -> bool:
        return role in self.manifest.roles

    def digest(self, role: str) -> str:
        """The sha256 that the manifest records for a role's file. Raises BundleError."""
        return self._entry(role).sha256

    def read(self, role: str) -> bytes:
        """The verified bytes of a role's file.

        Raises BundleError for a role that the bundle lacks, TamperedError if size or hash differ.
        """
        known, name = self._entry(role), self.manifest.roles[role]
        raw = self.fetch(name)
        if len(raw) != known.bytes or digest(raw) != known.sha256:
            raise TamperedError(
                f"{name} of {self.origin} is not what its manifest says: train or fetch the bundle again"
            )
        return raw

    def parts(self) -> dict[str, Bundle]:
        """Further targets of the same rows, by name; the bundle itself predicts the main one."""
        return {}

    def _entry(self, role: str) -> FileEntry:
        if role not in self.manifest.roles:
            raise BundleError(f"{self.origin} has no {role}: it holds {', '.join(sorted(self.manifest.roles))}")
        name = self.manifest.roles[role]
        if name not in self.manifest.files:
            raise TamperedError(f"{name} of {self.origin} has no hash in its manifest: train or fetch the bundle again")
        return self.manifest.files[name]

    def verify(self) -> None:
        """Read every file once. Raises as `read`."""
        for role in self.manifest.roles:
            self.read(role)


def entry(raw: bytes) -> FileEntry:
    """Size and hash of a file's bytes."""
    return FileEntry(len(raw), digest(raw))


def write(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write files, then the manifest, each through a rename: a half-written bundle has no manifest, and a bundle that
    was there is as it was if there is no room for the new one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    parts = {name: directory / f".{name}.part" for name in files}
    try:
        for name, part in parts.items():
            part.write_bytes(files[name])
        (directory / MANIFEST).unlink(missing_ok=True)
        for name, part in parts.items():
            os.replace(part, directory / name)
    except OSError:
        for part in parts.values():
            part.unlink(missing_ok=True)
        raise
    write_manifest(directory, manifest)


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Another manifest for the files that are there: another version."""
    part = directory / f".{MANIFEST}.part"
    part.write_bytes(manifest.encode())
    os.replace(part, directory / MANIFEST)


def open_directory(directory: Path) -> Bundle:
    """A bundle on disk; files are read and verified when asked for."""
    if not directory.is_dir():
        raise NotFound(f"there is no bundle at {directory}: `ascribe train ... --out {directory}` writes one")
    if not (directory / MANIFEST).is_file():
        raise BundleError(
            f"{directory} is not a bundle (no {MANIFEST}): point at the folder that `ascribe train` wrote"
        )

    def fetch(name: str) -> bytes:
        try:
            return (directory / name).read_bytes()
        except OSError as exc:
            raise BundleError(f"{name} of {directory} cannot be read ({exc.strerror}): train the bundle again") from exc

    return Bundle(Manifest.decode(fetch(MANIFEST)), fetch, str(directory))


def pack(bundle: Bundle) -> bytes:
    """One archive (zip, stored) of verified files. Deterministic."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST, EPOCH), bundle.manifest.encode())
        for role, name in sorted(bundle.manifest.roles.items()):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), bundle.read(role))
    return out.getvalue()


def unpack(raw: bytes, origin: str) -> Bundle:
    """A bundle from an archive's bytes, kept in memory. Raises BundleError for a torn or foreign archive."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        manifest = Manifest.decode(archive.read(MANIFEST))
    except TORN as exc:
        raise BundleError(f"{origin} is not a bundle archive ({exc}): publish it again") from exc

    def fetch(name: str) -> bytes:
        try:
            return archive.read(name)
        except TORN as exc:
            raise TamperedError(f"{name} of {origin} cannot be read ({exc}): publish it again") from exc

    return Bundle(manifest, fetch, origin)
