// Whether the opening was armed by a drill, and how to make one.

import { el } from "./dom.js";
import { moment } from "./format.js";
import { t } from "./words.js";

export function drill(room) {
  const { armed } = room;
  const said = !armed ? t("armed_not") : t(armed.stands ? "armed" : "armed_before", { at: moment(Date.parse(armed.at), room.timezone), by: armed.by ?? "–", drill: armed.drill ?? "–" });
  return [
    el("p", { class: armed?.stands ? "good" : "" }, el("span", { "aria-hidden": "true" }, armed?.stands ? "✓ " : "○ "), said),
    el("p", { class: "soft small" }, t("drill_why")),
    el("code", {}, "sunbeon drill --url https://… --report drill.json"), el("br"),
    el("code", {}, `sunbeon room arm ${room.room} --drill drill.json`),
  ];
}
