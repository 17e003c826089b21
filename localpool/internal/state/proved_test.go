package state

import (
	"fmt"
	"testing"
)

// TestProved: what was right is right again, with that password and that hash alone.
func TestProved(t *testing.T) {
	var p proved
	first, second := mustHash("Passw0rd!"), mustHash("Passw0rd!")
	for range 2 {
		for _, row := range []struct {
			hashed, password string
			want             bool
		}{
			{first, "Passw0rd!", true}, {first, "Passw0rd?", false}, {second, "Passw0rd!", true}, {first, "", false}, {"", "Passw0rd!", false}, {"", "", false},
			{mustHash("another"), "Passw0rd!", false}, {first + "\x00Passw0rd!", "", false},
		} {
			if got := p.check(row.hashed, row.password); got != row.want {
				t.Errorf("check(%q, %q) = %v, want %v", row.hashed, row.password, got, row.want)
			}
		}
	}
	if len(p.seen) != 2 {
		t.Errorf("%d passwords are remembered, want the two that were right", len(p.seen))
	}
	for n := range maxProved {
		p.seen[[32]byte(fmt.Appendf(nil, "%032d", n))] = struct{}{}
	}
	if !p.check(mustHash("another"), "another") || len(p.seen) > maxProved {
		t.Errorf("%d passwords are remembered, want at most %d", len(p.seen), maxProved)
	}
}
