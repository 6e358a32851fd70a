"""`ascribe explainers`: what a bundle can be asked, and that it can."""

from __future__ import annotations

import ascribe
from ascribe.core.repertoire import repertoire
from tests.journey import ascribe as command
from tests.journey import typed
from tests.serve import tiny


def test_a_folder_and_a_registry_say_what_can_be_asked(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    told = [
        by("explainers", place) for by, place in ((command, tmp_path / "bundle"), (typed, f"{registry}#{tiny.NAME}"))
    ]
    assert [done.returncode for done in told] == [0, 0], told[0].stderr
    assert told[0].stdout == told[1].stdout
    lines = told[0].stdout.splitlines()
    assert lines[0] == "power in W"
    assert lines[1].split() == [
        "methods", "conditional_shap,", "kernel_shap,", "permutation_shap,", "lime,", "occlusion",
    ]  # fmt: skip
    assert [line.split()[1] for line in lines if line.startswith("  tier")] == ["accurate:", "exact:"]
    assert "completions (default)" in told[0].stdout and "learnt" not in told[0].stdout


def test_everything_that_is_named_can_be_asked(tmp_path):
    tiny.publish(tmp_path)
    opened = ascribe.open(tmp_path / "bundle")
    held = repertoire(opened.model)
    row = list(tiny.ROW.values())
    for wish in (
        *({"method": name} for name in held.methods),
        *({"tier": name} for name in held.tiers),
        *({"value": name} for name in held.values),
        *({"estimator": name} for name in held.estimators),
    ):
        assert opened.explain([row], **wish).status.tolist() == ["ok"], wish
    assert {"auto", "exact", "permutation", "kernel", "leverage"} <= set(held.estimators)


def test_the_version_is_said():
    done = typed("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"ascribe {ascribe.__version__}")
