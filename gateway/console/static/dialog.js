// A question before something is done: what it does, its fields, and why it could not be done.

import { Problem } from "./api.js";
import { button, el } from "./dom.js";
import { number } from "./format.js";
import { has, t } from "./words.js";

const NOT_TOLD = new Set(["version"]);

// What differs between settings as they were seen and as they are: [name, was, is]. For where the gateway cannot say.
function differences(seen, current) {
  const text = (value) => JSON.stringify(value ?? null);
  return Object.keys(current).filter((name) => !NOT_TOLD.has(name) && text(seen[name]) !== text(current[name])).map((name) => [name, seen[name], current[name]]);
}

export const settingName = (name) => (has(`set_${name}`) ? t(`set_${name}`) : name);

export function settingValue(value) {
  if (typeof value === "number") return number(value);
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "string") return has(`state_${value}`) ? t(`state_${value}`) : value;
  return JSON.stringify(value);
}

// What was wrong, in words; after a 412 with what somebody else has changed.
export function problemText(problem, seen) {
  if (!(problem instanceof Problem)) throw problem;
  if (problem.status === 412 && problem.more.current) {
    const told = problem.more.changed;
    const changed = told
      ? Object.entries(told).map(([name, { yours_was: was, is }]) => [name, was, is])
      : differences(seen, problem.more.current.settings);
    return [el("p", {}, t("conflict")), el("ul", {}, ...changed.map(([name, was, is]) => el("li", {}, t("changed", { name: settingName(name), from: settingValue(was), to: settingValue(is) }))))];
  }
  const more = problem.more.problems ?? [];
  const why = problem.status === 403 ? t("forbidden") : problem.status === 429 ? t("too_many") : t("failed", { why: problem.message });
  return [el("p", {}, why), ...more.map((each) => el("p", { class: "small" }, each))];
}

// fields: elements; check: whether it may be sent now. act(version) does it, or throws; it is asked again with the newest
// version after somebody else was faster. room: as it was when the question was asked.
export function confirm({ title, text = [], fields = [], verb, danger = false, check = () => true, room, act }) {
  return new Promise((resolve) => {
    let { settings } = room;
    const said = el("div", { class: "problem", role: "alert", hidden: true });
    const go = el("button", { type: "submit", class: danger ? "danger" : "main" }, verb);
    const form = el("form", { method: "dialog" },
      el("h2", { id: "ask-head" }, title), ...text.map((line) => el("p", {}, line)), ...fields, said,
      el("div", { class: "row end" }, button(t("cancel"), () => box.close()), go));
    const box = el("dialog", { "aria-labelledby": "ask-head" }, form);
    const look = () => { go.disabled = !check(); };
    form.addEventListener("input", look);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (!check() || go.disabled) return;
      go.disabled = true;
      try {
        const done = await act(settings.version);
        resolve(done);
        box.close();
      } catch (problem) {
        said.replaceChildren(...problemText(problem, settings));
        said.hidden = false;
        if (problem.more?.current) settings = problem.more.current.settings;
        look();
      }
    });
    box.addEventListener("close", () => { box.remove(); resolve(null); });
    document.body.append(box);
    look();
    box.showModal();
  });
}
