package returnto

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

// visited is an oracle: the origin and path that a browser at base visits for a
// Location, after the URL Standard of the WHATWG ("basic URL parser"), as far as
// it concerns special schemes. It repairs as browsers do, in order to see what
// the rules must not let through. An origin of "?" is one that it cannot tell, and
// is nobody's.
func visited(location string) (origin, path string) {
	location = strings.TrimFunc(location, func(r rune) bool { return r <= ' ' })
	location = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(location)

	const ours = "https"
	scheme := ours
	if found := schemePattern.FindString(location); found != "" {
		scheme = strings.ToLower(strings.TrimSuffix(found, ":"))
		location = location[len(found):]
		switch {
		case scheme == "http" || scheme == "ws" || scheme == "wss" || scheme == "ftp":
			// Any number of slashes, even none, and then a host.
			return authority(scheme, strings.TrimLeft(location, `/\`))
		case scheme != ours:
			return "?", ""
		case strings.HasPrefix(location, "//"):
			return authority(scheme, strings.TrimLeft(location, `/\`))
		}
		// Our own scheme without two slashes is relative to where we are.
	}
	if len(location) >= 2 && strings.ContainsRune(`/\`, rune(location[0])) && strings.ContainsRune(`/\`, rune(location[1])) {
		return authority(scheme, strings.TrimLeft(location, `/\`))
	}
	return base, visitedPath(location)
}

var schemePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:`)

func authority(scheme, rest string) (origin, path string) {
	host := rest
	if i := strings.IndexAny(rest, `/\?#`); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	host, err := url.PathUnescape(host)
	if err != nil || host == "" {
		return "?", ""
	}
	host = strings.ToLower(host)
	port := map[string]string{"https": ":443", "http": ":80"}[scheme]
	host = strings.TrimSuffix(host, port)
	for i := range len(host) {
		if host[i] <= ' ' || host[i] >= 0x7f || strings.IndexByte("#%/<>?@\\^|", host[i]) >= 0 {
			return "?", "" // forbidden, or of an internationalized name
		}
	}
	return scheme + "://" + host, visitedPath(path)
}

// visitedPath resolves dot segments, encoded ones too.
func visitedPath(rest string) string {
	path := rest
	if i := strings.IndexAny(rest, "?#"); i >= 0 {
		path = rest[:i]
	}
	var kept []string
	segments := strings.Split(strings.TrimPrefix(strings.ReplaceAll(path, `\`, "/"), "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case ".":
			if last {
				kept = append(kept, "")
			}
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}

func allowedOrigin(origin string) bool { return origin == base || origin == sibling }

// TestOracleIsWorthAsking keeps the oracle from passing everything.
func TestOracleIsWorthAsking(t *testing.T) {
	for location, want := range map[string]string{
		"//evil.example":                        "https://evil.example",
		`/\evil.example`:                        "https://evil.example",
		"/\t/evil.example":                      "https://evil.example",
		"https:///evil.example":                 "https://evil.example",
		"https:/dashboard":                      base,
		"http:evil.example":                     "http://evil.example",
		" //evil.example":                       "https://evil.example",
		`https://app.example.com\@evil.example`: base,
		"https://app.example.com@evil.example":  "https://evil.example",
		"javascript:alert(1)":                   "?",
		"evil.example":                          base,
	} {
		if got, _ := visited(location); got != want {
			t.Errorf("visited(%q) = %s, want %s", location, got, want)
		}
	}
	if _, path := visited("/a/%2E%2e/./b"); path != "/b" {
		t.Errorf("visited() = %s, want /b", path)
	}
}

func FuzzS043_Check(f *testing.F) {
	for _, tt := range hostile {
		f.Add(tt.target)
	}
	for _, tt := range harmless {
		f.Add(tt.target)
	}
	if len(hostile) < 200 || len(harmless) < 30 {
		f.Fatalf("%d hostile and %d harmless seeds: the corpus is gone", len(hostile), len(harmless))
	}
	for _, target := range []string{"/api/queues/%2F/orders", "/wiki/Special//x", "/a;v=1/b%3Bc", "/a%252Fb", "/a%5Cb", "/a/%2e%2e%2f%2fevil.example"} {
		f.Add(target)
	}
	plain, encoded := testRules(f), testRules(f)
	encoded.Encoded = true
	f.Fuzz(func(t *testing.T, target string) {
		staysHere(t, plain, target)
		staysHere(t, encoded, target)
	})
}

// staysHere: what the rules let through leads a browser to one of our origins, to the
// path that is written, and passes again.
func staysHere(t *testing.T, rules *Rules, target string) {
	t.Helper()
	got, err := rules.Check(target)
	if err != nil {
		if got != "" {
			t.Errorf("Check(%q) = %q with an error", target, got)
		}
		return
	}
	if len(got) > maxTarget || strings.ContainsFunc(got, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		t.Errorf("Check(%q) = %q, not fit for a header", target, got)
	}
	origin, path := visited(got)
	if !allowedOrigin(origin) {
		t.Errorf("Check(%q) = %q, which a browser takes to %s", target, got, origin)
	}
	if before, after := visited(target); before != origin || after != path {
		t.Errorf("Check(%q) = %q: %s%s, but the target itself is %s%s", target, got, origin, path, before, after)
	}
	written := strings.TrimPrefix(strings.TrimPrefix(got, base), sibling)
	if i := strings.IndexAny(written, "?#"); i >= 0 {
		written = written[:i]
	}
	if written != path {
		t.Errorf("Check(%q) = %q, which a browser takes to path %s", target, got, path)
	}
	if again, err := rules.Check(got); err != nil || again != got {
		t.Errorf("Check(%q) = %q, %v the second time", got, again, err)
	}
}

// TestS043_ARealURLParserAgrees asks the URL parser of a browser's engine where
// everything in the corpus leads: what is written must stay here, and of what is
// refused the oracle must not be more trusting than the real parser.
func TestS043_ARealURLParserAgrees(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Log("no node on PATH: the oracle of this package stands alone")
		return
	}
	rules := testRules(t)
	var locations []string
	written := map[string]bool{}
	for _, tt := range hostile {
		if utf8.ValidString(tt.target) { // JSON has no other
			locations = append(locations, tt.target)
		}
	}
	for _, tt := range harmless {
		got, err := rules.Check(tt.target)
		if err != nil {
			t.Fatal(err)
		}
		locations = append(locations, got)
		written[got] = true
	}
	input, err := json.Marshal(map[string]any{"base": base, "locations": locations})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), node, "-e", `
		const {base, locations} = JSON.parse(require("fs").readFileSync(0, "utf8"));
		console.log(JSON.stringify(locations.map(location => {
			try {
				const url = new URL(location, base + "/");
				return {origin: url.protocol.startsWith("http") ? url.origin : "?", path: url.pathname};
			} catch { return {origin: "?", path: ""}; }
		})));`)
	command.Stdin = bytes.NewReader(input)
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []struct{ Origin, Path string }
	if err := json.Unmarshal(output, &answers); err != nil || len(answers) != len(locations) {
		t.Fatalf("%d answers to %d questions, %v", len(answers), len(locations), err)
	}
	for i, location := range locations {
		origin, path := visited(location)
		if allowedOrigin(origin) && answers[i].Origin != origin {
			t.Errorf("the oracle takes %q to %s, a browser to %s", location, origin, answers[i].Origin)
		}
		if written[location] && (!allowedOrigin(answers[i].Origin) || answers[i].Path != path) {
			t.Errorf("a browser takes %q to %s%s", location, answers[i].Origin, answers[i].Path)
		}
	}
}
