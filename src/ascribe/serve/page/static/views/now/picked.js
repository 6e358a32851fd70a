// Two moments of a node's window: the one that is taken apart, and an earlier one that it is compared with.
import { el } from "../../dom.js";

/** picked.at and picked.since are indices of the history; the first follows what is new until somebody chooses. */
export function createPicked({ words, announce }, history, changed) {
  let at_us = null; // null: the newest
  let since_us = null; // null: the first of the window
  let first_us = 0; // where the sliders start
  // A slider goes by time, as the chart above it does, in steps of the usual distance of two moments.
  const input = (id, label, chosen) => {
    const moved = (event) => chosen(history.nearest(first_us + event.target.value * 1000));
    return el("input", { type: "range", id, min: 0, max: 0, "aria-label": words.t(label), oninput: moved });
  };
  const at = input("moment-at", "now.moment", (index) => choose(index));
  const since = input("moment-since", "now.since", (index) => {
    since_us = history.t_us[index];
    tell();
  });
  const atText = el("output", { for: "moment-at" });
  const sinceText = el("output", { for: "moment-since" });
  const follow = el("button", { type: "button", onclick: () => {
    at_us = null;
    announce(words.t("now.following"));
    tell();
  } }, words.t("now.follow"));
  const element = el(
    "div.picked", {},
    el("label", { for: "moment-since" }, el("b.mark", {}, "A"), words.t("now.since")), sinceText, since,
    el("label", { for: "moment-at" }, el("b.mark", {}, "B"), words.t("now.moment")), el("span.row", {}, atText, follow), at,
  );

  // What is drawn beside may take its time; a slider says at once where it stands.
  function tell() {
    picked.draw();
    changed();
  }

  function choose(index) {
    at_us = index === history.t_us.length - 1 ? null : history.t_us[index];
    tell();
  }

  function index(us, otherwise) {
    return us === null ? otherwise : history.nearest(us);
  }

  const picked = {
    element,
    get at() {
      return index(at_us, history.t_us.length - 1);
    },
    get since() {
      return history.t_us.length ? index(since_us, 0) : -1;
    },
    get following() {
      return at_us === null;
    },
    /** By a click on the time axis, milliseconds. */
    pick(ms, earlier = false) {
      const found = history.nearest(ms * 1000);
      if (found < 0) return;
      if (!earlier) return choose(found);
      since_us = history.t_us[found];
      tell();
    },
    draw() {
      element.hidden = !history.t_us.length;
      if (element.hidden) return;
      const ms = (us) => Math.round((us - history.t_us[0]) / 1000);
      const moved = ms(first_us);
      first_us = history.t_us[0];
      for (const [slider, text, place, chosen] of [[at, atText, picked.at, at_us], [since, sinceText, picked.since, since_us]]) {
        const stands = Number(slider.value) + moved;
        slider.max = ms(history.t_us.at(-1));
        slider.step = Math.max(1, Math.round(slider.max / Math.max(history.t_us.length - 1, 1)));
        slider.max = Math.ceil(slider.max / slider.step) * slider.step; // the last moment can be reached
        const near = ms(history.t_us[place]);
        // In use it stays at its time, also within a gap, from where the nearest moment would lead back.
        const used = chosen !== null && document.activeElement === slider;
        slider.value = used && (!moved || Math.abs(stands - near) > slider.step) ? stands : near;
        const told = words.time(history.t_us[place]);
        slider.setAttribute("aria-valuetext", told);
        text.textContent = told;
      }
      follow.disabled = picked.following;
    },
  };
  return picked;
}
