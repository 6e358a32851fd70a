"""Bundles as folders and as archives: torn, foreign or changed ones are refused in one line, before any parser."""

from __future__ import annotations

import errno
import io
import tracemalloc
import zipfile
from pathlib import Path

import msgspec
import pytest

from ascribe.bundle.archive import Bundle, compose, entry, open_directory, pack, unpack, write, write_manifest
from ascribe.bundle.manifest import FORMAT, Manifest, digest
from ascribe.core.errors import BundleError, NotFound, TamperedError

from .made import made, parts


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return made(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="module")
def packed(bundle: Bundle) -> bytes:
    return pack(bundle)


def use(raw: bytes) -> Bundle:
    found = unpack(raw, "m@1")
    found.verify()
    return found


def one_line(caught: pytest.ExceptionInfo) -> str:
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


def test_unpack_is_the_inverse_of_pack(bundle, packed):
    found = use(packed)
    assert found.manifest == bundle.manifest
    assert {role: found.read(role) for role in found.manifest.roles} == {
        role: bundle.read(role) for role in bundle.manifest.roles
    }
    assert pack(found) == packed


def test_packing_is_deterministic(bundle, packed, tmp_path):
    assert pack(bundle) == packed
    elsewhere = made(tmp_path / "elsewhere")
    assert pack(elsewhere) == packed
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.namelist()[0] == "manifest.json"
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_manifest_is_canonical(bundle):
    raw = bundle.manifest.encode()
    assert Manifest.decode(raw).encode() == raw
    assert bundle.manifest.version() == f"20261101T000000Z-{digest(raw)[:12]}"
    other = msgspec.structs.replace(bundle.manifest, base_value=bundle.manifest.base_value + 1)
    assert other.version() != bundle.manifest.version()


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_archive_is_refused(packed, share):
    with pytest.raises(BundleError, match=r"m@1 is not a bundle archive .*: publish it again") as caught:
        use(packed[: int(share * len(packed))])
    one_line(caught)


def positions(packed: bytes) -> list[int]:
    """Every byte of the directory at the end, and every 97th before."""
    directory = packed.index(b"PK\x01\x02")
    return [*range(0, directory, 97), *range(directory, len(packed))]


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF])
def test_a_flipped_byte_is_refused_or_harmless(bundle, packed, mask):
    """Some bytes say nothing (host system, attributes): then every file is what the manifest says."""
    foreign, harmless = {}, 0
    for at in positions(packed):
        raw = packed[:at] + bytes([packed[at] ^ mask]) + packed[at + 1 :]
        try:
            assert use(raw).manifest == bundle.manifest
            harmless += 1
        except BundleError as exc:
            assert "\n" not in str(exc)  # noqa: PT017 - one of two good answers
        except Exception as exc:
            foreign[at] = repr(exc)
    assert foreign == {}
    assert harmless < len(positions(packed)) / 3


def changed(bundle: Bundle, name: str, raw: bytes | None) -> bytes:
    """The archive with one file replaced, or left out; the archive itself is sound."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for held in ["manifest.json", *bundle.manifest.files]:
            if held != name:
                archive.writestr(held, bundle.manifest.encode() if held == "manifest.json" else bundle.fetch(held))
            elif raw is not None:
                archive.writestr(held, raw)
    return out.getvalue()


@pytest.mark.parametrize("name", ["predict.onnx", "holdout.arrow", "scores.npz"])
def test_other_bytes_under_a_known_name_are_tampering(bundle, name):
    good = bundle.fetch(name)
    for bad in (good[:-1], good + b"\0", good[:-1] + bytes([good[-1] ^ 1]), b""):
        with pytest.raises(TamperedError, match=f"{name} of m@1 is not what its manifest says") as caught:
            use(changed(bundle, name, bad))
        one_line(caught)
    with pytest.raises(TamperedError, match=f"{name} of m@1 cannot be read") as caught:
        use(changed(bundle, name, None))
    one_line(caught)


@pytest.mark.parametrize("name", ["manifest.json", "holdout.arrow"])
def test_an_archive_that_would_grow_is_not_unpacked(bundle, name):
    """A thousand times its size, by compression: refused before it is held in memory."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for held in ["manifest.json", *bundle.manifest.files]:
            if held == name:
                archive.writestr(held, bytes(64 << 20), zipfile.ZIP_DEFLATED)
            else:
                archive.writestr(held, bundle.manifest.encode() if held == "manifest.json" else bundle.fetch(held))
    tracemalloc.start()
    with pytest.raises(BundleError, match=f"bytes and claims {64 << 20} for {name}") as caught:
        use(out.getvalue())
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()
    one_line(caught)


@pytest.mark.parametrize("last", ["predict.onnx", "scores.npz", "manifest.json"])
def test_a_bundle_that_was_there_outlives_one_there_is_no_room_for(bundle, tmp_path, monkeypatch, last):
    """The disk may be full at any file, also at the last and smallest."""
    before = made(tmp_path, bias=41.0)
    version, files = before.manifest.version(), bundle.contents()
    whole = Path.write_bytes

    def full(path: Path, raw: bytes) -> int:
        if last in path.name:
            whole(path, raw[: len(raw) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return whole(path, raw)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, bundle.manifest, files)
    held = open_directory(tmp_path)
    held.verify()
    assert held.manifest.version() == version
    assert not list(tmp_path.rglob("*.part"))
    if last == "manifest.json":
        with pytest.raises(OSError, match="No space left"):
            write_manifest(tmp_path, bundle.manifest)
        assert open_directory(tmp_path).manifest.version() == version
        assert not list(tmp_path.rglob("*.part"))


def test_a_foreign_archive_is_refused(bundle):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("letter.txt", "dear reader")
    for raw in (out.getvalue(), b"", b"not a zip at all", changed(bundle, "manifest.json", None)):
        with pytest.raises(BundleError, match="m@1 is not a bundle archive") as caught:
            use(raw)
        one_line(caught)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b"{", b'{"format": "one"}', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_refused(bundle, raw):
    with pytest.raises(BundleError, match=r"manifest\.json is not a bundle manifest .*: train or fetch") as caught:
        use(changed(bundle, "manifest.json", raw))
    one_line(caught)


@pytest.mark.parametrize("number", [0, FORMAT + 1])
def test_another_format_names_the_way_out(bundle, tmp_path, number):
    other = msgspec.structs.replace(bundle.manifest, format=number)
    with pytest.raises(BundleError, match=f"bundle format {number} is not {FORMAT}: use the ascribe version that"):
        use(changed(bundle, "manifest.json", other.encode()))
    write(tmp_path, other, {})
    with pytest.raises(BundleError, match=f"bundle format {number}"):
        open_directory(tmp_path)


def test_a_role_that_is_not_there_names_those_that_are(bundle):
    with pytest.raises(BundleError, match="has no energy: it holds background, holdout, predict, proposal, scores"):
        bundle.read("energy")
    with pytest.raises(BundleError, match="has no energy"):
        bundle.digest("energy")
    assert bundle.digest("predict") == digest(bundle.read("predict"))
    assert not bundle.has("energy")
    assert bundle.has("predict")


def test_a_role_whose_file_has_no_hash_is_never_read_as_good(bundle):
    files = {k: v for k, v in bundle.manifest.files.items() if k != "predict.onnx"}
    other = Bundle(msgspec.structs.replace(bundle.manifest, files=files), bundle.fetch, "here")
    with pytest.raises(TamperedError):
        other.read("predict")


@pytest.mark.parametrize("name", ["../predict.onnx", "/etc/hostname", "a/../../x"])
def test_a_file_outside_the_bundle_is_never_read_or_written(bundle, tmp_path, name):
    told = msgspec.structs.replace(
        bundle.manifest,
        roles={"predict": name}, files={name: entry(b"x")},
    )  # fmt: skip
    other = Bundle(told, lambda _: b"x", "here")
    for call in (lambda: other.read("predict"), other.verify, other.contents, lambda: compose(tmp_path, other, {})):
        with pytest.raises(TamperedError, match="here names a file outside itself") as caught:
            call()
        one_line(caught)
    assert list(tmp_path.iterdir()) == []


# folders


def test_no_folder_and_no_bundle_are_two_things(tmp_path):
    with pytest.raises(NotFound, match=r"there is no bundle at .*: `ascribe train"):
        open_directory(tmp_path / "none")
    with pytest.raises(BundleError, match=r"is not a bundle \(no manifest.json\)"):
        open_directory(tmp_path)


def test_a_file_lost_or_changed_on_disk_is_refused(tmp_path):
    bundle = made(tmp_path)
    (tmp_path / "scores.npz").write_bytes(b"else")
    with pytest.raises(TamperedError, match=r"scores\.npz of .* is not what its manifest says"):
        bundle.verify()
    (tmp_path / "scores.npz").unlink()
    with pytest.raises(BundleError, match=r"scores\.npz of .* cannot be read \(No such file or directory\)") as caught:
        bundle.verify()
    one_line(caught)
    with pytest.raises(BundleError):
        pack(bundle)


def test_a_bundle_half_written_is_none(tmp_path, monkeypatch):
    """A write that is interrupted leaves a folder without a manifest, also over an older bundle."""
    made(tmp_path)
    manifest, files = parts(bias=41.0)
    replaced: list[str] = []

    def interrupted(source: Path, place: Path) -> None:
        if len(replaced) == 2:
            raise KeyboardInterrupt
        replaced.append(place.name)
        source.replace(place)

    monkeypatch.setattr("ascribe.bundle.archive.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, manifest, files)
    with pytest.raises(BundleError, match="is not a bundle"):
        open_directory(tmp_path)


def test_writing_again_replaces_the_bundle_and_leaves_no_parts(tmp_path):
    made(tmp_path)
    second = made(tmp_path, bias=41.0)
    second.verify()
    assert second.manifest.example["prediction"] == [pytest.approx(128.0)]
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_an_entry_is_size_and_hash():
    assert entry(b"abc").bytes == 3
    assert entry(b"abc").sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_bundle_without_a_source_keeps_its_version_and_one_with_it_tells_it():
    manifest, _ = parts()
    assert b'"source"' not in manifest.encode()
    told = msgspec.structs.replace(
        manifest, lineage=msgspec.structs.replace(manifest.lineage, source={"lake_version": 7})
    )
    assert Manifest.decode(told.encode()).lineage.source == {"lake_version": 7}
    assert told.version() != manifest.version()
