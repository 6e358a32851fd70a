"""ONNX Runtime, opened here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import onnxruntime as ort

from ascribe.core.errors import BundleError

__all__ = ["cores", "session", "workers"]


@lru_cache(maxsize=1)
def cores() -> int:
    """Threads that this process may really use: the least of affinity and cgroup quota, at least 1."""
    count = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            count = min(count, int(quota) // int(period))
    except (OSError, ValueError):
        pass
    return max(1, count)


@lru_cache(maxsize=1)
def workers() -> ThreadPoolExecutor:
    """Threads that a batch's rows are shared out to."""
    return ThreadPoolExecutor(cores(), "rows")


def session(
    graph: bytes, origin: str, threads: int | None = None, beside: Mapping[str, bytes] | None = None
) -> ort.InferenceSession:
    """One session per graph and process; `run` releases the GIL. `beside`: files that the graph's weights lie in.

    Threads follow the container, not the machine; no spinning; arena on and memory pattern off, since batches vary
    (the other way round grows without bound).
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or cores()
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if beside:
        options.add_external_initializers_from_files_in_memory(
            list(beside), list(beside.values()), [len(raw) for raw in beside.values()]
        )
    try:
        return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as exc:  # onnxruntime's exceptions share no base class
        raise BundleError(f"{origin} holds a graph that ONNX Runtime refuses ({str(exc).splitlines()[0]})") from exc
