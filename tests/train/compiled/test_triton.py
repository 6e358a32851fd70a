"""The Triton export has the layout that Triton documents, and its configuration says what its graph says."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from grpc_tools import protoc

from ascribe.bundle.archive import open_directory
from ascribe.bundle.runtime import load
from ascribe.core.compiled import ROWS
from ascribe.core.errors import CapabilityError
from ascribe.train.triton import export_triton
from tests.bundle.made import made, rows
from tests.journey import typed

TYPES = {onnx.TensorProto.FLOAT: "TYPE_FP32"}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A compiled bundle, and the model that the command put into a repository."""
    place = tmp_path_factory.mktemp("triton")
    made(place / "bundle", surrogate=True)
    done = typed("compile", place / "bundle", "--triton", place / "repository")
    assert done.returncode == 0, done.stderr
    assert "repository/explain_power_balanced" in done.stderr.replace("\n", "")
    return open_directory(place / "bundle"), place / "repository" / "explain_power_balanced"


@pytest.fixture(scope="module")
def config_of(tmp_path_factory):
    """Reads config.pbtxt as a ModelConfig; an unknown field, a wrong type or a value out of its enum is an error."""
    out = tmp_path_factory.mktemp("proto") / "model_config.bin"
    source = Path(__file__).with_name("model_config.proto")
    assert protoc.main(["protoc", f"-I{source.parent}", f"--descriptor_set_out={out}", source.name]) == 0
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file:
        pool.Add(file)
    made_of = message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))
    return lambda model: text_format.Parse((model / "config.pbtxt").read_text(), made_of())


def test_the_layout(exported):
    _, model = exported
    files = {path.relative_to(model.parent).as_posix() for path in model.parent.rglob("*") if path.is_file()}
    assert files == {f"{model.name}/config.pbtxt", f"{model.name}/1/model.onnx"}


def test_a_misspelt_field_would_not_parse(exported, config_of, tmp_path):
    text = (exported[1] / "config.pbtxt").read_text()
    for wrong in (text.replace("max_batch_size", "max_batch"), text.replace("TYPE_FP32", "TYPE_FLOAT", 1)):
        (tmp_path / "config.pbtxt").write_text(wrong)
        with pytest.raises(text_format.ParseError):
            config_of(tmp_path)


def test_the_configuration(exported, config_of):
    bundle, model = exported
    config = config_of(model)
    assert (config.name, config.platform) == (model.name, "onnxruntime_onnx")
    assert config.max_batch_size == ROWS
    assert config.WhichOneof("scheduling_choice") == "dynamic_batching"
    assert config.version_policy.latest.num_versions == 1
    assert [group.count for group in config.instance_group] == [1]
    told = {key: held.string_value for key, held in config.parameters.items()}
    assert told == {"ascribe_version": bundle.manifest.version(), "ascribe_tier": "balanced"}


def test_its_tensors_are_those_of_the_graph(exported, config_of):
    _, model = exported
    config, graph = config_of(model), onnx.load(model / "1" / "model.onnx").graph
    types = config.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number
    for told, held in ((config.input, graph.input), (config.output, graph.output)):
        assert [tensor.name for tensor in told] == [value.name for value in held]
        for tensor, value in zip(told, held, strict=True):
            kind = value.type.tensor_type
            batch, *dims = kind.shape.dim
            assert batch.dim_param, f"{value.name}: Triton batches along a first axis that is free"
            assert types[tensor.data_type].name == TYPES[kind.elem_type]
            sizes = [dim.dim_value for dim in dims]
            assert list(tensor.reshape.shape if tensor.HasField("reshape") else tensor.dims) == sizes
            assert len(tensor.dims) > 0, f"{value.name}: Triton wants an axis beside the batch's"
            assert math.prod(tensor.dims) == math.prod(sizes)


def test_the_graph_stands_alone_and_answers_like_the_bundle(exported, tmp_path):
    bundle, model = exported
    session = onnxruntime.InferenceSession(shutil.copy(model / "1" / "model.onnx", tmp_path))
    X = rows(5, 7).astype(np.float32)
    wanted = load(bundle).compiled["balanced"].run(X)
    for name, values in zip(wanted, session.run(list(wanted), {"x": X}), strict=True):
        np.testing.assert_allclose(values, wanted[name], rtol=1e-6, err_msg=name)


def test_versions_grow_and_old_ones_stay(exported, config_of, tmp_path):
    bundle, model = exported
    first = (model / "1" / "model.onnx").read_bytes()
    shutil.copytree(model, tmp_path / model.name)
    (tmp_path / model.name / "notes").mkdir()
    assert export_triton(bundle, "balanced", tmp_path) == tmp_path / model.name
    shutil.rmtree(tmp_path / model.name / "1")
    export_triton(bundle, "balanced", tmp_path)
    kept = {path.parent.name: path.read_bytes() for path in (tmp_path / model.name).glob("*/model.onnx")}
    assert kept == {"2": first, "3": first}
    assert config_of(tmp_path / model.name).name == model.name


def test_a_tier_that_is_not_compiled_leaves_nothing(exported, tmp_path):
    with pytest.raises(CapabilityError, match=r"ascribe compile DIR --tier accurate"):
        export_triton(exported[0], "accurate", tmp_path)
    assert list(tmp_path.iterdir()) == []
