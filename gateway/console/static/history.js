// What the charts show: the last quarter of an hour as heard, or longer ago as the gateway has kept it.

import { ask, roomPath } from "./api.js";
import { draw } from "./charts.js";
import { choice, setText } from "./dom.js";
import { KEPT_MS, rows as heard } from "./memory.js";
import { t } from "./words.js";

const SPANS = { quarter: KEPT_MS, hours: 3 * 3_600_000, day: 24 * 3_600_000 };
const POINTS = 360;
const LEAST_MS = 60_000;

export class History {
  constructor(box, choices, note) {
    Object.assign(this, { box, choices, note, span: "quarter", kept: null, none: false });
  }

  // The newest of the backend's answer times: median and 95th percentile.
  get latency() {
    const last = (this.kept ?? []).findLast((row) => row.p50 !== null);
    return last && last.at > (this.room?.server_time_ms ?? 0) - 60_000 ? [last.p50, last.p95] : null;
  }

  // Ask for what is kept. 404: nothing is.
  async load(room) {
    if (this.room?.room !== room.room) this.kept = null;
    this.room = room;
    const from = room.server_time_ms - SPANS[this.span];
    const asked = this.asked = {};
    try {
      const told = await ask("GET", roomPath(room.room, `/history?from=${from}&before=${room.server_time_ms + 10_000}&step_s=${Math.max(10, Math.round(SPANS[this.span] / POINTS / 1000))}`));
      if (asked !== this.asked) return;
      this.kept = read(told);
      this.none = false;
    } catch (problem) {
      if (asked !== this.asked) return;
      if (problem.status === 404) this.none = true;
    }
    this.show(room);
  }

  show(room) {
    this.room = room;
    const options = Object.keys(SPANS).map((value) => ({ value, text: t(`span_${value}`), disabled: this.none && value !== "quarter" }));
    choice(this.choices, options, this.span, (value) => { this.span = value; this.kept = null; this.load(this.room); });
    const to = room.server_time_ms;
    const live = this.span === "quarter" ? heard(room.room) : [];
    const begins = live[0]?.at ?? Infinity;
    const rows = [...(this.kept ?? []).filter((row) => row.at < begins), ...live];
    // What is kept knows of the backend's times; what is heard does not.
    const times = new Map((this.kept ?? []).map((row) => [Math.floor(row.at / 10_000), row]));
    for (const row of rows) Object.assign(row, { p50: times.get(Math.floor(row.at / 10_000))?.p50 ?? row.p50 ?? null, p95: times.get(Math.floor(row.at / 10_000))?.p95 ?? row.p95 ?? null });
    setText(this.note, this.none ? t("charts_heard") : rows.length < 2 ? t("charts_wait") : "");
    this.note.hidden = !this.note.textContent;
    // Where nothing is kept there is nothing to show of before.
    const from = this.none && rows.length ? Math.min(to - LEAST_MS, Math.max(rows[0].at, to - SPANS[this.span])) : to - SPANS[this.span];
    draw(this.box, rows, { from, to, zone: room.timezone });
  }
}

function read(told) {
  const column = (name) => told[name] ?? [];
  return column("time_ms").map((at, index) => ({
    at, waiting: column("waiting")[index] ?? null, people: column("people_waiting")[index] ?? null, live: column("live")[index] ?? null,
    ceiling: column("ceiling")[index] ?? null, outflow: column("outflow")[index] ?? null, admitted: told.per_minute?.admitted?.[index] ?? null,
    low: column("wait_low_ms")[index] ?? null, high: column("wait_high_ms")[index] ?? null,
    p50: column("latency_p50_ms")[index] ?? null, p95: column("latency_p95_ms")[index] ?? null,
  }));
}
