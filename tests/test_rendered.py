"""The manifests as a cluster would get them, against Kubernetes' own schemas."""

from __future__ import annotations

import copy
import importlib
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

KUBERNETES = Path(__file__).resolve().parent.parent / "deploy" / "kubernetes"
LINE = "# components: [prometheus]\n"
VERSIONS = ("1.29", "1.33", "1.37")
"""Of Kubernetes: an old one that is still met, one between, and the newest whose schemas there are."""


@pytest.fixture(scope="module", params=["as it stands", "with Prometheus"])
def rendered(request, tmp_path_factory):
    """What `kubectl apply -k` would send, with the optional component too; without kubectl, the files themselves."""
    place = tmp_path_factory.mktemp("kubernetes") / "kubernetes"
    shutil.copytree(KUBERNETES, place)
    listed = place / "kustomization.yaml"
    whole = request.param == "with Prometheus"
    assert listed.read_text().endswith(LINE)
    if whole:
        listed.write_text(listed.read_text().replace(LINE, LINE.removeprefix("# ")))
    if shutil.which("kubectl") is None:
        files = sorted(place.glob("*/ingest.yaml" if whole else "[!k]*.yaml"))
        return False, [one for path in files for one in yaml.safe_load_all(path.read_text())]
    done = subprocess.run(["kubectl", "kustomize", place], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return True, list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def kubernetes_validate():
    """Two seconds to import: where it is used, not in every worker that only counts tests."""
    return importlib.import_module("kubernetes_validate")


@pytest.mark.parametrize("version", VERSIONS)
def test_every_document_is_of_the_schema(rendered, version, kubernetes_validate):
    assert len(rendered[1]) >= 2
    for one in rendered[1]:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_field_that_there_is_not_would_be_found(rendered, kubernetes_validate):
    for one in rendered[1]:
        if one["kind"] == "Deployment":
            bad = copy.deepcopy(one)
            bad["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
            with pytest.raises(kubernetes_validate.ValidationError):
                kubernetes_validate.validate(bad, VERSIONS[-1], strict=True)


def test_rendering_gives_every_image_a_tag_and_every_document_a_place(rendered):
    by_kubectl, documents = rendered
    if not by_kubectl:
        pytest.skip("no kubectl to render with")
    kinds = [one["kind"] for one in documents]
    assert kinds.count("CronJob") == 2
    assert kinds.count("Deployment") in (2, 3)
    for one in documents:
        assert one["metadata"]["namespace"] == "ascribe"
        assert one["metadata"]["labels"]["app.kubernetes.io/part-of"] == "ascribe"
        spec = one["spec"].get("jobTemplate", one)["spec"] if "spec" in one else {}
        for container in spec.get("template", {}).get("spec", {}).get("containers", []):
            name, _, tag = container["image"].partition(":")
            assert name in ("ascribe-serve", "ascribe-offline")
            assert tag
