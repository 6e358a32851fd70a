"""A real server over an hour of known energy: what comes back is the truth, or a gap that says so."""

from dataclasses import dataclass

import numpy as np
import pytest

from ascribe.core.errors import InputError, SourceError
from ascribe.train.sources.presets import PRESETS, preset
from ascribe.train.sources.prometheus import opened
from ascribe.train.units import BOUNDS
from tests.prometheus_server import asked
from tests.train.sources.fleet import HOURS, START_S, energy_j, scraped

STEP_S = 60
END_S = START_S + HOURS * 3600


@dataclass
class Rows:
    """All rows of a source that ends."""

    id: list
    node: np.ndarray
    at: np.ndarray
    power_w: np.ndarray
    X: dict
    position: np.ndarray
    ends: list

    def of(self, node: str) -> np.ndarray:
        return self.node == node


def address(base: str, asked: str, start: float = START_S, end: float = END_S) -> str:
    return f"prometheus+{base}?{asked}&start={start}&end={end}"


def read(source, held=None) -> Rows:
    batches = list(source.batches(lambda stream: held))
    got = [v for batch in batches for v in batch.vectors]
    names = sorted({name for v in got for name in v.names})

    def column(v, name):
        return v.X[:, v.names.index(name)] if name in v.names else np.full(len(v), np.nan)

    return Rows(
        [i for v in got for i in v.id],
        np.array([n for v in got for n in v.node]),
        np.concatenate([v.timestamp for v in got]) / 1e6 - START_S,
        np.concatenate([v.power_w for v in got]),
        {name: np.concatenate([column(v, name) for v in got]) for name in names},
        np.concatenate([v.places.position for v in got]),
        [batch.ends[source.options.stream] for batch in batches if batch.ends],
    )


def truth_w(node: int, ends: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """True mean watts of both sockets between the scrapes at the ends of each window."""
    offset = scraped(node)[0]
    joules = [energy_j(node, s, ends + offset) - energy_j(node, s, ends - STEP_S + offset) for s in (0, 1)]
    return scale * (joules[0] + joules[1]) / STEP_S


@pytest.fixture(scope="module")
def hour(prometheus):
    return read(opened(address(prometheus, "preset=node_exporter")))


def test_every_window_has_the_true_watts_though_both_sockets_wrap(hour):
    at = hour.of("n0")
    assert at.sum() == HOURS * 60
    np.testing.assert_allclose(hour.power_w[at], truth_w(0, hour.at[at]), rtol=1e-6)


def test_energy_over_wraps_adds_up_where_increase_loses_some(hour, prometheus):
    at = hour.of("n0")
    ours = (hour.power_w[at] * STEP_S).sum()
    offset = scraped(0)[0]
    truth = sum(energy_j(0, s, HOURS * 3600 + offset) - energy_j(0, s, offset) for s in (0, 1))
    query = 'sum(increase(node_rapl_package_joules_total{instance="n0:9100",path!~".*mmio.*"}[1h]))'
    ((_, theirs),) = asked(prometheus, query, END_S)
    assert ours == pytest.approx(truth, rel=1e-9)
    # The server takes a wrap for a restart, and counts on from zero.
    assert truth - theirs > 1000


def test_a_reboot_is_one_gap_even_where_it_looks_like_a_wrap(hour):
    at = hour.of("n1")
    gap = (hour.at[at] > 1800) & (hour.at[at] <= 1860)
    assert np.isnan(hour.power_w[at][gap]).all()
    assert gap.sum() == 1
    np.testing.assert_allclose(hour.power_w[at][~gap], truth_w(1, hour.at[at][~gap]), rtol=1e-6)


def test_a_silent_socket_leaves_the_node_unlabelled_never_half_labelled(hour):
    at = hour.of("n2")
    silent = (hour.at[at] > 1200) & (hour.at[at] <= 2160)
    assert np.isnan(hour.power_w[at][silent]).all()
    np.testing.assert_allclose(hour.power_w[at][~silent], truth_w(2, hour.at[at][~silent]), rtol=1e-6)


def test_a_socket_that_is_missing_from_a_whole_answer_is_remembered(prometheus):
    """Read in pieces of 1, 2, 4 and 8 windows; the last lies in the silence, and the server shows one socket only."""
    source = opened(address(prometheus, "preset=node_exporter", START_S + 1140, START_S + 2040))
    pieces = [v for batch in source.batches(lambda stream: None) for v in batch.vectors]
    assert len(pieces) == 4
    last = np.array(pieces[-1].node) == "n2"
    assert last.sum() == 8
    assert np.isnan(pieces[-1].power_w[last]).all()
    query = 'node_rapl_package_joules_total{instance="n2:9100"}'
    assert len(asked(prometheus, query, START_S + 2000)) == 1


@pytest.mark.parametrize("after_s", [1740, 2040])
def test_a_socket_that_was_silent_before_reading_began_is_missed_all_the_same(hour, prometheus, after_s):
    """The first window that is read shows one socket; the other was there minutes before."""
    begun = (START_S + after_s) * 1000
    rows = read(opened(address(prometheus, "preset=node_exporter")), held=begun)
    silent = rows.of("n2") & (rows.at <= 2160)
    assert silent.sum() == (2160 - after_s) / STEP_S
    assert np.isnan(rows.power_w[silent]).all()
    np.testing.assert_array_equal(rows.power_w, hour.power_w[hour.position >= begun])


def test_a_socket_that_has_been_gone_for_an_hour_is_no_longer_missed(prometheus, monkeypatch):
    monkeypatch.setattr("ascribe.train.sources.prometheus.REMEMBERED_MS", 60_000)
    rows = read(opened(address(prometheus, "preset=node_exporter", START_S + 1740, START_S + 1860)))
    assert np.isfinite(rows.power_w[rows.of("n2")]).all()


def test_a_node_without_a_meter_has_rows_without_labels(hour):
    at = hour.of("n3")
    assert at.sum() == HOURS * 60
    assert np.isnan(hour.power_w[at]).all()
    assert np.isfinite(hour.X["load1"][at]).all()


def test_features_are_in_their_units(hour):
    calm = hour.of("n0") & (hour.at > 120)
    for name, value in {
        "cpu_user_ratio": 0.25, "cpu_system_ratio": 0.05, "cpu_idle_ratio": 0.7, "load1": 1.5,
        "memory_used_bytes": 16e9, "network_received_bytes_per_s": 1500.0,
    }.items():  # fmt: skip
        np.testing.assert_allclose(hour.X[name][calm], value, rtol=1e-6, err_msg=name)


def test_ids_say_node_and_end_and_positions_are_starts_that_do_not_go_back(hour):
    ends_ms = np.rint((hour.at + START_S) * 1000).astype(int)
    assert hour.id == [f"{node}@{ms}" for node, ms in zip(hour.node, ends_ms, strict=True)]
    assert len(set(hour.id)) == len(hour.id)
    assert (hour.position == ends_ms - STEP_S * 1000).all()
    assert (np.diff(hour.position) >= 0).all()
    assert hour.ends == sorted(set(hour.ends))
    assert hour.ends[-1] == END_S * 1000


def test_reading_goes_on_from_the_position_that_the_lake_holds_with_the_same_rows(hour, prometheus):
    middle = (START_S + 1260) * 1000
    later = read(opened(address(prometheus, "preset=node_exporter")), held=middle)
    again = hour.position >= middle
    assert later.id == [i for i, kept in zip(hour.id, again, strict=True) if kept]
    np.testing.assert_array_equal(later.power_w, hour.power_w[again])
    for name, values in hour.X.items():
        np.testing.assert_array_equal(later.X[name], values[again], err_msg=name)


def test_windows_are_aligned_whatever_the_start(prometheus):
    rows = read(opened(address(prometheus, "preset=node_exporter", START_S + 601.5, START_S + 899)))
    assert sorted(set(rows.at.tolist())) == [720.0, 780.0, 840.0]


def test_zones_are_never_summed_and_each_wraps_at_its_own_range(prometheus):
    dram = read(opened(address(prometheus, "preset=node_exporter&zone=dram")))
    at = dram.of("n0")
    np.testing.assert_allclose(dram.power_w[at], truth_w(0, dram.at[at], 0.1), rtol=1e-6)
    core = read(opened(address(prometheus, "preset=node_exporter&zone=core", START_S + 60)))
    np.testing.assert_allclose(core.power_w[core.of("n0")], truth_w(0, core.at[core.of("n0")], 0.8), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "zone", "scale"),
    [
        ("kepler", "", 1.0), ("kepler", "dram", 0.1), ("kepler", "psys", 1.4), ("kepler_old", "", 1.0),
        ("dcgm", "", 1.0), ("ceems", "", 1.0), ("scaphandre", "host_energy", 1.0),
    ],
)  # fmt: skip
def test_every_preset_reads_the_same_watts(prometheus, name, zone, scale):
    rows = read(opened(address(prometheus, f"preset={name}&zone={zone}", START_S + 60)))
    assert set(rows.node) == {"m"}
    assert np.isfinite(rows.power_w).all()
    np.testing.assert_allclose(rows.power_w, truth_w(0, rows.at, scale), rtol=1e-5)


def test_power_of_one_exporter_stands_beside_features_of_another(prometheus):
    rows = read(opened(address(prometheus, "preset=dcgm,kepler", START_S + 60, START_S + 600)))
    assert set(rows.node) == {"m"}
    np.testing.assert_allclose(rows.X["gpu_utilization_percent"], 50.0)
    np.testing.assert_allclose(rows.X["cpu_usage_ratio"], 0.3)


def test_matchers_choose_machines(prometheus):
    rows = read(opened(address(prometheus, 'preset=node_exporter&match=instance="n2:9100"', START_S, START_S + 300)))
    assert set(rows.node) == {"n2"}


def test_nodes_are_named_by_another_label(prometheus):
    rows = read(opened(address(prometheus, "preset=dcgm&node=gpu", START_S + 60, START_S + 300)))
    assert set(rows.node) == {"0", "1"}


def test_a_preset_of_ones_own(prometheus, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'node = ["instance"]\n[power.half]\nquery = "node_rapl_core_joules_total{$match}"\nkind = "counter"\n'
        'scale = 0.5\nparts = ["index"]\n[features.load]\nquery = "node_load1"\nkind = "gauge"\nunit = "count"\n'
    )
    rows = read(opened(address(prometheus, f"preset={path}", START_S + 60, START_S + 600)))
    at = rows.of("n0")
    np.testing.assert_allclose(rows.power_w[at], truth_w(0, rows.at[at], 0.4), rtol=1e-6)
    np.testing.assert_allclose(rows.X["load"][at], 1.5)


def test_a_long_backlog_is_asked_for_in_pieces_that_the_server_takes(prometheus):
    """A day of a grid of 1 s is more points than a server gives at once."""
    source = opened(address(prometheus, "preset=kepler_old&scrape=1s", START_S - 24 * 3600, END_S))
    batches = list(source.batches(lambda stream: None))
    assert batches[-1].ends == {source.options.stream: END_S * 1000}
    assert 2 <= len(batches) < 30


def test_a_query_that_the_server_refuses_is_one_line_with_its_reason(prometheus, tmp_path):
    path = tmp_path / "broken.toml"
    path.write_text('node = ["instance"]\n[features.x]\nquery = "sum by ("\nkind = "gauge"\n')
    with pytest.raises(SourceError, match=r"refused sum by \( \(400\): .*parse error") as caught:
        read(opened(address(prometheus, f"preset={path}")))
    assert "\n" not in str(caught.value)


def test_the_stream_is_named_by_what_changes_rows_and_by_nothing_else():
    base = "prometheus+http://127.0.0.1:9090"
    first = opened(f"{base}?preset=kepler&start=1h").options.stream
    assert opened(f"{base}?preset=kepler&start=5h&settle=3s&end=1700000000").options.stream == first
    others = {
        opened(f"{base}?{asked}").options.stream
        for asked in ("preset=dcgm", "preset=kepler&zone=dram", "preset=kepler&step=30s", "preset=kepler&match=a='b'")
    }
    assert len(others | {first}) == 5
    assert first.startswith("prometheus:http://127.0.0.1:9090?")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("prometheus+http://h:1", "say what to read"),
        ("prometheus+http:///x?preset=kepler", "is no Prometheus source"),
        ("prometheus+http://h?preset=keppler", "did you mean 'kepler'"),
        ("prometheus+http://h?preset=kepler&zon=dram", "did you mean 'zone'"),
        ("prometheus+http://h?preset=kepler&zone=gpu", "choose from package, dram"),
        ("prometheus+http://h?preset=kepler&step=20s", "no multiple of scrape"),
        ("prometheus+http://h?preset=kepler&step=fast", "write step=60s"),
        ("prometheus+http://h?preset=kepler&start=yesterday", "before now"),
        ("prometheus+http://h?preset=kepler&preset=dcgm", "stands once"),
        ("prometheus+http://me:secret@h?preset=kepler", "ASCRIBE_PROMETHEUS_USER"),
        ("prometheus+http://h?preset=missing.toml", "no preset file"),
    ],
)
def test_an_address_that_cannot_be_used_says_which_part(address, said):
    with pytest.raises(InputError, match=said) as caught:
        opened(address)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[power.p]\nquery = "x"\nkind = "counter"\n', "which labels name the node"),
        ('node = ["a"]\n', "asks for nothing"),
        ('node = ["a"]\n[powr.p]\nquery = "x"\n', "no key of a preset"),
        ('node = ["a"]\n[features.p]\nquery = "x"\n', "needs query"),
        ('node = ["a"]\n[features.p]\nquery = "x"\nkind = "sum"\n', "needs kind"),
        ('node = ["a"]\n[features.p]\nquery = "x"\nkind = "gauge"\nunit = "furlong"\n', "unit 'furlong'"),
        ('node = ["a"]\n[features.p]\nquery = "x{$nod}"\nkind = "gauge"\n', r"may use \$node"),
        ('node = ["a"]\n[power.p]\nquery = "x"\nkind = "gauge"\nscale = -1\n', "above 0"),
        ('node = ["a"]\n[power.p]\nquery = "x"\nkind = "gauge"\nunit = "J"\n', "unit 'J'"),
    ],
)
def test_a_preset_that_cannot_be_used_says_why(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        preset(str(path))


def test_every_preset_that_is_shipped_can_be_read_and_has_known_units():
    assert PRESETS == ("ceems", "dcgm", "kepler", "kepler_old", "node_exporter", "scaphandre")
    for name in PRESETS:
        found = preset(name)
        assert found.power
        assert all(signal.unit in BOUNDS for signal in found.features)
        assert all(signal.possible < np.inf for signal in found.power.values())
