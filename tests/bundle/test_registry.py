"""The registry: versions are written once, channels move by compare-and-swap, and nothing torn is served."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ascribe.bundle.archive import Bundle, pack
from ascribe.bundle.manifest import digest
from ascribe.bundle.records import Channel, Event
from ascribe.bundle.registry import Registry, split_model
from ascribe.bundle.store import open_store
from ascribe.core.errors import BundleError, Conflict, InputError, NotFound, RegistryError, TamperedError

from .made import NAME, made

AT = [f"2026-11-0{day}T00:00:00Z" for day in range(1, 8)]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    return [made(tmp_path_factory.mktemp("bundle"), created=at) for at in AT[:3]]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(str(tmp_path / "registry"))


def published(registry: Registry, bundles: list[Bundle]) -> list[str]:
    return [registry.publish(NAME, bundle) for bundle in bundles]


def archive_of(registry: Registry, version: str) -> Path:
    return Path(registry.uri) / NAME / "versions" / f"{version}.zip"


# versions


def test_a_published_bundle_comes_back(registry, bundles):
    version = registry.publish(NAME, bundles[0])
    assert version == bundles[0].manifest.version()
    found = registry.fetch(NAME, version)
    found.verify()
    assert found.manifest == bundles[0].manifest
    assert found.origin == f"{NAME}@{version}"


def test_publishing_again_changes_nothing(registry, bundles):
    first = registry.publish(NAME, bundles[0])
    written = archive_of(registry, first).stat().st_mtime_ns
    assert registry.publish(NAME, bundles[0]) == first
    assert archive_of(registry, first).stat().st_mtime_ns == written
    assert registry.versions(NAME) == [first]


def test_versions_are_listed_oldest_first(registry, bundles):
    versions = published(registry, bundles[::-1])
    assert registry.versions(NAME) == versions[::-1]
    assert registry.versions("other") == []


def test_other_content_is_never_written_over_a_version(registry, bundles):
    version = registry.publish(NAME, bundles[0])
    other = pack(bundles[1])
    archive_of(registry, version).write_bytes(other)
    with pytest.raises(Conflict, match=r"exists in .* and is never overwritten"):
        registry.publish(NAME, bundles[0])
    assert archive_of(registry, version).read_bytes() == other


def test_a_changed_bundle_is_not_published(registry, tmp_path):
    bundle = made(tmp_path / "bundle")
    (tmp_path / "bundle" / "predict.onnx").write_bytes(b"else")
    with pytest.raises(TamperedError):
        registry.publish(NAME, bundle)
    assert registry.versions(NAME) == []


def test_a_version_is_what_its_name_says(registry, bundles):
    """A sound archive of another bundle, put where a version was: its name holds the digest of its manifest."""
    one, two = published(registry, bundles[:2])
    archive_of(registry, one).write_bytes(archive_of(registry, two).read_bytes())
    with pytest.raises(BundleError):
        registry.fetch(NAME, one)


# channels


def test_promote_and_rollback_write_history(registry, bundles):
    one, two, three = published(registry, bundles)
    assert registry.promote(NAME, one, AT[0], reasons=["first"]).current.version == one
    registry.promote(NAME, two, AT[1], expected=one)
    registry.promote(NAME, three, AT[2], expected=two)
    assert registry.resolve(NAME).manifest.version() == three
    assert registry.rollback(NAME, AT[3]).current.version == two
    assert registry.resolve(NAME).manifest.version() == two
    assert registry.rollback(NAME, AT[4]).current.version == one
    with pytest.raises(NotFound, match="no earlier version to roll back to"):
        registry.rollback(NAME, AT[5])
    history = registry.channel(NAME).history
    assert [(e.action, e.version, e.at) for e in history] == [
        ("promote", one, AT[0]), ("promote", two, AT[1]), ("promote", three, AT[2]),
        ("rollback", two, AT[3]), ("rollback", one, AT[4]),
    ]  # fmt: skip
    assert history[0].reasons == ["first"]
    assert history[3].reasons == [f"rolled back from {three}"]
    assert all(e.sha256 == digest(archive_of(registry, e.version).read_bytes()) for e in history)


def test_what_was_rolled_back_is_not_returned_to(registry, bundles):
    one, two, three = published(registry, bundles)
    registry.promote(NAME, one, AT[0])
    registry.promote(NAME, two, AT[1], expected=one)
    registry.rollback(NAME, AT[2])
    registry.promote(NAME, three, AT[3], expected=one)
    assert registry.rollback(NAME, AT[4]).current.version == one


def test_a_rollback_leaves_the_version_that_it_rolls_back(registry, bundles):
    """A version that was promoted twice in a row, as a script that tries again does."""
    one, two = published(registry, bundles[:2])
    registry.promote(NAME, one, AT[0])
    registry.promote(NAME, two, AT[1], expected=one)
    registry.promote(NAME, two, AT[2], expected=two)
    assert registry.rollback(NAME, AT[3]).current.version == one


def test_channels_do_not_know_one_another(registry, bundles):
    one, two = published(registry, bundles[:2])
    registry.promote(NAME, one, AT[0])
    registry.promote(NAME, two, AT[1], channel="canary")
    assert registry.resolve(NAME).manifest.version() == one
    assert registry.resolve(NAME, "canary").manifest.version() == two
    assert split_model(f"{NAME}@canary") == (NAME, "canary")
    assert split_model(NAME) == (NAME, "production")


def test_a_channel_that_moved_meanwhile_is_not_overwritten(registry, bundles):
    one, two, three = published(registry, bundles)
    registry.promote(NAME, one, AT[0])
    registry.promote(NAME, two, AT[1], expected=one)
    for stale in (None, one):
        with pytest.raises(Conflict, match=f"channel production of {NAME} moved to {two} meanwhile: judge against"):
            registry.promote(NAME, three, AT[2], expected=stale)
    assert [e.version for e in registry.channel(NAME).history] == [one, two]
    with pytest.raises(Conflict, match="moved to None meanwhile"):
        registry.promote(NAME, three, AT[2], channel="canary", expected=one)


# what there is not


def test_what_there_is_not_names_what_there_is(registry, bundles):
    with pytest.raises(NotFound, match=rf"no model '{NAME}' in .*: `ascribe publish DIR --registry .* --name {NAME}`"):
        registry.resolve(NAME)
    with pytest.raises(NotFound, match=f"no model '{NAME}'"):
        registry.fetch(NAME, "v")
    one = registry.publish(NAME, bundles[0])
    with pytest.raises(NotFound, match=f"{NAME} has no channel 'production' in .*: `ascribe promote {NAME} {one} "):
        registry.resolve(NAME)
    with pytest.raises(NotFound, match=f"`ascribe promote {NAME} {one} --registry .* --channel canary`"):
        registry.resolve(NAME, "canary")
    with pytest.raises(NotFound, match=f"{NAME} has no version v in .*: it has {one}"):
        registry.fetch(NAME, "v")
    with pytest.raises(NotFound):
        registry.rollback(NAME, AT[0])


def test_promoting_what_there_is_not_names_what_there_is(registry, bundles):
    one = registry.publish(NAME, bundles[0])
    with pytest.raises(NotFound, match=f"it has {one}"):
        registry.promote(NAME, "v", AT[0])
    with pytest.raises(NotFound):
        registry.channel(NAME)  # and nothing was written


def test_a_folder_that_is_not_there_is_empty_and_made_by_who_writes(tmp_path, bundles):
    place = tmp_path / "regis" / "try"
    registry = Registry(str(place))
    assert registry.versions(NAME) == []
    with pytest.raises(NotFound):
        registry.resolve(NAME)
    assert not place.parent.exists()
    assert registry.publish(NAME, bundles[0]) in registry.versions(NAME)


BAD_NAMES = ["a/b", "a:b", "../x", "", ".x", "a b", "a@b", "x" * 129, "a\n"]


@pytest.mark.parametrize("bad", BAD_NAMES)
def test_names_that_could_be_paths_are_refused(registry, bundles, bad):
    version = registry.publish(NAME, bundles[0])
    registry.promote(NAME, version, AT[0])
    for call in (
        lambda: registry.publish(bad, bundles[0]),
        lambda: registry.fetch(bad, version),
        lambda: registry.fetch(NAME, bad),
        lambda: registry.channel(bad),
        lambda: registry.resolve(bad),
        lambda: registry.rollback(bad, AT[1]),
        lambda: registry.promote(NAME, bad, AT[1], expected=version),
        lambda: registry.promote(NAME, version, AT[1], channel=bad),
    ):
        with pytest.raises(InputError, match="cannot be a name: use letters, digits"):
            call()


@pytest.mark.parametrize("bad", ["a/b", "../x"])
def test_no_door_lets_such_names_in(registry, bundles, bad):
    version = registry.publish(NAME, bundles[0])
    registry.promote(NAME, version, AT[0])
    for call in (
        lambda: registry.promote(bad, version, AT[1]),
        lambda: registry.versions(bad),
        lambda: registry.channel(NAME, bad),
        lambda: registry.resolve(NAME, bad),
        lambda: registry.rollback(NAME, AT[1], channel=bad),
    ):
        with pytest.raises(InputError, match="cannot be a name"):
            call()


# torn things


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_torn_archive_is_never_served(registry, bundles, share):
    one, two = published(registry, bundles[:2])
    registry.promote(NAME, one, AT[0])
    place = archive_of(registry, one)
    place.write_bytes(place.read_bytes()[: int(share * place.stat().st_size)])
    with pytest.raises(TamperedError, match=f"version {one} of {NAME} is not what .* recorded: publish it again"):
        registry.resolve(NAME)
    with pytest.raises(BundleError):
        registry.fetch(NAME, one)
    registry.promote(NAME, two, AT[1], expected=one)
    assert registry.resolve(NAME).manifest.version() == two


def test_a_torn_archive_is_not_promoted(registry, bundles):
    one, two = published(registry, bundles[:2])
    registry.promote(NAME, one, AT[0])
    place = archive_of(registry, two)
    place.write_bytes(place.read_bytes()[:500])
    with pytest.raises(BundleError):
        registry.promote(NAME, two, AT[1], expected=one)
    assert registry.resolve(NAME).manifest.version() == one


PUBLISHER = """
import sys
from pathlib import Path
import msgspec
from ascribe.bundle.archive import Bundle, open_directory
from ascribe.bundle.manifest import entry
from ascribe.bundle.registry import Registry
held = open_directory(Path(sys.argv[2]))
raw = bytes(40 << 20)  # long enough to be killed in the middle of
roles, files = {**held.manifest.roles, "ballast": "ballast"}, {**held.manifest.files, "ballast": entry(raw)}
registry = Registry(sys.argv[1])
for k in range(100):
    told = msgspec.structs.replace(held.manifest, roles=roles, files=files, created=f"2026-12-01T00:00:{k:02d}Z")
    bundle = Bundle(told, lambda n: raw if n == "ballast" else held.fetch(n), "here")
    print(registry.publish(sys.argv[3], bundle), flush=True)
""".replace("import entry", "import FileEntry, digest").replace("entry(raw)", "FileEntry(len(raw), digest(raw))")


@pytest.mark.parametrize("kind", ["directory", "s3"])
def test_what_a_killed_publisher_leaves_is_whole_or_not_there(kind, tmp_path, request):
    place = request.getfixturevalue("s3") if kind == "s3" else None
    uri = place.uri if place else str(tmp_path / "registry")
    made(tmp_path / "bundle")
    rng = random.Random(5)
    told = set()
    for _ in range(4):
        command = [sys.executable, "-c", PUBLISHER, uri, str(tmp_path / "bundle"), NAME]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        took = []
        for _ in range(2):  # the first of a process takes longer
            began = time.monotonic()
            told.add(process.stdout.readline().strip())
            took.append(time.monotonic() - began)
        time.sleep(rng.uniform(0.1, 0.9) * took[1])  # somewhere in the third, however fast this machine is
        process.kill()
        process.wait()
        process.stdout.close()
    registry = Registry(uri)
    versions = registry.versions(NAME)
    assert len(told) == 2  # the same two each time
    assert told <= set(versions)
    for version in versions:
        registry.fetch(NAME, version).verify()


def test_an_upload_that_breaks_off_is_not_seen_and_can_be_done_again(s3, bundles):
    """The connection ends in the middle of the body, as when the publisher's machine loses power."""
    registry, raw = Registry(s3.uri), pack(bundles[0])
    version = bundles[0].manifest.version()
    host, port = s3.endpoint.removeprefix("http://").split(":")
    path = f"{s3.uri.removeprefix('s3:/')}/{NAME}/versions/{version}.zip"
    with socket.create_connection((host, int(port))) as line:
        line.sendall(f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw[:-9])
        line.shutdown(socket.SHUT_WR)
        line.settimeout(60)
        line.recv(1024)
    assert registry.versions(NAME) == []
    assert registry.publish(NAME, bundles[0]) == version
    registry.fetch(NAME, version).verify()


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_no_parser_sees_a_torn_archive_though_no_channel_points_at_it(registry, bundles, share, monkeypatch):
    """Its hash was noted before the archive was written."""
    version = registry.publish(NAME, bundles[0])
    place = archive_of(registry, version)
    place.write_bytes(place.read_bytes()[: int(share * place.stat().st_size)])
    seen: list[bytes] = []
    monkeypatch.setattr("ascribe.bundle.registry.unpack", lambda raw, origin: seen.append(raw))
    with pytest.raises(TamperedError, match=f"version {version} of {NAME} is not what .* recorded"):
        registry.fetch(NAME, version)
    assert seen == []


def test_a_version_of_an_older_release_has_no_noted_hash_and_is_still_read(registry, bundles):
    version = registry.publish(NAME, bundles[0])
    archive_of(registry, version).with_suffix(".sha256").unlink()
    registry.fetch(NAME, version).verify()
    registry.publish(NAME, bundles[0])
    assert archive_of(registry, version).with_suffix(".sha256").read_text() == digest(pack(bundles[0]))


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b'{"history": []}', b'{"history": [{"action": "\xff"}]}'],
    ids=["empty", "torn", "foreign", "no event", "other bytes"],
)
def test_a_torn_channel_is_said_and_not_overwritten(registry, bundles, raw):
    version = registry.publish(NAME, bundles[0])
    registry.promote(NAME, version, AT[0])
    place = Path(registry.uri) / NAME / "channels" / "production.json"
    place.write_bytes(raw)
    for call in (
        lambda: registry.resolve(NAME),
        lambda: registry.promote(NAME, version, AT[1], expected=version),
        lambda: registry.rollback(NAME, AT[1]),
    ):
        with pytest.raises(RegistryError, match="production") as caught:
            call()
        assert "\n" not in str(caught.value)
    assert place.read_bytes() == raw


def test_a_history_whose_beginning_is_gone_has_nothing_before(registry, bundles):
    version = registry.publish(NAME, bundles[0])
    rolled = Event("rollback", version, "0" * 64, AT[0])
    registry.store.create(f"{NAME}/channels/production.json", msgspec.json.encode(Channel([rolled])))
    with pytest.raises(NotFound, match="no earlier version to roll back to"):
        registry.rollback(NAME, AT[1])


@pytest.mark.parametrize("uri", ["ftp://here/there", "gs://bucket"])
def test_places_of_another_kind_are_refused(uri):
    with pytest.raises(RegistryError, match="use a directory, file:///path or s3://bucket/prefix"):
        open_store(uri)


def test_a_file_is_no_registry(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RegistryError):
        Registry(str(tmp_path / "file"))


def test_a_file_address_is_the_same_place(registry, bundles):
    version = registry.publish(NAME, bundles[0])
    assert Registry(Path(registry.uri).as_uri()).versions(NAME) == [version]


# races


def race(task: tuple[str, str, int]) -> str | None:
    """Who wins tells its reason; who loses, nothing."""
    uri, version, k = task
    try:
        Registry(uri).promote(NAME, version, AT[1], reasons=[str(k)])
    except Conflict:
        return None
    return str(k)


def test_of_eight_threads_exactly_one_wins(registry, bundles):
    version = registry.publish(NAME, bundles[0])
    with ThreadPoolExecutor(8) as pool:
        winners = [w for w in pool.map(race, [(registry.uri, version, k) for k in range(8)]) if w]
    history = registry.channel(NAME).history
    assert len(winners) == len(history) == 1
    assert history[0].reasons == winners


def promoter(uri: str, version: str, k: int, gate: Any, won: Any, environment: dict[str, str]) -> None:
    """Opens the registry, waits for all others, and moves the channel if it can."""
    os.environ.update(environment)
    mine = Registry(uri)
    mine.fetch(NAME, version)
    gate.wait(60)
    try:
        mine.promote(NAME, version, AT[1], reasons=[str(k)])
    except Conflict:
        return
    won.put(k)


def winners_of(registry: Registry, version: str, environment: Mapping[str, str] | None = None) -> list[int]:
    """Which of sixteen processes that promote at once believe that they moved the channel."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ascribe.bundle.registry", "tests.bundle.made"])
    gate, won = context.Barrier(16), context.Queue()
    racers = [
        context.Process(target=promoter, args=(registry.uri, version, k, gate, won, dict(environment or {})))
        for k in range(16)
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(90)
    assert [racer.exitcode for racer in racers] == [0] * 16
    return [won.get(timeout=5) for _ in registry.channel(NAME).history] + ([] if won.empty() else [won.get()])


def test_of_sixteen_processes_exactly_one_wins(registry, bundles):
    winners = winners_of(registry, registry.publish(NAME, bundles[0]))
    assert [event.reasons for event in registry.channel(NAME).history] == [[str(k)] for k in winners]
    assert len(winners) == 1


def test_of_sixteen_processes_exactly_one_wins_on_s3(s3, bundles):
    registry = Registry(s3.uri)
    winners = winners_of(registry, registry.publish(NAME, bundles[0]), s3.environment)
    assert [event.reasons for event in registry.channel(NAME).history] == [[str(k)] for k in winners]
    assert len(winners) == 1


def test_of_eight_publishers_all_succeed_and_one_writes(registry, bundles):
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda _: Registry(registry.uri).publish(NAME, bundles[0]), range(8)))
    assert len(set(versions)) == 1
    registry.fetch(NAME, versions[0]).verify()


def test_moves_that_wait_for_one_another_lose_nothing(registry, bundles):
    """Eight writers that read again after a conflict: every move is in the history."""
    version = registry.publish(NAME, bundles[0])
    registry.promote(NAME, version, AT[0], reasons=["start"])

    def again(k: int) -> None:
        mine = Registry(registry.uri)
        mine.store.swap(f"{NAME}/channels/count.json", lambda raw: json.dumps([*json.loads(raw or b"[]"), k]).encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(again, range(24)))
    assert sorted(json.loads(registry.store.read(f"{NAME}/channels/count.json"))) == list(range(24))


# S3-compatible storage


def test_the_same_registry_on_s3(s3, bundles):
    registry = Registry(s3.uri)
    one, two, three = published(registry, bundles)
    assert registry.publish(NAME, bundles[0]) == one
    assert registry.versions(NAME) == [one, two, three]
    with pytest.raises(Conflict, match="never overwritten"):
        registry.store.create(f"{NAME}/versions/{one}.zip", b"else")
    registry.promote(NAME, one, AT[0])
    registry.promote(NAME, two, AT[1], expected=one)
    with pytest.raises(Conflict, match="meanwhile"):
        registry.promote(NAME, three, AT[2], expected=one)
    assert registry.rollback(NAME, AT[3]).current.version == one
    assert registry.resolve(NAME).manifest == bundles[0].manifest
    with pytest.raises(NotFound, match=f"{NAME} has no version v"):
        registry.fetch(NAME, "v")


def test_on_s3_who_writes_in_between_wins(s3, bundles):
    registry = Registry(s3.uri)
    registry.store.swap("a/pointer", lambda _: b"1")

    def change(raw: bytes | None) -> bytes:
        assert raw == b"1"
        Registry(s3.uri).store.swap("a/pointer", lambda _: b"2")
        return b"3"

    with pytest.raises(Conflict, match="changed by somebody else"):
        registry.store.swap("a/pointer", change)
    assert registry.store.read("a/pointer") == b"2"
    version = registry.publish(NAME, bundles[0])
    with ThreadPoolExecutor(8) as pool:
        winners = [w for w in pool.map(race, [(s3.uri, version, k) for k in range(8)]) if w]
    assert len(winners) == len(registry.channel(NAME).history) == 1
