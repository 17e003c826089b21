package proxies

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/proxytest"
)

var update = flag.Bool("update", false, "write the table in docs/gateway.md")

const alone = "the gateway alone"

// matrix is what was found: by example, and by scenario.
type matrix struct {
	mu     sync.Mutex
	found  map[string]map[string][]string
	faults []string // in words, with which proxy it was
}

func (m *matrix) fault(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, fmt.Sprintf(format, args...))
}

func (m *matrix) say(example, scenario, word string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.found[example] == nil {
		m.found[example] = make(map[string][]string)
	}
	if !slices.Contains(m.found[example][scenario], word) {
		m.found[example][scenario] = append(m.found[example][scenario], word)
		slices.Sort(m.found[example][scenario])
	}
}

// table is the one in docs/gateway.md.
func (m *matrix) table(examples []string) string {
	var b strings.Builder
	b.WriteString("| | " + strings.Join(examples, " | ") + " |\n|" + strings.Repeat(" --- |", len(examples)+1) + "\n")
	for _, s := range scenarios() {
		fmt.Fprintf(&b, "| %s |", s.name)
		for _, example := range examples {
			fmt.Fprintf(&b, " %s |", strings.Join(m.found[example][s.name], ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestS242_WhatProxiesLetThrough runs every scenario behind every proxy, over each version of
// HTTP that it speaks, and holds the table in docs/gateway.md to what it saw.
func TestS242_WhatProxiesLetThrough(t *testing.T) {
	start := time.Now()
	found := &matrix{found: make(map[string]map[string][]string)}
	examples := []string{alone}
	busy := make(chan struct{}, 2) // worlds that work; others wait for time to pass
	t.Run("proxies", func(t *testing.T) {
		run := func(name, example string, proxy *proxytest.Proxy) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if proxy != nil {
					proxy.Require(t)
				}
				t.Cleanup(func() {
					if t.Failed() {
						found.fault("%s fails", name)
					}
				})
				behind(t, found, example, proxy, busy)
			})
		}
		all := proxytest.All()
		for i := range all {
			if !slices.Contains(examples, all[i].Example) {
				examples = append(examples, all[i].Example)
			}
			if all[i].Example == "Traefik" {
				run(all[i].Name, all[i].Example, &all[i]) // waits for longest
			}
		}
		run(alone, alone, nil)
		for i := range all {
			if all[i].Example != "Traefik" {
				run(all[i].Name, all[i].Example, &all[i])
			}
		}
	})
	table := found.table(examples)
	t.Logf("in %s:\n%s", time.Since(start).Round(time.Second), table)
	for _, fault := range found.faults { // once more, where the end of a long log has it
		t.Error(fault)
	}
	if t.Failed() || len(found.found) < len(examples) || os.Getenv("CODEGRANT_TEST_PROXIES") == "all" {
		return // said already, or some were not to be had, or there is one that the page has in words
	}
	const page, before, after = "../../docs/gateway.md", "<!-- what proxies let through: written by the test -->\n", "<!-- end -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), before)
	written, tail, ok2 := strings.Cut(rest, after)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(head+before+table+after+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if written != table {
		t.Errorf("%s has another table; go -C e2e test ./proxies -update writes it", page)
	}
}

func behind(t *testing.T, found *matrix, example string, proxy *proxytest.Proxy, busy chan struct{}) {
	busy <- struct{}{}
	release := sync.OnceFunc(func() { <-busy })
	defer release()
	w := newWorld(t, proxy)
	for _, s := range scenarios() {
		if s.waits {
			release()
		}
		which := w.clients
		if s.once {
			which = which[:1]
		}
		for _, c := range which {
			word, err := s.run(w, c)
			if err != nil {
				t.Errorf("%s, %s: %v", s.name, c.name(), err)
				found.fault("%s: %s, %s: %v", t.Name(), s.name, c.name(), err)
				word = "**no**"
			}
			found.say(example, s.name, word)
		}
	}
}
