// What operators do beside the two limits. Each is confirmed first; what a role may not do is not offered.

import { ask, may, roomPath } from "./api.js";
import { confirm } from "./dialog.js";
import { button, el, setText } from "./dom.js";
import { inZone, local, moment } from "./format.js";
import { language, t } from "./words.js";

const HALF_AN_HOUR = 1_800_000;

// Of a postponement: windows of the calendar that end before the new opening, and have to be moved too.
function missed({ missed = [], timezone }) {
  if (!missed.length) return [];
  const lines = missed.map((each) => el("li", {}, t("missed_window", { window: each.window, people: each.people[language], at: moment(Date.parse(each.closes_at), timezone) })));
  return [el("div", { class: "problem", role: "alert" }, el("p", {}, t("missed")), el("ul", {}, ...lines))];
}

export class Actions {
  constructor(box, onchanged) {
    this.box = box;
    this.onchanged = onchanged;
    this.key = "";
  }

  show(room) {
    this.room = room;
    const key = [room.room, room.state, language, may("operator"), may("admin")].join("/");
    if (key === this.key) return;
    this.key = key;
    const state = room.settings.state;
    const offered = [
      state === "open" ? ["pause", () => this.state("pause", "paused")] : ["resume", () => this.state("resume", "open")],
      state === "closed" ? null : ["close", () => this.state("close", "closed", true)],
      ["postpone", () => this.postpone()],
      ["message", () => this.message()],
      may("admin") && state !== "passthrough" ? ["passthrough", () => this.passthrough()] : null,
      may("admin") ? ["reset", () => this.reset()] : null,
    ].filter(Boolean);
    this.said = el("div", { class: "small", role: "status" });
    // What was said stays when the room's state has changed.
    if (this.told?.room === room.room) this.said.replaceChildren(...this.told.lines);
    this.box.replaceChildren(el("h2", { id: "actions-head" }, t("actions")),
      may("operator")
        ? el("div", { class: "buttons" }, ...offered.map(([name, act]) => button(t(`do_${name}`), act, { class: ["passthrough", "reset"].includes(name) ? "danger" : "", "data-do": name })))
        : el("p", { class: "soft" }, t("only_looking")),
      this.said);
  }

  say(...lines) {
    this.told = { room: this.room.room, lines: lines.map((line) => (line instanceof Node ? line : el("p", {}, line))) };
    this.said.replaceChildren(...this.told.lines);
  }

  // question: as `confirm` has it, but for the room; send(version) makes the request.
  async carry(question, send) {
    const { room } = this;
    const done = await confirm({ ...question, room, act: send });
    if (!done) return;
    if (done.answered === 202) return this.say(t("second_person", { id: done.approval }));
    this.onchanged(done);
    this.say(t("done"), ...missed(done));
  }

  patch(question, body) {
    const path = roomPath(this.room.room);
    return this.carry(question, (version) => ask("PATCH", path, { body: body(), version }));
  }

  state(name, state, danger = false) {
    return this.patch({ title: t(`do_${name}`), text: [t(`why_${name}`)], verb: t(`do_${name}`), danger }, () => ({ state }));
  }

  postpone() {
    const { room } = this, zone = room.timezone;
    const from = room.opens_at ? Date.parse(room.opens_at) : room.server_time_ms;
    const suggested = Math.ceil((Math.max(from, room.server_time_ms) + HALF_AN_HOUR) / 300_000) * 300_000;
    const when = el("input", { id: "ask-when", type: "datetime-local", required: true, value: local(suggested, zone) });
    const reason = el("input", { id: "ask-reason", type: "text", maxlength: 200, required: true });
    const said = el("p", { class: "small", "aria-live": "polite" });
    const at = () => (when.value ? inZone(when.value, zone) : NaN);
    const look = () => setText(said, Number.isNaN(at()) ? "" : t("postpone_to", { at: moment(at(), zone), zone }));
    when.addEventListener("input", look);
    look();
    return this.carry({
      title: t("do_postpone"), text: [t("why_postpone")], verb: t("do_postpone"),
      fields: [el("label", { for: "ask-when" }, t("postpone_when", { zone })), when, said, el("label", { for: "ask-reason" }, t("reason")), reason],
      check: () => !Number.isNaN(at()) && reason.value.trim() !== "",
    }, (version) => ask("POST", roomPath(room.room, "/postpone"), { body: { opens_at: new Date(at()).toISOString(), reason: reason.value.trim() }, version }));
  }

  message() {
    const known = this.room.settings.message ?? {};
    const parts = ["ko", "en"].map((lang) => {
      const field = el("textarea", { id: `ask-${lang}`, rows: 2, lang, maxlength: 500 });
      field.value = known[lang] ?? "";
      const shown = el("p", { class: "seen", lang });
      const look = () => { setText(shown, field.value.trim()); shown.hidden = !field.value.trim(); };
      field.addEventListener("input", look);
      look();
      return { lang, field, shown };
    });
    return this.patch({
      title: t("do_message"), text: [t("why_message")], verb: t("send"),
      fields: [
        ...parts.flatMap(({ lang, field }) => [el("label", { for: `ask-${lang}` }, t(`message_${lang}`)), field]),
        el("p", { class: "soft small" }, t("message_seen")), ...parts.map(({ shown }) => shown),
      ],
    }, () => ({ message: Object.fromEntries(parts.map(({ lang, field }) => [lang, field.value.trim()]).filter(([, text]) => text)) }));
  }

  passthrough() {
    const path = roomPath(this.room.room, "/passthrough");
    return this.carry(this.typed("passthrough"), (version) => ask("POST", path, { body: {}, version }));
  }

  reset() {
    const { room } = this;
    return this.carry(this.typed("reset"), (version) => ask("POST", roomPath(room.room, "/reset"), { body: { confirm: room.room }, version }));
  }

  // For what cannot be undone: the room's name is typed.
  typed(name) {
    const { room } = this;
    const field = el("input", { id: "ask-name", type: "text", autocomplete: "off", spellcheck: "false", required: true });
    return {
      title: t(`do_${name}`), text: [t(`why_${name}`)], verb: t(`do_${name}`), danger: true,
      fields: [el("label", { for: "ask-name" }, t("type_name", { name: room.room })), field],
      check: () => field.value === room.room,
    };
  }
}
