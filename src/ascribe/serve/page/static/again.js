// What could not be had is asked for again while the service is away or has no room. A refusal stays one.
export const AGAIN_MS = 3000;

const PASSING = new Set([0, 429, 502, 503, 504]);

export const passing = (problem) => PASSING.has(problem?.status);

/** `ask()` until it is answered: then `good(answer)`; `bad(problem)` each time that it is not. -> stop() */
export function untilAnswered(ask, good, bad) {
  let timer = 0;
  let stopped = false;

  async function run() {
    let got;
    try {
      got = await ask();
    } catch (problem) {
      if (stopped) return;
      bad(problem);
      if (passing(problem)) timer = setTimeout(run, AGAIN_MS);
      return;
    }
    if (!stopped) good(got);
  }

  run();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
