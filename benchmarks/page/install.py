"""What a core install weighs, and how fast it starts."""

from __future__ import annotations

from benchmarks.record import Raw

WHAT_FOR = {
    "pyarrow": "tables, Parquet, Arrow over HTTP", "scipy": "special functions, sparse trees, filters",
    "onnxruntime": "the graphs of a bundle", "pillow": "pictures", "grpcio": "gRPC", "obstore": "stores",
    "cryptography": "keys, signatures",
}  # fmt: skip


def text(raw: Raw) -> str:
    d = raw("install")
    largest = sorted(d["largest_mb"].items(), key=lambda one: -one[1])
    heavy = [f"| {name} | {mb:.0f} | {WHAT_FOR.get(name.split()[0], '')} |" for name, mb in largest]
    rest = d["mb"] - sum(d["largest_mb"].values())
    starts = [
        f"| {name if name.startswith('open') else f'`{name}`'} | {s['first']:.2f} | {s['median']:.2f} | "
        f"{s['processor_median']:.2f} |"
        for name, s in sorted(d["start_s"].items(), key=lambda one: one[1]["median"])
    ]
    lines = [
        f"{d['packages'] - 1} packages beside Ascribe, {d['mb']:.0f} MB in site-packages, "
        f"{d['mb_without_bytecode']:.0f} without compiled bytecode; the wheel itself has {d['wheel_mb']:.1f} MB.",
        "",
        "| package | MB | what for |", "|---|---|---|", *heavy,
        f"| {d['packages'] - len(d['largest_mb'])} others | {rest:.0f} | |",
        "",
        f"`pip install` of it took {d['install_s']['from_network']:.0f} s with an empty cache and "
        f"{d['install_s']['from_cache']:.0f} s from pip's own.",
        "",
        "| a new process | first, s | median, s | of processor time |", "|---|---|---|---|", *starts,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
