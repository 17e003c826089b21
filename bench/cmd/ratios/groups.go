package main

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A group is one table: rows of a benchmark that are compared with its first.
type group struct {
	title     string
	benchmark string // BenchmarkX without the first word
	// rate compares how many of something are done per second, not how long one
	// takes: more is better.
	rate bool
	rows []row
}

type row struct {
	name    string // of the sub-benchmark
	label   string
	promise promise
	// needs names a server without which the row is not measured.
	needs string
}

// A promise is what a row must keep; the zero value is none.
type promise struct {
	atMost  float64       // times the time of the baseline
	within  time.Duration // in all
	atLeast float64       // times the rate of the baseline
}

var groups = []group{
	{
		title:     "Verify an ID token and read its user (RS256, 2048 bits)",
		benchmark: "Verify",
		rows: []row{
			{name: "rsa", label: "rsa.VerifyPKCS1v15 alone"},
			{name: "codegrant-cold", label: "codegrant, new token", promise: promise{atMost: 1.6}},
			{name: "codegrant-cached", label: "codegrant, token seen before", promise: promise{within: 2 * time.Microsecond}},
			{name: "go-oidc", label: "go-oidc v3"},
			{name: "golang-jwt", label: "golang-jwt v5"},
			{name: "jwx", label: "jwx v3"},
		},
	},
	{
		title:     "Answer a request of a signed-in browser (empty handler, session in memory, loopback)",
		benchmark: "Require",
		rate:      true,
		rows: []row{
			{name: "bare", label: "net/http, no authentication"},
			{name: "codegrant", label: "codegrant, sessions in memory", promise: promise{atLeast: 0.75}},
			{name: "redis", label: "codegrant, sessions in Redis", promise: promise{atLeast: 0.6}, needs: "Redis"},
			{name: "redis_without_copies", label: "the same without copies here", needs: "Redis"},
			{name: "postgres", label: "codegrant, sessions in PostgreSQL", needs: "PostgreSQL"},
		},
	},
	{
		title:     "The same, against Redis without copies of sessions in this process",
		benchmark: "Require",
		rate:      true,
		rows: []row{
			{name: "redis_without_copies", label: "every session read from Redis", needs: "Redis"},
			{name: "redis", label: "copies that Redis invalidates", promise: promise{atLeast: 1.5}, needs: "Redis"},
		},
	},
	{
		title:     "Answer a proxy's question whether a request may pass (/auth/check?group=…)",
		benchmark: "Check",
		rate:      true,
		rows: []row{
			{name: "bare", label: "net/http, no authentication"},
			{name: "memory", label: "codegrant, sessions in memory", promise: promise{atLeast: 0.75}},
			{name: "redis", label: "codegrant, sessions in Redis", promise: promise{atLeast: 0.6}, needs: "Redis"},
		},
	},
	{
		title:     "Send a request of a signed-in browser on to an upstream",
		benchmark: "Proxy",
		rate:      true,
		rows: []row{
			{name: "bare", label: "httputil.ReverseProxy, no authentication"},
			{name: "gateway", label: "codegrant's gateway", promise: promise{atLeast: 0.9}},
		},
	},
}

// results holds nanoseconds per operation, by "Benchmark/row", one for each turn.
type results map[string][]float64

// What go test prints of a benchmark: its name, the number of cores, how often it
// ran and how long that took each time.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op`)

// add reads the output of one turn.
func (r results) add(output io.Reader) error {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		match := line.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		ns, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			return fmt.Errorf("read %q: %w", lines.Text(), err)
		}
		r[match[1]] = append(r[match[1]], ns)
	}
	return lines.Err()
}

// print writes the group's table and returns how many promises are broken.
func (g group) print(out io.Writer, all results) (broken int, err error) {
	base := all[g.benchmark+"/"+g.rows[0].name]
	fmt.Fprintf(out, "\n%s\n", g.title)
	if len(base) == 0 && g.rows[0].needs != "" {
		fmt.Fprintf(out, "  not measured: there is no %s\n", g.rows[0].needs)
		return 0, nil
	}
	for i, row := range g.rows {
		ns := all[g.benchmark+"/"+row.name]
		if len(ns) == 0 && row.needs != "" {
			fmt.Fprintf(out, "  %-32s not measured: there is no %s\n", row.label, row.needs)
			continue
		}
		if len(ns) == 0 || len(ns) != len(base) {
			return broken, fmt.Errorf("benchmark %s/%s ran %d times, its baseline %d", g.benchmark, row.name, len(ns), len(base))
		}
		ratios := make([]float64, len(ns))
		for turn := range ns {
			ratios[turn] = ns[turn] / base[turn]
			if g.rate {
				ratios[turn] = 1 / ratios[turn]
			}
		}
		ratio, took := median(ratios), time.Duration(median(ns))
		verdict := "baseline"
		if i > 0 {
			var kept bool
			verdict, kept = row.promise.judge(ratio, took)
			if !kept {
				broken++
			}
		}
		amount := took.Round(took / 100).String()
		if g.rate {
			amount = fmt.Sprintf("%.0f/s", float64(time.Second)/median(ns))
		}
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-32s %10s %7.2f ×  %s", row.label, amount, ratio, verdict), " "))
	}
	return broken, nil
}

func (p promise) judge(ratio float64, took time.Duration) (verdict string, kept bool) {
	kept = true
	switch {
	case p.atMost > 0:
		verdict, kept = fmt.Sprintf("at most %.2f ×", p.atMost), ratio <= p.atMost
	case p.atLeast > 0:
		verdict, kept = fmt.Sprintf("at least %.2f ×", p.atLeast), ratio >= p.atLeast
	case p.within > 0:
		verdict, kept = fmt.Sprintf("at most %s", p.within), took <= p.within
	default:
		return "", true
	}
	if kept {
		return verdict + ": kept", true
	}
	return verdict + ": BROKEN", false
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
