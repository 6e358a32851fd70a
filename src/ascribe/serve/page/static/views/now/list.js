// The table of nodes: found by name, sorted by any column, walked through with the arrow keys.
import { el, named } from "../../dom.js";
import { route } from "../../router.js";
import { colourOf, key } from "./colours.js";
import { groupName, parts } from "./nodes.js";
import { paced } from "./pace.js";
import { createPartsBar, reach } from "./parts_bar.js";
import { createSpark } from "./spark.js";
import { remarks } from "./warnings.js";

const DRAWN_MS = 250;
const SORTED_MS = 5000; // numbers move all the time: rows do not, while somebody is among them

const COLUMNS = [
  { id: "node", of: (one) => one.node },
  { id: "spark" },
  { id: "measured", of: (one) => one.measured_w, numeric: true },
  { id: "predicted", of: (one) => one.prediction_w, numeric: true, wide: true },
  { id: "unexplained", of: (one) => one.unexplained_w, numeric: true, wide: true },
  { id: "parts", wide: true },
  { id: "most", of: (one) => Math.abs(parts(one)[0]?.[1]), wide: true },
  { id: "remarks", of: (one) => (one.stale ? 1 : 0) + (one.warnings?.length ?? 0) },
];

export function createList({ words, theme, announce }, nodes, choose) {
  const rows = new Map(); // node -> {element, draw(record)}
  const changed = new Set();
  let sorted = { id: "node", down: false };
  let sortedAt = 0;
  let marked = null;
  let most = 1; // watts to which the bars of parts reach

  const search = el("input", { type: "search", placeholder: words.t("now.search"), "aria-label": words.t("now.search") });
  const count = el("span.quiet", { role: "status" });
  const legend = el("ul.legend.wide");
  const heads = COLUMNS.map((column) => heading(column));
  const body = el("tbody", { onkeydown: walk });
  const made = el(
    "table.nodes", {},
    el("caption.unseen", {}, words.t("now.nodes")),
    el("thead", {}, el("tr", {}, heads)),
    body,
  );
  const element = el("section.panel.list", { "aria-label": words.t("now.nodes") }, el("div.row.ends", {}, search, count), legend, made);

  function called(id) {
    return words.t(`now.columns.${id}`, { unit: nodes.unit || "1" });
  }

  function heading({ id, of, numeric, wide }) {
    const kind = `th.c-${id}${numeric ? ".num" : ""}${wide ? ".wide" : ""}`;
    const text = called(id);
    return of
      ? el(kind, { scope: "col" }, el("button.sort", { type: "button", onclick: () => sort(id, Boolean(numeric)) }, text))
      : el(kind, { scope: "col" }, text);
  }

  function sort(id, numeric) {
    sorted = { id, down: sorted.id === id ? !sorted.down : numeric || id === "most" || id === "remarks" };
    order();
    announce(words.t(sorted.down ? "now.sorted_down" : "now.sorted_up", { column: called(id) }));
  }

  function compare(a, b) {
    const { of } = COLUMNS.find((column) => column.id === sorted.id);
    const [x, y] = [of(a), of(b)];
    const bare = (value) => value === null || value === undefined || Number.isNaN(value);
    if (bare(x) || bare(y)) return bare(x) - bare(y);
    const sign = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
    return (sorted.down ? -sign : sign) || a.node.localeCompare(b.node);
  }

  function order() {
    sortedAt = performance.now();
    rescale();
    const asked = search.value.trim().toLowerCase();
    const found = [...nodes.all.values()].filter((one) => one.node.toLowerCase().includes(asked)).sort(compare);
    COLUMNS.forEach(({ id }, at) => {
      (heads[at].firstElementChild ?? heads[at]).textContent = called(id); // the unit is that of the model
      if (id === sorted.id) heads[at].setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else heads[at].removeAttribute("aria-sort");
    });
    for (const name of rows.keys()) if (!nodes.all.has(name)) rows.delete(name);
    const wanted = found.map((one) => {
      if (!rows.has(one.node)) rows.set(one.node, row(one));
      return rows.get(one.node).element;
    });
    if (wanted.length !== body.children.length || wanted.some((made, at) => made !== body.children[at])) {
      const focused = body.contains(document.activeElement) ? document.activeElement : null;
      body.replaceChildren(...wanted);
      focused?.focus();
    }
    count.textContent = asked ? words.t("now.found", { count: found.length, all: nodes.all.size }) : "";
  }

  /** One scale for the bars of all nodes, with room, so that it seldom changes. */
  function rescale() {
    const needed = Math.max(...[...nodes.all.values()].map(reach), 1e-6);
    if (needed > most || needed < most / 2) {
      most = needed * 1.2;
      for (const name of nodes.all.keys()) changed.add(name);
    }
    legend.replaceChildren(
      ...nodes.groups.map((g, at) => key("band", colourOf(theme.colours, at), groupName(words, g))),
      el("li.quiet", {}, words.t("now.parts_scale", { watts: words.number(most, 1), unit: nodes.unit })),
    );
  }

  function row(one) {
    const link = el("a", { href: route("now", [one.node]), tabindex: "0" }, named(one.node, 48));
    const spark = createSpark();
    const cells = Object.fromEntries(COLUMNS.slice(2).map(({ id, numeric, wide }) => [
      id, el(`td.c-${id}${numeric ? ".num" : ""}${wide ? ".wide" : ""}`),
    ]));
    const made = el(
      "tr", { onclick: (event) => event.target.closest("a") || choose(one.node) },
      el("th.c-node", { scope: "row" }, link), el("td.c-spark", {}, spark.element), Object.values(cells),
    );
    const bar = createPartsBar();
    cells.parts.append(bar.element);
    function draw(now) {
      bar.draw(now, nodes.groups, most, theme.colours);
      spark.draw(now.spark);
      cells.measured.textContent = words.number(now.measured_w);
      cells.predicted.textContent = words.number(now.prediction_w);
      cells.unexplained.textContent = words.signed(now.unexplained_w);
      const [first] = parts(now);
      cells.most.replaceChildren(...(first ? [named(groupName(words, first[0]), 24), ` ${words.signed(first[1])}`] : ["–"]));
      const [remark, ...more] = remarks(words, now);
      cells.remarks.textContent = remark ? remark.short + (more.length ? ` +${more.length}` : "") : "";
      made.classList.toggle("stale", Boolean(now.stale));
    }
    draw(one);
    if (one.node === marked) made.setAttribute("aria-current", "true");
    return { element: made, draw };
  }

  function walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const links = [...body.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    links[at + step]?.focus();
  }

  const draw = paced(DRAWN_MS, () => {
    for (const name of changed) {
      const one = nodes.all.get(name);
      if (one) rows.get(name)?.draw(one);
    }
    changed.clear();
    if (performance.now() - sortedAt > SORTED_MS && !element.contains(document.activeElement)) order();
  });

  search.addEventListener("input", order);
  const offs = [
    theme.onChange(() => {
      rescale();
      for (const name of nodes.all.keys()) changed.add(name);
      draw();
    }),
    nodes.onMoment((one) => {
      changed.add(one.node);
      draw();
    }),
    nodes.onChange(() => {
      for (const name of nodes.all.keys()) changed.add(name);
      const same = body.children.length === nodes.all.size && [...nodes.all.keys()].every((name) => rows.has(name));
      if (!same || !element.contains(document.activeElement)) order();
      draw();
    }),
  ];

  return {
    element,
    first: () => body.querySelector("tr") && [...rows].find(([, made]) => made.element === body.firstElementChild)?.[0],
    mark(name) {
      rows.get(marked)?.element.removeAttribute("aria-current");
      marked = name;
      rows.get(name)?.element.setAttribute("aria-current", "true");
    },
    close() {
      draw.stop();
      offs.forEach((off) => off());
    },
  };
}
