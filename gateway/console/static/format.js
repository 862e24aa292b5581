// Numbers, times and spans as people write them, in the chosen language.

import { language, t } from "./words.js";

const locale = () => (language === "ko" ? "ko-KR" : "en-GB");

export const number = (value) => (value === null || value === undefined ? "–" : new Intl.NumberFormat(locale()).format(value));

export const percent = (share) => new Intl.NumberFormat(locale(), { style: "percent" }).format(share);

export function clock(ms, zone, seconds = false) {
  const form = { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(seconds && { second: "2-digit" }) };
  return new Intl.DateTimeFormat(locale(), form).format(ms);
}

export function moment(ms, zone) {
  const form = { timeZone: zone, month: "short", day: "numeric", weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(locale(), form).format(ms);
}

// A span: to the second below a minute and a half, else to the minute.
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 90) return t("seconds", { n: seconds });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return t("minutes", { n: minutes });
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return rest ? t("hours_minutes", { h: number(hours), n: rest }) : t("hours", { h: number(hours) });
}

export function range(wait) {
  if (!wait) return null;
  const [low, high] = wait.map(span);
  if (wait[1] < 60_000) return t("within_minute");
  const [few, many] = [Math.round(wait[0] / 60_000), Math.round(wait[1] / 60_000)];
  if (low === high || few === many) return high;
  return many < 60 ? t("minutes_range", { low: few, high: many }) : t("range", { low, high });
}

// The moment at which the clocks of a zone show "2021-07-19T22:00".
export function inZone(local, zone) {
  const shown = Date.parse(`${local}Z`);
  const first = shown - offset(shown, zone);
  return shown - offset(first, zone);
}

// The reverse, for a field of the page.
export const local = (ms, zone) => new Date(ms + offset(ms, zone)).toISOString().slice(0, 16);

function offset(ms, zone) {
  const form = { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" };
  const part = Object.fromEntries(new Intl.DateTimeFormat("en-GB", form).formatToParts(ms).map((each) => [each.type, Number(each.value)]));
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - Math.floor(ms / 1000) * 1000;
}
