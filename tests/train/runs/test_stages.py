"""A stage is done once for all that it depends on, and a kill leaves nothing that looks finished."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ascribe.train.runs.stages import PARTS, Done, Stage, digest_of, key_of, perform, prune


@dataclass
class Counted:
    """Work that counts; it writes what it was given."""

    times: int = 0
    fails: bool = False
    seen: list[str] = field(default_factory=list)

    def __call__(self, folder: Path, done):
        self.times += 1
        self.seen = sorted(done)
        (folder / "half.txt").write_text("half")
        if self.fails:
            raise RuntimeError("half way")
        (folder / "deep").mkdir()
        (folder / "deep" / "out.txt").write_text("out")
        return {"times": self.times}


def ready(place: Path) -> tuple[Counted, Stage, dict[str, Done]]:
    first = Done("first", "a" * 64, place / "first", {}, 0.0, True)
    work = Counted()
    return work, Stage("second", work, ("first",), {"seed": 0}), {"first": first}


def test_a_stage_is_done_once(tmp_path):
    work, stage, done = ready(tmp_path)
    a, b = perform(stage, done, tmp_path, "1"), perform(stage, done, tmp_path, "1")
    assert work.times == 1
    assert (a.fresh, b.fresh) == (True, False)
    assert a.result == b.result == {"times": 1}
    assert a.folder == b.folder
    assert (a.folder / "deep" / "out.txt").read_text() == "out"
    assert work.seen == ["first"]


def test_its_key_changes_with_everything_that_it_depends_on(tmp_path):
    _, stage, done = ready(tmp_path)
    other = {"first": replace(done["first"], key="b" * 64)}
    keys = [
        key_of(stage, done, "1"),
        key_of(stage, done, "2"),
        key_of(stage, other, "1"),
        key_of(replace(stage, settings={"seed": 1}), done, "1"),
        key_of(replace(stage, name="third"), done, "1"),
        key_of(replace(stage, sees=lambda done: {"production": "v1"}), done, "1"),
    ]
    assert len(set(keys)) == len(keys)


def test_its_key_does_not_change_with_what_it_does_not_depend_on(tmp_path):
    _, stage, done = ready(tmp_path)
    unrelated = done | {"other": replace(done["first"], key="c" * 64)}
    elsewhere = {"first": replace(done["first"], folder=tmp_path / "elsewhere", seconds=9.0, fresh=False)}
    assert key_of(stage, done, "1") == key_of(stage, unrelated, "1") == key_of(stage, elsewhere, "1")


def test_the_order_of_settings_does_not_matter():
    assert digest_of({"a": [1, 2], "b": None}) == digest_of({"b": None, "a": (1, 2)})
    assert digest_of([1, 2]) != digest_of([2, 1])


def test_work_that_fails_leaves_no_marker_and_begins_anew(tmp_path):
    work, stage, done = ready(tmp_path)
    work.fails = True
    with pytest.raises(RuntimeError, match="half way"):
        perform(stage, done, tmp_path, "1")
    (folder,) = tmp_path.glob("second-*")
    assert [p.name for p in folder.iterdir()] == ["half.txt"]
    (folder / "left.txt").write_text("left by a kill")
    work.fails = False
    again = perform(stage, done, tmp_path, "1")
    assert again.fresh
    assert not (again.folder / "left.txt").exists()


@pytest.mark.parametrize("harm", ["marker torn", "marker of other bytes", "marker gone", "output gone", "output cut"])
def test_a_stage_whose_folder_was_harmed_is_done_again(tmp_path, harm):
    work, stage, done = ready(tmp_path)
    folder = perform(stage, done, tmp_path, "1").folder
    if harm == "marker torn":
        (folder / "done.json").write_text('{"stage": "sec')
    elif harm == "marker of other bytes":
        (folder / "done.json").write_bytes(b'{"stage": "\xff"}')
    elif harm == "marker gone":
        (folder / "done.json").unlink()
    elif harm == "output gone":
        (folder / "deep" / "out.txt").unlink()
    else:
        (folder / "deep" / "out.txt").write_text("")
    assert perform(stage, done, tmp_path, "1").fresh
    assert work.times == 2
    assert (folder / "deep" / "out.txt").read_text() == "out"


def test_folders_of_older_stages_are_removed_and_no_others(tmp_path):
    _, stage, done = ready(tmp_path)
    old = perform(stage, done, tmp_path, "1").folder
    new = perform(stage, done, tmp_path, "2").folder
    (tmp_path / "notes.txt").write_text("mine")
    prune(tmp_path, [new])
    assert (old.exists(), new.exists(), (tmp_path / "notes.txt").exists()) == (False, True, True)
    prune(tmp_path / "nowhere", [])


def test_what_a_stopped_run_left_half_done_stays_while_it_is_unfinished(tmp_path):
    _, stage, done = ready(tmp_path)
    ended = perform(stage, done, tmp_path, "1").folder
    begun = tmp_path / "second-begun"
    parts = [folder.with_name(f"{folder.name}{PARTS}") for folder in (ended, begun)]
    for folder in (begun, *parts):
        folder.mkdir()
    prune(tmp_path, [ended], unfinished=True)
    assert [folder.exists() for folder in (ended, begun, *parts)] == [True, True, False, True]
    prune(tmp_path, [ended])
    assert [folder.exists() for folder in (ended, begun, *parts)] == [True, False, False, False]
