package redisstore

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// TestSlotsThatMove moves a session from node to node while it is in use. Through
// every step it is there, and word of a change arrives.
func TestSlotsThatMove(t *testing.T) {
	nodes := startCluster(t)
	var clients []rueidis.Client
	var names []string
	for _, node := range nodes {
		client := rawClient(t, node.address())
		m := must(t, client, "CLUSTER", "MYID")
		name, _ := m.ToString()
		clients, names = append(clients, client), append(names, name)
	}
	here := open(t, Config{URL: clusterURL(nodes), CacheFor: time.Hour})
	there := open(t, Config{URL: clusterURL(nodes), CacheFor: time.Hour, Prefix: here.dialer.config.Prefix})

	id, slot := "", ""
	for i := 0; id == ""; i++ {
		m := must(t, clients[0], "CLUSTER", "KEYSLOT", here.sessions+strconv.Itoa(i))
		if n, _ := m.AsInt64(); n < slots/3 {
			id, slot = strconv.Itoa(i), fmt.Sprint(n)
		}
	}
	key := here.sessions + id
	from, to := clients[0], clients[1]
	create(t, there, record(id))
	version := int64(1)
	change := func(step string) {
		t.Helper()
		copied(t, here, id)
		r, err := there.Get(t.Context(), id)
		if err != nil || r.Version != version {
			t.Fatalf("%s: version %d, %v, want %d", step, r.Version, err, version)
		}
		if _, err := there.CompareAndSwap(t.Context(), r); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		version++
		seen := func() bool { r, err := here.Get(t.Context(), id); return err == nil && r.Version == version }
		if !until(patience, seen) {
			t.Fatalf("%s: the change is not seen", step)
		}
	}

	change("before")
	must(t, to, "CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
	must(t, from, "CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
	change("to be moved")
	must(t, from, "MIGRATE", "127.0.0.1", strconv.Itoa(nodes[1].port), key, "0", "5000")
	change("moved, and the slot not yet")
	for _, client := range []rueidis.Client{to, from, clients[2]} {
		must(t, client, "CLUSTER", "SETSLOT", slot, "NODE", names[1])
	}
	change("moved")

	copied(t, here, id)
	n, err := there.DeleteBySubject(t.Context(), "pool", "alice")
	wantCount(t, "DeleteBySubject", n, err, 1)
	if !until(patience, func() bool { return refused(t, here, id) }) {
		t.Error("ended there, and alive here")
	}
}
