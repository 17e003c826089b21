package serve

import (
	"container/list"
	"net/netip"
)

// crowd bounds the connections at a door. Files that may be open are few: were they
// all connections of strangers, nobody else could come in, and no upstream be reached.
// The door has it under its lock.
type crowd struct {
	limit    int                   // 0: none
	trusts   func(netip.Addr) bool // who comes in whatever the number: proxies in front
	of       map[netip.Prefix]int
	unproven list.List // of *guest, that have not shown who they are; the oldest in front
}

// place is what a guest has in the crowd; the zero place is none.
type place struct {
	network netip.Prefix
	counted bool
	element *list.Element // nil: it has shown who it is
}

// seat finds room for a guest, perhaps by having the oldest go that nobody knows.
func (c *crowd) seat(g *guest, there int) (ok bool, goes *guest) {
	address := addressOf(g.RemoteAddr().String())
	if c.limit == 0 || g.RemoteAddr().Network() == "unix" || c.trusts != nil && c.trusts(address) {
		return true, nil
	}
	n := network(address)
	if there >= c.limit/2 && c.of[n] >= shareOf(c.limit, 128) {
		return false, nil
	}
	if there >= c.limit {
		oldest := c.unproven.Front()
		if oldest == nil {
			return false, nil
		}
		goes = oldest.Value.(*guest)
		c.prove(goes)
	}
	if c.of == nil {
		c.of = make(map[netip.Prefix]int)
	}
	c.of[n]++
	g.place = place{n, true, c.unproven.PushBack(g)}
	return true, goes
}

// prove takes a guest from those that nobody knows.
func (c *crowd) prove(g *guest) {
	if g.place.element != nil {
		c.unproven.Remove(g.place.element)
		g.place.element = nil
	}
}

// rise gives back a guest's place.
func (c *crowd) rise(g *guest) {
	c.prove(g)
	if g.place.counted {
		if c.of[g.place.network]--; c.of[g.place.network] <= 0 {
			delete(c.of, g.place.network)
		}
		g.place.counted = false
	}
}

// usualFiles is how many files may be open where that cannot be found out.
const usualFiles = 10_000

// connectionsOf is how many connections may come in, of the files that may be open: the
// others are for upstreams, stores and the process itself.
func connectionsOf(files int) int { return files * 7 / 10 }
