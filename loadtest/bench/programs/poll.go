// A status poll by Go's net/http, standard library only: the work of the gateway's answer to one, and no more.
// A ticket is base64(JSON) "." base64(HMAC-SHA256 over it) in a cookie. GET /join hands out the next; GET /status verifies
// the one that is brought, says where its bearer stands, and sets it again.
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

type ticket struct {
	Room   string `json:"room"`
	Epoch  int64  `json:"epoch"`
	Number int64  `json:"number"`
	Issued int64  `json:"issued"`
}

type message struct {
	Text string `json:"text"`
}

type status struct {
	State       string   `json:"state"`
	RoomState   string   `json:"room_state"`
	Number      int64    `json:"number"`
	Place       int64    `json:"place"`
	Ahead       int64    `json:"ahead"`
	Draw        *string  `json:"draw"`
	DrawSize    *int64   `json:"draw_size"`
	Wave        *string  `json:"wave"`
	Eta         [2]int64 `json:"eta_ms"`
	PollAfter   int64    `json:"poll_after_ms"`
	ServerTime  int64    `json:"server_time_ms"`
	AsOf        int64    `json:"as_of_ms"`
	CatchingUp  bool     `json:"catching_up"`
	OpensAt     *int64   `json:"opens_at_ms"`
	Postponed   *int64   `json:"postponed_from_ms"`
	ClosesAt    *int64   `json:"closes_at_ms"`
	Finishing   *int64   `json:"finishing_ms"`
	Eligibility *string  `json:"eligibility"`
	Outflow     int64    `json:"outflow_per_minute"`
	Version     int64    `json:"settings_version"`
	Stock       *string  `json:"stock"`
	Message     *message `json:"message"`
	Ticket      string   `json:"ticket"`
}

const room, epoch, outflow = "bench", 1, 600
const cookieName = "ticket_" + room

var key = make([]byte, 32)
var tail, serving int64 = 0, 0
var coding = base64.RawURLEncoding
var errTicket = errors.New("not a ticket of ours")

func sign(t ticket) string {
	payload, _ := json.Marshal(t)
	text := coding.EncodeToString(payload)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + coding.EncodeToString(mac.Sum(nil))
}

func verify(text string) (ticket, error) {
	var t ticket
	payload, signature, found := strings.Cut(text, ".")
	if !found {
		return t, errTicket
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(payload))
	brought, err := coding.DecodeString(signature)
	if err != nil || !hmac.Equal(mac.Sum(nil), brought) {
		return t, errTicket
	}
	decoded, err := coding.DecodeString(payload)
	if err != nil || json.Unmarshal(decoded, &t) != nil || t.Room != room || t.Epoch != epoch {
		return t, errTicket
	}
	return t, nil
}

func set(w http.ResponseWriter, text string) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: text, Path: "/", MaxAge: 604800, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func join(w http.ResponseWriter, r *http.Request) {
	set(w, sign(ticket{room, epoch, atomic.AddInt64(&tail, 1), time.Now().UnixMilli()}))
	w.Write([]byte("joined"))
}

func poll(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		http.Error(w, "no ticket", http.StatusForbidden)
		return
	}
	t, err := verify(cookie.Value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	now := time.Now().UnixMilli()
	ahead := t.Number - atomic.LoadInt64(&serving) - 1
	wait := ahead * 60000 / outflow
	text := sign(t)
	after := wait / 8
	if after < 2000 {
		after = 2000
	} else if after > 120000 {
		after = 120000
	}
	body, err := json.Marshal(status{
		State: "waiting", RoomState: "open", Number: t.Number, Place: t.Number, Ahead: ahead, Eta: [2]int64{wait * 9 / 10, wait * 11 / 10},
		PollAfter: after, ServerTime: now, AsOf: now, Outflow: outflow, Version: 1, Ticket: text,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	set(w, text)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(body)
}

func main() {
	if _, err := rand.Read(key); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/join", join)
	http.HandleFunc("/status", poll)
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
