package cloudfront

import (
	"fmt"
	"testing"
)

// Where targets depend on users, memory must not depend on how many there are.
func TestTargetsAreBounded(t *testing.T) {
	var s signatures
	for i := range 3 * maxTargets {
		s.of(target{resource: fmt.Sprint("https://a.example/", i)})
		if len(s.targets) > maxTargets {
			t.Fatalf("%d targets after %d, want at most %d", len(s.targets), i+1, maxTargets)
		}
	}
	if len(s.targets) < maxTargets/2 {
		t.Errorf("%d targets are left of %d, which are dropped far too early", len(s.targets), maxTargets)
	}
	last := target{resource: "https://a.example/last"}
	if entry := s.of(last); entry != s.of(last) {
		t.Error("a target that was just added is gone")
	}
}

func TestLiveSignaturesAreBounded(t *testing.T) {
	var s signed
	for i := range int64(1000) {
		s.adopt(signature{values: Values{Policy: fmt.Sprint(i)}, expires: 1000}, 0)
	}
	if len(s.live) > 64 {
		t.Errorf("%d live signatures, want at most 64", len(s.live))
	}
	s.adopt(signature{expires: 2000}, 1000)
	if len(s.live) != 1 {
		t.Errorf("%d live signatures after the others ended, want 1", len(s.live))
	}
}
