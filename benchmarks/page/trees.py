"""TreeSHAP of both games beside the libraries."""

from __future__ import annotations

from benchmarks.page.text import table
from benchmarks.record import Raw

TABLES = {
    "xgboost_california_housing": "xgboost, housing", "lightgbm_california_housing": "LightGBM, housing",
    "xgboost_adult": "xgboost, adult", "lightgbm_adult": "LightGBM, adult",
}  # fmt: skip


def text(raw: Raw) -> str:
    d = raw("trees")
    held = [(name.partition("_")[0], d[name]["rows_per_s"]) for name in TABLES]
    size = d["size"]

    def ours(game: str) -> list[str]:
        return [f"**{r[f'{game}: first']:,.0f} / {r[f'{game}: again']:,.0f}**" for _, r in held]

    def theirs(name: str) -> list[str]:
        return [f"{r[name]:,.0f}" if name in r else "" for _, r in held]

    lines = [
        ["path-dependent: ours, first / again", *ours("path")],
        ["the library itself", *(f"{r[f'path: {library}']:,.0f}" for library, r in held)],
        ["shap", *theirs("path: shap")],
        ["woodelf", *theirs("path: woodelf")],
        ["interventional: ours, first / again", *ours("interventional")],
        ["woodelf", *theirs("interventional: woodelf")],
        [f"shap, {size['meeting']} background rows", *theirs(f"interventional: shap, {size['meeting']} rows")],
    ]
    told = ", ".join(f"{library} {version}" for library, version in d.get("versions", {}).items())
    versions = f" ({told})" if told else ""
    same = f"path: first, {size['few']} rows"
    some = [f"{r[same]:,.0f}" for _, r in held if same in r]
    fewer = f" (first, path-dependent, on those {size['few']}: {', '.join(some)} rows a second)" if some else ""
    gap = {
        name: max((d[t]["gap"].get(name, 0.0) for t in TABLES), default=0.0)
        for name in ("path: xgboost", "path: lightgbm", "interventional: shap", "path: woodelf")
    }
    growth = "; ".join(f"{int(a):,} x {int(b):,} {s:.2f}" for (a, _, b), s in ((k.split(), v) for k, v in d["growth_s"].items()))  # fmt: skip  # noqa: E501
    return f"""## Trees

{size["rows"]:,} rows, {size["trees"]} trees of depth 6 (LightGBM: 63 leaves), california housing and adult with
their missing values; rows a second of processor time, one thread each. `first` makes the tables and answers,
`again` has them, as a served model does. xgboost, LightGBM and shap answer {size["few"]} of the rows, shap's
interventional values {size["met"]}: their work is proportional to rows, ours is not{fewer}. Interventional:
{size["rows"]:,} background rows for ours and woodelf, {size["meeting"]} for shap{versions}.

{table(("", *TABLES.values()), lines)}
The largest differences: {gap["path: xgboost"]:.0e} from xgboost, which counts in single precision,
{gap["path: lightgbm"]:.0e} from LightGBM, {gap["interventional: shap"]:.0e} from shap's interventional values,
{gap["path: woodelf"]:.0e} from woodelf's path-dependent ones. Interventional seconds by rows x background rows
(xgboost, housing): {growth}: a sum, not a product.

Beside a threshold shap can go another way than a scikit-learn model does, since it rounds to single precision;
enumeration agrees with ours there. Ways of more than 12 features, and trees whose parts have more than 65,536
outcomes, are not tabled: level by level, work is rows x nodes (path-dependent); over a background every distinct
pattern of rows meets every distinct pattern of the background at a leaf, which grows faster than their sum.
"""
