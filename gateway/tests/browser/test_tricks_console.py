"""Tricks from the console: on 19 July 2021 calling page functions from F12 got people in. Here no page decides."""

import pytest

from gateway.tests.browser.scene import NETWORK_NOISE, PATIENCE_MS

# What the page's security policy and the browser say of what is tried.
NOISE = (*NETWORK_NOISE, "Refused to", "violates the following", "Blocked", "WebSocket connection", "Uncaught")

# In each of these texts a paragraph is one thing typed into the console, and comes to an end: `answered` waits for that
# of a socket, a source of events or an element.
CALLS = r"""
Object.values(window).filter((f) => typeof f === 'function' && !/\[native/.test(f)).forEach((f) => f())

window.status = 'inside'; window.state = window.called = window.admitted = window.ticket = window.pass = true

for (const name of ['online', 'offline', 'pageshow', 'focus', 'load', 'storage']) dispatchEvent(new Event(name))

dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))

postMessage({ state: 'inside', called: true }, '*')

Object.defineProperty(navigator, 'onLine', { get: () => false }); dispatchEvent(new Event('offline'))

const real = setTimeout; window.setTimeout = (f) => real(f, 0); performance.now = () => 1e12

Math.random = () => 0; Date.now = () => 4e12; Intl.NumberFormat = null

const d = document.getElementById('n-data'); d.textContent = d.textContent.replace(/"waiting"/g, '"inside"')

const real = JSON.parse; JSON.parse = (t) => { const v = real(t); if (v && v.state) v.state = 'inside'; return v }

document.getElementById('n-number').textContent = '1'; document.title = 'Your turn!'

document.querySelectorAll('script').forEach((script) => {
    const copy = document.createElement('script'); copy.textContent = script.textContent; document.body.append(copy)
})

document.body.innerHTML = '<a class=brand href=/booking>in</a>'

document.open(); document.write('<a class=brand href=/booking>in</a>'); document.close()
"""

STORED = """
Object.keys(sessionStorage).forEach((key) => { sessionStorage[key] = '{"number":1,"first":1,"best":1}' })

for (const store of [sessionStorage, localStorage])
    for (const key of ['state', 'pass', 'sunbeon:vaccine:tries', 'sunbeon:vaccine:journey']) store[key] = 'inside'

sessionStorage.clear(); localStorage.clear()

Storage.prototype.getItem = () => { throw new Error('no storage') }; dispatchEvent(new Event('online'))

document.cookie = 'sunbeon_pass_vaccine=inside; path=/'

document.cookie = 'sunbeon_ticket_vaccine=1; path=/booking'

document.cookie = 'sunbeon_pass_vaccine=inside; path=/booking'

history.pushState({ state: 'inside' }, '', '/booking/centres/seoul')

history.replaceState({}, '', '/booking/slots/1?state=inside&pass=1#inside')
"""

REQUESTS = """
await fetch('/booking')

await fetch('/booking', { headers: { 'Sunbeon-Pass': 'eyJhbGciOiJub25lIn0.eyJob3ciOiJsaW5lIn0.' } })

await fetch('/booking', { headers: { 'X-Forwarded-For': '127.0.0.1', 'X-Original-URL': '/', 'X-Real-IP': '::1' } })

await fetch('/', { headers: { 'X-HTTP-Method-Override': 'POST', 'X-Rewrite-URL': '/booking' } })

await fetch('/_sunbeon/vaccine/status', { headers: { 'Sunbeon-Ticket': 'ticket.x.WzEsMSwxXQ.x' } })

await fetch('/_sunbeon/vaccine/../../booking')

await fetch('/booking/slots/1', { method: 'POST', body: new URLSearchParams({ name: 'Kim', phone: '0' }) })

await fetch('/api/bookings', { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } })

await Promise.all(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'].map((method) => fetch('/booking', { method })))

navigator.sendBeacon('/booking/slots/1', new URLSearchParams({ name: 'Kim' }))

await new Promise((done) => {
    const x = new XMLHttpRequest(); x.open('POST', '/booking/slots/1'); x.onloadend = done; x.send('name=Kim')
})

await answered(new WebSocket(location.origin.replace('http', 'ws') + '/booking'))

await answered(new EventSource('/booking'))

const frame = document.body.appendChild(document.createElement('iframe')); frame.src = '/booking'; await answered(frame)

const image = new Image(); image.src = '/booking'; await answered(image)

const link = document.head.appendChild(document.createElement('link')); link.rel = 'prefetch'; link.href = '/booking'
await answered(link)
"""

GOING = """
location.href = '/booking/centres/seoul'

location.replace('/booking?state=inside')

const form = document.body.appendChild(document.createElement('form'))
form.method = 'post'; form.action = '/booking/slots/1'; form.submit()

open('/booking', '_self')
"""

TYPED = """async (patienceMs) => {
    const answered = (it) => new Promise((done) => {
        for (const event of ['load', 'open', 'close', 'error']) it.addEventListener(event, done);
    });
    const late = new Promise((_, fail) => setTimeout(() => fail(new Error('no end to it')), patienceMs));
    await Promise.race([(async () => { %s })().catch(() => {}), late]);
}"""

# A fetch that says whatever one would like to hear.
FAKE_FETCH = """(state) => {
    const said = {
        state, room_state: 'open', number: 1, place: 1, ahead: 0, eta_ms: [0, 0], poll_after_ms: 1,
        server_time_ms: Date.now() + 864e5, opens_at_ms: null, outflow_per_minute: 1e6, message: null, ticket: 'mine',
    };
    window.fetch = () => Promise.resolve(new Response(JSON.stringify(said)));
    Response.prototype.json = () => Promise.resolve(said);
    dispatchEvent(new Event('online'));
}"""


@pytest.mark.parametrize("typed", [CALLS, STORED, REQUESTS], ids=["page", "stored", "requests"])
def test_nothing_typed_into_the_console_lets_anybody_in(scene, typed):
    person, number = scene.in_line(noise=NOISE)
    for snippet in typed.strip().split("\n\n"):
        person.page.evaluate(TYPED % snippet, PATIENCE_MS)
        scene.check()
        # Where it stands: an address that was pushed is asked of the server, too.
        person.page.reload()
        assert person.number == number, snippet
    scene.lets_in(person, number)


def test_no_address_that_the_console_goes_to_lets_anybody_in(scene):
    person, number = scene.in_line(noise=NOISE)
    for snippet in GOING.strip().split("\n\n"):
        with person.page.expect_navigation() as gone:
            person.page.evaluate(f"() => {{ {snippet} }}")
        assert gone.value.headers["sunbeon-gate"] == "waiting", snippet
        scene.check()
        person.go()
        assert person.number == number, snippet
    scene.lets_in(person, number)


def test_a_patched_fetch_that_calls_the_turn_lets_nobody_in(scene):
    person, number = scene.in_line(noise=NOISE)
    for state in ("called", "inside", "outside"):
        # The page believes it, and asks the server for what is behind the door.
        with person.page.expect_navigation() as gone:
            person.page.evaluate(FAKE_FETCH, state)
        assert gone.value.headers["sunbeon-gate"] == "waiting", state
        scene.check()
        assert person.number == number, state
        person.page.evaluate("sessionStorage.clear()")
    scene.lets_in(person, number)
