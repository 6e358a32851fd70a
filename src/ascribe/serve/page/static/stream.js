// Server-sent events read with fetch, so that the token goes along. One stream for the whole page.
import { createHeard } from "./heard.js";

const FIRST_MS = 500;
const MOST_MS = 15000;
const SILENT_MS = 30000; // three heartbeats
const LONGEST = 4 << 20; // characters of one event; what is longer is no event of this service

/** Chunks of text in, events {event, data, id} out (WHATWG HTML, 9.2.6). */
export function createParser(tell) {
  let held = "";
  let event = "";
  let data = [];
  let id = null;
  function line(text) {
    if (text === "") {
      if (data.length) tell({ event: event || "message", data: data.join("\n"), id });
      event = "";
      data = [];
      return;
    }
    if (text.startsWith(":")) return;
    const at = text.indexOf(":");
    const name = at < 0 ? text : text.slice(0, at);
    const value = at < 0 ? "" : text.slice(at + 1).replace(/^ /, "");
    if (name === "event") event = value;
    else if (name === "data") data.push(value);
    else if (name === "id" && !value.includes("\0")) id = value;
  }
  return (chunk) => {
    held += chunk;
    if (held.length > LONGEST) throw new Error("an event without an end");
    const lines = held.split(/\r\n|\n|\r(?!$)/);
    held = lines.pop();
    lines.forEach(line);
  };
}

/**
 * stream.on("moment", f) -> off; stream.onState(f) -> off, with "connecting", "live", "waiting", "refused" or "none".
 * "none": the service has no such stream, and is not asked again before `again()`.
 * Beside the service's events: "again" once the stream is back after a break, when what was missed must be asked for.
 */
export function createStream(api, path = "/v1/events") {
  const heard = new Map();
  const watching = createHeard();
  let state = "connecting";
  let last = "";
  let tries = 0;
  let opened = 0;
  let missed = false; // it could not be reached before it was
  let cut = () => {};
  let wake = () => {};

  function say(next) {
    if (state === next) return;
    state = next;
    watching.tell(next);
  }

  function tell(name, value) {
    for (const call of heard.get(name) ?? []) {
      try {
        call(value);
      } catch (error) {
        console.error(error);
      }
    }
  }

  async function read(signal, alive) {
    const sent = api.token;
    const headers = { Accept: "text/event-stream", ...api.headers(), ...(last ? { "Last-Event-ID": last } : {}) };
    const answer = await fetch(path, { headers, signal, cache: "no-store" });
    if (answer.status === 401) {
      say("refused");
      if (!(await api.refused(sent))) await new Promise((done) => (wake = done));
      return;
    }
    if (answer.status === 403 || answer.status === 404) {
      say(answer.status === 403 ? "refused" : "none");
      await new Promise((done) => (wake = done));
      return;
    }
    if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`);
    tries = 0;
    say("live");
    if (opened++ || missed) tell("again");
    missed = false;
    const parse = createParser(({ event, data, id }) => {
      if (id !== null) last = id;
      let value;
      try {
        value = JSON.parse(data);
      } catch {
        return; // half an event of a server that went away
      }
      tell(event, value);
    });
    const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await text.read();
      if (done) return;
      alive();
      parse(value);
    }
  }

  async function run() {
    for (;;) {
      const one = new AbortController();
      let timer = 0;
      const alive = () => {
        clearTimeout(timer);
        timer = setTimeout(() => one.abort(), SILENT_MS);
      };
      cut = () => one.abort();
      alive();
      try {
        await read(one.signal, alive);
      } catch {
        missed = true; // said by the state
      }
      clearTimeout(timer);
      say("waiting");
      const pause = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(tries++, 8)) * (0.75 + Math.random() / 2);
      await new Promise((done) => {
        wake = done;
        setTimeout(done, pause);
      });
    }
  }

  return {
    get state() {
      return state;
    },
    on(name, call) {
      if (!heard.has(name)) heard.set(name, new Set());
      heard.get(name).add(call);
      return () => heard.get(name).delete(call);
    },
    onState: watching.on,
    start: run,
    /** Try again now: the token is another one, or the network is back. */
    again() {
      cut();
      wake();
    },
  };
}
