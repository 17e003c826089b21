package main

import (
	"strings"
	"testing"
	"time"
)

// TestPrint reads what go test prints in two turns, of which the second ran on a
// machine half as fast, and prints one table.
func TestPrint(t *testing.T) {
	all := make(results)
	for _, output := range []string{
		"goos: linux\nBenchmarkX/base-2 \t 1000\t 20000 ns/op\t 0 B/op\nBenchmarkX/fast-2 \t 1000\t 25000 ns/op\t 9000 cpu-ns/op\t 0.25 redis-gets/op\nBenchmarkX/slow-2 \t 500\t 60000.5 ns/op\nPASS\n",
		"BenchmarkX/base-2 \t 500\t 40000 ns/op\nBenchmarkX/fast-2 \t 500\t 50000 ns/op\t 11000 cpu-ns/op\t 0.25 redis-gets/op\nBenchmarkX/slow-2 \t 250\t 120001 ns/op\nPASS\n",
	} {
		if err := all.add(strings.NewReader(output)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name   string
		group  group
		want   string
		broken int
	}{
		{
			name: "times",
			group: group{title: "Times", benchmark: "X", rows: []row{
				{name: "base", label: "the baseline"},
				{name: "fast", label: "us", promise: promise{atMost: 1.3}},
				{name: "slow", label: "them"},
			}},
			want: `
Times
                                               processor       GETs
  the baseline                           30µs                          1.00 ×  baseline
  us                                   37.5µs     10.0µs       0.25    1.25 ×  (1.25 to 1.25)  at most 1.30 ×: kept
  them                                   90µs                          3.00 ×  (3.00 to 3.00)
`,
		},
		{
			name: "rates",
			group: group{title: "Rates", benchmark: "X", rate: true, rows: []row{
				{name: "base", label: "the baseline"},
				{name: "fast", label: "us", promise: promise{atLeast: 0.75}},
				{name: "slow", label: "them", promise: promise{atLeast: 0.75}},
			}},
			want: `
Rates
                                               processor       GETs
  the baseline                        33333/s                          1.00 ×  baseline
  us                                  26667/s     10.0µs       0.25    0.80 ×  (0.80 to 0.80)  at least 0.75 ×: kept
  them                                11111/s                          0.33 ×  (0.33 to 0.33)  at least 0.75 ×: BROKEN
`,
			broken: 1,
		},
		{
			name: "in all",
			group: group{title: "In all", benchmark: "X", rows: []row{
				{name: "base", label: "the baseline"},
				{name: "fast", label: "us", promise: promise{within: 30 * time.Microsecond}},
			}},
			want: `
In all
                                               processor       GETs
  the baseline                           30µs                          1.00 ×  baseline
  us                                   37.5µs     10.0µs       0.25    1.25 ×  (1.25 to 1.25)  at most 30µs: BROKEN
`,
			broken: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out strings.Builder
			broken, err := tt.group.print(&out, all)
			if err != nil {
				t.Fatal(err)
			}
			if got := out.String(); got != tt.want {
				t.Errorf("print wrote\n%s\nwant\n%s", got, tt.want)
			}
			if broken != tt.broken {
				t.Errorf("print = %d broken promises, want %d", broken, tt.broken)
			}
		})
	}
}

func TestQuartiles(t *testing.T) {
	for _, tt := range []struct {
		values            []float64
		low, middle, high float64
	}{
		{[]float64{7}, 7, 7, 7},
		{[]float64{2, 1}, 1.25, 1.5, 1.75},
		{[]float64{5, 1, 4, 2, 3}, 2, 3, 4},
	} {
		if low, middle, high := quartiles(tt.values); low != tt.low || middle != tt.middle || high != tt.high {
			t.Errorf("quartiles(%v) = %v, %v, %v, want %v, %v, %v", tt.values, low, middle, high, tt.low, tt.middle, tt.high)
		}
	}
}

func TestPrintMissingBenchmark(t *testing.T) {
	g := group{benchmark: "X", rows: []row{{name: "base"}, {name: "gone"}}}
	if _, err := g.print(&strings.Builder{}, results{"X/base": {1}}); err == nil || !strings.Contains(err.Error(), "X/gone ran 0 times") {
		t.Errorf("print without a benchmark = %v, want an error that names it", err)
	}
}
