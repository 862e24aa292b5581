// The newest lines of the audit log, and the head of its chain.

import { ask, roomPath } from "./api.js";
import { settingName, settingValue } from "./dialog.js";
import { choice, el } from "./dom.js";
import { clock, moment, number } from "./format.js";
import { has, t } from "./words.js";

const LIMIT = 30;
// Said elsewhere in a row, or of no use to look at.
const NOT_TOLD = new Set(["seq", "time_ms", "event", "room", "hash", "by", "by_said", "version", "changed"]);

export class Trail {
  constructor(box, choices) {
    this.box = box;
    this.choices = choices;
    this.which = "operators";
  }

  async show(room) {
    this.room = room;
    choice(this.choices, ["operators", "all"].map((value) => ({ value, text: t(`trail_${value}`) })), this.which, (value) => { this.which = value; this.show(this.room); });
    const asked = this.asked = {};
    try {
      const told = await ask("GET", roomPath(room.room, `/audit?limit=${LIMIT}${this.which === "operators" ? "&by=operators" : ""}`));
      if (asked === this.asked) this.draw(told, room.timezone);
    } catch (problem) {
      if (asked === this.asked) this.box.replaceChildren(el("p", { class: "soft" }, problem.status === 404 ? t("trail_none") : t("failed", { why: problem.message })));
    }
  }

  draw({ head, lines, whole }, zone) {
    const rows = lines.map((line) => el("tr", {},
      el("td", {}, `${moment(line.time_ms, zone).replace(/\d\d:\d\d$/, "")} ${clock(line.time_ms, zone, true)}`.replace(/ +/g, " ")),
      el("td", {}, el("b", {}, has(`event_${line.event}`) ? t(`event_${line.event}`) : line.event)),
      el("td", {}, facts(line)),
      el("td", {}, line.by ? t(line.by_said ? "by_said" : "by", { name: line.by }) : "–")));
    this.box.replaceChildren(
      lines.length
        ? el("table", {}, el("caption", { class: "away-but-read" }, t("trail")), el("thead", {}, el("tr", {}, ...["when", "what", "facts", "who"].map((key) => el("th", { scope: "col" }, t(`trail_${key}`))))), el("tbody", {}, ...rows))
        : el("p", { class: "soft" }, t(whole ? "trail_empty" : "trail_far")),
      head ? el("p", { class: "soft small head" }, t("trail_head", { seq: number(head.seq) }), " ", el("code", {}, head.hash)) : "");
  }
}

function facts(line) {
  const changed = Object.entries(line.changed ?? {}).map(([name, { from, to }]) => t("changed", { name: settingName(name), from: settingValue(from), to: settingValue(to) }));
  const others = Object.entries(line).filter(([name, value]) => !NOT_TOLD.has(name) && value !== null).map(([name, value]) => `${name} ${settingValue(value)}`);
  return [...changed, ...others].join("; ");
}
