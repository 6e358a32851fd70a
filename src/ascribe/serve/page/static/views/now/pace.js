// Many calls become one: the first at once, then one for each `ms` in which there were any; `now()` does not wait.
export function paced(ms, call) {
  let timer = 0;
  let again = false;
  function run() {
    timer = setTimeout(() => {
      timer = 0;
      if (again) run();
    }, ms);
    again = false;
    call();
  }
  const asked = () => (timer ? (again = true) : run());
  asked.now = () => {
    clearTimeout(timer);
    if (timer >= 0) run();
  };
  asked.stop = () => {
    clearTimeout(timer);
    again = false;
    timer = -1; // nothing is called any more
  };
  return asked;
}
