"""Report: attributions as pictures that add up.

Nouns: an **entry** (one line of a row's account: the base value, a player's share, what is left over), an **account**
(entries that lead from the base value to the prediction, and to a measurement where there is one), a **panel** (an
account, drawn), a **sheet** (panels side by side under a head that says how the numbers came about).

    Attribution -> account -> panel -> sheet (a figure) -> PNG or SVG

Imports core only. matplotlib is needed when something is drawn, not before: `pip install 'ascribe[report]'`.
"""
