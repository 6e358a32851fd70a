"""Retention: what may go, what stays whatever is asked, and what happens when somebody promotes meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ascribe.bundle.archive import Bundle
from ascribe.bundle.registry import Registry
from ascribe.bundle.retention import prune
from ascribe.core.errors import Conflict, InputError, NotFound, RegistryError
from tests.journey import ascribe, typed
from tests.stores import Place

from .made import NAME, made

AT = [f"2026-11-0{day}T00:00:00Z" for day in range(1, 8)]
LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()  # files are written by the clock of the machine


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Bundle]:
    return [made(tmp_path_factory.mktemp("bundle"), created=at) for at in AT]


@pytest.fixture(params=["directory", "s3"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    if request.param == "directory":
        return Registry(str(tmp_path / "registry"))
    place: Place = request.getfixturevalue("s3")
    return Registry(place.uri)


@pytest.fixture
def local(tmp_path: Path) -> Registry:
    return Registry(str(tmp_path / "registry"))


def seven(registry: Registry, bundles: list[Bundle]) -> list[str]:
    return [registry.publish(NAME, bundle) for bundle in bundles]


def test_what_nobody_needs_goes_and_leaves_nothing(registry, bundles):
    versions = seven(registry, bundles)
    found = prune(registry, NAME, 2, LATER)
    assert found.removed == versions[:5]
    assert found.kept == {versions[5]: "one of the newest 2", versions[6]: "one of the newest 2"}
    assert registry.versions(NAME) == versions[5:]
    left = {path.rsplit("/", 1)[1].split(".")[0] for path in registry.store.names(NAME)}
    assert left == set(versions[5:])
    registry.fetch(NAME, versions[6]).verify()


def test_what_a_channel_points_at_or_would_roll_back_to_stays(registry, bundles):
    v = seven(registry, bundles)
    registry.promote(NAME, v[0], AT[0])
    registry.promote(NAME, v[1], AT[1], expected=v[0])
    registry.promote(NAME, v[3], AT[2], expected=v[1])
    registry.promote(NAME, v[2], AT[3], channel="canary")
    found = prune(registry, NAME, 1, LATER)
    assert found.removed == [v[0], v[4], v[5]]
    assert found.kept == {
        v[1]: "production would roll back to it", v[2]: "canary points at it", v[3]: "production points at it",
        v[6]: "one of the newest 1",
    }  # fmt: skip
    assert registry.rollback(NAME, AT[4]).current.version == v[1]
    with pytest.raises(NotFound, match=f"the version before, {v[0]}, is there no more: promote one of the others"):
        registry.rollback(NAME, AT[5])
    assert registry.channel(NAME).current.version == v[1]


def test_what_a_running_server_holds_stays_until_its_lease_ends(registry, bundles):
    v = seven(registry, bundles)
    now = datetime.fromisoformat(LATER)
    registry.announce(NAME, "server-1", [v[0], v[2]], (now - timedelta(seconds=100)).isoformat())
    registry.announce(NAME, "server-2", [v[1]], (now - timedelta(seconds=5000)).isoformat())
    assert registry.serving(NAME, LATER) == {"server-1": [v[0], v[2]]}
    assert registry.serving(NAME, LATER, 6000.0) == {"server-1": [v[0], v[2]], "server-2": [v[1]]}
    found = prune(registry, NAME, 0, LATER)
    assert found.removed == [v[1], *v[3:]]
    assert set(found.kept.values()) == {"server server-1 holds it"}
    registry.withdraw(NAME, "server-1")
    assert registry.serving(NAME, LATER) == {}
    assert prune(registry, NAME, 0, LATER).removed == [v[0], v[2]]


def test_what_was_just_published_stays(registry, bundles):
    versions = seven(registry, bundles)
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    assert prune(registry, NAME, 0, soon).removed == []
    assert set(prune(registry, NAME, 0, soon).kept.values()) == {"younger than 3600 s"}
    assert prune(registry, NAME, 0, soon, minimum_age_s=10.0).removed == versions


def test_a_dry_run_says_the_same_and_removes_nothing(local, bundles):
    versions = seven(local, bundles)
    assert prune(local, NAME, 3, LATER, dry_run=True).removed == versions[:4]
    assert local.versions(NAME) == versions
    assert prune(local, NAME, 3, LATER).removed == versions[:4]


def test_a_lease_or_channel_that_cannot_be_read_stops_everything(local, bundles):
    """Nobody knows what it holds."""
    versions = seven(local, bundles)
    for place in (f"{NAME}/serving/s.json", f"{NAME}/channels/production.json"):
        for raw in (b"", b"{", b'{"versions": ["a"], "at": "yesterday"}'):
            local.store.put(place, raw)
            with pytest.raises(RegistryError, match="cannot be read"):
                prune(local, NAME, 0, LATER)
        local.store.remove(place)
    assert local.versions(NAME) == versions


def test_what_cannot_be_asked_is_said(local, bundles):
    with pytest.raises(NotFound, match=f"no model '{NAME}'"):
        prune(local, NAME, 1, LATER)
    local.publish(NAME, bundles[0])
    with pytest.raises(InputError, match="are 0 or more"):
        prune(local, NAME, -1, LATER)
    with pytest.raises(InputError, match="cannot be a name"):
        local.announce(NAME, "host:80/1", [], AT[0])


# while somebody promotes


class Between(Registry):
    """A registry whose owner is interrupted once, when retention looks at the channels."""

    def interrupt(self, at: int, act: object) -> None:
        self.left, self.act = at, act

    def channels(self, name: str) -> list[str]:
        found = super().channels(name)
        self.left -= 1
        if self.left == 0:
            self.act()
        return found


def test_a_promotion_while_versions_are_chosen_is_seen(local, bundles):
    versions = seven(local, bundles)
    pruner = Between(local.uri)
    pruner.interrupt(1, lambda: local.promote(NAME, versions[0], AT[0]))
    found = prune(pruner, NAME, 0, LATER)
    assert found.kept == {versions[0]: "production points at it"}
    assert local.resolve(NAME).manifest.version() == versions[0]


def test_a_promotion_that_comes_too_late_is_refused_and_what_was_served_stays(local, bundles):
    """Channels have been read for the last time; the version is about to go."""
    versions = seven(local, bundles)
    local.promote(NAME, versions[6], AT[0])
    said = []

    def late() -> None:
        with pytest.raises(Conflict, match=f"version {versions[0]} of {NAME} is being removed by retention") as caught:
            local.promote(NAME, versions[0], AT[1], expected=versions[6])
        said.append(str(caught.value))

    pruner = Between(local.uri)
    pruner.interrupt(2, late)
    assert prune(pruner, NAME, 0, LATER).removed == versions[:6]
    assert len(said) == 1
    assert local.resolve(NAME).manifest.version() == versions[6]
    assert [e.action for e in local.channel(NAME).history] == ["promote"]


def test_a_run_that_was_stopped_is_cleared_away_by_the_next(local, bundles):
    versions = seven(local, bundles[:2])
    local.store.put(f"{NAME}/versions/{versions[1]}.abc.removing", b"")
    with pytest.raises(Conflict, match="if a `registry prune` was stopped, run it again first"):
        local.promote(NAME, versions[1], AT[0])
    prune(local, NAME, 2, datetime.now(UTC).isoformat())  # it may be running still
    with pytest.raises(Conflict):
        local.promote(NAME, versions[1], AT[0])
    prune(local, NAME, 2, LATER)
    assert local.promote(NAME, versions[1], AT[0]).current.version == versions[1]


def test_what_was_removed_can_be_published_again(local, bundles):
    versions = seven(local, bundles)
    prune(local, NAME, 0, LATER)
    assert local.versions(NAME) == []
    assert local.publish(NAME, bundles[0]) == versions[0]
    local.promote(NAME, versions[0], AT[0])
    assert local.resolve(NAME).manifest == bundles[0].manifest


def test_the_command_says_what_goes_and_why_the_rest_stays(local, bundles):
    versions = seven(local, bundles[:3])
    local.promote(NAME, versions[0], AT[0])
    words = ("registry", "prune", NAME, "--registry", local.uri, "--keep", 1, "--min-age-s", 0)
    dry = typed(*words, "--dry-run")
    assert dry.stdout == f"would remove {versions[1]}\n"
    assert f"kept {versions[0]}: production points at it" in dry.stderr
    assert local.versions(NAME) == versions
    assert ascribe(*words).stdout == f"removed {versions[1]}\n"
    assert local.versions(NAME) == [versions[0], versions[2]]
    assert typed("registry", "prune", NAME, "--registry", local.uri, "--keep", 0).stdout == ""  # too young
