// The REST door, asked with the caller's token. What goes wrong is a Problem with the service's own words.
import { search } from "./router.js";

const KEPT = "ascribe.token";

/** problem+json (RFC 9457), or what stands for it where nobody answered: then `status` is 0. `errors`: [{field, reason}]. */
class Problem extends Error {
  constructor(status, title, detail, code = "", errors = []) {
    super(detail || title);
    Object.assign(this, { status, title, detail, code, errors });
  }
}

/**
 * api.get(path, query), api.post(path, body, headers), api.ask(path, options) -> Response, api.headers().
 * `askToken()` -> a promise of a token, or of null where the user gives none; asked once for all that wait.
 */
export function createApi(askToken, storage = sessionStorage) {
  let asking = null;

  const api = {
    get token() {
      return storage.getItem(KEPT) ?? "";
    },
    set token(text) {
      if (text) storage.setItem(KEPT, text);
      else storage.removeItem(KEPT);
    },
    headers: () => (api.token ? { Authorization: `Bearer ${api.token}` } : {}),

    /** The token is asked for where the service wants one and nobody has given another since `sent` was. Resolves to whether there is another one to try. */
    async refused(sent) {
      if (api.token !== sent) return true;
      asking ??= Promise.resolve(askToken()).finally(() => (asking = null));
      return asking.then((token) => {
        if (token) api.token = token;
        return Boolean(token);
      });
    },

    async ask(path, { method = "GET", query = {}, headers = {}, body, signal, again = true } = {}) {
      const sent = api.token;
      let answer;
      try {
        const all = { Accept: "application/json", ...api.headers(), ...headers };
        answer = await fetch(path + search(query), { method, headers: all, body, signal, cache: "no-store" });
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Problem(0, "unreachable", "", "unreachable");
      }
      if (answer.status === 401 && again && (await api.refused(sent)))
        return api.ask(path, { method, query, headers, body, signal, again: false });
      if (!answer.ok) throw await problemOf(answer);
      return answer;
    },

    get: async (path, query = {}, options = {}) => (await api.ask(path, { query, ...options })).json(),

    /** An object goes as JSON; anything else as it is, with the Content-Type that `headers` say. */
    async post(path, body, headers = {}, options = {}) {
      const plain = body && Object.getPrototypeOf(body) === Object.prototype;
      const all = plain ? { "Content-Type": "application/json", ...headers } : headers;
      return (await api.ask(path, { method: "POST", body: plain ? JSON.stringify(body) : body, headers: all, ...options })).json();
    },
  };
  return api;
}

async function problemOf(answer) {
  try {
    const told = await answer.json();
    return new Problem(answer.status, String(told.title ?? ""), String(told.detail ?? ""), String(told.code ?? ""), Array.isArray(told.errors) ? told.errors : []);
  } catch {
    return new Problem(answer.status, answer.statusText, "");
  }
}
