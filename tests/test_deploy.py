"""What is deployed agrees with what there is: command lines, variables, routes, names, and times that add up."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.request import urlopen

import pytest
import yaml

from ascribe.serve.access.auth import check_reach
from ascribe.serve.app import running
from ascribe.serve.observe.log import Log
from ascribe.serve.rest.door import http_door
from ascribe.serve.settings import Settings
from ascribe.train.settings import PrometheusSettings, TrainSettings
from ascribe.train.sources.opening import Asked, open_source
from tests.lines import NO_SUCH, fields, parsed
from tests.serve.tiny import NAME, publish

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
FILES = sorted(p for p in KUBERNETES.rglob("*.yaml") if p.name != "kustomization.yaml")
WORKFLOW = yaml.safe_load((DEPLOY / "forge" / "pipeline.yml").read_text())
STORE = re.compile(r"AWS_[A-Z_]+")
MARGIN_S = 5


@cache
def documents() -> list[dict]:
    return [document for path in FILES for document in yaml.safe_load_all(path.read_text())]


def of_kind(kind: str) -> dict[str, dict]:
    return {d["metadata"]["name"]: d for d in documents() if d["kind"] == kind}


def pods() -> dict[str, dict]:
    """Pod specs by the name of what makes them."""
    found = {name: d["spec"]["template"] for name, d in of_kind("Deployment").items()}
    return found | {name: d["spec"]["jobTemplate"]["spec"]["template"] for name, d in of_kind("CronJob").items()}


def container(name: str) -> dict:
    (only,) = pods()[name]["spec"]["containers"]
    return only


def environment(name: str) -> dict[str, str]:
    maps = of_kind("ConfigMap")
    refs = [ref["configMapRef"]["name"] for ref in container(name)["envFrom"] if "configMapRef" in ref]
    return {key: value for ref in refs for key, value in maps[ref]["data"].items()}


def command_line(name: str) -> list[str]:
    """Arguments as the container gets them, with `$(NAME)` filled in."""
    known = environment(name)
    return [re.sub(r"\$\((\w+)\)", lambda m: known[m[1]], arg) for arg in container(name)["args"]]


WORKLOADS = [
    "ascribe-ingest", "ascribe-ingest-prometheus", "ascribe-pipeline", "ascribe-serve", "ascribe-upkeep",
]  # fmt: skip


def test_these_are_the_workloads():
    assert sorted(pods()) == WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_command_line_is_one(name):
    parsed(command_line(name))


@pytest.mark.parametrize("line", ["ingst --lake x", "lake compact x --keep 3", "serve --registry x", "ingest --lake"])
def test_a_command_line_that_is_none_would_be_found(line):
    with pytest.raises(NO_SUCH):
        parsed(shlex.split(line))


def test_every_line_of_the_workflow_is_a_command_or_a_make_target():
    made = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    runs = [step["run"] for job in WORKFLOW["jobs"].values() for step in job["steps"] if "run" in step]
    assert len(runs) > 5
    for run in runs:
        program, *args = shlex.split(run)
        if program == "make":
            assert set(args) <= made
        else:
            assert program == ".venv/bin/ascribe"
            parsed(args)


def test_the_workflow_trains_once_at_a_time_on_new_code_and_at_night_and_only_after_the_checks():
    jobs, on = WORKFLOW["jobs"], WORKFLOW[True]  # YAML reads the key "on" as true
    assert {"push", "schedule", "workflow_dispatch"} <= set(on)
    assert set(jobs["train"]["needs"]) == {"check", "test"}
    assert jobs["train"]["concurrency"]["cancel-in-progress"] is False
    assert "pull_request" in jobs["train"]["if"]
    for job in jobs.values():  # variables that lines use are given to them
        used = {name for step in job["steps"] for name in re.findall(r'"\$(\w+)"', step.get("run", ""))}
        assert used <= set(job.get("env", {}))


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_variable_is_a_setting_or_the_stores_or_used_on_the_command_line(name):
    used = set(re.findall(r"\$\((\w+)\)", " ".join(container(name)["args"])))
    places = set(of_kind("ConfigMap")["ascribe-places"]["data"])
    given = environment(name)
    assert used <= set(given)
    for key in set(given) - places - used:
        assert key in fields() or STORE.fullmatch(key), key


def test_every_place_and_variable_has_a_value_that_its_class_takes(monkeypatch):
    for name in WORKLOADS:
        for key, value in environment(name).items():
            monkeypatch.setenv(key, value)
    assert Settings().drain_s == 10  # type: ignore[call-arg]
    assert TrainSettings().threads == 1
    assert PrometheusSettings().prometheus_timeout_s > 0


def test_every_source_is_one(tmp_path):
    for name in ("ascribe-ingest", "ascribe-ingest-prometheus"):
        address = next(a for a in command_line(name) if a.startswith("--source=")).removeprefix("--source=")
        open_source(Asked(address), lambda version: False, print).close()


def test_the_kafka_settings_are_librdkafkas():
    import tomllib

    from confluent_kafka import Consumer

    config = tomllib.loads(of_kind("ConfigMap")["ascribe-kafka"]["data"]["kafka.toml"])
    Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "g", **config}).close()


@pytest.mark.parametrize("name", WORKLOADS)
def test_probes_ask_routes_that_exist_at_ports_that_are_listened_on(name):
    one, line = container(name), " ".join(command_line(name))
    ports = {port["name"]: port["containerPort"] for port in one.get("ports", [])}
    assert all(f":{port}" in line for port in ports.values())
    routes = {route.path for route in http_door(SimpleNamespace(), Settings(), Log(print)).routes}  # type: ignore
    for kind, probe in one.items():
        if kind.endswith("Probe"):
            path = probe["httpGet"]["path"]
            assert probe["httpGet"]["port"] in ports
            assert path in routes if one["args"][0] == "serve" else path == "/metrics"


def test_what_serves_has_all_three_probes_and_liveness_asks_for_no_model():
    one = container("ascribe-serve")
    assert one["startupProbe"]["httpGet"]["path"] == one["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert one["livenessProbe"]["httpGet"]["path"] == "/v2/health/live"


def test_a_server_with_these_settings_answers_its_probes(tmp_path, monkeypatch):
    place, _ = publish(tmp_path)
    for key, value in environment("ascribe-serve").items():
        if key.startswith("ASCRIBE_"):
            monkeypatch.setenv(key, value)
    settings = Settings().model_copy(update={"drain_s": 0.0, "metrics_http": "127.0.0.1:0"})  # type: ignore[call-arg]
    hosts = [arg.split("=")[1].partition(":")[0] for arg in command_line("ascribe-serve") if "0.0.0.0" in arg]
    assert len(hosts) == 2
    check_reach(hosts, settings)  # would say so if the server refused to start
    with running(place, NAME, settings) as at:
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            with urlopen(at.http + container("ascribe-serve")[kind]["httpGet"]["path"], timeout=30) as reply:
                assert reply.status == 200
        asked = re.findall(r"^  CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.M)
        for address, code in ((at.http, 0), ("http://127.0.0.1:1", 1)):
            python, *line = json.loads(asked[0].replace("http://127.0.0.1:8080", address))
            assert python == "python"
            assert subprocess.run([sys.executable, *line], capture_output=True, check=False).returncode == code


def test_metrics_are_scraped_where_they_are():
    told = pods()["ascribe-serve"]["metadata"]["annotations"]
    assert environment("ascribe-serve")["ASCRIBE_METRICS_HTTP"] == f"0.0.0.0:{told['prometheus.io/port']}"
    assert told["prometheus.io/path"] == "/metrics"


def test_stopping_takes_less_time_than_it_is_given():
    pod, given = pods()["ascribe-serve"]["spec"], environment("ascribe-serve")
    command, wait = container("ascribe-serve")["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    drain, grace = float(given["ASCRIBE_DRAIN_S"]), float(given["ASCRIBE_GRACE_S"])
    # gRPC has the grace, then HTTP.
    assert float(wait) + drain + 2 * grace + MARGIN_S <= pod["terminationGracePeriodSeconds"]
    assert grace > float(given["ASCRIBE_TIMEOUT_S"])
    # An address is gone from the balancers before calls are refused: as many failed looks as make a pod unready.
    ready = container("ascribe-serve")["readinessProbe"]
    assert drain > ready["periodSeconds"] * ready["failureThreshold"]


def test_a_rolling_update_takes_no_pod_away_before_its_successor_is_ready():
    spec = of_kind("Deployment")["ascribe-serve"]["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    scale = of_kind("HorizontalPodAutoscaler")["ascribe-serve"]["spec"]
    assert scale["scaleTargetRef"]["name"] == "ascribe-serve"
    budget = of_kind("PodDisruptionBudget")["ascribe-serve"]["spec"]
    assert scale["minReplicas"] > budget["minAvailable"]  # or no node could ever be drained
    assert "cpu" in container("ascribe-serve")["resources"]["requests"]  # which the autoscaler divides by


def test_services_and_budgets_choose_pods_that_exist_and_grpc_has_no_address_of_its_own():
    labels = {name: pod["metadata"]["labels"] for name, pod in pods().items()}
    selectors = [s["spec"]["selector"] for s in of_kind("Service").values()]
    selectors += [b["spec"]["selector"]["matchLabels"] for b in of_kind("PodDisruptionBudget").values()]
    assert len(selectors) == 4
    for selector in selectors:
        assert sum(selector.items() <= of.items() for of in labels.values()) == 1
    for name, deployment in of_kind("Deployment").items():
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    ports = {port["name"] for port in container("ascribe-serve")["ports"]}
    assert {p["targetPort"] for s in of_kind("Service").values() for p in s["spec"]["ports"]} == ports
    assert of_kind("Service")["ascribe-grpc"]["spec"]["clusterIP"] == "None"


def test_jobs_never_run_beside_themselves_and_a_refusal_is_not_tried_again():
    for job in of_kind("CronJob").values():
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    rules = of_kind("CronJob")["ascribe-pipeline"]["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    refused = rules[0]["onExitCodes"]
    assert (rules[0]["action"], refused["values"]) == ("FailJob", [3])
    assert refused["containerName"] == container("ascribe-pipeline")["name"]


@pytest.mark.parametrize("name", WORKLOADS)
def test_nothing_runs_as_root_or_writes_outside_its_volumes(name):
    pod, one = pods()[name]["spec"], container(name)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["automountServiceAccountToken"] is False
    assert pod["serviceAccountName"] in of_kind("ServiceAccount")
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    assert one["securityContext"]["allowPrivilegeEscalation"] is False
    assert one["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert "memory" in one["resources"]["limits"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["name"]: mount["mountPath"] for mount in one["volumeMounts"]}
    assert set(volumes) == set(mounted)
    assert mounted["tmp"] == "/tmp"
    for argument in command_line(name):  # a file or folder that a command line names lies on a volume
        for path in re.findall(r"(?<==)/[\w./-]+", argument):
            assert any(path.startswith(place) for place in mounted.values()), path
    for volume in volumes.values():
        assert volume.get("configMap", {}).get("name") in {None, *of_kind("ConfigMap")}
        assert volume.get("persistentVolumeClaim", {}).get("claimName") in {None, *of_kind("PersistentVolumeClaim")}


def test_what_serves_has_the_image_without_torch_and_everything_else_the_other():
    stages = re.findall(r"^FROM \S+ AS (\S+)\n(.*?)(?=^FROM|\Z)", (DEPLOY / "Dockerfile").read_text(), re.M | re.S)
    text = dict(stages)
    installed = {
        name: re.findall(r'pip install .*-c constraints\.txt .*/dist/\*\.whl\)?(\[[\w,]+\])?"?$', body, re.M)
        for name, body in text.items()
    }
    assert installed["serve-build"] == [""]
    assert installed["offline-build"] == ["[train,report]"]
    for target in ("serve", "offline"):
        assert f"--from={target}-build /opt/ascribe" in text[target]
    assert "USER 10001" in text["bare"]
    assert 'ENTRYPOINT ["ascribe"]' in text["bare"]
    for name in WORKLOADS:
        assert container(name)["image"] == ("ascribe-serve" if name == "ascribe-serve" else "ascribe-offline")


def test_the_images_keep_the_rules_for_images():
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    bad = subprocess.run([hadolint, "-"], input="FROM python\nRUN cd /\n", capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert {"DL3003", "DL3006"} <= set(re.findall(r"DL\d+", bad.stdout))


def test_every_stage_is_of_one_named_base_and_what_runs_has_no_tree_and_no_root():
    text = (DEPLOY / "Dockerfile").read_text()
    base = re.findall(r"^ARG BASE=(\S+)$", text, re.M)
    assert len(base) == 1
    assert re.fullmatch(r"python:3\.\d+-slim-\w+", base[0])
    stages = {
        name: (of, body) for of, name, body in re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM|\Z)", text, re.M | re.S)
    }
    assert {of for of, _ in stages.values()} - set(stages) == {"${BASE}"}
    for target in ("serve", "offline"):
        of, body = stages[target]
        assert of == "bare"
        assert "RUN" not in body
        assert re.findall(r"^COPY (.*)$", body, re.M) == [f"--from={target}-build /opt/ascribe /opt/ascribe"]
        assert "USER" not in body
        assert body.count("HEALTHCHECK") == 1


def test_the_images_copy_what_exists_and_what_is_not_ignored():
    kept = [line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"]
    for line in re.findall(r"^COPY (?!--from)(.*)$", (DEPLOY / "Dockerfile").read_text(), re.M):
        for path in line.split()[:-1]:
            assert (ROOT / path).exists(), path
            assert path in kept


def test_every_file_is_in_its_kustomization_and_its_images_are_the_containers():
    for place in (KUBERNETES, KUBERNETES / "prometheus"):
        listed = yaml.safe_load((place / "kustomization.yaml").read_text())
        files = set(listed["resources"])
        assert files == {path.name for path in FILES if path.parent == place}
    images = {image["name"] for image in yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["images"]}
    assert images == {container(name)["image"] for name in WORKLOADS}


def test_every_name_stands_once():
    names = [(d["kind"], d["metadata"]["name"]) for d in documents()]
    assert len(names) == len(set(names))
