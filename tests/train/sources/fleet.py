"""Machines that never were: true energy over time, and the counters that exporters would show of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

START_S = 1_700_000_040
"""A multiple of a minute."""

EVERY_S = 15
HOURS = 1
PACKAGE_J = 262_143.32885
DRAM_J = 65_712.999613


def power_w(node: int, socket: int, t: np.ndarray | float) -> np.ndarray | float:
    """True watts of a socket `t` seconds after the start."""
    return 150.0 + 40.0 * node + 25.0 * socket + 60.0 * np.sin(t / (90.0 + 7.0 * node + 3.0 * socket))


def energy_j(node: int, socket: int, t: np.ndarray | float) -> np.ndarray | float:
    """True joules since the start: the integral of `power_w`."""
    rate = 90.0 + 7.0 * node + 3.0 * socket
    return (150.0 + 40.0 * node + 25.0 * socket) * t + 60.0 * rate * (1 - np.cos(t / rate))


@dataclass
class Exposition:
    """OpenMetrics text, one family at a time, its samples `later_s` seconds later than they are given."""

    later_s: float = 0.0
    lines: list[str] = field(default_factory=list)

    def family(self, name: str, kind: str, samples: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> None:
        """`samples`: labels, times in seconds since 1970, values."""
        self.lines.append(f"# TYPE {name.removesuffix('_total') if kind == 'counter' else name} {kind}")
        for labels, times, values in samples:
            self.lines += [
                f"{name}{{{labels}}} {v:.12g} {t + self.later_s:.3f}" for t, v in zip(times, values, strict=True)
            ]

    def text(self) -> str:
        return "\n".join([*self.lines, "# EOF", ""])


def scraped(node: int) -> np.ndarray:
    """Seconds after the start at which a node is scraped: every 15 s, each node at a moment of its own."""
    return np.arange(0, HOURS * 3600 + EVERY_S, EVERY_S) - 11.0 + 3.0 * node


def rebooted(truth: np.ndarray, t: np.ndarray, at: float) -> np.ndarray:
    """A counter that counts from zero since the first scrape after `at`."""
    after = t >= at
    return np.where(after, truth - truth[after][0] if after.any() else truth, truth)


def database(later_s: float = 0.0) -> str:
    """Five kinds of exporter over one hour, which begins `later_s` seconds after `START_S`.

    n0: both packages wrap, the mmio driver counts them again. n1: is booted again after half an hour, when its
    counters happen to stand just below their range. n2: socket 1 is silent for a quarter of an hour. n3: no meter.
    """
    out = Exposition(later_s)
    nodes = range(4)
    first = {(0, 0): PACKAGE_J - 30_000, (0, 1): PACKAGE_J - 90_000, (2, 0): 5.0, (2, 1): 7.0}
    package, again, dram, core = [], [], [], []
    for node in nodes[:3]:
        t = scraped(node)
        for socket in (0, 1):
            labels = (
                f'instance="n{node}:9100",job="node",index="{socket}",path="/sys/class/powercap/intel-rapl:{socket}"'
            )
            truth = energy_j(node, socket, t)
            if node == 1:
                joules = rebooted(PACKAGE_J - 500 - energy_j(1, socket, 1800.0) + truth, t, 1800.0)
            else:
                joules = (first[node, socket] + truth) % PACKAGE_J
            heard = ~((t >= 1200) & (t < 2100) & (node == 2) & (socket == 1))
            package.append((labels, START_S + t[heard], joules[heard]))
            if node == 0:
                again.append((labels.replace("intel-rapl:", "intel-rapl-mmio:"), START_S + t, joules))
            dram.append((labels, START_S + t, (DRAM_J - 1000 + 0.1 * truth) % DRAM_J))
            core.append((labels, START_S + t, 0.8 * truth + 2000))
    out.family("node_rapl_package_joules_total", "counter", package + again)
    out.family("node_rapl_dram_joules_total", "counter", dram)
    out.family("node_rapl_core_joules_total", "counter", core)
    _machines(out, nodes)
    _others(out)
    return out.text()


def _machines(out: Exposition, nodes: range) -> None:
    at = {node: (f'instance="n{node}:9100",job="node"', scraped(node)) for node in nodes}
    boot = [(who, START_S + t, np.where((t >= 1800) & (n == 1), START_S + 1790.0, 1e9)) for n, (who, t) in at.items()]
    out.family("node_boot_time_seconds", "gauge", boot)
    shares = {"user": 0.25, "system": 0.05, "idle": 0.7}
    cpu = [
        (f'{who},cpu="{c}",mode="{mode}"', START_S + t, 1e5 + share * (t + 20))
        for who, t in at.values() for c in range(2) for mode, share in shares.items()
    ]  # fmt: skip
    out.family("node_cpu_seconds_total", "counter", cpu)
    out.family("node_load1", "gauge", [(who, START_S + t, 1.5 + 0 * t) for who, t in at.values()])
    out.family("node_memory_MemTotal_bytes", "gauge", [(who, START_S + t, 64e9 + 0 * t) for who, t in at.values()])
    out.family("node_memory_MemAvailable_bytes", "gauge", [(who, START_S + t, 48e9 + 0 * t) for who, t in at.values()])
    network = [
        (f'{who},device="{device}"', START_S + t, speed * (t + 20))
        for who, t in at.values() for device, speed in {"eth0": 1000.0, "eth1": 500.0, "lo": 7e6}.items()
    ]  # fmt: skip
    out.family("node_network_receive_bytes_total", "counter", network)


def _others(out: Exposition) -> None:
    """Other exporters on a machine `m` whose two sockets are those of node 0; all counters grow without a wrap."""
    t = scraped(0)
    at, e = START_S + t, [energy_j(0, socket, t) + 5000 for socket in (0, 1)]
    who = 'node_name="m",instance="m:28282",job="kepler"'
    zones = {"package": 1.0, "core": 0.8, "dram": 0.1, "psys": 1.4}
    kepler = [
        (f'{who},zone="{zone}",path="/sys/{zone}:{s}"', at, scale * e[s])
        for zone, scale in zones.items()
        for s in (0, 1)
    ]
    out.family("kepler_node_cpu_joules_total", "counter", kepler)
    out.family("kepler_node_cpu_usage_ratio", "gauge", [(who, at, 0.3 + 0 * t)])
    out.family("process_start_time_seconds", "gauge", [('instance="m:28282",job="kepler"', at, START_S - 60 + 0 * t)])
    old = [
        (f'instance="m",package="{s}",mode="{mode}",source="intel_rapl"', at, share * e[s])
        for s in (0, 1) for mode, share in {"idle": 0.4, "dynamic": 0.6}.items()
    ]  # fmt: skip
    out.family("kepler_node_package_joules_total", "counter", old)
    gpu = [
        (f'Hostname="m",instance="10.0.0.7:9400",gpu="{s}",UUID="GPU-{s}",GPU_I_ID="{slice}"', at, 1000 * e[s])
        for s in (0, 1) for slice in (1, 2)
    ]  # fmt: skip
    out.family("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "gauge", gpu)
    use = [(f'Hostname="m",gpu="{s}",UUID="GPU-{s}"', at, 40.0 + 20 * s + 0 * t) for s in (0, 1)]
    out.family("DCGM_FI_DEV_GPU_UTIL", "gauge", use)
    ceems = [(f'hostname="m",index="{s}",path="/sys/class/powercap/intel-rapl:{s}"', at, e[s]) for s in (0, 1)]
    out.family("ceems_rapl_package_joules_total", "counter", ceems)
    out.family("scaph_host_energy_microjoules", "gauge", [('hostname="m"', at, 1e6 * (e[0] + e[1]))])
