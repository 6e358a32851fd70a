// Hash routes: `#/now`, `#/now/NODE?at=5` -> {id: "now", rest: ["NODE"], query}.

export function parse(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const parts = path.split("/").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part; // a lone %, typed by hand
    }
  });
  return { id: parts[0] || "now", rest: parts.slice(1).filter((part) => part !== ""), query: new URLSearchParams(query) };
}

/** {at: 5, b: ""} -> "?at=5": what is empty is left out. */
export function search(query) {
  const asked = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return asked.length ? `?${new URLSearchParams(asked)}` : "";
}

/** route("now", ["a/b"], {at: 5}) -> "#/now/a%2Fb?at=5" */
export function route(id, rest = [], query = {}) {
  return `#/${[id, ...rest].map(encodeURIComponent).join("/")}${search(query)}`;
}
