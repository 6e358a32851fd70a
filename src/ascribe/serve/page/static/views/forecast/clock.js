// Times in the zone of the model. The axis counts in that zone's own midnights: positions are moved by its offset.

/** `at_s`: whose offset holds for the whole picture; labels say the true local time of each moment. */
export function createClock(language, zone, at_s) {
  const known = usable(zone) ? zone : "UTC";
  const made = (options) => new Intl.DateTimeFormat(language, { timeZone: known, hourCycle: "h23", ...options });
  const [day, hour, whole] = [
    made({ month: "short", day: "numeric" }), made({ hour: "2-digit", minute: "2-digit" }),
    made({ weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }),
  ];
  const offset_ms = offsetOf(known, at_s);
  return {
    zone: known,
    place: (t_s) => t_s * 1000 + offset_ms,
    /** Of a place on the axis: the day at midnight, else the hour. */
    tick(place) {
      const at = new Date(place - offset_ms);
      const text = hour.format(at);
      return text === "00:00" ? day.format(at) : text;
    },
    full: (t_s) => whole.format(new Date(t_s * 1000)),
  };
}

function usable(zone) {
  try {
    return Boolean(new Intl.DateTimeFormat("en", { timeZone: zone }));
  } catch {
    return false; // a zone that this browser does not know
  }
}

function offsetOf(zone, at_s) {
  const parts = new Intl.DateTimeFormat("en", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
  }).formatToParts(new Date(at_s * 1000));
  const part = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - Math.floor(at_s) * 1000;
}
