"""woodelf's answers, in its own environment: `trees_woodelf.py LIBRARY FOLDER` reads x.npy and model.json there, and
writes values by game and the seconds of processor time that each took, its preparation included.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import woodelf  # type: ignore[import-not-found]


def main(library: str, place: Path) -> None:
    if library == "xgboost":
        import xgboost

        model = xgboost.Booster(model_file=place / "model.json")
    else:
        import lightgbm

        model = lightgbm.Booster(model_file=place / "model.json")
    X = np.load(place / "x.npy")
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])])
    seconds = {}
    for game, more in {"path": {}, "interventional": {"data": frame}}.items():
        kind = "interventional" if more else "tree_path_dependent"
        begin = time.process_time()
        values = woodelf.WoodelfExplainer(model, feature_perturbation=kind, **more).shap_values(frame)
        seconds[game] = time.process_time() - begin
        np.save(place / f"{game}.npy", np.asarray(values))
    (place / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
