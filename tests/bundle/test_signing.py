"""Signatures: by whom a version was published, known before anything of it is parsed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

import ascribe as package
from ascribe.bundle.archive import Bundle
from ascribe.bundle.registry import Registry
from ascribe.bundle.signing import write_key_pair
from ascribe.core.errors import InputError, TamperedError
from tests.journey import ascribe, one_line, typed

from .made import NAME, made

AT = "2026-11-01T00:00:00Z"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return made(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return tmp_path / "release.pem", write_key_pair(tmp_path / "release.pem")


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return str(tmp_path / "registry")


def place_of(uri: str, version: str, kind: str) -> Path:
    return Path(uri) / NAME / "versions" / f"{version}.{kind}"


def test_what_was_signed_is_served_to_who_trusts_the_key(uri, bundle, keys):
    version = Registry(uri).publish(NAME, bundle, keys[0])
    trusting = Registry(uri, keys[1])
    assert trusting.fetch(NAME, version).manifest == bundle.manifest
    trusting.promote(NAME, version, AT)
    assert trusting.resolve(NAME).manifest == bundle.manifest
    assert package.open(f"{uri}#{NAME}", verify_key=keys[1]).version == version
    place_of(uri, version, "sig").unlink()
    with pytest.raises(TamperedError, match="is not signed"):
        package.open(f"{uri}#{NAME}", verify_key=keys[1])
    assert package.open(f"{uri}#{NAME}").version == version


def test_what_is_not_signed_is_refused_before_it_is_parsed(uri, bundle, keys, monkeypatch):
    version = Registry(uri).publish(NAME, bundle)
    Registry(uri).promote(NAME, version, AT)
    monkeypatch.setattr("ascribe.bundle.registry.unpack", lambda *_: pytest.fail("was parsed"))
    for call in (lambda r: r.fetch(NAME, version), lambda r: r.resolve(NAME)):
        with pytest.raises(TamperedError, match=f"version {version} of {NAME} is not signed: publish it again with "):
            call(Registry(uri, keys[1]))


def test_another_key_another_version_another_archive_and_no_signature_at_all_are_refused(uri, bundle, keys, tmp_path):
    registry, trusting = Registry(uri), Registry(uri, keys[1])
    other_key = tmp_path / "other.pem"
    write_key_pair(other_key)
    version = registry.publish(NAME, bundle, other_key)
    with pytest.raises(TamperedError, match="is not signed by the key that is trusted here"):
        trusting.fetch(NAME, version)
    other = registry.publish(NAME, made(tmp_path / "other", bias=41.0), keys[0])
    good = place_of(uri, other, "sig").read_bytes()
    for raw in (
        good,
        b"",
        b"{}",
        b"\xff",
        good.replace(b"=", b"?"),
        b'{"algorithm":"none","sha256":"","signature":""}',
        '{"algorithm":"ed25519","sha256":"","signature":"é"}'.encode(),
    ):
        place_of(uri, version, "sig").write_bytes(raw)
        with pytest.raises(TamperedError, match="is not signed by the key that is trusted here") as caught:
            trusting.fetch(NAME, version)
        assert "\n" not in str(caught.value)
    registry.publish(NAME, bundle, keys[0])  # signed again by the right key
    trusting.fetch(NAME, version)
    place_of(uri, version, "zip").write_bytes(place_of(uri, other, "zip").read_bytes())
    place_of(uri, version, "sha256").write_bytes(place_of(uri, other, "sha256").read_bytes())
    with pytest.raises(TamperedError, match="is not signed by"):
        trusting.fetch(NAME, version)


def test_a_signature_holds_for_one_name_only(uri, bundle, keys):
    version = Registry(uri).publish(NAME, bundle, keys[0])
    Registry(uri).publish("other", bundle)
    place_of(uri, version, "sig").rename(Path(uri) / "other" / "versions" / f"{version}.sig")
    with pytest.raises(TamperedError, match="of other is not signed by"):
        Registry(uri, keys[1]).fetch("other", version)


def test_the_private_key_is_its_owners_and_never_written_over(tmp_path):
    place = tmp_path / "release.pem"
    public = write_key_pair(place)
    assert public == tmp_path / "release.pub"
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert b"PRIVATE" in place.read_bytes()
    assert b"PRIVATE" not in public.read_bytes()
    for again in (place, tmp_path / "none" / "release.pem", public):
        with pytest.raises(InputError, match=r"would be overwritten|cannot be written"):
            write_key_pair(again)


def test_a_file_that_is_no_key_is_named(uri, bundle, keys, tmp_path):
    (tmp_path / "letter").write_text("dear reader")
    registry = Registry(uri)
    for bad in (tmp_path / "letter", keys[1], tmp_path / "none"):
        with pytest.raises(InputError):
            registry.publish(NAME, bundle, bad)
    assert registry.versions(NAME) == []
    version = registry.publish(NAME, bundle)
    for bad in (tmp_path / "letter", keys[0], tmp_path / "none"):
        with pytest.raises(InputError):
            Registry(uri, bad).fetch(NAME, version)


def test_the_commands_sign_and_refuse(uri, bundle, tmp_path):
    key = tmp_path / "cli.pem"
    assert typed("registry", "key", key).stdout.strip() == str(tmp_path / "cli.pub")
    plain = typed("publish", bundle.origin, "--registry", uri, "--name", NAME).stdout.strip()
    trust = ("--verify-key", tmp_path / "cli.pub")
    assert "is not signed: publish" in one_line(typed("promote", NAME, plain, "--registry", uri, *trust))
    signed = typed("publish", bundle.origin, "--registry", uri, "--name", NAME, "--sign-key", key)
    assert signed.stdout.strip() == plain
    done = typed("promote", NAME, plain, "--registry", uri, *trust)
    assert done.returncode == 0, done.stderr
    place_of(uri, plain, "sig").unlink()
    for served in (
        typed("serve", "--registry", uri, "--model", NAME, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *trust),
        ascribe("serve", "--registry", uri, "--model", NAME, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0",
                ASCRIBE_VERIFY_KEY=str(tmp_path / "cli.pub")),
    ):  # fmt: skip
        assert served.returncode == 2
        assert "is not signed: publish" in served.stderr
