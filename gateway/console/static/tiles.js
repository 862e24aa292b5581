// The numbers of a room.

import { el } from "./dom.js";
import { clock, moment, number, percent, range, span } from "./format.js";
import { admittedPerMinute } from "./memory.js";
import { t } from "./words.js";

const SIGNS = { open: "▶", paused: "⏸", closed: "■", sold_out: "∅", passthrough: "⇉", early: "◷", prequeue: "◷" };
const at = (iso) => (iso ? Date.parse(iso) : null);

export const sign = (state) => SIGNS[state] ?? "•";

// What the room is doing, in a line each.
export function state(room) {
  const zone = room.timezone;
  const opens = at(room.opens_at), closes = at(room.closes_at), from = at(room.postponed_from);
  const now = room.server_time_ms;
  const lines = [];
  if (opens && opens > now) lines.push(t("opens_in", { at: moment(opens, zone), in: span(opens - now) }));
  if (from) lines.push(t("postponed_from", { at: moment(from, zone) }));
  if (closes && closes > now) lines.push(t("closes_in", { at: moment(closes, zone), in: span(closes - now) }));
  const message = Object.entries(room.settings.message ?? {}).filter(([, text]) => text);
  return [
    el("p", { class: `badge is-${room.state}` }, el("span", { "aria-hidden": "true" }, sign(room.state)), ` ${t(`state_${room.state}`)}`),
    el("div", { class: "grow" },
      el("h1", {}, room.title[document.documentElement.lang] || room.room),
      el("p", { class: "soft small" }, [room.title[document.documentElement.lang] ? room.room : null, t("clock", { at: clock(now, zone, true), zone }), t("version", { n: number(room.settings.version) })].filter(Boolean).join(" · ")),
      ...lines.map((line) => el("p", { class: "small" }, line)),
      ...message.map(([language, text]) => el("p", { class: "told", lang: language }, el("span", { class: "soft" }, `${t("message")} (${language}) `), text))),
  ];
}

function tile(name, value, { more = [], part = null, alarm = false } = {}) {
  const bar = part === null ? null : el("div", { class: "bar", "aria-hidden": "true" }, el("div"));
  if (bar) bar.firstChild.style.width = `${Math.min(100, Math.max(0, part * 100))}%`;
  return el("div", { class: `tile${alarm ? " alarm" : ""}` },
    el("h3", {}, alarm ? el("span", { class: "alarm-sign", "aria-hidden": "true" }, "! ") : null, name),
    el("div", {}, el("p", { class: "value" }, value), bar, ...more.filter(Boolean).map((line) => el("p", { class: "soft small" }, line))));
}

// Counters that begin so, by the rest of their names.
function kinds(room, prefix) {
  return Object.entries(room.counters).filter(([name, n]) => name.startsWith(prefix) && n).map(([name, n]) => [name.slice(prefix.length), n]).sort((a, b) => b[1] - a[1]);
}

const sum = (pairs) => pairs.reduce((total, [, n]) => total + n, 0);
const listed = (pairs) => pairs.slice(0, 5).map(([name, n]) => `${name} ${number(n)}`).join(", ");

export function tiles(room, told, latency) {
  const counters = room.counters, force = room.in_force;
  const count = (name) => counters[name] ?? 0;
  const rate = admittedPerMinute(room.room);
  const refused = kinds(room, "refused."), errors = kinds(room, "backend."), exempt = kinds(room, "exempt.");
  const down = (told.servers ?? []).filter((server) => !server.up);
  const waves = Object.entries(room.waves);
  const seats = room.lane_waiting + room.lane_granted;
  const aside = count("passthrough") + count("fail_open") + sum(exempt);
  return [
    tile(t("waiting"), number(room.waiting), { more: [t("last_number", { n: number(room.tail) })] }),
    tile(t("people"), room.people_waiting === null ? t("not_known") : number(room.people_waiting), { more: [t("people_why")] }),
    tile(t("wait"), room.waiting ? range(room.wait_ms) ?? t("not_known") : t("nobody"), { more: [t("wait_why")] }),
    tile(t("inside"), t("of", { n: number(room.live), of: number(force.total_active_users) }), { part: force.total_active_users ? room.live / force.total_active_users : 1 }),
    tile(t("admitted_rate"), rate === null ? t("measuring") : t("of", { n: number(rate), of: number(force.new_users_per_minute) }), { part: rate !== null && force.new_users_per_minute ? rate / force.new_users_per_minute : 0, more: [t("admitted_all", { n: number(count("admitted")) })] }),
    tile(t("door"), number(seats), { more: [t("called_to", { n: number(room.serving) })] }),
    tile(t("completed"), number(count("completed")), { more: [t("expired", { n: number(count("expired")) })] }),
    tile(t("no_shows"), number(count("no_shows")), { more: [t("left", { n: number(count("left")) }), t("late", { n: number(count("admitted_late")) })] }),
    tile(t("refused"), number(sum(refused) + count("damaged")), { more: [listed(count("damaged") ? [...refused, ["damaged", count("damaged")]] : refused)] }),
    tile(t("backend"), t("errors", { n: number(sum(errors)) }), {
      alarm: down.length > 0,
      more: [listed(errors), latency ? t("latency", { p50: number(latency[0]), p95: number(latency[1]) }) : t("latency_none"), down.length ? t("servers_down", { names: down.map((server) => server.name).join(", ") }) : t("servers_up", { n: number((told.servers ?? []).length) })],
    }),
    tile(t("estimates"), room.estimates_within === null ? t("not_known") : percent(room.estimates_within), { more: [t("estimates_why")] }),
    tile(t("stock"), room.stock === null ? t("not_told") : number(room.stock)),
    aside ? tile(t("aside"), number(aside), { alarm: true, more: [listed([...exempt, ["passthrough", count("passthrough")], ["fail_open", count("fail_open")]].filter(([, n]) => n))] }) : null,
    ...waves.map(([name, wave]) => tile(t("wave", { name }), number(wave.waiting), { more: [wave.opens_at ? t("opens_at", { at: moment(at(wave.opens_at), room.timezone) }) : null] })),
  ].filter(Boolean);
}
