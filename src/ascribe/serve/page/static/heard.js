// Who wants to be told of something.
export function createHeard() {
  const calls = new Set();
  return {
    /** -> off */
    on(call) {
      calls.add(call);
      return () => calls.delete(call);
    },
    tell: (...what) => calls.forEach((call) => call(...what)),
  };
}
