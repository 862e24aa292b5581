// The operator API. The token stays in this tab, and goes nowhere but into the header of these requests.

import { t } from "./words.js";

const TOKEN = "sunbeon.token";
const SAID = "sunbeon.said";

// Why not: `status` 0 where nothing was answered.
export class Problem extends Error {
  constructor(status, title, more = {}) {
    super(title);
    this.status = status;
    this.more = more;
  }
}

export const session = {
  me: null,
  onlost: () => {},
  get token() { return sessionStorage.getItem(TOKEN); },
  begin(token, said) {
    sessionStorage.setItem(TOKEN, token);
    sessionStorage.setItem(SAID, said);
  },
  end() {
    sessionStorage.removeItem(TOKEN);
    sessionStorage.removeItem(SAID);
    this.me = null;
  },
};

const ROLES = ["viewer", "operator", "admin"];
export const may = (role) => session.me !== null && ROLES.indexOf(session.me.role) >= ROLES.indexOf(role);

export function headers() {
  const sent = { Authorization: `Bearer ${session.token}` };
  const said = sessionStorage.getItem(SAID);
  if (said) sent["Sunbeon-Operator"] = encodeURIComponent(said);
  return sent;
}

// The answer's JSON. Throws `Problem`; a token that counts no more ends the session.
export async function ask(method, path, { body, version } = {}) {
  const sent = headers();
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (version !== undefined) sent["If-Match"] = `"${version}"`;
  let answer;
  try {
    answer = await fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout(15_000) });
  } catch {
    throw new Problem(0, t("no_answer"));
  }
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return { ...told, answered: answer.status };
  if (answer.status === 401) session.onlost();
  throw new Problem(answer.status, told.title || String(answer.status), told);
}

export const roomPath = (room, rest = "") => `/api/rooms/${encodeURIComponent(room)}${rest}`;
