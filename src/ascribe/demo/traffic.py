"""`ascribe forecast demo`: the commands of a forecast one after another, on the bundled series of a backbone."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from ascribe.core.errors import InputError, ServiceError
from ascribe.demo.told import say

__all__ = ["run"]

DATA = Path(__file__).resolve().parents[3] / "examples" / "data" / "B5M.csv.gz"
QUICK = ("--last", "14d", "--context", "1d", "--horizon", "6h", "--family", "ridge_lags")


def run(folder: Path, quick: bool) -> None:
    """Train, backtest, forecast tomorrow and explain it, draw, publish; `quick`: two weeks and a regression.

    Raises InputError where the example data is not at hand, ServiceError where a command failed, which has said why.
    """
    if not DATA.is_file():
        raise InputError("the demo needs examples/data from the repository: clone it and run the command there")
    folder.mkdir(parents=True, exist_ok=True)
    data, bundle, out = ("--data", str(DATA)), str(folder / "bundle"), str(folder / "tomorrow.parquet")
    columns = ("--time", "timestamp", "--value", "bits", "--unit", "bit", "--zone", "Europe/London", "--step", "5min")
    last = QUICK[:2] if quick else ()
    days = ("plot", str(folder / "tomorrow.explained.parquet"), "--kind", "days", "-o", str(folder / "days.png"))
    for head, command in (
        ("The candidates, and the one that serves", ("forecast", "train", *data, *columns, "--out", bundle,
                                                     *(QUICK if quick else ()))),
        ("Held to what came", ("forecast", "backtest", bundle, *data, "-o", str(folder / "report.json"),
                               *(("--test", "2d") if quick else ()))),
        ("Tomorrow, and why", ("forecast", "predict", bundle, *data, *last, "-o", out, "--explain")),
        ("Drawn", ("forecast", "plot", bundle, *data, *last, "-o", str(folder / "tomorrow.png"))),
        ("Which days and inputs", days),
        ("Where a server finds it", ("publish", bundle, "--registry", str(folder / "registry"), "--name", "backbone")),
    ):  # fmt: skip
        say.print(f"\n[bold]{head}[/bold]")
        say.print(f"ascribe {shlex.join(command)}", highlight=False, soft_wrap=True)
        if subprocess.run([sys.executable, "-m", "ascribe", *command]).returncode:
            raise ServiceError("this step of the demo failed: what it said is above")
    say.print(f"\npictures: {folder / 'tomorrow.png'}, {folder / 'days.png'}", highlight=False)
