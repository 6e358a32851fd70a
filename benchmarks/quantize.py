"""What fewer bits cost: size, time, error and drift of every precision on three models, one thread.

    power        the perceptron that `ascribe train --family power_mlp` fits to examples/data/xeon_e5_2650.parquet
    mobilenet    MobileNet v1 0.25 on 128 x 128, a thousand classes
    resnet20     ResNet-20 on 32 x 32, ten classes

Rows: of power, held-out ones, and calibration on the earlier 60 % of each workload. Pictures: cuts of the four
photographs in examples/data/images; the 16 that are judged and the 48 calibrated on are different cuts. Times of
variant and original are taken in turn in one process; ratios are what can be compared. `broken`: int8-static with half
of the outputs of one layer zeroed, which the gate has to refuse.

    python -m benchmarks.quantize [--quick] [--also FILE.onnx ...]      a MobileNet of another size, too
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import polars as pl
from onnx import numpy_helper
from PIL import Image

from ascribe.bundle import archive
from ascribe.bundle.archive import open_directory
from ascribe.bundle.gate.compare import Said
from ascribe.bundle.gate.variant import judge_variant
from ascribe.bundle.networks import Graph
from ascribe.bundle.runtime import example
from ascribe.train.adapters.adopted import Asked, Picture
from ascribe.train.adapters.background import Background
from ascribe.train.adopted.adopt import AdoptOptions, adopt
from ascribe.train.adopted.vocabulary import lines
from ascribe.train.pipeline import TrainOptions, train
from ascribe.train.quantize import QuantizeOptions, quantize
from benchmarks.record import keep

__all__ = ["main"]

DATA = Path(__file__).parent.parent / "examples" / "data"
MODELS, PICTURES = DATA / "models", DATA / "images"
POWER = DATA / "xeon_e5_2650.parquet"
FEATURES = ("cpu_user", "cpu_wio", "cpu-cycles", "instructions", "interrupts", "mem_free")
EARLIER = 0.6
JUDGED, CALIBRATED = 4, 12  # cuts of each photograph
IMAGENET = Picture(mean=(127.5,), scale=(1 / 127.5,))
CIFAR = Picture(mean=(123.675, 116.28, 103.53), scale=(0.017124, 0.017507, 0.017429))
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
WAYS: dict[str, dict[str, Any]] = {
    "fp16": {"precision": "fp16"},
    "int8-dynamic": {"precision": "int8-dynamic"},
    "int8-static": {"precision": "int8-static"},
    "int8-static, 8-bit weights": {"precision": "int8-static", "bits": 8},
    "mixed": {"precision": "mixed"},
}
QUICK = ("fp16", "int8-static", "mixed")


def cuts(place: Path) -> tuple[Path, Path]:
    """Folders of pictures: judged, and calibrated on."""
    rng = np.random.default_rng(0)
    folders = place / "judged", place / "calibrated"
    for folder in folders:
        folder.mkdir()
    for file in sorted(PICTURES.glob("*.jpg")):
        picture = Image.open(file).convert("RGB")
        width, height = picture.size
        for k in range(JUDGED + CALIBRATED):
            side = int(min(width, height) * rng.uniform(0.6, 1.0))
            left, top = rng.integers(0, width - side + 1), rng.integers(0, height - side + 1)
            cut = picture.crop((left, top, left + side, top + side)).resize((256, 256))
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if k % 2 else cut
            cut.save(folders[k >= JUDGED] / f"{file.stem}{k:02d}.png")
    return folders


def power(place: Path, quick: bool) -> tuple[Path, Path]:
    """The bundle, and a file to calibrate on."""
    rows = pl.read_parquet(POWER)
    earlier = rows.sort("seq").filter(
        pl.int_range(pl.len()).over("source", "workload") < EARLIER * pl.len().over("source", "workload")
    )
    earlier.write_parquet(place / "earlier.parquet")
    out = place / "power"
    if not (out / "manifest.json").exists():
        options = TrainOptions(
            POWER, "powerWatts", out, FEATURES, "seq", ("source", "workload"), DATA.parent / "units_power.toml",
            family="power_mlp", max_seconds=5 if quick else 20,
        )  # fmt: skip
        train(options)
    return out, place / "earlier.parquet"


def adopted(place: Path, file: Path, picture: Picture, labels: tuple[str, ...], judged: Path) -> Path:
    asked = Asked(Background.at(judged), "", None, labels, (), replace(picture), (), None, "softmax")
    adopt(AdoptOptions(file, asked, place / file.stem))
    return place / file.stem


def bundles(place: Path, quick: bool, also: list[Path]) -> Iterator[tuple[str, Path, Path]]:
    """Names, bundles, calibration rows."""
    yield ("power", *power(place, quick))
    judged, calibrated = cuts(place)
    yield "resnet20", adopted(place, MODELS / "resnet20_cifar10.onnx", CIFAR, CIFAR_CLASSES, judged), calibrated
    names = lines(MODELS / "imagenet_labels_1001.txt")
    for file in (*also, MODELS / "mobilenet_v1_0.25_128.onnx"):
        yield file.stem, adopted(place, file, IMAGENET, names, judged), calibrated


def broken(origin: Path, static: Path, out: Path) -> dict[str, Any]:
    """What the gate says of a variant whose largest layer has lost half of its outputs."""
    held = open_directory(static)
    files = {name: held.read(role) for role, name in held.manifest.roles.items()}
    proto = onnx.load_from_string(files["predict.onnx"])
    largest = max((t for t in proto.graph.initializer if t.data_type == onnx.TensorProto.INT8 and len(t.dims) > 1),
                  key=lambda t: np.prod(t.dims))  # fmt: skip
    value = numpy_helper.to_array(largest).copy()
    value[::2] = 0
    largest.CopyFrom(numpy_helper.from_array(value, largest.name))
    files["predict.onnx"] = proto.SerializeToString()
    output = held.manifest.spaces[0] if held.manifest.spaces else "prediction"
    answer = np.ravel(Graph(files["predict.onnx"], "broken")([output], x=example(held))[0]).tolist()
    manifest = msgspec.structs.replace(
        held.manifest, files={name: archive.entry(raw) for name, raw in files.items()},
        example={**held.manifest.example, "prediction": answer},
    )  # fmt: skip
    archive.write(out, manifest, files)
    said = Said()
    judge_variant(open_directory(out), open_directory(origin), said)
    return {"layer": largest.name, "refused": said.bad}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--also", type=Path, nargs="*", default=[])
    given = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for name, origin, rows in bundles(place, given.quick, given.also):
            ways = {way: WAYS[way] for way in QUICK} if given.quick else dict(WAYS)
            if name == "power":
                ways |= {"qat": {"precision": "qat"}} | (
                    {} if given.quick else {"qat, 8-bit": {"precision": "qat", "bits": 8}}
                )
            told = results[name] = {}
            for k, (way, changes) in enumerate(ways.items()):
                out, again = place / f"{name}-{k}", name == "resnet20" and way in ("fp16", "int8-static")
                options = QuantizeOptions(origin, out=out, calibrate=rows, slopes=again and not given.quick, **changes)
                report = quantize(options)
                kept = open_directory(out).manifest.origin["quantised"].get("float32_layers", [])
                told[way] = {**report.compared.numbers(), "refused": report.against, "float32_layers": kept}
                if way == "int8-static":
                    told["broken"] = broken(origin, out, place / f"{name}-broken")
                    print(f"{name:<26} broken: {told['broken']['refused'][0]}")
                _said(name, way, report.compared, report.against)
            place_of = keep("quantize", results, given.quick)  # what is there, if it is stopped
    print(place_of)


def _said(name: str, way: str, found: Any, against: list[str]) -> None:
    e = found.error
    ratios = " ".join(f"x{mine / theirs:.2f} ({rows})" for rows, (mine, theirs) in found.ms.items())
    drifts = "; ".join(f"{d.method} {100 * d.share:.2g} % rank {d.rank:.3f}" for d in found.drift.values())
    same = "" if e.agreement is None else f" same class {100 * e.agreement:.3g} %"
    print(f"{name:<26} {way:<28} size x{found.bytes[0] / found.bytes[1]:.2f} time {ratios} error {100 * e.share:.2g} %"
          f" RMS {e.rms:.3g}{same} | {drifts}{' | refused' if against else ''}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
