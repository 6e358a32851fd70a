"""What cannot be scored is refused when it is read, in one line that says what to do; containers, aliases, damage."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from ascribe.bundle.archive import open_directory
from ascribe.bundle.federated.half import open_party
from ascribe.cli import app
from ascribe.core.errors import InputError
from ascribe.core.federated import Table
from ascribe.core.federated.table import Context
from ascribe.train.adapters.fate import files as containers
from ascribe.train.adapters.fate import read_fate
from ascribe.train.adapters.fate.messages import parsed
from ascribe.train.wire import fate_pb2

from .made import (
    GUEST,
    HOST,
    Node,
    World,
    b,
    boosted,
    cache,
    component,
    i,
    m,
    pipeline,
    random_rows,
    random_tree,
    trees_files,
)
from .real import FATE

LEAVES = [Node(weight=1.0), Node(weight=-1.0)]
SMALL = World([[Node(GUEST, 0, 0.5, 1, 0, 1, 2), *LEAVES], [Node(HOST, 1, 0.2, 1, 0, 1, 2), *LEAVES]])
TREES = "secureboost_0.model:HeteroSecureBoostingTreeGuest"


def said(path, role="guest", **options) -> str:
    with pytest.raises(InputError) as told:
        read_fate(path, role, **options)
    text = str(told.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


def small(tmp_path, extra=None, files=None, world=SMALL, party=GUEST):
    return cache(tmp_path / "model", trees_files(world, party, extra, files))


def margins_of(path, rows):
    guest = read_fate(path, "guest")
    return guest.pipeline.local_inference(Context(guest.name, len(rows)), Table.of_rows(rows))["secureboost_0"].bits


@pytest.mark.parametrize(
    "kind", ["HeteroLinRGuest", "FeatureImputation", "HeteroNNGuest", "Nonsense", "HomoLRGuest", ""]
)
def test_an_unknown_class_is_named(kind, tmp_path):
    extra = {"odd_0": component(kind, "args.data", None) | {"CodePath": f"some/{kind}", "module": "Odd"}}
    text = said(small(tmp_path, extra))
    assert "'odd_0'" in text
    assert f"'{kind}'" in text
    assert "cannot be served" in text


def test_a_pipeline_that_gives_no_score(tmp_path):
    files = {"pipeline.pipeline:Pipeline": pipeline({"evaluation_0": component("Evaluation", "args.data", None)})}
    assert "no component of the pipeline gives a score (123)" in said(cache(tmp_path / "m", files), party="guest:1")


def test_the_other_partys_file(tmp_path):
    assert "import" in said(small(tmp_path), role="host")
    assert "--role host" in said(FATE / "secureboost" / "host.model_cache.json")


MIX = [
    World(SMALL.trees, strategy="mix"),
    World(SMALL.trees, plan=("0_-1", "1_10000")),
    World([[Node(HOST, 0, 0, 1, 0, 1, 2), *LEAVES], [Node("", 0, 0, 1, 0, -2, -2), *LEAVES]]),
]


@pytest.mark.parametrize("world", MIX[:2], ids=["strategy", "plan"])
def test_mix_mode(world, tmp_path):
    assert "mix mode" in said(small(tmp_path, world=world))


def test_placeholders_of_mix_mode(tmp_path):
    meta = b""
    node = b(1, i(1, 0) + b(2, "") + i(6, 0) + i(7, -1) + i(8, -1))
    param = i(1, 1) + b(2, node) + i(5, 1) + i(6, 2)
    assert "mix mode" in said(small(tmp_path, files={TREES + "Meta": meta, TREES + "Param": param}))


def changed(kind: str) -> World:
    tree = [Node(GUEST, 0, 0.5, 1, 0, 1, 2), *LEAVES]
    return {
        "child out of range": World([[Node(GUEST, 0, 0.5, 1, 0, 1, 7), *LEAVES]]),
        "child is its parent": World([[Node(GUEST, 0, 0.5, 1, 0, 0, 2), *LEAVES]]),
        "one child twice": World([[Node(GUEST, 0, 0.5, 1, 0, 1, 1), *LEAVES]]),
        "a circle apart": World(
            [[Node(GUEST, 0, 0.5, 1, 0, 1, 2), *LEAVES, Node(GUEST, 0, 0, 1, 0, 4, 1), Node(GUEST, 0, 0, 1, 0, 3, 2)]]
        ),
        "an unknown column": World([[Node(GUEST, 9, 0.5, 1, 0, 1, 2), *LEAVES]]),
        "a threshold that is none": World([[Node(GUEST, 0, float("nan"), 1, 0, 1, 2), *LEAVES]]),
        "a weight that is none": World([[tree[0], Node(weight=float("inf")), LEAVES[0]]]),
        "no whole rounds": World([tree] * 4, classes=3, dim=3, init=(0.0, 0.0, 0.0), labels=("a", "b", "c")),
        "trees of another number of classes": World([tree] * 4, classes=3, dim=1, labels=("a", "b", "c")),
        "starts that do not fit": World([tree], init=(0.0, 1.0)),
        "no root": World([tree, []]),
        "a party that is none": World([[Node("arbiter:1", 0, 0.5, 1, 0, 1, 2), *LEAVES]]),
        "columns of one name": World([tree], columns={GUEST: ("g0", "g0")}),
        "leaves of several widths": World(
            [[tree[0], Node(weight=-1, many=(1.0, 2.0, 3.0)), Node(weight=-1, many=(1.0,))]], classes=3, labels=()
        ),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["child out of range", "child is its parent", "one child twice", "a circle apart", "an unknown column",
     "a threshold that is none", "a weight that is none", "no whole rounds", "trees of another number of classes",
     "starts that do not fit", "no root", "a party that is none", "columns of one name", "leaves of several widths"],
)  # fmt: skip
def test_trees_that_are_none(kind, tmp_path):
    assert said(small(tmp_path, world=changed(kind))).startswith("component 'secureboost_0': ")


def test_an_own_split_without_a_threshold(tmp_path):
    split = b(1, i(1, 0) + b(2, GUEST) + i(7, 1) + i(8, 2))
    ends = b"".join(b(1, i(1, n) + b(2, GUEST) + i(6, 1) + i(7, -1) + i(8, -1)) for n in (1, 2))
    names = m(9, {0: "g0"}, i, b)
    text = said(small(tmp_path, files={TREES + "Param": i(1, 1) + b(2, split + ends) + i(5, 1) + i(6, 2) + names}))
    assert "split 0 of tree 0 is guest:9999's own and has no threshold" in text


def test_node_numbers_and_tree_numbers_are_checked(tmp_path):
    node = b(1, i(1, 5) + b(2, GUEST) + i(6, 1) + i(7, -1) + i(8, -1))
    files = {TREES + "Param": i(1, 1) + b(2, node) + i(5, 1) + i(6, 2)}
    assert "tree 0 has node 5 in place 0" in said(small(tmp_path, files=files))
    files = {TREES + "Param": i(1, 3) + b(2, b"") + i(5, 1) + i(6, 2)}
    assert "says 3 trees and holds 1" in said(small(tmp_path, files=files))


@pytest.mark.parametrize("order", [1, -1])
def test_the_alias_that_the_dsl_names_wins_whatever_the_order(order, tmp_path):
    files = trees_files(SMALL, GUEST)
    other = trees_files(World([[Node(GUEST, 0, -0.5, 1, 0, 1, 2), *LEAVES], *SMALL.trees[1:]]), GUEST)
    files |= {k.replace(".model:", ".default:"): v for k, v in other.items() if k.startswith("secureboost_0")}
    path = cache(tmp_path / "m", dict(list(files.items())[::order]))
    assert margins_of(path, [{"g0": 0.0}]).tolist() == [[True]]


def test_several_aliases_and_none_named(tmp_path):
    files = trees_files(SMALL, GUEST)
    files |= {k.replace(".model:", ".default:"): v for k, v in files.items() if k.startswith("secureboost_0")}
    kind = "HeteroSecureBoostingTreeGuest"
    bare = {"secureboost_0": component("HeteroSecureBoost", "args.data", None, path=kind)}
    files["pipeline.pipeline:Pipeline"] = pipeline(bare)
    assert "aliases default, model" in said(cache(tmp_path / "m", files), party=GUEST)
    only = {k: v for k, v in files.items() if ".default:" not in k}
    assert margins_of(cache(tmp_path / "one", only), [{"g0": 0.0}]).tolist() == [[True]]


def test_what_does_not_parse_is_an_error_and_the_five_bytes_are_an_empty_message(tmp_path):
    for raw in (b"\xff\xff\xff", b"\x0a\x03se", b"\x0a\x05set"):
        assert "cannot be read as BoostingTreeModelParam" in said(small(tmp_path, files={TREES + "Param": raw}))
    assert parsed(fate_pb2.ScaleMeta, b"\x0a\x03set", "x").method == ""
    assert parsed(fate_pb2.ScaleMeta, b"\x0a\x03sea", "x").method == "sea"


def test_fields_that_are_not_known_are_passed_over(tmp_path):
    files = trees_files(SMALL, GUEST)
    files[TREES + "Param"] += i(77, 5) + b(78, "later")
    assert margins_of(cache(tmp_path / "m", files), [{"g0": 0.0}]).tolist() == [[True]]


def test_components_outside_the_dsl_are_not_run(tmp_path):
    files = trees_files(SMALL, GUEST) | {"secureboost_1.train:SomethingElse": b"\xff", "x_0.y:ZMeta": b""}
    assert len(read_fate(cache(tmp_path / "m", files), "guest").pipeline.steps) == 2


@pytest.mark.parametrize(
    ("components", "text"),
    [
        ({"a": component("Evaluation", "b.data", None), "b": component("Evaluation", "a.data", None)}, "in a circle"),
        ({"a": component("Evaluation", "zz.data", None)}, "fed by 'zz', which is not there"),
        ({"a": {"module": 3}}, "unknown|cannot be"),
        ({"a": []}, "DSL cannot be read"),
    ],
    ids=["circle", "producer", "module", "list"],
)
def test_dsl_that_leads_nowhere(components, text, tmp_path):
    path = cache(tmp_path / "m", {"pipeline.pipeline:Pipeline": pipeline(components)})
    with pytest.raises(InputError, match=text):
        read_fate(path, "guest")


def test_old_files_name_a_role_alone(tmp_path):
    world = World([[Node("guest", 0, 0.5, 1, 0, 1, 2), *LEAVES], SMALL.trees[1]])
    files = trees_files(SMALL, GUEST)
    files[TREES + "Param"] = boosted(World(world.trees, columns={"guest": ("g0",)}), "guest")[1]
    assert margins_of(cache(tmp_path / "m", files), [{"g0": 0.0}, {"g0": 1.0}]).tolist() == [[True], [False]]


# ---- containers


def export(folder: Path, files: dict[str, bytes], twins: bool = False) -> Path:
    for key, raw in files.items():
        name, _, file = key.partition(":")
        place = folder / "variables" / "data" / name.partition(".")[0] / name.partition(".")[2]
        place.mkdir(parents=True, exist_ok=True)
        if twins:
            (place / f"{file}.json").write_text(json.dumps(twin(file, raw)))
        else:
            (place / file).write_bytes(raw)
    (folder / "define").mkdir(exist_ok=True)
    (folder / "define" / "define_meta.yaml").write_text("component_define: {}\n")
    return folder


def twin(file: str, raw: bytes) -> dict:
    """As FATE writes them: defaults written out."""
    from google.protobuf.json_format import MessageToDict

    kind = {"Pipeline": "Pipeline", "Meta": "BoostingTreeModelMeta", "Param": "BoostingTreeModelParam"}
    name = next(kind[end] for end in kind if file.endswith(end))
    return MessageToDict(getattr(fate_pb2, name).FromString(raw), always_print_fields_with_no_presence=True)


def zipped(path: Path, folder: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return path


def test_every_container_holds_the_same_model(tmp_path):
    rng = np.random.default_rng(0)
    world = World([random_tree(rng, 4, (GUEST, HOST)) for _ in range(5)])
    files = trees_files(world, GUEST)
    rows = [{c: v for c, v in row.items() if c.startswith("g")} for row in random_rows(20, 1)]
    wanted = margins_of(cache(tmp_path / "cache", files), rows).tolist()
    folder, twins = export(tmp_path / "folder", files), export(tmp_path / "twins", files, twins=True)
    held = {f: json.loads((twins / "variables/data/secureboost_0/model" / f).read_text())
            for f in ("HeteroSecureBoostingTreeGuestMeta.json", "HeteroSecureBoostingTreeGuestParam.json")}  # fmt: skip
    assert {"treeNum", "trees", "featureNameFidMapping"} <= set(held["HeteroSecureBoostingTreeGuestParam.json"])
    for path in (folder, twins, zipped(tmp_path / "a.zip", folder), zipped(tmp_path / "b.zip", twins)):
        assert margins_of(path, rows).tolist() == wanted
    meta, data = (held[f"HeteroSecureBoostingTreeGuest{end}.json"] for end in ("Meta", "Param"))
    answer = {"data": data, "retcode": 0, "meta": {"meta_data": meta, "module_name": "HeteroSecureBoost"}}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    guest = read_fate(tmp_path / "answer.json", "guest")
    found = guest.pipeline.local_inference(Context(guest.name, len(rows)), Table.of_rows(rows))
    assert found["HeteroSecureBoost"].bits.tolist() == wanted
    answer["data"]["trees"][1:] = [{}] * 4  # copied answers often carry one tree in full
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    assert "tree 1 has no root" in said(tmp_path / "answer.json")


@pytest.mark.parametrize("name", ["../variables/data/a/b/Pipeline", "/variables/data/a/b/Pipeline",
                                  "x/../../variables/data/a/b/Pipeline", "C:/variables/data/a/b/Pipeline",
                                  "x\\..\\variables/data/a/b/Pipeline"])  # fmt: skip
def test_an_archive_that_leads_out_is_refused(name, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"x")
    assert "names a file outside itself" in said(tmp_path / "m.zip")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MOST_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("variables/data/a/b/Pipeline", bytes(10_000_000))
    assert (tmp_path / "m.zip").stat().st_size < 10_000_000
    text = said(tmp_path / "m.zip")
    assert "more than 10000 bytes" in text or "at most 10000" in text
    monkeypatch.setattr(containers, "MOST_BYTES", 1 << 30)
    monkeypatch.setattr(containers, "MOST_ENTRIES", 3)
    with zipfile.ZipFile(tmp_path / "n.zip", "w") as archive:
        for k in range(4):
            archive.writestr(f"variables/data/a/b/F{k}", b"")
    assert "has 4 entries" in said(tmp_path / "n.zip")


def test_a_folder_with_links_is_refused(tmp_path):
    folder = export(tmp_path / "m", trees_files(SMALL, GUEST))
    place = folder / "variables/data/secureboost_0/model"
    (place / "Extra").symlink_to("/etc/hostname")
    assert "has a link" in said(folder)


NO_MODEL = (
    b"", b"[]", b"{", b"null", b'{"a": 1}', b'{"a.b:C": "?"}', b"PK\x03\x04", b"\x00" * 40,
    b'{"a.b:C": "' + base64.b64encode(b"x") + b'"}', b"[" * 100_000,
)  # fmt: skip


@pytest.mark.parametrize("raw", NO_MODEL, ids=range(len(NO_MODEL)))
def test_files_that_are_no_model(raw, tmp_path):
    (tmp_path / "m").write_bytes(raw)
    said(tmp_path / "m")


def test_no_file_and_an_empty_folder(tmp_path):
    assert "there is no file" in said(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    assert "nothing under variables/data" in said(tmp_path / "empty")


@pytest.mark.parametrize("role", ["guest", "host"])
@pytest.mark.parametrize("model", ["secureboost", "heterolr"])
def test_damaged_files_are_read_as_something_or_refused_in_one_line(model, role, tmp_path):
    """Bytes of messages changed, cut or doubled: never another error than InputError."""
    whole = json.loads((FATE / model / f"{role}.model_cache.json").read_text())
    rng, refused, rounds = np.random.default_rng([len(model), len(role)]), [], 120
    for _ in range(rounds):
        held = {k: bytearray(base64.b64decode(v)) for k, v in whole.items()}
        key = list(held)[int(rng.integers(len(held)))]
        raw = held[key]
        kind = int(rng.integers(4))
        at = int(rng.integers(len(raw)))
        if kind == 0:
            for _ in range(int(rng.integers(1, 6))):
                raw[int(rng.integers(len(raw)))] = int(rng.integers(256))
        elif kind == 1:
            del raw[at:]
        elif kind == 2:
            raw[at:at] = raw[: int(rng.integers(1, 40))]
        else:
            del held[key]
        path = cache(tmp_path / "m", {k: bytes(v) for k, v in held.items()})
        try:
            read_fate(path, role)
        except InputError as exc:
            refused.append(str(exc))
    assert rounds / 10 < len(refused) < rounds
    assert not any("\n" in text for text in refused)


def test_the_command_writes_a_bundle_that_opens_without_fate(tmp_path):
    for role in ("guest", "host"):
        file = FATE / "secureboost" / f"{role}.model_cache.json"
        options = ["--role", role, "--semantics", "fate-1.4", "--out", str(tmp_path / role)]
        done = CliRunner().invoke(app, ["federated", "import", str(file), *options])
        assert done.exit_code == 0, done.output
    guest, host = (open_party(open_directory(tmp_path / role), role) for role in ("guest", "host"))
    assert guest.digest == host.digest
    assert guest.info["semantics"]["name"] == "fate-1.4"
    assert guest.pipeline.last[1].splits.epsilon == 0.0
    done = CliRunner().invoke(
        app, ["federated", "import", str(tmp_path), "--role", "guest", "--out", str(tmp_path / "x")]
    )
    assert isinstance(done.exception, InputError)


def test_strip_leaves_the_weights_of_splits_out(tmp_path):
    from ascribe.core.federated.free import steps

    path = FATE / "secureboost" / "guest.model_cache.json"
    whole, stripped = read_fate(path, "guest"), read_fate(path, "guest", strip=True)
    trees, other = whole.pipeline.last[1], stripped.pipeline.last[1]
    leaf = trees.structure.leaf
    assert (other.leaves.value[leaf] == trees.leaves.value[leaf]).all()
    assert not other.leaves.value[~leaf].any()
    assert trees.leaves.value[~leaf].any()
    left = np.zeros((1, len(leaf)), bool)
    with pytest.raises(InputError, match="were left out"):
        steps(other.structure, other.leaves, np.zeros(len(leaf), int), 1, left)


JUNK = (None, 1, -1, 1e300, "x", "", [], {}, True, "NaN", [1], {"a": 1}, 2**40, -(2**70), "1e999")


def places(held: object, at: tuple = ()) -> list[tuple]:
    """Every place in a JSON value."""
    inside = held.items() if isinstance(held, dict) else enumerate(held) if isinstance(held, list) else ()
    return [at, *(place for k, below in inside for place in places(below, (*at, k)))]


def with_junk(whole: object, rng: np.random.Generator) -> object:
    held, found = json.loads(json.dumps(whole)), places(whole)
    place, junk = found[int(rng.integers(len(found)))], JUNK[int(rng.integers(len(JUNK)))]
    if not place:
        return junk
    at = held
    for k in place[:-1]:
        at = at[k]
    at[place[-1]] = junk
    return held


@pytest.mark.parametrize("what", ["twin", "dsl", "zip"])
def test_values_of_another_kind_anywhere_and_damaged_archives(what, tmp_path):
    rng = np.random.default_rng(len(what))
    files = trees_files(World([random_tree(rng, 3, (GUEST, HOST)) for _ in range(3)]), GUEST)
    folder = export(tmp_path / "twins", files, twins=True)
    place = folder / "variables/data/secureboost_0/model/HeteroSecureBoostingTreeGuestParam.json"
    param, archive = json.loads(place.read_text()), zipped(tmp_path / "a.zip", export(tmp_path / "raw", files))
    raw = archive.read_bytes()
    dsl = json.loads(fate_pb2.Pipeline.FromString(files["pipeline.pipeline:Pipeline"]).inference_dsl)
    refused, rounds = 0, 150
    for _ in range(rounds):
        path = folder
        if what == "twin":
            place.write_text(json.dumps(with_junk(param, rng)))
        elif what == "dsl":
            edited = b(1, json.dumps(with_junk(dsl, rng))) + b(9, '{"guest": [9999], "host": [1]}')
            path = cache(tmp_path / "m", files | {"pipeline.pipeline:Pipeline": edited})
        else:
            held = bytearray(raw)
            for _ in range(int(rng.integers(1, 5))):
                held[int(rng.integers(len(held)))] = int(rng.integers(256))
            path.joinpath("x.zip").write_bytes(held)
            path = path / "x.zip"
        try:
            read_fate(path, "guest")
        except InputError:
            refused += 1
    assert rounds / 3 < refused < rounds
