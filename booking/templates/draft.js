// Keeps what is typed into a form in this tab until the visit is over, so that it outlives a turn that ends meanwhile
// and the waiting page that comes instead. Never consent: that is given anew. The booking works without this.
(() => {
  const PREFIX = "booking:draft:";
  // The visit is over: who goes back from here, perhaps somebody else at a shared computer, finds empty forms.
  const OVER = "booking:over";
  let store;
  try {
    store = window.sessionStorage;
    const forget = document.body.dataset.forget;
    for (const name of (forget || "").split(" ")) store.removeItem(PREFIX + name);
    if (forget) store.setItem(OVER, "1");
  } catch {
    store = null; // Switched off: browsers then throw at the first touch.
  }
  // One press, one request: an identity check takes seconds, and each counts.
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if ("sent" in form.dataset) return event.preventDefault();
      form.dataset.sent = "";
      setTimeout(() => delete form.dataset.sent, 8000);
    });
  }
  addEventListener("pageshow", () => document.querySelectorAll("[data-sent]").forEach((form) => delete form.dataset.sent));
  addEventListener("pageshow", (event) => {
    const [way] = performance.getEntriesByType("navigation");
    if (!store?.getItem(OVER)) return;
    if (event.persisted || way?.type === "back_forward") {
      for (const field of document.querySelectorAll("form[method=post] input")) if (field.type === "text") field.value = "";
    } else if (document.querySelector("form[data-draft]")) store.removeItem(OVER); // Somebody begins anew.
  });
  const form = document.querySelector("form[data-draft]");
  if (!form || !store) return;
  const hint = document.querySelector("[data-unkept]");
  if (hint) hint.hidden = true;
  const key = PREFIX + form.dataset.draft;
  const fields = [...form.elements].filter((field) => field.name && ["text", "radio"].includes(field.type));
  let draft = {};
  try {
    draft = JSON.parse(store.getItem(key)) || {};
  } catch {
    store.removeItem(key);
  }
  // An answer to the form shows what was sent with it; nothing can be newer.
  if (!("answered" in form.dataset)) {
    let filled = false;
    for (const field of fields) {
      const kept = draft[field.name];
      if (typeof kept !== "string") continue;
      if (field.type === "radio") field.checked = field.value === kept || field.checked;
      else if (kept && kept !== field.value) {
        field.value = kept;
        filled = true;
      }
    }
    if (filled) document.querySelector("[data-kept]").hidden = false;
  }
  const keep = () => {
    const now = {};
    for (const field of fields) if (field.type !== "radio" || field.checked) now[field.name] = field.value;
    try {
      store.setItem(key, JSON.stringify(now));
    } catch {
      // Full, or switched off: nothing is kept.
    }
  };
  form.addEventListener("input", keep);
  form.addEventListener("submit", keep);
  if ("answered" in form.dataset) keep();
})();
