"""Walls: what may import what, what may be read where, how files are called and how long they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SRC = ROOT / "src" / "ascribe"
GENERATED = SRC / "serve" / "wire"  # written by the protocol compiler, not by hand
SOURCES = [path for path in sorted(SRC.rglob("*.py")) if GENERATED not in path.parents]
LONGEST = 300
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers"}
FAMILY_OF_CORE = {"numpy", "scipy", "jaxtyping"}
HEAVY = {
    "onnxruntime", "onnx", "torch", "xgboost", "pyarrow", "polars", "pandas", "obstore", "msgspec", "fastapi",
    "pydantic", "uvicorn", "grpc", "google", "rich", "typer", "shap", "sklearn", "matplotlib", "deltalake",
}  # fmt: skip


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tops_after(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def files_of_the_tree() -> list[Path]:
    """Tracked files, and untracked ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a checkout")
    found = [ROOT / name for name in done.stdout.split("\0") if name and not name.startswith(".venv/")]
    return [path for path in found if path.is_file()]


def test_there_is_something_to_check():
    assert len(SOURCES) > 20
    assert SRC / "core" / "estimators" / "__init__.py" in SOURCES


def test_the_core_loads_arrays_only():
    bare = tops_after("pass")
    loaded = tops_after("import ascribe.core.explainers") - bare
    assert loaded >= {"ascribe", "numpy", "scipy", "jaxtyping"}
    assert not loaded & HEAVY
    installed = {name for name in loaded if name not in sys.stdlib_module_names and not name.startswith("_")}
    assert installed - {"ascribe", "cython_runtime", "charset_normalizer"} <= FAMILY_OF_CORE  # the last: numpy's own


def test_a_first_explanation_loads_nothing_heavy_either():
    """Imports put off until a call stand behind the same wall."""
    loaded = tops_after(
        "import numpy as np\n"
        "from ascribe.core.explainers import explain\n"
        "from ascribe.core.conditional import Gaussian\n"
        "from ascribe.core.features import Feature\n"
        "from ascribe.core.model import Model\n"
        "rows = np.random.default_rng(0).standard_normal((20, 2))\n"
        "model = Model((Feature('a'), Feature('b')), lambda X: X[:, 0], rows, Gaussian.fit(rows))\n"
        "assert explain(model, rows[:2]).status.tolist() == ['ok', 'ok']"
    )
    assert not loaded & HEAVY


def test_the_package_itself_loads_nothing_heavy():
    assert not tops_after("import ascribe") & (HEAVY | {"numpy", "scipy"})


def test_imports_keep_to_the_contracts():
    linter = Path(sys.executable).with_name("lint-imports")
    if not linter.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert "0 broken" in done.stdout


def imports_of(path: Path, modules: set[str]) -> set[str]:
    """Modules of ours that a file imports wherever it does so, with the packages that are run on the way; not those
    that it lies in.
    """
    own = module_of(path)
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else node.module for name in names}
    inside = found & modules
    packages = {name.rsplit(".", k)[0] for name in inside for k in range(1, name.count(".") + 1)}
    return inside - {own} | {name for name in packages if not f"{own}.".startswith(f"{name}.")}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SRC.parent).with_suffix("").parts).removesuffix(".__init__")


def test_no_import_leads_back():
    """Not at the head of a file, not for types, not within a function."""
    modules = {module_of(path) for path in SRC.rglob("*.py")}
    graph = {module_of(path): imports_of(path, modules) for path in SOURCES}
    assert "ascribe.core.errors" in graph["ascribe.api"]
    assert "ascribe.cli" in graph["ascribe.__main__"]
    assert len(list(TopologicalSorter(graph).static_order())) >= len(SOURCES)  # a CycleError names the modules


def test_nothing_points_out_of_the_tree():
    outside = b"../" + b"shared"
    files = files_of_the_tree()
    assert Path(__file__).resolve() in files
    assert [name_of(path) for path in files if outside in path.read_bytes()] == []


def test_modules_are_named_for_what_they_hold():
    parts = {name_of(path): {path.stem, *path.relative_to(SRC).parts[:-1]} for path in SOURCES}
    assert [name for name, words in parts.items() if words & FORBIDDEN_NAMES] == []


def test_files_stay_short():
    lengths = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length >= LONGEST} == {}


def reads_environment(tree: ast.AST) -> bool:
    """os.environ, os.getenv and their kin, by whatever name they were imported."""
    readers = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    modules = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name in ("os", "posix")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in ("os", "posix"):
            if any(alias.name in readers | {"*"} for alias in node.names):
                return True
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in readers
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
        ):
            return True
    return False


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import os\nos.environ['A']", True),
        ("import os as system\nsystem.getenv('A')", True),
        ("from os import environ as e\ne['A']", True),
        ("import os\nos.path.join('environ')", False),
        ("settings.environ", False),
    ],
)
def test_the_search_for_the_environment_finds_it(code, wanted):
    assert reads_environment(ast.parse(code)) == wanted


def test_the_environment_is_read_in_settings_only():
    readers = [path for path in SOURCES if reads_environment(tree_of(path))]
    assert [name_of(path) for path in readers if path.name != "settings.py"] == []


def test_the_core_has_no_global_random_state_and_no_clock():
    """np.random only makes generators from seeds; `random`, `time` and `datetime` are not imported."""
    offences = []
    for path in SOURCES:
        if SRC / "core" not in path.parents:
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("np.random", "numpy.random"):
                if node.attr not in ("Generator", "default_rng", "SeedSequence"):
                    offences.append(f"{name_of(path)}:{node.lineno} {ast.unparse(node)}")
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                if {name.partition(".")[0] for name in names} & {"random", "time", "datetime", "secrets", "uuid"}:
                    offences.append(f"{name_of(path)}:{node.lineno} {ast.unparse(node)}")
    assert offences == []


def test_one_explainer_does_not_import_another():
    folder = SRC / "core" / "explainers"
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert len(names) >= 2
    for path in folder.glob("*.py"):
        if path.stem == "__init__":
            continue
        imported = {node.module or "" for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)}
        assert not {f"ascribe.core.explainers.{name}" for name in names} & imported, path.name
        assert "ascribe.core.explainers" not in imported, path.name
