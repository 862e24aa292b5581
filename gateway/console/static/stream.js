// Server-sent events read by fetch, as EventSource can send no token. Comes back by itself.

import { headers, session } from "./api.js";

const SILENT_MS = 5_000;
const LONGEST_PAUSE_MS = 10_000;

// onmessage: each message. onstate: "live" or "off". Returns what ends it.
export function listen(path, { onmessage, onstate }) {
  let ended = false;
  let control = null;
  let pause = 500;

  async function once() {
    control = new AbortController();
    let timer = setTimeout(() => control.abort(), SILENT_MS);
    try {
      const answer = await fetch(path, { headers: headers(), signal: control.signal, cache: "no-store" });
      if (answer.status === 401) return session.onlost();
      if (!answer.ok) return;
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = ""; ;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => control.abort(), SILENT_MS);
        const messages = (rest + value).split("\n\n");
        rest = messages.pop();
        for (const message of messages) {
          if (ended) return;
          pause = 500;
          onstate("live");
          onmessage(JSON.parse(message.slice("data: ".length)));
        }
      }
    } catch {
      // Away for now: asked again below.
    } finally {
      clearTimeout(timer);
    }
  }

  (async () => {
    while (!ended) {
      await once();
      if (ended) return;
      onstate("off");
      await new Promise((resume) => setTimeout(resume, pause * (0.75 + Math.random() / 2)));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  })();

  return () => { ended = true; control?.abort(); };
}
