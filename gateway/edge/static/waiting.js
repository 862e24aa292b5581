// The waiting page's script. It shows what the server says and asks again when told to. It decides nothing: all it can
// do when a turn comes is ask the server for the page once more, as anyone can at any time, and the server answers
// according to the ticket. An error, a fake answer or no answer at all never lets anybody in.
(() => {
  'use strict';

  const LONGEST_WAIT_MS = 300000;
  const LONGEST_RETRY_MS = 30000;
  const ANSWER_LIMIT_MS = 10000;
  const LEAST_GAP_MS = 1000;
  const ANNOUNCE_MS = 30000;
  const CLOCKS_DIFFER_MS = 5000;
  const CLOSES_SOON_MS = 1800000;
  const STOCK_LIKELY_PERCENT = 50;

  const STATES = ['outside', 'waiting', 'called', 'at_door', 'inside', 'used', 'refused'];
  const ROOM_STATES = ['early', 'prequeue', 'open', 'paused', 'closed', 'sold_out', 'passthrough'];
  // In these the server has something other than this page to show.
  const MOVE_ON = ['outside', 'called', 'inside', 'used', 'refused'];

  const BEFORE_OPENING = ['early', 'prequeue'];
  const NOBODY_ENTERS = ['early', 'prequeue', 'closed', 'sold_out'];
  const IN_LINE = ['early', 'prequeue', 'waiting', 'paused'];
  const NEAR_THE_DOOR = ['number', 'waiting', 'paused', 'door'];

  const byId = (id) => document.getElementById('n-' + id);
  const data = JSON.parse(byId('data').textContent);
  const words = Object.assign(data.words, data.own);
  const language = document.documentElement.lang;

  let status = data.status;
  // Our own copy of the ticket: a cookie that is deleted or edited then loses no place. Kept nowhere but here.
  let ticket = status.ticket;
  let serverAhead = status.server_time_ms - performance.now();
  let checkedAt = status.as_of_ms;
  const serverNow = () => serverAhead + performance.now();

  // ---- words

  const grouped = new Intl.NumberFormat(language);
  const inZone = (options) => new Intl.DateTimeFormat(language, Object.assign({ hourCycle: 'h23' }, options));
  const clock = inZone({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const zone = inZone({ timeZoneName: 'long' }).formatToParts().filter((part) => part.type === 'timeZoneName')
    .map((part) => ' (' + part.value + ')').join('');
  const calendar = inZone({
    month: 'long', day: 'numeric', weekday: 'short', hour: '2-digit', minute: '2-digit', timeZoneName: 'short',
  });
  const day = inZone({ year: 'numeric', month: 'numeric', day: 'numeric' });
  const hour = inZone({ hour: '2-digit', minute: '2-digit' });
  const dated = inZone({ month: 'long', day: 'numeric', weekday: 'short', hour: '2-digit', minute: '2-digit' });
  const timeWords = (at) => (day.format(at) === day.format(serverNow()) ? hour : dated).format(at);
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  const duration = (minutes) => {
    if (minutes <= 90) return fill(minutes === 1 ? words.minutes_one : words.minutes, { m: minutes });
    const m = minutes % 60;
    return fill(m ? words.hours_minutes : words.hours, { h: (minutes - m) / 60, m });
  };

  const etaStep = (top) => (top <= 20 ? 1 : top <= 90 ? 5 : top <= 300 ? 10 : top <= 1440 ? 30 : 60);
  const etaHigh = (eta) => {
    const top = Math.ceil(eta[1] / 60000);
    return Math.ceil(top / etaStep(top)) * etaStep(top);
  };
  // The same rule as `eta_words` on the server: the longer the wait, the rounder the numbers.
  const etaWords = (eta) => {
    if (!eta) return words.eta_unknown;
    const high = etaHigh(eta);
    if (high <= 1) return words.eta_soon;
    const step = etaStep(Math.ceil(eta[1] / 60000));
    const low = Math.floor(eta[0] / 60000 / step) * step;
    if (low <= 0) return fill(words.eta_upto, { high: duration(high) });
    if (low >= high) return fill(words.eta_about, { high: duration(high) });
    if (high > 90) return fill(words.eta_between_long, { low: duration(low), high: duration(high) });
    return fill(words.eta_between, { low: fill(words.minutes_bare, { m: low }), high: duration(high) });
  };

  // When the reader's own window opens, if it is this that they wait for; the same rule as `own_opening_ms`.
  const ownOpening = (s) => {
    const own = s.eligibility;
    if (!own || (own.verdict !== 'not_yet' && own.verdict !== 'paused')) return null;
    return BEFORE_OPENING.includes(s.room_state) && s.opens_at_ms >= own.opens_at_ms ? null : own.opens_at_ms;
  };
  const ruleOf = (own, waits) => (own ? own.rule + (waits ? own.verdict + own.opens_at_ms : '') : '');
  const openingOf = (s, phase) => (phase === 'window' ? ownOpening(s)
    : BEFORE_OPENING.includes(phase) ? s.opens_at_ms : null);

  const phaseOf = (s) => {
    if (s.room_state === 'closed' || s.room_state === 'sold_out') return s.room_state;
    if (s.state === 'called' || s.state === 'inside') return 'turn';
    if (s.state === 'at_door') return 'door';
    if (ownOpening(s) !== null) return 'window';
    if (BEFORE_OPENING.includes(s.room_state)) return s.room_state;
    if (s.number === null) return 'number';
    return s.room_state === 'paused' ? 'paused' : 'waiting';
  };

  // While the server cannot ask the line, everything is as it was last; the same rule as on the server.
  const awayWords = (phase) => {
    if (!status.catching_up) return '';
    return phase === 'number' ? words.away_number : phase === 'turn' ? words.away_turn : words.away_place;
  };

  // A number without a place is one for lots still to be drawn, or of a wave that has yet to join the line.
  const keptWords = () => (status.number === null ? '' : status.place !== null ? words.kept_place
    : status.draw === 'pending' ? words.kept_number : words.kept_wave || '');

  const postponedWords = () => {
    const times = [status.postponed_from_ms, status.opens_at_ms];
    if (!times.every(Number.isFinite)) return '';
    const moved = fill(words.postponed, { before: timeWords(times[0]), after: timeWords(times[1]) });
    return (moved + ' ' + keptWords()).trim();
  };

  const drawWords = (phase) => {
    const own = phase === 'window' && status.draw === 'wave_pending' && status.eligibility;
    const pending = status.draw === 'pending' && BEFORE_OPENING.includes(phase);
    const opens = own ? own.opens_at_ms : pending ? status.opens_at_ms : null;
    if (opens !== null) return fill(words.draw_before, { time: timeWords(opens) });
    const wave = status.draw === 'wave_drawn';
    if ((status.draw !== 'drawn' && !wave) || !IN_LINE.includes(phase) || !status.draw_size || status.place === null) return '';
    const told = { n: grouped.format(status.draw_size), place: grouped.format(status.place) };
    return fill(wave || status.place <= status.draw_size ? words.draw_after : words.draw_later, told);
  };

  const afterClosingWords = (phase) => {
    const told = [];
    if (NOBODY_ENTERS.includes(phase) && Number.isFinite(status.finishing_ms)) {
      told.push(fill(words.finishing, { time: duration(Math.ceil(status.finishing_ms / 60000)) }));
    }
    if (phase === 'closed' && status.number !== null && (status.opens_at_ms || 0) <= status.server_time_ms) {
      told.push(words.no_next, keptWords());
    }
    return told.join(' ');
  };

  const stockWords = (phase) => {
    const stock = status.stock;
    if (!stock || (phase !== 'waiting' && phase !== 'paused')) return '';
    if (stock.left === 0) return words.stock_none;
    if (stock.chance_gone_percent === null || stock.chance_gone_percent < STOCK_LIKELY_PERCENT) return '';
    return fill(words.stock_likely, { n: grouped.format(stock.left), p: stock.chance_gone_percent });
  };

  const aheadWords = (phase) => {
    if (!BEFORE_OPENING.includes(phase) || status.ahead === null) return '';
    if (status.ahead === 0) return words.ahead_none;
    return fill(status.ahead === 1 ? words.ahead_row_one : words.ahead_row_many, { n: grouped.format(status.ahead) });
  };

  // ---- what the tab remembers across reloads: how far the bar came, how often it knocked. Nothing that lets anyone in.

  const recall = (name) => {
    try { return JSON.parse(sessionStorage.getItem('sunbeon:' + data.room + ':' + name)); } catch (_) { return null; }
  };
  const remember = (name, value) => {
    try {
      sessionStorage.setItem('sunbeon:' + data.room + ':' + name, JSON.stringify(value));
      return true;
    } catch (_) { return false; }
  };

  // { number, first, best }: people ahead when first seen, and the bar's highest mark
  let journey = null;
  const progress = (number, ahead) => {
    if (!journey || journey.number !== number) {
      const kept = recall('journey');
      journey = kept && kept.number === number && kept.first >= 0 && kept.best >= 0
        ? kept : { number, first: Math.max(ahead, 1), best: 0 };
    }
    journey.best = Math.min(1, Math.max(journey.best, 1 - ahead / Math.max(journey.first, 1)));
    remember('journey', journey);
    return journey.best;
  };

  // Why the estimate is longer than the one shown before; kept until it is shorter again. What changed says why.
  const whyWords = {
    paused: words.eta_why_paused, outflow: words.eta_why_outflow, settings: words.eta_why_settings, pace: words.eta_why_pace,
  };
  // { number, high, outflow, version, message, paused, why }
  let told = null;
  const whyLonger = (phase) => {
    if (!told || told.number !== status.number) {
      const kept = recall('told');
      told = kept && kept.number === status.number ? kept : { number: status.number, high: null, why: '' };
    }
    if (phase === 'paused') told.paused = true;
    if (phase === 'waiting' && status.eta_ms) {
      const high = etaHigh(status.eta_ms);
      if (told.high !== null && high > told.high) {
        told.why = told.paused ? 'paused' : status.outflow_per_minute < told.outflow ? 'outflow'
          : status.settings_version > told.version && status.message === told.message ? 'settings' : 'pace';
      } else if (high < told.high) {
        told.why = '';
      }
      Object.assign(told, {
        high, outflow: status.outflow_per_minute, version: status.settings_version, message: status.message, paused: false,
      });
    }
    remember('told', told);
    return (phase === 'waiting' && whyWords[told.why]) || '';
  };

  // ---- showing. A room's own template may leave out any place: then there is nothing to show there.

  const put = (id, text) => {
    const place = byId(id);
    if (place && place.textContent !== text) place.textContent = text;
  };
  const show = (id, visible) => {
    const place = byId(id);
    if (place) place.hidden = !visible;
  };

  let announced = '';
  let announcedPhase = '';
  let announcedAt = 0;
  // Read aloud at once when something changes in kind, and now and then when only numbers do.
  const announce = (kind, text) => {
    const now = performance.now();
    if (text === announced || (kind === announcedPhase && now - announcedAt < ANNOUNCE_MS)) return;
    announced = text;
    announcedPhase = kind;
    announcedAt = now;
    put('live', text);
  };

  const showBar = (visible) => {
    show('bar', visible);
    if (!visible || !byId('bar')) return;
    const percent = Math.round(100 * progress(status.number, status.ahead));
    byId('bar').setAttribute('aria-valuenow', percent);
    if (byId('fill')) byId('fill').style.width = percent + '%';
  };

  const showStatus = () => {
    const phase = phaseOf(status);
    const inLine = phase === 'waiting' || phase === 'paused';
    const counted = inLine && status.ahead !== null;
    const ahead = counted ? grouped.format(status.ahead) : '';
    const before = !counted ? '' : status.ahead === 0 ? words.ahead_none : words.ahead_before;
    const after = !counted || status.ahead === 0 ? '' : status.ahead === 1 ? words.ahead_one : words.ahead_many;
    const late = status.eligibility && status.eligibility.late;
    const hopeless = late === 'certain';
    const eta = hopeless ? '' : phase === 'paused' ? words.eta_paused : phase === 'waiting' ? etaWords(status.eta_ms) : '';

    const away = awayWords(phase);
    put('away', away);
    show('away', away !== '');
    put('head', words['head_' + phase]);
    // "This takes a moment" is not true while the line cannot be asked.
    const soon = away !== '' && away !== words.away_place;
    put('lead', words['lead_' + phase]);
    show('lead', !soon && !hopeless);
    show('late-certain', hopeless);
    show('late-maybe', late === 'maybe');
    put('before', before);
    put('count', status.ahead === 0 ? '' : ahead);
    put('after', after);
    show('ahead', counted);
    showBar(counted && status.number !== null);
    put('eta', eta);
    const why = whyLonger(phase);
    put('eta-why', why);
    show('eta-why', why !== '');
    show('eta-row', eta !== '');
    put('number', status.number === null ? '' : grouped.format(status.number));
    show('number-row', status.number !== null);
    const stock = stockWords(phase);
    put('stock', stock);
    show('stock', stock !== '');
    put('message-text', status.message || '');
    show('message', Boolean(status.message));
    const moved = showOpening(phase);
    show('advice', !hopeless && phase !== 'closed' && phase !== 'sold_out');

    document.title = counted && status.ahead > 0
      ? fill(words.ahead_title, { ahead }) + ' · ' + words['head_' + phase]
      : words['head_' + phase];
    const wait = eta && words.eta_label + ': ' + eta + ' ' + why;
    const said = [away, moved, words['head_' + phase], before, status.ahead ? ahead : '', after, wait, stock];
    announce(phase + away + moved + why + (stock !== ''), said
      .filter(Boolean).join(' '));
    showSeconds();
  };

  // The opening, the place in it and the closing; returns what is said of a moved opening.
  const showOpening = (phase) => {
    const say = (id, place, text) => {
      put(place, text);
      show(id, text !== '');
    };
    const opens = openingOf(status, phase);
    say('opens-row', 'opens', opens === null ? '' : calendar.format(opens));
    show('countdown', opens !== null);
    say('after-closing', 'after-closing', afterClosingWords(phase));
    say('ahead-row', 'ahead-told', aheadWords(phase));
    say('draw', 'draw-text', drawWords(phase));
    const left = Number.isFinite(status.closes_at_ms) ? status.closes_at_ms - serverNow() : 0;
    const closes = NEAR_THE_DOOR.includes(phase) && left > 0 && left <= CLOSES_SOON_MS;
    say('closes-row', 'closes', closes ? timeWords(status.closes_at_ms) : '');
    const moved = postponedWords();
    say('postponed', 'postponed', moved);
    return moved;
  };

  const countdown = (ms) => {
    if (ms <= 0) return words.opening;
    const seconds = Math.ceil(ms / 1000);
    const two = (n) => String(n).padStart(2, '0');
    const time = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':');
    const days = Math.floor(seconds / 86400);
    return days ? fill(words.countdown_days, { d: days, time }) : time;
  };

  const showSeconds = () => {
    const server = serverNow();
    put('clock', clock.format(server) + zone);
    put('device', clock.format(Date.now()));
    show('differ', Math.abs(server - Date.now()) > CLOCKS_DIFFER_MS);
    const opens = openingOf(status, phaseOf(status));
    if (opens === null) return;
    const left = opens - server;
    put('left', countdown(left));
    show('left-label', left > 0);
    const settled = status.place !== null ? words.opening_line : status.draw === 'pending' ? words.opening_draw : '';
    put('opening', left > 0 ? '' : settled);
  };

  const showLink = (state) => {
    const link = byId('link');
    const well = state === 'connected';
    if (link) link.className = 'link ' + (well && !status.catching_up ? 'ok' : 'lost');
    // We are connected, but to somebody who is catching up: the page says so above.
    put('state', well && status.catching_up ? '' : words[state]);
    put('checked', fill(words.updated, { time: clock.format(checkedAt) }));
    if (!well) announce(state, words[state]);
  };

  // ---- asking

  let timer = 0;
  let busy = false;
  let moving = false;
  let failures = 0;
  let askedAt = -LEAST_GAP_MS;

  const toldWait = () => Math.min(Math.max(status.poll_after_ms, LEAST_GAP_MS), LONGEST_WAIT_MS);
  const askIn = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(ask, ms);
  };
  const askSoon = () => {
    if (!moving) askIn(Math.max(0, askedAt + LEAST_GAP_MS - performance.now()));
  };

  const isCount = (value) => value === null || (Number.isSafeInteger(value) && value >= 0);
  const isText = (value) => value === null || typeof value === 'string';
  const isStock = (value) => value === undefined || value === null
    || (typeof value === 'object' && Number.isSafeInteger(value.left) && value.left >= 0
      && isCount(value.chance_gone_percent));
  // A captive portal, an error page and a made-up answer all fail here, and then count as no answer.
  const isStatus = (a) => a !== null && typeof a === 'object'
    && STATES.includes(a.state) && ROOM_STATES.includes(a.room_state)
    && [a.number, a.place, a.ahead, a.opens_at_ms].every(isCount)
    && Number.isFinite(a.poll_after_ms) && Number.isFinite(a.server_time_ms)
    // A gateway of an older version does not say these yet.
    && Number.isFinite(a.as_of_ms || 0)
    && [a.postponed_from_ms, a.closes_at_ms, a.finishing_ms, a.draw_size].every((value) => value === undefined || isCount(value))
    && isText(a.draw || null)
    && (!a.eligibility || (isText(a.eligibility.verdict) && isCount(a.eligibility.opens_at_ms)))
    && typeof (a.catching_up || false) === 'boolean'
    && (a.eta_ms === null || (Array.isArray(a.eta_ms) && a.eta_ms.length === 2 && a.eta_ms.every(Number.isFinite)))
    && isStock(a.stock) && isText(a.message) && isText(a.ticket);

  const moveOn = () => {
    // The first time at once. If the server shows this page again, it meant it: from then on ask ever more slowly.
    const tries = (recall('tries') || 0) + 1;
    const wait = !remember('tries', tries) || tries > 1
      ? Math.min(toldWait() * Math.pow(2, Math.min(tries, 7) - 2), 60000) : 0;
    if (status.state === 'refused' || status.state === 'used') remember('journey', null);
    moving = true;
    setTimeout(() => {
      // Without a network the browser would put its own error page in place of this one, which can still wait.
      if (navigator.onLine === false) {
        moving = false;
        failed(false, 0);
        return;
      }
      location.replace(location.href.split('#')[0]);
      // A navigation that comes to nothing (offline this very moment) leaves us here: go on.
      setTimeout(() => { moving = false; ask(); }, Math.max(toldWait(), 15000));
    }, wait);
  };

  const received = (answer) => {
    const before = status.state;
    // The rule was changed, or a pause began: what the page says of one's own window is no longer so.
    const own = answer.eligibility;
    const waits = own && own.verdict !== 'eligible';
    const ruled = ruleOf(status.eligibility, waits) !== ruleOf(own, waits);
    failures = 0;
    status = answer;
    if (answer.ticket !== null) ticket = answer.ticket;
    serverAhead = answer.server_time_ms - performance.now();
    checkedAt = answer.as_of_ms === undefined ? answer.server_time_ms : answer.as_of_ms;
    showLink('connected');
    showStatus();
    // Called, but the place cannot be claimed yet: the page would come back as it is.
    const held = answer.state === 'called' && answer.catching_up;
    if ((MOVE_ON.includes(answer.state) && !held) || answer.room_state === 'passthrough' || ruled) {
      if (answer.state === 'called' && before !== 'called') tell();
      moveOn();
    } else {
      if (recall('tries')) remember('tries', 0);
      askIn(toldWait());
    }
  };

  // `reached`: something answered, if only with an error. Then asking sooner than we were told would add to its load.
  const failed = (reached, retryAfterMs) => {
    failures += 1;
    const spread = 0.75 + Math.random() / 2;
    const wait = Math.min(LEAST_GAP_MS * Math.pow(2, Math.min(failures, 6)), LONGEST_RETRY_MS) * spread;
    showLink(navigator.onLine === false ? 'offline' : 'catching_up');
    askIn(reached ? Math.max(wait, toldWait() * spread, Math.min(retryAfterMs, LONGEST_WAIT_MS)) : wait);
  };

  const ask = async () => {
    if (busy || moving) return;
    busy = true;
    clearTimeout(timer);
    askedAt = performance.now();
    const abort = new AbortController();
    const limit = setTimeout(() => abort.abort(), ANSWER_LIMIT_MS);
    let response = null;
    let answer = null;
    try {
      response = await fetch(data.status_url, {
        cache: 'no-store',
        credentials: 'same-origin',
        redirect: 'error',
        headers: ticket === null ? {} : { 'Sunbeon-Ticket': ticket },
        signal: abort.signal,
      });
      if (response.status === 200) answer = await response.json();
    } catch (_) {
      answer = null;
    }
    clearTimeout(limit);
    busy = false;
    if (isStatus(answer)) received(answer);
    else failed(response !== null, response === null ? 0 : 1000 * (Number(response.headers.get('Retry-After')) || 0));
  };

  // ---- telling

  const tell = () => {
    document.title = words.turn_title;
    if (!('Notification' in window) || Notification.permission !== 'granted') return;
    // Some phones know notifications only from service workers and throw here.
    try { new Notification(words.turn_title, { body: words.turn_body, tag: 'sunbeon' }); } catch (_) { /* the title said it */ }
  };

  const showNotify = () => {
    const possible = window.isSecureContext && 'Notification' in window;
    show('notify', possible && Notification.permission === 'default');
    show('notified', possible && Notification.permission === 'granted');
  };

  if (byId('notify')) {
    byId('notify').addEventListener('click', () => Promise.resolve(Notification.requestPermission()).then(showNotify));
  }
  if (byId('stay')) {
    byId('stay').addEventListener('click', (event) => {
      event.preventDefault();
      if (byId('leave')) byId('leave').open = false;
    });
  }
  addEventListener('online', askSoon);
  addEventListener('offline', () => showLink('offline'));
  addEventListener('pageshow', (event) => { if (event.persisted) askSoon(); });
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) {
      showSeconds();
      askSoon();
    }
  });
  setInterval(() => { if (!document.hidden) showSeconds(); }, 1000);

  showNotify();
  showLink('connected');
  showStatus();
  // A visitor without a number holds only a knock: the number is issued to whoever brings it back.
  if (status.number === null) askSoon();
  else askIn(toldWait());
})();
