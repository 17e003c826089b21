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
		title:     "With the client inside: answer a request of a signed-in browser (empty handler, loopback)",
		benchmark: "Require",
		rate:      true,
		rows: []row{
			{name: "bare", label: "net/http, no authentication"},
			{name: "codegrant", label: "sessions in memory", promise: promise{atLeast: 0.75}},
			{name: "redis", label: "sessions in Redis, copies here", promise: promise{atLeast: 0.6}, needs: "Redis"},
			{name: "redis_without_copies", label: "sessions in Redis, no copies", needs: "Redis"},
			{name: "postgres", label: "sessions in PostgreSQL", needs: "PostgreSQL"},
		},
	},
	{
		title:     "With the client inside: the same, against Redis without copies of sessions in this process",
		benchmark: "Require",
		rate:      true,
		rows: []row{
			{name: "redis_without_copies", label: "every session read from Redis", needs: "Redis"},
			{name: "redis", label: "copies that Redis invalidates", promise: promise{atLeast: 1.5}, needs: "Redis"},
		},
	},
	{
		title:     "With the client inside: answer a proxy's question whether a request may pass (/auth/check?group=…)",
		benchmark: "Check",
		rate:      true,
		rows: []row{
			{name: "bare", label: "net/http, no authentication"},
			{name: "memory", label: "sessions in memory", promise: promise{atLeast: 0.75}},
			{name: "redis", label: "sessions in Redis, copies here", promise: promise{atLeast: 0.6}, needs: "Redis"},
			{name: "redis_without_copies", label: "sessions in Redis, no copies", needs: "Redis"},
			{name: "postgres", label: "sessions in PostgreSQL", needs: "PostgreSQL"},
		},
	},
	{
		title:     "With client and upstream inside: send a request of a signed-in browser on",
		benchmark: "Proxy",
		rate:      true,
		rows: []row{
			{name: "bare", label: "httputil.ReverseProxy"},
			{name: "bare_with_buffers", label: "the same with a BufferPool"},
			{name: "gateway", label: "codegrant's gateway", promise: promise{atLeast: 0.9}},
			{name: "gateway_with_assertion", label: "the same with a signed assertion"},
		},
	},
	{
		title:     "With client and upstream inside: the same, beside a ReverseProxy with a BufferPool, as the gateway's own has",
		benchmark: "Proxy",
		rate:      true,
		rows: []row{
			{name: "bare_with_buffers", label: "httputil.ReverseProxy"},
			{name: "gateway", label: "codegrant's gateway"},
		},
	},
	{
		title:     "Time of the handlers alone, without sockets",
		benchmark: "Handlers",
		rows: []row{
			{name: "bare_proxy", label: "httputil.ReverseProxy"},
			{name: "require", label: "Require around nothing"},
			{name: "check", label: "/auth/check?group=…"},
			{name: "gateway", label: "codegrant's gateway"},
			{name: "gateway_with_assertion", label: "the same with a signed assertion"},
		},
	},
}

// A column is what a benchmark says of itself beside how long it takes.
type column struct{ unit, title string }

var columns = []column{
	{"cpu-ns/op", "processor"},
	{"redis-cpu-ns/op", "of Redis"},
	{"redis-gets/op", "GETs"},
}

// results holds what was measured, one for each turn: nanoseconds per operation by
// "Benchmark/row", other things by "Benchmark/row unit".
type results map[string][]float64

// line is a line of go test for a benchmark: its name, the number of cores, how often it ran,
// the time of each run, and further values with their units.
var line = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+([0-9.]+) ns/op(.*)$`)

// add reads the output of one turn.
func (r results) add(output io.Reader) error {
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		match := line.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		fields := append([]string{match[2], ""}, strings.Fields(match[3])...)
		for i := 0; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return fmt.Errorf("read %q: %w", lines.Text(), err)
			}
			name := strings.TrimSpace(match[1] + " " + fields[i+1])
			r[name] = append(r[name], value)
		}
	}
	return lines.Err()
}

// print writes the group's table and returns how many promises are broken.
func (g group) print(out io.Writer, all results) (broken int, err error) {
	base := all[g.benchmark+"/"+g.rows[0].name]
	if len(base) == 0 && g.rows[0].needs != "" {
		fmt.Fprintf(out, "\n%s\n  not measured: there is no %s\n", g.title, g.rows[0].needs)
		return 0, nil
	}
	shown := slices.DeleteFunc(slices.Clone(columns), func(c column) bool {
		return !slices.ContainsFunc(g.rows, func(r row) bool { return len(all[g.key(r)+" "+c.unit]) > 0 })
	})
	fmt.Fprintf(out, "\n%s\n", g.title)
	if len(shown) > 0 {
		fmt.Fprintf(out, "  %-32s %10s", "", "")
		for _, c := range shown {
			fmt.Fprintf(out, " %10s", c.title)
		}
		fmt.Fprintln(out)
	}
	for i, row := range g.rows {
		ns := all[g.key(row)]
		if len(ns) == 0 && row.needs != "" {
			fmt.Fprintf(out, "  %-32s not measured: there is no %s\n", row.label, row.needs)
			continue
		}
		if len(ns) == 0 || len(ns) != len(base) {
			return broken, fmt.Errorf("benchmark %s ran %d times, its baseline %d", g.key(row), len(ns), len(base))
		}
		ratios := make([]float64, len(ns))
		for turn := range ns {
			ratios[turn] = ns[turn] / base[turn]
			if g.rate {
				ratios[turn] = 1 / ratios[turn]
			}
		}
		low, ratio, high := quartiles(ratios)
		took := time.Duration(median(ns))
		verdict := "baseline"
		if i > 0 {
			var kept bool
			verdict, kept = row.promise.judge(ratio, took)
			if !kept {
				broken++
			}
			verdict = fmt.Sprintf("(%.2f to %.2f)  %s", low, high, verdict)
		}
		amount := took.Round(took / 100).String()
		if g.rate {
			amount = fmt.Sprintf("%.0f/s", float64(time.Second)/median(ns))
		}
		line := fmt.Sprintf("  %-32s %10s", row.label, amount)
		for _, c := range shown {
			line += fmt.Sprintf(" %10s", c.of(all[g.key(row)+" "+c.unit]))
		}
		fmt.Fprintln(out, strings.TrimRight(line+fmt.Sprintf(" %7.2f ×  %s", ratio, verdict), " "))
	}
	return broken, nil
}

func (g group) key(r row) string { return g.benchmark + "/" + r.name }

// of is the column of one row.
func (c column) of(values []float64) string {
	switch {
	case len(values) == 0:
		return ""
	case strings.HasSuffix(c.unit, "ns/op"):
		return fmt.Sprintf("%.1fµs", median(values)/1000)
	}
	return fmt.Sprintf("%.2f", median(values))
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
	_, middle, _ := quartiles(values)
	return middle
}

// quartiles are the values below which a quarter, half and three quarters lie.
func quartiles(values []float64) (low, middle, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	at := func(share float64) float64 {
		place := share * float64(len(sorted)-1)
		i := int(place)
		next := min(i+1, len(sorted)-1)
		return sorted[i] + (place-float64(i))*(sorted[next]-sorted[i])
	}
	return at(0.25), at(0.5), at(0.75)
}
