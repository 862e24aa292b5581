// What waits for a second person: another admin confirms it here.

import { ask, may, session } from "./api.js";
import { button, el } from "./dom.js";
import { clock } from "./format.js";
import { has, t } from "./words.js";

export class Approvals {
  constructor(box, onchanged) {
    this.box = box;
    this.onchanged = onchanged;
  }

  async load(room) {
    const told = await ask("GET", "/api/approvals").catch(() => null);
    if (told) this.draw(told.approvals.filter((one) => one.room === room.room), room.timezone);
  }

  draw(waiting, zone) {
    this.box.hidden = waiting.length === 0;
    // Drawn again only if something is new, so that nobody presses what has just moved.
    const key = JSON.stringify([waiting, document.documentElement.lang]);
    if (key === this.key) return;
    this.key = key;
    this.box.replaceChildren(el("h2", {}, t("approvals")), ...waiting.map((one) => this.row(one, zone)));
  }

  row(one, zone) {
    const said = el("p", { class: "small", role: "alert" });
    const name = has(`do_${one.action}`) ? t(`do_${one.action}`) : one.action;
    const approve = async (event) => {
      event.target.disabled = true;
      try {
        this.onchanged(await ask("POST", `/api/approvals/${encodeURIComponent(one.approval)}`, { body: {} }));
        this.draw([], zone);
      } catch (problem) {
        said.textContent = t("failed", { why: problem.message });
        event.target.disabled = false;
      }
    };
    const text = t("approval", { name, by: one.by, at: clock(Date.parse(one.expires_at), zone) });
    return el("div", { class: "row" }, el("p", {}, text),
      may("admin") && session.me.name !== one.by ? button(t("approve", { name }), approve, { class: "danger" }) : null, said);
  }
}
