"""Weights that stand in the bundle's graphs already are not stored again: a compiled graph points at their bytes.

ONNX lets a tensor lie in another file, by name, offset and length (external data). A graph of the bundle is such a
file: its weights are plain runs of bytes in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx

__all__ = ["inlined", "shared"]

WORTH = 1024  # bytes, from which a pointer is shorter than the numbers


def shared(proto: onnx.ModelProto, files: Mapping[str, bytes]) -> bytes:
    """The graph's bytes, its constants replaced by pointers where a file has them as they are."""
    thin = onnx.ModelProto()
    thin.CopyFrom(proto)
    for held in thin.graph.initializer:
        if len(held.raw_data) < WORTH:
            continue
        for name, raw in files.items():
            at = raw.find(held.raw_data)
            if at >= 0:
                place = {"location": name, "offset": str(at), "length": str(len(held.raw_data))}
                held.ClearField("raw_data")
                held.data_location = onnx.TensorProto.EXTERNAL
                for key, value in place.items():
                    held.external_data.add(key=key, value=value)
                break
    return bytes(thin.SerializeToString(deterministic=True))


def inlined(graph: bytes, read: Callable[[str], bytes]) -> bytes:
    """The other way round: pointers replaced by the numbers, from files by name."""
    proto = onnx.load_from_string(graph)
    files: dict[str, bytes] = {}
    for held in proto.graph.initializer:
        if held.data_location != onnx.TensorProto.EXTERNAL:
            continue
        place = {item.key: item.value for item in held.external_data}
        name, at = place["location"], int(place["offset"])
        if name not in files:
            files[name] = read(name)
        held.raw_data = files[name][at : at + int(place["length"])]
        held.ClearField("external_data")
        held.data_location = onnx.TensorProto.DEFAULT
    return bytes(proto.SerializeToString(deterministic=True))
