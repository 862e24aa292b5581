// Small charts by hand: lines, a band, axes that people can read. What a line means is told by its dashes, too.

import { el, svg } from "./dom.js";
import { clock, number, span } from "./format.js";
import { t } from "./words.js";

const HEIGHT = 190, LEFT = 58, RIGHT = 10, TOP = 10, BOTTOM = 26;

const CHARTS = [
  { name: "chart_waiting", lines: [["waiting", "waiting"], ["people", "people", "second"]] },
  { name: "chart_inside", lines: [["live", "inside"], ["ceiling", "ceiling", "limit"]] },
  { name: "chart_rate", lines: [["admitted", "admitted_rate"], ["outflow", "outflow", "limit"]] },
  { name: "chart_wait", unit: span, lines: [["high", "wait_high"], ["low", "wait_low", "second"]] },
  { name: "chart_latency", unit: (ms) => t("ms", { n: number(Math.round(ms)) }), lines: [["p50", "latency_p50"], ["p95", "latency_p95", "second"]] },
];

// rows: by time, values null where not known. from, to: what the time axis shows.
export function draw(box, rows, { from, to, zone }) {
  const width = Math.max(280, Math.floor((box.clientWidth || 320) / columns(box.clientWidth)) - 18);
  box.replaceChildren(...CHARTS.filter(({ lines }) => rows.some((row) => lines.some(([key]) => row[key] !== null && row[key] !== undefined)))
    .map((chart) => figure(chart, rows, { from, to, zone, width })));
}

const columns = (width) => (width > 1500 ? 3 : width > 800 ? 2 : 1);

function figure({ name, lines, unit = number }, rows, { from, to, zone, width }) {
  const values = rows.flatMap((row) => lines.map(([key]) => row[key])).filter((value) => value !== null && value !== undefined);
  const { top, steps } = scale(Math.max(...values, 1), unit === span);
  const x = (at) => LEFT + (at - from) / (to - from) * (width - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
  const last = rows.at(-1);
  const said = lines.map(([key, word]) => `${t(word)} ${last?.[key] === null || last?.[key] === undefined ? t("not_known") : unit(last[key])}`).join(", ");
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img", "aria-label": `${t(name)}: ${said}` },
    steps.map((value) => [
      svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, unit === number ? short(value) : unit(value)),
    ]),
    ticks(from, to, width).map((at) => svg("text", { x: x(at), y: HEIGHT - 6, "text-anchor": "middle" }, clock(at, zone))),
    lines.map(([key, , kind = "first"]) => svg("path", { class: `line ${kind}`, d: path(rows, key, x, y, Math.max((to - from) / 40, 30_000)) })));
  return el("figure", {},
    el("figcaption", {}, el("b", {}, t(name)), ...lines.map(([key, word, kind = "first"]) => legend(t(word), kind, last?.[key], unit))),
    picture);
}

function legend(text, kind, value, unit) {
  const mark = svg("svg", { width: 26, height: 8, "aria-hidden": "true" }, svg("line", { class: `line ${kind}`, x1: 1, x2: 25, y1: 4, y2: 4 }));
  return el("span", { class: "legend" }, mark, ` ${text} `, el("b", {}, value === null || value === undefined ? "–" : unit(value)));
}

// A line with a gap wherever nothing is known for longer than `gap`.
function path(rows, key, x, y, gap) {
  let before = null, text = "";
  for (const row of rows) {
    const value = row[key];
    if (value === null || value === undefined) { before = null; continue; }
    text += `${before !== null && row.at - before < gap ? "L" : "M"}${x(row.at).toFixed(1)} ${y(value).toFixed(1)}`;
    before = row.at;
  }
  return text;
}

// Three or four round steps up to the highest value.
function scale(highest, isTime) {
  const sizes = isTime ? [15e3, 30e3, 60e3, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 144e5, 288e5, 576e5] : null;
  let size = 10 ** Math.floor(Math.log10(highest));
  if (sizes) size = sizes.find((each) => highest / each <= 4) ?? 864e5 * Math.ceil(highest / 864e5 / 4);
  else if (highest / size > 4) size *= highest / size > 8 ? 5 : 2.5;
  else if (highest / size <= 2) size /= 2;
  if (!sizes && size < 1) size = 1;
  const count = Math.max(1, Math.ceil(highest / size));
  return { top: count * size, steps: Array.from({ length: count + 1 }, (_, index) => index * size) };
}

// Moments to write below, as many as there is room for.
function ticks(from, to, width) {
  const sizes = [6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 144e5, 216e5];
  const size = sizes.find((each) => (to - from) / each <= width / 90) ?? 432e5;
  const found = [];
  for (let at = Math.ceil(from / size) * size; at <= to; at += size) found.push(at);
  return found.filter((at) => at - from > size / 6 && to - at > size / 6);
}

function short(value) {
  return value >= 1e6 ? `${number(value / 1e6)}M` : value >= 1e4 ? `${number(value / 1e3)}k` : number(value);
}
