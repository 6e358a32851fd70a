// What to be careful about with a node's numbers. Words that are not known here stand as the service said them.

/** -> [{code, short, long}] */
export function remarks(words, one) {
  const codes = [...new Set([...(one.stale ? ["stale"] : []), ...(one.warnings ?? []).map(String)])];
  if (one.status && one.status !== "ok" && !codes.includes(one.status)) codes.push(one.status);
  return codes.map((code) => {
    const known = words.has(`now.warnings.${code}.short`);
    const own = one.status === code && one.reason ? String(one.reason) : "";
    return {
      code,
      short: known ? words.t(`now.warnings.${code}.short`) : code,
      long: [known ? words.t(`now.warnings.${code}.long`) : code, own].filter(Boolean).join(" "),
    };
  });
}
