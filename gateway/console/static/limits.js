// Outflow and ceiling: fields, steps, and what the change would do before it is made.

import { ask, may, roomPath } from "./api.js";
import { problemText } from "./dialog.js";
import { button, el, setText } from "./dom.js";
import { number, range } from "./format.js";
import { language, t } from "./words.js";

const NAMES = ["new_users_per_minute", "total_active_users"];
const MOST = 10_000_000;
const PAUSE_MS = 250;

export class Limits {
  // onchanged: the room as a change has left it.
  constructor(box, onchanged) {
    this.box = box;
    this.onchanged = onchanged;
    this.key = "";
  }

  show(room) {
    this.room = room;
    const key = `${room.room}/${language}/${may("operator")}`;
    if (key !== this.key) this.build(key);
    if (!this.edited) {
      this.seen = room.settings;
      for (const name of NAMES) this.fields[name].value = room.settings[name];
    }
    const set = NAMES.filter((name) => room.in_force[name] !== room.settings[name]);
    setText(this.timetable, set.map((name) => t("by_timetable", { name: t(`set_${name}`), n: number(room.in_force[name]) })).join(" "));
    this.timetable.hidden = set.length === 0;
  }

  get edited() {
    return this.wanted && NAMES.some((name) => this.wanted[name] !== this.seen[name]);
  }

  build(key) {
    this.key = key;
    this.wanted = null;
    const changeable = may("operator");
    this.fields = Object.fromEntries(NAMES.map((name) => [name, el("input", {
      id: `field-${name}`, type: "number", min: 0, max: MOST, step: 1, inputmode: "numeric", required: true, readonly: !changeable, oninput: () => this.edit(),
    })]));
    this.effect = el("p", { class: "effect", "aria-live": "polite" });
    this.timetable = el("p", { class: "small warn", hidden: true });
    this.said = el("div", { class: "problem", role: "alert", hidden: true });
    this.apply = el("button", { type: "submit", class: "main", disabled: true }, t("apply"));
    this.undo = button(t("undo"), () => this.forget(), { disabled: true });
    const rows = NAMES.map((name) => el("div", { class: "field" },
      el("label", { for: `field-${name}` }, t(`set_${name}`)),
      el("div", { class: "stepper" },
        changeable ? button("−", () => this.step(name, -1), { "aria-label": t("less", { name: t(`set_${name}`) }) }) : null,
        this.fields[name],
        changeable ? button("+", () => this.step(name, 1), { "aria-label": t("more", { name: t(`set_${name}`) }) }) : null)));
    const form = el("form", { novalidate: true }, ...rows, this.timetable, this.effect, this.said, changeable ? el("div", { class: "row end" }, this.undo, this.apply) : null);
    form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    this.box.replaceChildren(el("h2", { id: "limits-head" }, t("limits")), changeable ? form : el("div", {}, ...form.childNodes));
  }

  // About a tenth up or down, to a round number.
  step(name, way) {
    const now = Number(this.fields[name].value) || 0;
    const size = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(now, 1))) - 1) * (now >= 50 ? 5 : 1);
    this.fields[name].value = Math.min(MOST, Math.max(0, (way > 0 ? Math.floor(now / size) : Math.ceil(now / size)) * size + way * size));
    this.edit();
  }

  edit() {
    this.wanted = Object.fromEntries(NAMES.map((name) => [name, /^\d{1,8}$/.test(this.fields[name].value) ? Number(this.fields[name].value) : null]));
    const valid = NAMES.every((name) => this.wanted[name] !== null && this.wanted[name] <= MOST);
    this.apply.disabled = !valid || !this.edited;
    this.undo.disabled = !this.edited;
    this.said.hidden = true;
    clearTimeout(this.timer);
    if (!this.edited) return setText(this.effect, "");
    if (!valid) return setText(this.effect, t("not_a_number", { most: number(MOST) }));
    this.timer = setTimeout(() => this.foresee(), PAUSE_MS);
  }

  async foresee() {
    const asked = this.wanted, name = this.room.room;
    try {
      const told = await ask("GET", roomPath(name, `/preview?${new URLSearchParams(asked)}`));
      if (asked !== this.wanted || name !== this.room.room) return;
      setText(this.effect, effect(told));
    } catch {
      setText(this.effect, t("no_preview"));
    }
  }

  forget() {
    this.wanted = null;
    this.said.hidden = true;
    this.apply.disabled = this.undo.disabled = true;
    setText(this.effect, "");
    this.show(this.room);
  }

  async send() {
    if (this.apply.disabled) return;
    this.apply.disabled = true;
    const changed = Object.fromEntries(NAMES.filter((name) => this.wanted[name] !== this.seen[name]).map((name) => [name, this.wanted[name]]));
    try {
      const after = await ask("PATCH", roomPath(this.room.room), { body: changed, version: this.seen.version });
      this.room = after;
      this.forget();
      setText(this.effect, t("done"));
      this.onchanged(after);
    } catch (problem) {
      this.said.replaceChildren(...problemText(problem, this.seen));
      this.said.hidden = false;
      if (problem.more?.current) {
        this.seen = problem.more.current.settings;
        this.foresee();
      }
      this.apply.disabled = !this.edited;
    }
  }
}

function effect(told) {
  const limits = t("at_limits", { outflow: number(told.then.in_force.new_users_per_minute), ceiling: number(told.then.in_force.total_active_users) });
  if (!told.waiting) return `${limits} ${t("effect_nobody")}`;
  const then = range(told.then.wait_ms), now = range(told.now.wait_ms);
  return `${limits} ${then ? t("effect", { then }) : t("effect_unknown")} ${now ? t("effect_now", { now }) : ""}`.trim();
}
