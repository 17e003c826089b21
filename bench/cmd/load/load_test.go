//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		name     string
		resident func(sessions int) int64
		kept     bool
	}{
		{"flat after the copies", func(n int) int64 { return int64(min(n, 30_000))*4096 + 40*mib }, true},
		{"a kilobyte for each", func(n int) int64 { return int64(n)*1024 + 40*mib }, false},
	} {
		var seen []sample
		for n := 0; n <= 200_000; n += 10_000 {
			seen = append(seen, sample{sessions: n, resident: tt.resident(n)})
		}
		var out strings.Builder
		if err := judge(&out, seen, 30_000); (err == nil) != tt.kept {
			t.Errorf("%s: %v: %s", tt.name, err, &out)
		}
	}
}

func TestAfter(t *testing.T) {
	for text, want := range map[string]int64{"# Memory\r\nused_memory:1234\r\nx:1": 1234, "\nused_memory: 1.5e3\n": 1500} {
		if got, err := after(text, "\nused_memory:"); err != nil || got != want {
			t.Errorf("after(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	if _, err := after("x", "y"); err == nil {
		t.Error("a number was found where there is none")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"what"}, {"latency", "-rate", "0"}, {"idle", "-connections", "1"}, {"sessions", "-sessions", "1"}, {"latency", "-connections", "100000000"}, {"process", "-rounds", "0"}, {"process", "-requests", "1"}, {"agents", "-rounds", "0"}, {"agents", "-streams", "1"}} {
		if err := run(t.Context(), args, new(strings.Builder)); err == nil {
			t.Errorf("load %v does something", args)
		}
	}
}

func TestQuartiles(t *testing.T) {
	for _, tt := range []struct {
		seen []float64
		want quartiles
	}{
		{[]float64{3}, quartiles{3, 3, 3}},
		{[]float64{5, 1, 4, 2, 3}, quartiles{2, 3, 4}},
	} {
		if got := quartilesOf(tt.seen); got != tt.want {
			t.Errorf("%v: %v, want %v", tt.seen, got, tt.want)
		}
	}
}
