"""A bill of materials (CycloneDX 1.6, JSON) of the core install, and one of every extra that is installed here.

python deploy/sbom.py [FOLDER]          runs/sbom/core.cdx.json and all.cdx.json; `make sbom`

Versions and licences are those of the installed packages' own metadata, so run it where the versions of constraints.txt
are (`make setup`). An extra of which something is not installed is left out, and said to be. What wheels carry inside
(OpenBLAS in numpy's, Arrow's C++ in pyarrow's) is named by a wheel's licence at best. Neither time nor serial number:
the same installation gives the same file.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHARTS = ROOT / "src" / "ascribe" / "serve" / "page" / "static" / "vendor" / "echarts.esm.min.mjs"

CLASSIFIED = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD License",  # which of them is not said
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
SPELT = {"3-Clause BSD License": "BSD-3-Clause", "Apache": "Apache-2.0", "GPL-3.0": "GPL-3.0-only"}
SPDX = re.compile(r"[A-Za-z0-9]+-[\w.-]+|0BSD|ISC|MIT|Zlib")
PERMISSIVE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD License", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0",
    "CC0-1.0", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip


class NotInstalled(Exception):
    """A package that something needs is not here."""


def parts(licence: str) -> list[str]:
    """The licences that an expression joins.

    >>> parts("MPL-2.0 AND (MIT OR Apache-2.0 WITH LLVM-exception)")
    ['MPL-2.0', 'MIT', 'Apache-2.0 WITH LLVM-exception']
    """
    return re.split(r"\s+(?:AND|OR)\s+", re.sub(r"[()]", "", licence))


def is_spdx(licence: str) -> bool:
    return all(SPDX.fullmatch(part.partition(" WITH ")[0]) for part in parts(licence))


def is_permissive(licence: str) -> bool:
    """Whether all of its parts are; of a choice too, so that nobody has to choose."""
    return set(parts(licence)) <= PERMISSIVE


def licence_of(package: Distribution) -> str:
    """An SPDX expression where the package gives one, or a word for one; else how it calls its licence, or ""."""
    told = package.metadata.json
    written = str(told.get("license", "")).strip()
    words = (line.rpartition(" :: ")[2] for line in told.get("classifier", []) if line.startswith("License ::"))
    known = [CLASSIFIED[word] for word in words if word in CLASSIFIED]
    if "license_expression" in told:
        return str(told["license_expression"])
    if written in SPELT or is_spdx(written):
        return SPELT.get(written, written)
    return " OR ".join(known) or written.partition("\n")[0]


def name_of(line: str) -> str:
    return str(canonicalize_name(Requirement(line).name))


@dataclass
class Found:
    """`package` and the names of what it `needs`; `extras`: those that bring it, none where core does."""

    package: Distribution
    needs: list[str] = field(default_factory=list)
    extras: set[str] = field(default_factory=set)


def closure(lines: list[str]) -> dict[str, Found]:
    """All that is needed for these requirements on this machine, by name. Raises NotInstalled."""
    found: dict[str, Found] = {}
    asked: set[tuple[str, frozenset[str]]] = set()

    def visit(line: str, extras: set[str]) -> str | None:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            return None
        name = name_of(line)
        if (name, frozenset(requirement.extras)) not in asked:
            asked.add((name, frozenset(requirement.extras)))
            try:
                here = found.setdefault(name, Found(distribution(name)))
            except PackageNotFoundError as exc:
                raise NotInstalled(name) from exc
            needed = (visit(each, requirement.extras) for each in here.package.requires or [])
            here.needs = sorted({*here.needs, *filter(None, needed)})
        return name

    for line in lines:
        visit(line, set())
    return found


def everything() -> tuple[dict[str, Found], dict[str, str]]:
    """Core and all extras that are installed whole; by extra, what others lack."""
    found, lacking = closure(PROJECT["dependencies"]), {}
    core = set(found)
    for extra, lines in PROJECT["optional-dependencies"].items():
        try:
            for name, one in closure(lines).items():
                held = found.setdefault(name, one)
                held.needs = sorted({*held.needs, *one.needs})
                held.extras |= set() if name in core else {extra}
        except NotInstalled as exc:
            lacking[extra] = str(exc)
    return found, lacking


def component(name: str, one: Found) -> dict[str, Any]:
    licence, version = licence_of(one.package), one.package.version
    purl = f"pkg:pypi/{name}@{version}"
    said: dict[str, Any] = {"expression": licence} if is_spdx(licence) else {"license": {"name": licence}}
    return {
        "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl,
        "licenses": [said] if licence else [], "scope": "optional" if one.extras else "required",
        "properties": [{"name": "ascribe:extra", "value": extra} for extra in sorted(one.extras)],
    }  # fmt: skip


def charts() -> dict[str, Any]:
    """The one library that the page brings along."""
    version = re.findall(r'version:"(\d+\.\d+\.\d+)"', CHARTS.read_text())[0]
    purl = f"pkg:npm/echarts@{version}"
    return {
        "type": "library", "bom-ref": purl, "name": "echarts", "version": version, "purl": purl,
        "licenses": [{"expression": "Apache-2.0 AND BSD-3-Clause"}], "scope": "required",
    }  # fmt: skip


def bill(found: dict[str, Found], lines: list[str]) -> dict[str, Any]:
    """A CycloneDX document of what was found for these requirements."""
    ref = {name: f"pkg:pypi/{name}@{one.package.version}" for name, one in found.items()}
    own = f"pkg:pypi/{PROJECT['name']}@{PROJECT['version']}"
    direct = {name_of(line) for line in lines} & set(found)
    edges = [{"ref": ref[name], "dependsOn": [ref[needs] for needs in one.needs]} for name, one in found.items()]
    page = charts()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": own, "name": PROJECT["name"], "version": PROJECT["version"],
                "purl": own, "licenses": [{"expression": PROJECT["license"]}],
            },
        },
        "components": [*(component(name, one) for name, one in sorted(found.items())), page],
        "dependencies": [{"ref": own, "dependsOn": [*sorted(ref[name] for name in direct), page["bom-ref"]]}, *edges],
    }  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "sbom"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        core = closure(PROJECT["dependencies"])
    except NotInstalled as exc:
        sys.exit(f"{exc} is not installed: run this where Ascribe is, with .venv/bin/python")
    found, lacking = everything()
    lines = [*PROJECT["dependencies"], *(line for extra in PROJECT["optional-dependencies"].values() for line in extra)]
    for name, packages, asked in (("core", core, PROJECT["dependencies"]), ("all", found, lines)):
        place = folder / f"{name}.cdx.json"
        place.write_text(json.dumps(bill(packages, asked), indent=1, sort_keys=True) + "\n")
        print(f"{place}: {len(packages)} packages")
    for name, one in sorted(found.items()):
        if not is_permissive(licence := licence_of(one.package)):
            print(
                f"not permissive: {name} ({licence or 'says no licence'}), by {', '.join(sorted(one.extras)) or 'core'}"
            )
    for extra, package in lacking.items():
        print(f"left out: extra {extra}, since {package} is not installed")


if __name__ == "__main__":
    main()
