"""Names that dashboards for other servers read, worked out from ours when a page is asked for.

nv_inference_request_success, _failure{reason}, nv_inference_count, nv_inference_exec_count,
nv_inference_pending_request_count                                                            Triton's words
request_predict_seconds, request_explain_seconds, request_preprocess_seconds, request_postprocess_seconds    KServe's
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ascribe.serve.observe.snapshots import Family, Sample, Snapshot

__all__ = ["aliases"]

Labels = dict[str, str]
Pick = Callable[[Sample, Labels], Labels | None]

REASONS = {"shed": "REJECTED", "cancelled": "CANCELED", "internal": "BACKEND"}
STAGES = {"request_preprocess_seconds": ("decode", "check"), "request_postprocess_seconds": ("encode",)}
VERBS = {
    "request_predict_seconds": ("prediction", "infer", "predict"),
    "request_explain_seconds": ("attribution", "explain", "node attribution"),
}


def aliases(seen: Snapshot) -> Snapshot:
    """More families, of counts that `seen` has. Triton's counters have no `_total`, so their kind is `unknown`."""
    requests, rows = _of(seen, "attribution_requests"), _of(seen, "attribution_rows")
    batches, inflight = _of(seen, "attribution_batch_rows"), _of(seen, "attribution_inflight")
    durations, stages = (
        _of(seen, "attribution_request_duration_seconds"),
        _of(seen, "attribution_compute_duration_seconds"),
    )
    found = [
        _summed("nv_inference_request_success", "unknown", "Requests answered", requests, _good),
        _summed("nv_inference_request_failure", "unknown", "Requests refused or failed", requests, _bad),
        _summed("nv_inference_count", "unknown", "Rows answered", rows, _model),
        _summed("nv_inference_exec_count", "unknown", "Batches computed", batches, _count),
        _summed("nv_inference_pending_request_count", "gauge", "Requests at hand", inflight, lambda s, has: {}),
    ]
    for name, verbs in VERBS.items():
        found.append(_histogram(name, durations, "method", verbs, {"model": "model_name"}))
    for name, these in STAGES.items():
        found.append(_histogram(name, stages, "stage", these, {}))
    return {family.name: family for family in found}


def _of(seen: Snapshot, name: str) -> list[Sample]:
    return seen[name].samples if name in seen else []


def _model(sample: Sample, has: Labels) -> Labels | None:
    return {"model": has["model"], "version": has["version"]}


def _good(sample: Sample, has: Labels) -> Labels | None:
    return _model(sample, has) if has["code"] == "ok" else None


def _bad(sample: Sample, has: Labels) -> Labels | None:
    reason = {"reason": REASONS.get(has["code"], "OTHER")}
    return None if has["code"] == "ok" else {"model": has["model"], "version": has["version"]} | reason


def _count(sample: Sample, has: Labels) -> Labels | None:
    return {} if sample.name.endswith("_count") else None


def _summed(name: str, kind: str, text: str, samples: Iterable[Sample], pick: Pick, suffixed: bool = False) -> Family:
    """Samples added up by the labels that `pick` gives them; None leaves one out."""
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for sample in samples:
        labels = pick(sample, dict(sample.labels))
        if labels is not None:
            suffix = sample.name[sample.name.rindex("_") :] if suffixed else ""
            key = (name + suffix, tuple(sorted(labels.items())))
            sums[key] = sums.get(key, 0.0) + sample.value
    return Family(name, kind, text, [Sample(*key, value) for key, value in sums.items()])


def _histogram(name: str, samples: list[Sample], label: str, wanted: tuple[str, ...], kept: dict[str, str]) -> Family:
    """The series of some values of a label; of the other labels those in `kept` stay, under their names there."""

    def pick(sample: Sample, has: Labels) -> Labels | None:
        if has[label] not in wanted:
            return None
        return {new: has[old] for old, new in (kept | {"le": "le"}).items() if old in has}

    return _summed(name, "histogram", f"Seconds, by {label}: {', '.join(wanted)}", samples, pick, suffixed=True)
