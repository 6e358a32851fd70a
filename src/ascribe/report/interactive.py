"""A picture as one HTML file: no network, no library. The SVG, what is told where the pointer rests, and its numbers as
a table that sorts.

Names are somebody's: they are escaped in the markup, and in the script's JSON no `<` is left.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from math import isfinite
from string import Template
from typing import Any

from ascribe.core.arrays import np
from ascribe.report.drawn import Cells, Drawn

__all__ = ["page_of"]

MOST_LINES = 2000  # of the table
DIGITS = 4
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # no character of a page

PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 78rem; padding: 1rem 1.25rem; background: #fff; color: #1a1a1a;
  font: 15px/1.5 system-ui, "DejaVu Sans", "Noto Sans CJK SC", sans-serif; }
figure { margin: 0; overflow-x: auto; } figure svg { max-width: 100%; height: auto; }
h1 { font-size: 1.3rem; margin: 0.2rem 0; } h2 { font-size: 1rem; margin: 1rem 0 0.3rem; }
.soft, .told { color: #5a5a5a; } .said { max-width: 60rem; overflow-wrap: anywhere; }
.words { font-size: 1.25rem; line-height: 2; } .word { padding: 0.1em 0.25em; border-radius: 0.2em; }
#tip { position: fixed; display: none; max-width: 26rem; padding: 0.3rem 0.55rem; background: #1a1a1a; color: #fff;
  border-radius: 0.3rem; font-size: 0.85rem; pointer-events: none; overflow-wrap: anywhere; z-index: 2; }
.wide { overflow: auto; max-height: 32rem; } table { border-collapse: collapse; font-size: 0.85rem; }
th { position: sticky; top: 0; background: #f3f3f3; text-align: left; } th button { all: unset; cursor: pointer;
  padding: 0.3rem 0.6rem; font-weight: 600; } th button:focus-visible { outline: 2px solid #0072b2; }
td { padding: 0.2rem 0.6rem; border-top: 1px solid #e3e3e3; max-width: 30rem; overflow-wrap: anywhere; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
details { margin-top: 0.8rem; } summary { cursor: pointer; }
</style>
</head>
<body>
$head
$said
$slider
<figure role="img" aria-label="$alt">$picture</figure>
$foot
$table
<div id="tip" role="status"></div>
<script>
const tips = $tips, cells = $cells, tip = document.getElementById("tip");
function told(e) {
  const word = e.target.closest("[data-tip]");
  if (word) return word.dataset.tip;
  for (let mark = e.target; mark && mark.nodeType === 1; mark = mark.parentElement) {
    if (Object.hasOwn(tips, mark.id)) {
      const list = tips[mark.id];
      if (list.length === 1) return list[0];
      return list[Array.prototype.indexOf.call(mark.querySelectorAll("use"), e.target.closest("use"))];
    }
    if (Object.hasOwn(cells, mark.id)) {
      const c = cells[mark.id], box = mark.getBoundingClientRect();
      const at = (share, n) => Math.min(n - 1, Math.max(0, Math.floor(share * n)));
      const i = at((e.clientX - box.left) / box.width, c.columns.length);
      const j = at((e.clientY - box.top) / box.height, c.lines.length);
      return c.lines[j] + " · " + c.columns[i] + ": " + c.values[j][i];
    }
  }
}
document.addEventListener("pointermove", e => {
  const text = told(e);
  tip.style.display = text === undefined ? "none" : "block";
  if (text === undefined) return;
  tip.textContent = text;
  tip.style.left = Math.min(e.clientX + 14, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = Math.min(e.clientY + 14, innerHeight - tip.offsetHeight - 8) + "px";
});
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.parentElement, k = head.cellIndex, body = head.closest("table").tBodies[0];
  const down = head.getAttribute("aria-sort") !== "descending";
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = row => {
    const c = row.cells[k];
    return c.dataset.v === undefined ? c.textContent : Number(c.dataset.v);
  };
  const order = (a, b) => typeof a === "number" && typeof b === "number"
    ? (isNaN(a) ? -1 : isNaN(b) ? 1 : a - b) : String(a).localeCompare(String(b));
  body.append(...[...body.rows].sort((a, b) => (down ? -1 : 1) * order(key(a), key(b))));
});
const slider = document.getElementById("opacity");
if (slider) slider.addEventListener("input", () => {
  for (const layer of document.querySelectorAll("[id^='" + slider.dataset.layer + "']"))
    layer.style.opacity = slider.value;
});
</script>
</body>
</html>
""")


def page_of(drawn: Drawn, svg: str, title: str, heads: Sequence[str], said: str = "", language: str = "en") -> str:
    """The page. `svg`: the figure as matplotlib wrote it; `heads`: title and captions where the body is no figure."""
    picture = drawn.body or _inline(svg)
    head = f"<h1>{escape(heads[0])}</h1><p class='soft'>{escape(heads[1])}</p>" if drawn.body else ""
    whole = PAGE.substitute(
        language=language,
        title=escape(title),
        alt=escape(drawn.says, quote=True),
        head=head,
        said=f'<p class="said">{escape(said)}</p>' if said else "",
        slider=_slider(drawn.slider),
        picture=picture,
        foot=f"<p class='soft'>{escape(' '.join(heads[2:]))}</p>" if drawn.body else "",
        table=_table(drawn),
        tips=_json({name: list(texts) for name, texts in drawn.tips.items()}),
        cells=_json({name: _cells(one) for name, one in drawn.cells.items()}),
    )
    return CONTROL.sub(" ", whole)


def _inline(svg: str) -> str:
    """The element alone: without the prologue and the metadata, which name addresses."""
    start = svg.index("<svg")
    return re.sub(r"<metadata>.*?</metadata>", "", svg[start:], count=1, flags=re.DOTALL)


def _slider(layer: str) -> str:
    if not layer:
        return ""
    return (
        f'<label>opacity of the overlay <input id="opacity" type="range" min="0" max="1" step="0.05" value="1" '
        f'data-layer="{escape(layer, quote=True)}"></label>'
    )


def _table(drawn: Drawn) -> str:
    if not drawn.rows:
        return ""
    head = "".join(f"<th><button>{escape(name)}</button></th>" for name in drawn.head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in drawn.rows[:MOST_LINES])
    more = f", the first {MOST_LINES:,}" if len(drawn.rows) > MOST_LINES else ""
    return (
        f"<details><summary>{len(drawn.rows):,} lines of numbers{more}</summary>"
        f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>'
    )


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    text = f"{value:.6g}".replace("-", "\N{MINUS SIGN}") if isfinite(value) else ""
    return f'<td class="n" data-v="{float(value)!r}">{text}</td>'


def _cells(one: Cells) -> dict[str, Any]:
    values = [[float(f"{v:.{DIGITS}g}") if np.isfinite(v) else None for v in line] for line in one.values.tolist()]
    return {"lines": list(one.lines), "columns": list(one.columns), "values": values}


def _json(held: Any) -> str:
    """Nothing in it ends a script."""
    text = json.dumps(held, ensure_ascii=False, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
