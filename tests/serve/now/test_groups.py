"""Counters by what they measure."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ascribe.core.errors import ServiceError
from ascribe.core.features import Feature
from ascribe.serve.now.groups import GROUPS, NAMES, UNITS, group_of, grouped, read_groups

UNITS_FILE = Path(__file__).parents[3] / "examples" / "units_power.toml"
XEON = {
    "cpu": {
        "instructions", "cpu-cycles", "branches", "branch-misses", "cpu_idle", "cpu_sintr", "cpu_system", "cpu_user",
        "cpu_wio",
    },
    "cache": {"L1-icache-load-misses", "L1-dcache-load-misses", "LLC-loads", "LLC-load-misses", "LLC-stores"},
    "memory": {"mem_buffers", "mem_cached", "mem_free", "page_in", "page_out"},
    "disk": {"bytes_read", "bytes_written", "reads", "writes", "read_time", "write_time"},
    "network": {"bytes_in", "bytes_out", "pkts_in", "pkts_out"},
    "system": {"contexts", "cpu-migrations", "interrupts"},
}  # fmt: skip


def test_every_counter_of_the_power_study_has_a_group():
    units = tomllib.loads(UNITS_FILE.read_text())
    features = [Feature(name, unit) for name, unit in units.items() if name != "powerWatts"]
    assert len(features) == 32
    found = grouped(features)
    assert {group: {features[j].name for j in columns} for group, columns in found.items()} == XEON
    assert list(found) == [group for group in GROUPS if group in XEON]
    assert sorted(j for columns in found.values() for j in columns) == list(range(32))


def test_the_table_names_known_groups_alone():
    assert {group for group, _ in NAMES} | set(UNITS.values()) <= set(GROUPS)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("node_load1", "system"), ("loads", "other"), ("memory_available_bytes", "memory"), ("cpu_busy_ratio", "cpu"),
        ("disk_read_bytes", "disk"), ("network_receive_bytes", "network"), ("L2_misses", "cache"),
        ("dTLB-loads", "cache"), ("bytes_in", "network"), ("bytes_read", "disk"), ("context_switches", "system"),
        ("", "other"), ("<b>", "other"),
    ],
)  # fmt: skip
def test_names(name, group):
    assert group_of(Feature(name)) == group


def test_who_goes_first():
    own = Feature("cpu_user", "percent", group="mine")
    assert group_of(Feature("odd", "MHz")) == "cpu"
    assert group_of(own) == "mine"
    assert group_of(own, {"theirs": ["cpu_*"]}) == "theirs"
    assert list(grouped([own, Feature("mem_free"), Feature("a", group="a")])) == ["memory", "a", "mine"]


@pytest.mark.parametrize("text", ["cpu = 3", "cpu = [1]", "cpu = [", "[cpu]\na = []"])
def test_a_file_that_cannot_be_used(tmp_path, text):
    place = tmp_path / "groups.toml"
    place.write_text(text)
    with pytest.raises(ServiceError, match="ASCRIBE_GROUPS"):
        read_groups(place)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ServiceError, match="cannot be read"):
        read_groups(tmp_path / "none.toml")
