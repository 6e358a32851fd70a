"""The frame of a page: styles and places; light and dark, wide and narrow, on paper too."""

from __future__ import annotations

from string import Template

__all__ = ["PAGE", "PLAIN"]

STYLE = """:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #5a5a5a; --page: #ffffff; --card: #f5f5f4;
  --rule: #dddddd; --steady: #0072b2; --watch: #8a5f00; --drifted: #c04f00; }
@media (prefers-color-scheme: dark) { :root { --ink: #ececec; --soft: #a9a9a9; --page: #161616; --card: #222222;
  --rule: #3a3a3a; --steady: #56b4e9; --watch: #e6b450; --drifted: #ff8c42; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 74rem; padding: 1.5rem; background: var(--page); color: var(--ink);
  font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; }
header { border-left: 0.5rem solid var(--tone); padding: 0.25rem 0 0.25rem 1.1rem; }
h1 { margin: 0; font-size: 1.65rem; line-height: 1.2; }
h1 .word { color: var(--tone); }
h2 { margin: 0 0 0.5rem; font-size: 1.02rem; }
main > h2 { margin: 2rem 0 0.5rem; font-size: 1.2rem; }
header p { margin: 0.3rem 0 0; }
header ul { margin: 0.5rem 0 0; padding-left: 1.2rem; }
.is-steady { --tone: var(--steady); } .is-watch { --tone: var(--watch); } .is-drifted { --tone: var(--drifted); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.15rem 1rem; margin: 1.1rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(18.5rem, 1fr)); gap: 1rem; }
.card { background: var(--card); border-radius: 0.5rem; padding: 0.9rem 1rem; }
.card p { margin: 0.35rem 0 0; } .card .big { font-size: 1.9rem; line-height: 1.1; }
.card svg { width: 100%; height: 4.6rem; }
.soft { color: var(--soft); }
.pill { display: inline-block; white-space: nowrap; font-size: 0.85rem; font-weight: 600; }
.pill.steady { color: var(--steady); } .pill.watch { color: var(--watch); } .pill.drifted { color: var(--drifted); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 0.85rem; white-space: nowrap; }
th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--rule); vertical-align: middle; }
td.name { font-weight: 600; overflow-wrap: anywhere; min-width: 9rem; } td.name .soft { font-weight: 400; }
.n { text-align: right; white-space: nowrap; }
td svg { display: block; width: 9.5rem; height: 2rem; }
.bar { display: block; height: 3px; margin-top: 2px; width: 4rem; margin-left: auto; background: var(--rule); }
.bar span { display: block; height: 100%; background: var(--steady); }
tr.watch .bar span { background: var(--watch); } tr.drifted .bar span { background: var(--drifted); }
.key { display: inline-block; width: 0.8rem; height: 0.7rem; background: #a8a8a8; vertical-align: baseline; }
.key.line { height: 0.2rem; background: var(--ink); vertical-align: middle; }
footer { margin-top: 2rem; border-top: 1px solid var(--rule); padding-top: 0.8rem; color: var(--soft);
  font-size: 0.9rem; }
@media (max-width: 40rem) { body { padding: 0.9rem; } dl { grid-template-columns: 1fr; } dt { margin-top: 0.4rem; } }
@media print { body { max-width: none; } tr { break-inside: avoid; } }
"""

TOP = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
"""

PAGE = Template(
    TOP
    + STYLE
    + """</style>
</head>
<body>
<header class="is-$word">
<h1><span class="word">$mark $word</span> · $model</h1>
<p>$says</p>
<ul>$reasons</ul>
</header>
<main>
<dl>$facts</dl>
<div class="cards">$cards</div>
<h2>Inputs</h2>
$inputs
<h2>Attributions</h2>
$attributions
</main>
<footer>
<p>PSI is the population stability index over ten quantile bins of the rows before: below $watch steady, from $drifted
drifted. KS is the largest distance between both distributions. Share is what a feature carries of the attributed
output; inputs and attributions count for the verdict where those that drifted carry $weight % together. Energy distance
compares all inputs at once; its p-value comes from exchanging $blocks runs of neighbouring rows of each side, since
neighbours in time are not independent; above $p nothing is called drifted.</p>
</footer>
</body>
</html>
"""
)

PLAIN = Template(
    TOP
    + STYLE
    + """.figure { background: #ffffff; border-radius: 0.5rem; padding: 0.5rem; margin: 1rem 0; overflow-x: auto; }
.figure svg { max-width: 100%; height: auto; }
tr.aside td { color: var(--soft); }
</style>
</head>
<body>
<header class="is-steady">
<h1>$head</h1>
<p>$says</p>
</header>
<main>
<dl>$facts</dl>
$body
</main>
<footer>$foot</footer>
</body>
</html>
"""
)
