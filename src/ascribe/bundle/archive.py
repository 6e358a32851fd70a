"""A bundle as a directory or as one archive; bytes are verified before anybody parses them."""

from __future__ import annotations

import io
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ascribe.bundle.manifest import FileEntry, Manifest, digest
from ascribe.core.errors import BundleError, InputError, NotFound, TamperedError

__all__ = ["PART", "Bundle", "compose", "entry", "open_directory", "pack", "unpack", "write", "write_manifest"]

MANIFEST = "manifest.json"
PART = "part:"  # a role that names the manifest of another target's bundle
FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
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

    def _entry(self, role: str) -> FileEntry:
        if role not in self.manifest.roles:
            raise BundleError(f"{self.origin} has no {role}: it holds {', '.join(sorted(self.manifest.roles))}")
        name = self.manifest.roles[role]
        if name.startswith("/") or ".." in name.split("/"):
            raise TamperedError(f"{self.origin} names a file outside itself ({name}): do not use it")
        if name not in self.manifest.files:
            raise TamperedError(f"{name} of {self.origin} has no hash in its manifest: train or fetch the bundle again")
        return self.manifest.files[name]

    def parts(self) -> dict[str, Bundle]:
        """Bundles of other targets inside this one, by target: a role `part:<target>` names a part's manifest, whose
        files lie beside it and are verified by it, as it is by this bundle's. Raises as `read`, and BundleError.
        """
        return {role.removeprefix(PART): self._part(role) for role in self.manifest.roles if role.startswith(PART)}

    def _part(self, role: str) -> Bundle:
        folder, slash, last = self.manifest.roles[role].rpartition("/")
        if not FOLDER.fullmatch(folder) or slash + last != f"/{MANIFEST}":
            raise BundleError(f"{role} of {self.origin} names no part's manifest: compose the bundle again")
        return Bundle(
            Manifest.decode(self.read(role)), lambda name: self.fetch(f"{folder}/{name}"), f"{self.origin}/{folder}"
        )

    def verify(self) -> None:
        """Read every file once, also of the parts. Raises as `read`."""
        for role in self.manifest.roles:
            self.read(role)
        for part in self.parts().values():
            part.verify()

    def contents(self) -> dict[str, bytes]:
        """The verified bytes of all files but the manifest, by name; those of parts in their folders."""
        files = {name: self.read(role) for role, name in self.manifest.roles.items()}
        for role in self.manifest.roles:
            if role.startswith(PART):
                folder = self.manifest.roles[role].rpartition("/")[0]
                files |= {f"{folder}/{name}": raw for name, raw in self._part(role).contents().items()}
        return files


def entry(raw: bytes) -> FileEntry:
    """Size and hash of a file's bytes."""
    return FileEntry(len(raw), digest(raw))


def compose(directory: Path, main: Bundle, others: Mapping[str, Bundle]) -> Bundle:
    """One bundle of several targets, written to a directory: `main` answers where no target is named, `others` by
    target. Its version depends on all of them. Raises InputError for two parts of one target, and as `read`.
    """
    files, roles, entries = main.contents(), dict(main.manifest.roles), dict(main.manifest.files)
    for k, (target, part) in enumerate(others.items()):
        if f"{PART}{target}" in roles or target == main.manifest.target.name:
            raise InputError(f"the bundle predicts {target} already: name each target once")
        folder = target if FOLDER.fullmatch(target) else f"part-{k + 1}"
        raw = part.manifest.encode()
        roles[f"{PART}{target}"] = f"{folder}/{MANIFEST}"
        entries[f"{folder}/{MANIFEST}"] = entry(raw)
        files |= {f"{folder}/{MANIFEST}": raw} | {f"{folder}/{n}": held for n, held in part.contents().items()}
    write(directory, msgspec.structs.replace(main.manifest, roles=roles, files=entries), files)
    return open_directory(directory)


def write(directory: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Write files, then the manifest, each through a rename: a half-written bundle has no manifest, and a bundle that
    was there is as it was if there is no room for the new one.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _replace(directory, {**files, MANIFEST: manifest.encode()})  # the manifest last


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Another manifest for the files that are there: another version. Without room for it the old one stays."""
    _replace(directory, {MANIFEST: manifest.encode()})


def _replace(directory: Path, files: Mapping[str, bytes]) -> None:
    """All of them are written before the first is put in its place."""
    parts = {name: (directory / name).with_name(f".{Path(name).name}.part") for name in files}
    try:
        for name, part in parts.items():
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(files[name])
        if len(files) > 1:
            (directory / MANIFEST).unlink(missing_ok=True)
        for name, part in parts.items():
            os.replace(part, directory / name)
    except OSError:
        for part in parts.values():
            part.unlink(missing_ok=True)
        raise


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
        except (OSError, ValueError) as exc:  # the latter of a name that no file can have
            why = getattr(exc, "strerror", None) or exc
            told = name if name.isprintable() else repr(name)
            raise BundleError(f"{told} of {directory} cannot be read ({why}): train the bundle again") from exc

    return Bundle(Manifest.decode(fetch(MANIFEST)), fetch, str(directory))


def pack(bundle: Bundle) -> bytes:
    """One archive (zip, stored) of verified files. Deterministic."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(MANIFEST, EPOCH), bundle.manifest.encode())
        _pack_into(archive, bundle, "")
    return out.getvalue()


def _pack_into(archive: zipfile.ZipFile, bundle: Bundle, folder: str) -> None:
    for role, name in sorted(bundle.manifest.roles.items()):
        archive.writestr(zipfile.ZipInfo(folder + name, EPOCH), bundle.read(role))
    for role, part in sorted(bundle.parts().items()):
        _pack_into(archive, part, folder + bundle.manifest.roles[PART + role].removesuffix(MANIFEST))


def unpack(raw: bytes, origin: str) -> Bundle:
    """A bundle from an archive's bytes, kept in memory. Raises BundleError for a torn or foreign archive."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(raw))
        manifest = Manifest.decode(_stored(archive, MANIFEST, len(raw)))
    except TORN as exc:
        raise BundleError(f"{origin} is not a bundle archive ({exc}): publish it again") from exc

    def fetch(name: str) -> bytes:
        try:
            return _stored(archive, name, len(raw))
        except TORN as exc:
            raise TamperedError(f"{name} of {origin} cannot be read ({exc}): publish it again") from exc

    return Bundle(manifest, fetch, origin)


def _stored(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """A file's bytes, which `pack` stores as they are: one that would be larger than its archive is not unpacked."""
    if (size := archive.getinfo(name).file_size) > most:
        raise ValueError(f"it holds {most} bytes and claims {size} for {name}")
    return archive.read(name)
