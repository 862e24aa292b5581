// Counts down what the server said is left, on a clock that ignores changes of the device's time. A comfort only:
// the hold ends when the server says so, and the time it ends at is written beside it.
(() => {
  const shown = document.querySelector("[data-left-s]");
  if (!shown) return;
  const left = Number(shown.dataset.leftS);
  const started = performance.now();
  const show = () => {
    const rest = Math.max(0, Math.ceil(left - (performance.now() - started) / 1000));
    shown.textContent = Math.floor(rest / 60) + ":" + String(rest % 60).padStart(2, "0");
    if (rest > 0) return setTimeout(show, 500);
    document.getElementById("over").hidden = false;
  };
  document.getElementById("left").hidden = false;
  show();
})();
