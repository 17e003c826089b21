package codegrant

import (
	"encoding/binary"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/session"
)

const (
	// A browser that finishes so many sign-ins within the window of the last one,
	// and begins another without a session, is going round in circles: the pool
	// knows it, and asks the person nothing.
	maxSignInsInARow = 4
	loopWindow       = time.Minute
	loopPurpose      = "sign-ins in a row"
)

// loopCookie counts finished sign-ins. Who removes it starts at nothing, and goes
// round in circles for as long as they like to.
func (in *signIn) loopCookie() session.Cookie {
	return session.Cookie{Name: in.cookieName("__Host-", "signins"), Path: "/", Secure: in.secure, SameSite: http.SameSiteLaxMode}
}

// signInsInARow is how many the browser has finished, the last a moment ago.
func (in *signIn) signInsInARow(r *http.Request) uint64 {
	values, err := in.loopCookie().Values(r)
	if err != nil || len(values) == 0 {
		return 0
	}
	plain, err := in.Keys.Open(loopPurpose, values[0], []byte(in.binding))
	if err != nil || len(plain) != 16 {
		return 0
	}
	last := time.Unix(int64(binary.BigEndian.Uint64(plain[8:])), 0)
	if in.Now().Sub(last).Abs() > loopWindow {
		return 0
	}
	return binary.BigEndian.Uint64(plain)
}

// countSignIn notes that one more was finished.
func (in *signIn) countSignIn(w http.ResponseWriter, r *http.Request) {
	plain := binary.BigEndian.AppendUint64(nil, in.signInsInARow(r)+1)
	plain = binary.BigEndian.AppendUint64(plain, uint64(in.Now().Unix()))
	in.loopCookie().Set(w, in.Keys.Seal(loopPurpose, plain, []byte(in.binding)), loopWindow)
}

// loops reports whether beginning another sign-in would lead nowhere. It forgets
// the ones before, so that the person can try again.
func (in *signIn) loops(w http.ResponseWriter, r *http.Request) bool {
	if in.signInsInARow(r) < maxSignInsInARow {
		return false
	}
	if held, err := in.sessions.Look(r); held != nil || isUnavailable(err) {
		return false // it led somewhere
	}
	in.loopCookie().Clear(w)
	return true
}
