"""Starting and stopping: ports, models, signals, walls, generated code."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from ascribe.core.errors import NotFound, ServiceError
from ascribe.serve.address import Address, parse
from ascribe.serve.app import running
from ascribe.serve.settings import Settings, from_environment

from . import tiny

ROOT = Path(__file__).parents[2]
RUN = "import sys; from ascribe.serve.app import run; run(*sys.argv[1:])"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_process_serves_and_ends_with_0(tmp_path, sig):
    registry, version = tiny.publish(tmp_path)
    command = [sys.executable, "-c", RUN, registry, tiny.NAME, "127.0.0.1:0", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        assert (ready["event"], ready["version"]) == ("ready", version)
        answer = httpx.post(ready["http"] + "/v1/attributions", json={"feature_vector": {"values": tiny.ROW}})
        assert answer.status_code == 200
        process.send_signal(sig)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["request", "draining", "stopped"]
    assert err == ""


@pytest.mark.parametrize("flag", ["http", "grpc"])
def test_a_port_in_use_is_said_before_anything_is_loaded(tmp_path, flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = f"port {port} on 127.0.0.1 is in use: choose another with --{flag}"
        with (
            pytest.raises(ServiceError, match=words),
            running(str(tmp_path), "none", **{flag: f"127.0.0.1:{port}"}),
        ):
            pass


def test_a_second_server_cannot_share_the_ports(served):
    at = json.loads(next(line for line in served.log if b'"ready"' in line))
    for flag, address in (("http", at["http"].removeprefix("http://")), ("grpc", at["grpc"])):
        with pytest.raises(ServiceError, match="in use"), running(served.registry, tiny.NAME, **{flag: address}):
            pass


def test_an_unknown_model_stops_the_start(served):
    with pytest.raises(NotFound, match="no model 'other'"), running(served.registry, "other"):
        pass
    with (
        pytest.raises(NotFound, match=r"no channel 'canary' in .* --channel canary`"),
        running(served.registry, tiny.NAME + "@canary"),
    ):
        pass


def test_addresses():
    assert parse("localhost:0", "--http") == Address("localhost", 0)
    assert str(parse("[::1]:8080", "--http")) == "[::1]:8080"
    for text in ("8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "::1:80", "a:-1"):
        with pytest.raises(ServiceError, match="--grpc HOST:PORT"):
            parse(text, "--grpc")
    with (
        pytest.raises(ServiceError, match="cannot be bound"),
        running("x", "m", Settings(allow_anonymous=True), "192.0.2.1:0"),  # an address of the documentation: nobody's
    ):
        pass


def test_the_example_of_the_page_runs(served, capsys):
    at = json.loads(next(line for line in served.log if b'"ready"' in line))
    page = (ROOT / "docs/wire.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    exec(code.replace("127.0.0.1:50051", at["grpc"]), {})
    assert capsys.readouterr().out.startswith("{'busy': ")
    body = page.split("-d '")[1].split("'\n")[0]
    answer = served.http.post("/v1/attributions", content=body, headers={"content-type": "application/json"})
    assert answer.json()["attributions"][0]["measured_w"] == 101.5


def test_settings_come_from_the_environment(monkeypatch):
    assert from_environment().max_body_bytes == 16 << 20
    monkeypatch.setenv("ASCRIBE_MAX_ROWS", "7")
    assert from_environment().max_rows == 7
    monkeypatch.setenv("ASCRIBE_MAX_ROWS", "many")
    with pytest.raises(ServiceError, match="ASCRIBE_MAX_ROWS"):
        from_environment()


def test_no_training_framework_comes_in():
    code = "import sys, ascribe.serve.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"ascribe", "fastapi", "grpc", "onnxruntime"} <= loaded
    assert not loaded & {"torch", "xgboost", "deltalake", "onnx", "polars", "pandas", "sklearn", "matplotlib"}
    assert not {n for n in done.stdout.split() if n.startswith(("ascribe.train", "ascribe.report", "ascribe.cli"))}


@pytest.mark.parametrize(("package", "name"), [("attribution/v1", "attribution"), ("inference/v2", "open_inference")])
def test_the_generated_code_is_that_of_the_proto(tmp_path, package, name):
    wire = ROOT / "src/ascribe/serve/wire"
    held = (wire / f"{name}_pb2_grpc.py").read_text()
    version = pytest.importorskip("grpc_tools.grpc_version", reason="needs grpcio-tools").VERSION
    if f"GRPC_GENERATED_VERSION = '{version}'" not in held:
        pytest.skip(f"grpcio-tools {version} is not the one that generated the code")
    outs = [f"--{kind}_out={tmp_path}" for kind in ("python", "pyi", "grpc_python")]
    place = ["-I", f"ascribe/serve/wire=proto/{package}", f"ascribe/serve/wire/{name}.proto"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *outs, *place], cwd=ROOT, check=True, env={**os.environ})
    made = sorted((tmp_path / "ascribe/serve/wire").iterdir())
    assert len(made) == 3
    for file in made:
        assert file.read_text() == (wire / file.name).read_text(), f"{file.name}: generate it again"
