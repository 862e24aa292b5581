// What this page has heard of each room in the last quarter of an hour: for rates, and for charts where no history is kept.

export const KEPT_MS = 15 * 60_000;
const RATE_MS = 60_000;
const LEAST_MS = 4_000;

const known = new Map();

export function remember(room) {
  const { room: name, server_time_ms: at } = room;
  let list = known.get(name) ?? [];
  // A reset, or another clock: what was before does not go with what comes.
  const last = list.at(-1);
  if (last && (last.epoch !== room.epoch || last.at > at)) list = [];
  if (list.at(-1)?.at === at || !room.fresh) return;
  list.push({
    at, epoch: room.epoch, waiting: room.waiting, people: room.people_waiting, live: room.live,
    ceiling: room.in_force.total_active_users, outflow: room.in_force.new_users_per_minute,
    low: room.wait_ms?.[0] ?? null, high: room.wait_ms?.[1] ?? null, admitted: room.counters.admitted ?? 0,
  });
  while (list[0].at < at - KEPT_MS) list.shift();
  known.set(name, list);
}

// Admitted per minute, over the last minute or as much of it as was heard.
export function admittedPerMinute(name) {
  const list = known.get(name) ?? [];
  const last = list.at(-1);
  const first = list.find((each) => each.at >= last.at - RATE_MS);
  return last && last.at - first.at >= LEAST_MS ? rate(first, last) : null;
}

const rate = (first, last) => Math.round((last.admitted - first.admitted) * 60_000 / (last.at - first.at));

// Rows for charts: one in five seconds, and the newest.
export function rows(name) {
  const thinned = (known.get(name) ?? []).filter((each, index, all) => index === 0 || index === all.length - 1 || Math.floor(each.at / 5_000) !== Math.floor(all[index - 1].at / 5_000));
  return thinned.map((each, index) => ({ ...each, admitted: index === 0 ? null : Math.max(0, rate(thinned[Math.max(0, index - 2)], each)) }));
}
