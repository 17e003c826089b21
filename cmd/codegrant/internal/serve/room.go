package serve

import (
	"net/http"
	"net/netip"
	"sync"

	"github.com/codegrant/codegrant"
)

// room is what requests may take up at once. Strangers have three quarters of it: the
// rest is for proxies' questions and for people who are signed in. Once half of their
// part is taken, one address, or one IPv6 network of 64 bits, gets no more than a
// share of it; and once half of the room is taken, one person does not either.
type room struct {
	mu        sync.Mutex
	limit     int // 0: none
	all       int
	strangers int
	held      map[holder]int
}

// holder is an address or a person.
type holder struct {
	network netip.Prefix
	person  account
}

// stay is what one request takes up. A nil one takes nothing.
type stay struct {
	room     *room
	who      holder
	stranger bool // in their part of the room
	unknown  bool // somebody who shows a proof, which nobody has looked at yet
	person   bool
}

// set takes the limit of a configuration. Who is in stays in.
func (r *room) set(limit int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limit = limit
	if r.held == nil {
		r.held = make(map[holder]int)
	}
}

// shareOf is how much of a part one of many may hold.
func shareOf(part, among int) int { return max(8, part/among) }

// fits reports whether a stranger may come in.
func (r *room) fits(who holder) bool {
	part := r.limit - r.limit/4
	return r.limit == 0 || r.all < r.limit && r.strangers < part && (r.strangers < part/2 || r.held[who] < shareOf(part, 128))
}

// ask lets a question of a proxy's in; nil: there is no room.
func (r *room) ask() *stay {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit > 0 && r.all >= r.limit {
		return nil
	}
	r.all++
	return &stay{room: r}
}

// come lets a request in: nobody knows yet whose it is. With a proof, it may wait in
// the part of those who are signed in until somebody has looked at that.
func (r *room) come(network netip.Prefix, proof bool) *stay {
	who := holder{network: network}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.fits(who):
		r.all++
		r.strangers++
		r.held[who]++
		return &stay{room: r, who: who, stranger: true}
	case proof && r.all < r.limit:
		r.all++
		return &stay{room: r, who: who, unknown: true}
	}
	return nil
}

// known says whose the request is, nil for nobody's, and reports whether there is room
// for them.
func (s *stay) known(id *codegrant.Identity) bool {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case s.person || !s.stranger && !s.unknown:
		return true
	case id == nil && s.stranger:
		return true
	case id == nil:
		if !r.fits(s.who) {
			return false
		}
		s.stranger, s.unknown = true, false
		r.strangers++
		r.held[s.who]++
		return true
	}
	who := holder{person: account{id.Issuer, id.Subject}}
	if r.limit > 0 && r.all > r.limit/2 && r.held[who] >= shareOf(r.limit, 16) {
		return false
	}
	if s.stranger {
		r.strangers--
		r.drop(s.who)
	}
	s.who, s.stranger, s.unknown, s.person = who, false, false, true
	r.held[who]++
	return true
}

// leave gives back what the request took.
func (s *stay) leave() {
	r := s.room
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if s.stranger {
		r.strangers--
	}
	if s.stranger || s.person {
		r.drop(s.who)
	}
}

func (r *room) drop(who holder) {
	if r.held[who]--; r.held[who] <= 0 {
		delete(r.held, who)
	}
}

// taken is how much of the room is.
func (r *room) taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// showsProof reports whether a request has what could prove who makes it.
func showsProof(r *http.Request) bool {
	for _, name := range []string{"Cookie", "Authorization", "X-Amzn-Oidc-Data"} {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	return false
}
