"""Places in the code where one sign, number or name can be changed so that the code still runs.

    comparison   < <= > >= == !=      to its neighbour or its opposite
    arithmetic   + - * / **           to another one
    number       0 to 1, k to k + 1, x to 2 x
    negation     not x to x;  -x to x
    twin         minimum / maximum, sum / mean, argmin / argmax, any / all, floor / ceil, axis=0 / axis=1

Left alone: texts, annotations, docstrings, how much is done at a time (a larger chunk is no fault), numbers so
small that they only guard a division, and what is inside an error's message.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Site", "drawn", "faulty", "short", "sites", "within"]

COMPARED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
}  # fmt: skip
COUNTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
TWINS = {"minimum": "maximum", "sum": "mean", "argmin": "argmax", "any": "all", "floor": "ceil", "min": "max"}
TWINS |= {b: a for a, b in TWINS.items()}
GUARD = 1e-4
DIGITS = 10
EACH = 10
CHUNKS = ("AT_ONCE", "CELLS", "CHUNK", "ROWS", "MOST", "ROUNDS", "STEPS")


@dataclass(frozen=True)
class Site:
    """`number`: of the node in the order of `ast.walk`; `nth`: among the equal ones of its file."""

    file: str
    line: int
    column: int
    number: int
    kind: str
    was: str
    becomes: str
    nth: int

    @property
    def name(self) -> str:
        """The same wherever the lines of the file move: games_1f0c8a2b73de."""
        return f"{Path(self.file).stem}_{short(f'{self.file} {self.kind} {self.was} {self.nth}')}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.kind}: {self.was} -> {self.becomes}"


def drawn(count: int, seed: int, root: Path) -> list[Site]:
    """A function of the tree and the seed, of which an edit elsewhere moves little.

    The sites of a file stand in an order of their own, and the j-th of n comes at (j + u) / (n + EACH), u in 0 ... 1 by
    the file. The first `count` over all files are taken: large files have more of them, and none has many.
    """
    ranked: list[tuple[float, str, Site]] = []
    for path in root.rglob("*.py"):
        held = sorted(sites(path, root), key=lambda site: short(f"{seed} {site.name}"))
        start = int(short(f"{seed} {path.relative_to(root)}"), 16) / 16**DIGITS
        ranked += [((j + start) / (len(held) + EACH), site.name, site) for j, site in enumerate(held)]
    return [site for _, _, site in sorted(ranked, key=lambda one: one[:2])[:count]]


def short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def sites(path: Path, root: Path) -> list[Site]:
    tree = ast.parse(path.read_text())
    passed = _passed(tree)
    found: list[Site] = []
    seen: Counter[tuple[str, str]] = Counter()
    for number, node in enumerate(ast.walk(tree)):
        if id(node) not in passed and (kind := _kind(node)):
            was, changed = ast.unparse(node), deepcopy(node)
            _change(changed)
            seen[kind, was] += 1
            line, column = node.lineno, node.col_offset + 1  # type: ignore[attr-defined]
            place = (str(path.relative_to(root)), line, column, number)
            found.append(Site(*place, kind, was, ast.unparse(changed), seen[kind, was]))
    return found


def faulty(source: str, site: Site) -> str:
    """The source with that one place changed; comments and layout are lost, which no test sees."""
    tree = ast.parse(source)
    _change(_at(tree, site))
    return ast.unparse(ast.fix_missing_locations(tree))


def within(tree: ast.Module, site: Site) -> ast.FunctionDef | None:
    """The innermost function whose body holds the site; None: it is run when the file is imported."""
    node, found = _at(tree, site), None
    for function in ast.walk(tree):  # the inner ones come later
        if isinstance(function, ast.FunctionDef):
            found = function if any(node is one for part in function.body for one in ast.walk(part)) else found
    return found


def _at(tree: ast.Module, site: Site) -> ast.AST:
    return next(node for number, node in enumerate(ast.walk(tree)) if number == site.number)


def _passed(tree: ast.Module) -> set[int]:
    """Nodes inside annotations, raised errors, texts and constants that only say how much is done at a time."""
    held: set[int] = set()

    def leave(node: ast.AST | None) -> None:
        if node is not None:
            held.update(id(inner) for inner in ast.walk(node))

    for node in ast.walk(tree):
        if isinstance(node, ast.Raise | ast.JoinedStr):
            leave(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            leave(node.returns)
            for one in [*node.args.args, *node.args.kwonlyargs]:
                leave(one.annotation)
            for decorator in node.decorator_list:
                leave(decorator)
        elif isinstance(node, ast.AnnAssign):
            leave(node.annotation)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if any(part in node.targets[0].id for part in CHUNKS):
                leave(node)
        elif isinstance(node, ast.Call | ast.Subscript) and _tells_no_value(node):
            leave(node)
    return held


def _tells_no_value(node: ast.Call | ast.Subscript) -> bool:
    """The size of a cache, or the shape of an array as in Float[np.ndarray, "b n"]."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "lru_cache"
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else []
    return any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts)


def _kind(node: ast.AST) -> str:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        return "comparison"
    if isinstance(node, ast.BinOp) and type(node.op) in COUNTED:
        text = any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (node.left, node.right))
        return "" if text or isinstance(node.left, ast.Tuple | ast.List | ast.JoinedStr) else "arithmetic"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        return "negation"
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return "" if 0 < node.value < GUARD else "number"  # type: ignore[operator]
    if isinstance(node, ast.Attribute) and node.attr in TWINS:
        return "twin"
    if isinstance(node, ast.keyword) and node.arg == "axis" and isinstance(node.value, ast.Constant):
        return "twin" if node.value.value in (0, 1) else ""
    return ""


def _change(node: ast.AST) -> None:
    if isinstance(node, ast.Compare):
        node.ops[0] = COMPARED[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp):
        node.op = COUNTED[type(node.op)]()
    elif isinstance(node, ast.UnaryOp):
        node.op = ast.UAdd() if isinstance(node.op, ast.USub) else node.op
        if isinstance(node.op, ast.Not):
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
    elif isinstance(node, ast.Constant):
        value = node.value
        node.value = 1 if value == 0 else value + 1 if isinstance(value, int) else 2 * value  # type: ignore[operator]
    elif isinstance(node, ast.Attribute):
        node.attr = TWINS[node.attr]
    elif isinstance(node, ast.keyword):
        node.value = ast.Constant(1 - node.value.value)  # type: ignore[attr-defined]
