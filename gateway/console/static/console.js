// The operators' console: who looks, which room, and what comes each second.

import { Actions } from "./actions.js";
import { ask, session } from "./api.js";
import { Approvals } from "./approvals.js";
import { byId, choice, setText } from "./dom.js";
import { drill } from "./drill.js";
import { number, span } from "./format.js";
import { History } from "./history.js";
import { Limits } from "./limits.js";
import { remember } from "./memory.js";
import { listen } from "./stream.js";
import { sign, state, tiles } from "./tiles.js";
import { Trail } from "./trail.js";
import { language, loadWords, setLanguage, t, translatePage } from "./words.js";

const THEME = "sunbeon.theme";
const LOOK_MS = 10_000;
const BEHIND_MS = 3_000;

let told = null;      // the newest message
let heardAt = 0;      // when it came, on this machine's clock
let chosen = null;    // the room's name
let stop = null;
let link = "off";

const limits = new Limits(byId("limits"), changed);
const actions = new Actions(byId("actions"), changed);
const approvals = new Approvals(byId("approvals"), changed);
const trail = new Trail(byId("trail"), byId("trail-which"));
const history = new History(byId("charts"), byId("spans"), byId("charts-note"));

const room = () => told?.rooms.find((each) => each.room === chosen) ?? told?.rooms[0] ?? null;

function show() {
  const current = room();
  byId("login").hidden = session.me !== null || session.token !== null;
  byId("logout").hidden = session.me === null;
  byId("loading").hidden = session.token === null || current !== null;
  byId("console").hidden = session.me === null || current === null;
  setText(byId("me"), session.me ? t("me", { name: session.me.name, role: t(`role_${session.me.role}`) }) : "");
  if (session.me === null || current === null) return;
  byId("rooms").hidden = told.rooms.length < 2;
  choice(byId("rooms"), told.rooms.map((each) => {
    const name = each.title[language] || each.room;
    const label = t("room_is", { room: name, state: t(`state_${each.state}`), waiting: number(each.waiting) });
    return { value: each.room, text: `${name}  ${sign(each.state)} ${number(each.waiting)}`, label };
  }), current.room, choose);
  const age = told.stores?.find((each) => each.room === current.room)?.age_s;
  setText(byId("away"), current.fresh ? "" : t("store_away", { age: age ? span(age * 1000) : "" }));
  byId("away").hidden = current.fresh;
  document.documentElement.dataset.fresh = current.fresh ? "yes" : "no";
  byId("state").replaceChildren(...state(current));
  byId("tiles").replaceChildren(...tiles(current, told, history.latency));
  limits.show(current);
  actions.show(current);
  byId("drill").replaceChildren(...drill(current));
}

function showLink() {
  document.documentElement.dataset.live = link;
  const here = session.me !== null;
  byId("link").hidden = !here;
  setText(byId("link"), link === "live" ? t("link_live") : t("link_off"));
  const silent = here && link !== "live" && told;
  setText(byId("heard"), silent ? t("heard", { age: span(Date.now() - heardAt) }) : "");
}

function choose(name) {
  chosen = name;
  show();
  look();
}

// What need not be asked each second.
function look() {
  const current = room();
  if (session.me === null || !current || document.hidden) return;
  history.load(current);
  approvals.load(current);
  trail.show(current);
}

// A change tells at once what it has made of the room.
function changed(after) {
  told = { ...told, rooms: told.rooms.map((each) => (each.room === after.room ? after : each)) };
  show();
  trail.show(after);
}

// A message may have been on its way when a change was answered: that is not taken back for a moment.
function newest(heard) {
  const known = told?.rooms.find((each) => each.room === heard.room);
  return known && known.settings.version > heard.settings.version && heard.server_time_ms - known.server_time_ms < BEHIND_MS ? known : heard;
}

function onmessage(message) {
  const first = told === null;
  told = { ...message, rooms: message.rooms.map(newest) };
  heardAt = Date.now();
  for (const each of message.rooms) remember(each);
  show();
  if (first) look();
  else if (!document.hidden && history.span === "quarter") history.show(room());
}

async function begin() {
  show();
  try {
    session.me = await ask("GET", "/api/me");
  } catch (problem) {
    if (problem.status === 401) return;
    session.me = null;
    setTimeout(begin, 2_000);  // not there for now; the token may well count
    return;
  }
  stop?.();
  stop = listen("/api/events", { onmessage, onstate: (now) => { link = now; showLink(); } });
  show();
  showLink();
}

function end(said) {
  stop?.();
  stop = told = null;
  session.end();
  for (const box of ["charts", "trail", "tiles", "state"]) byId(box).replaceChildren();
  show();
  showLink();
  setText(byId("login-problem"), said);
  byId("login-problem").hidden = !said;
  byId("token").value = "";
  byId("token").focus();
}

session.onlost = () => end(t(session.me ? "token_ended" : "token_wrong"));

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  // No header can hold it: it would be asked with for ever.
  if (!/^[\x21-\x7e]+$/.test(token)) return end(t("token_wrong"));
  session.begin(token, byId("said").value.trim());
  byId("token").value = "";
  byId("login-problem").hidden = true;
  begin();
});
byId("logout").addEventListener("click", () => end(""));

function theme(wanted) {
  const dark = wanted ? wanted === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  setText(byId("theme"), t(dark ? "theme_light" : "theme_dark"));
}
byId("theme").addEventListener("click", () => {
  const other = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  localStorage.setItem(THEME, other);
  theme(other);
});

function translate() {
  translatePage();
  setText(byId("language"), language === "ko" ? "English" : "한국어");
  byId("language").lang = language === "ko" ? "en" : "ko";
  theme(localStorage.getItem(THEME));
}
byId("language").addEventListener("click", () => {
  setLanguage(language === "ko" ? "en" : "ko");
  translate();
  show();
  showLink();
  look();
});

await loadWords();
translate();
setInterval(showLink, 1_000);
setInterval(look, LOOK_MS);
document.addEventListener("visibilitychange", look);
if (session.token) begin();
else show();
