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

/** route("now", ["a/b"], {at: 5}) -> "#/now/a%2Fb?at=5" */
export function route(id, rest = [], query = {}) {
  const asked = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const path = [id, ...rest].map(encodeURIComponent).join("/");
  return `#/${path}${asked.length ? `?${new URLSearchParams(asked)}` : ""}`;
}
