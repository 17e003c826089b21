package cloudfront_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

// at is the time of the Developer Guide's examples, 1 January 2026, 10:00 UTC.
var at = time.Unix(1767290400-1800, 0).UTC()

func TestPolicyBytes(t *testing.T) {
	key := newKey(t, "K2JCJMDEHXQW5F", ecKey())
	tests := []struct {
		name   string
		policy cloudfront.Policy
		want   string
	}{
		{"end alone",
			cloudfront.Policy{Resource: "https://d111111abcdef8.cloudfront.net/private/*", Expires: time.Unix(1767290400, 999)},
			`{"Statement":[{"Resource":"https://d111111abcdef8.cloudfront.net/private/*","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}`},
		{"query characters stay unescaped",
			cloudfront.Policy{Resource: "https://a.example/horizon.jpg?size=large&license=yes", Expires: time.Unix(1767290400, 0)},
			`{"Statement":[{"Resource":"https://a.example/horizon.jpg?size=large&license=yes","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400}}}]}`},
		{"start, rounded up",
			cloudfront.Policy{Resource: "https://a.example/*", Expires: time.Unix(1767290400, 0), NotBefore: time.Unix(1767204000, 1)},
			`{"Statement":[{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},"DateGreaterThan":{"AWS:EpochTime":1767204001}}}]}`},
		{"range of addresses, masked",
			cloudfront.Policy{Resource: "https://a.example/*", Expires: time.Unix(1767290400, 0), SourceIP: netip.MustParsePrefix("192.0.2.77/24")},
			`{"Statement":[{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}}}]}`},
		{"everything",
			cloudfront.Policy{Resource: "http://a.example:8443/v/*.m3u8", Expires: time.Unix(20, 0), NotBefore: time.Unix(10, 0), SourceIP: netip.MustParsePrefix("192.0.2.10/32")},
			`{"Statement":[{"Resource":"http://a.example:8443/v/*.m3u8","Condition":{"DateLessThan":{"AWS:EpochTime":20},"DateGreaterThan":{"AWS:EpochTime":10},"IpAddress":{"AWS:SourceIp":"192.0.2.10/32"}}}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := key.SignPolicy(tt.policy, cloudfront.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			if strings.ContainsAny(v.Policy+v.Signature, "+/=") {
				t.Errorf("values %q, %q hold characters that CloudFront replaces", v.Policy, v.Signature)
			}
			got, err := decode(v.Policy)
			if err != nil || string(got) != tt.want {
				t.Errorf("policy = %s, %v\nwant     %s", got, err, tt.want)
			}
		})
	}
}

func TestS126_PolicyRefused(t *testing.T) {
	key := newKey(t, "K2JCJMDEHXQW5F", ecKey())
	good := cloudfront.Policy{Resource: "https://a.example/x", Expires: at}
	with := func(change func(*cloudfront.Policy)) cloudfront.Policy {
		p := good
		change(&p)
		return p
	}
	resource := func(url string) cloudfront.Policy {
		return with(func(p *cloudfront.Policy) { p.Resource = url })
	}
	tests := []struct {
		name   string
		policy cloudfront.Policy
	}{
		{"no resource", resource("")},
		{"everything", resource("*")},
		{"every scheme", resource("http*://a.example/x")},
		{"every host", resource("https://*")},
		{"every host with a path", resource("https://*/x")},
		{"wildcard below the domain", resource("https://*.a.example/x")},
		{"one character of the host", resource("https://a.exampl?/x")},
		{"host that goes on", resource("https://a.example*")},
		{"host without a path", resource("https://a.example")},
		{"query straight after the host", resource("https://a.example?x/y")},
		{"credentials", resource("https://a@a.example/x")},
		{"credentials with a colon", resource("https://a:1@a.example/x")},
		{"bad port", resource("https://a.example:0443/x")},
		{"no host", resource("https:///x")},
		{"IPv6 host", resource("https://[::1]/x")},
		{"upper case host", resource("https://A.example/x")},
		{"upper case scheme", resource("HTTPS://a.example/x")},
		{"unicode host", resource("https://ä.example/x")},
		{"unicode path", resource("https://a.example/ä")},
		{"trailing dot", resource("https://a.example./x")},
		{"other scheme", resource("ftp://a.example/x")},
		{"end of the JSON string", resource(`https://a.example/x","Condition":{}}]}`)},
		{"backslash", resource(`https://a.example\@b.example/x`)},
		{"line break", resource("https://a.example/x\n")},
		{"space", resource("https://a.example/x y")},
		{"fragment", resource("https://a.example/x#y")},
		{"dot segments", resource("https://a.example/x/../*")},
		{"no end", with(func(p *cloudfront.Policy) { p.Expires = time.Time{} })},
		{"end before 1970", with(func(p *cloudfront.Policy) { p.Expires = time.Unix(-1, 0) })},
		{"end after 9999", with(func(p *cloudfront.Policy) { p.Expires = time.Unix(1<<60, 0) })},
		{"start at the end", with(func(p *cloudfront.Policy) { p.NotBefore = at })},
		{"start before 1970", with(func(p *cloudfront.Policy) { p.NotBefore = time.Unix(-5, 0) })},
		{"IPv6", with(func(p *cloudfront.Policy) { p.SourceIP = netip.MustParsePrefix("2001:db8::/32") })},
		{"IPv4 in IPv6", with(func(p *cloudfront.Policy) { p.SourceIP = netip.MustParsePrefix("::ffff:192.0.2.1/128") })},
		{"address without bits", with(func(p *cloudfront.Policy) { p.SourceIP = netip.PrefixFrom(netip.MustParseAddr("192.0.2.1"), 33) })},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if v, err := key.SignPolicy(tt.policy, ""); !errors.Is(err, cloudfront.ErrPolicy) || v != (cloudfront.Values{}) {
				t.Errorf("SignPolicy = %v, %v, want ErrPolicy", v, err)
			}
		})
	}
	if _, err := key.SignPolicy(good, ""); err != nil {
		t.Errorf("SignPolicy of the policy that the rows change = %v", err)
	}
	for _, url := range []string{"https://a.example/*", ""} {
		if _, err := key.SignCanned(url, at, ""); !errors.Is(err, cloudfront.ErrPolicy) {
			t.Errorf("SignCanned(%q) = %v, want ErrPolicy", url, err)
		}
	}
}

func TestS126_Segment(t *testing.T) {
	for _, good := range []string{"0b6e9a1c-4f5e-4c7b-9a57-1c2d3e4f5a6b", "a.b_c~d-9", "..."} {
		if got, err := cloudfront.Segment(good); err != nil || got != good {
			t.Errorf("Segment(%q) = %q, %v", good, got, err)
		}
	}
	for _, bad := range []string{"", ".", "..", "*", "a*", "?", "a?b", "a/b", "/", `\`, "%2a", "%2F", "a b", "ä", "a\x00", "{subject}", "a@b", strings.Repeat("a", 256)} {
		if got, err := cloudfront.Segment(bad); !errors.Is(err, cloudfront.ErrSegment) {
			t.Errorf("Segment(%q) = %q, %v, want ErrSegment", bad, got, err)
		}
	}
}

func encode(text string) string {
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(stdBase64(text))
}

func TestParsePolicy(t *testing.T) {
	tests := []struct {
		name, value string
		ok          bool
	}{
		{"own form", encode(`{"Statement":[{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20}}}]}`), true},
		{"white space", encode(`{"Statement": [{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20}}}]}`), false},
		{"other order", encode(`{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":20}},"Resource":"https://a.example/*"}]}`), false},
		{"resource twice", encode(`{"Statement":[{"Resource":"https://*","Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20}}}]}`), false},
		{"folded name", encode(`{"Statement":[{"resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20}}}]}`), false},
		{"no resource", encode(`{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":20}}}]}`), false},
		{"two statements", encode(`{"Statement":[{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20}}},{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20}}}]}`), false},
		{"no statement", encode(`{"Statement":[]}`), false},
		{"unknown field", encode(`{"Version":1,"Statement":[]}`), false},
		{"text after it", encode(`{"Statement":[{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20}}}]}{}`), false},
		{"bad address", encode(`{"Statement":[{"Resource":"https://a.example/*","Condition":{"DateLessThan":{"AWS:EpochTime":20},"IpAddress":{"AWS:SourceIp":"x"}}}]}`), false},
		{"not JSON", encode("x"), false},
		{"other base64", "e30=", false},
		{"line break in base64", "e3\n0_", false},
		{"empty", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := cloudfront.ParsePolicy(tt.value)
			if tt.ok && (err != nil || p.Resource != "https://a.example/*" || !p.Expires.Equal(time.Unix(20, 0))) {
				t.Errorf("ParsePolicy = %+v, %v", p, err)
			}
			if !tt.ok && (!errors.Is(err, cloudfront.ErrPolicy) || p != (cloudfront.Policy{})) {
				t.Errorf("ParsePolicy = %+v, %v, want ErrPolicy", p, err)
			}
		})
	}
}

func FuzzParsePolicy(f *testing.F) {
	key := newKey(f, "K2JCJMDEHXQW5F", ecKey())
	seeds := []cloudfront.Policy{
		{Resource: "https://a.example/*", Expires: at},
		{Resource: "https://a.example/a/b.c?d=e&f=~", Expires: at, NotBefore: at.Add(-time.Hour)},
		{Resource: "http://a.example:8080/*x?", Expires: at, SourceIP: netip.MustParsePrefix("0.0.0.0/0")},
	}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, p := range seeds {
		v, err := key.SignPolicy(p, "")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v.Policy)
	}
	f.Add(encode(`{"Statement":[{"Resource":"https://a.example/x","Condition":{"DateLessThan":{"AWS:EpochTime":-1}}}]}`))
	f.Fuzz(func(t *testing.T, value string) {
		p, err := cloudfront.ParsePolicy(value)
		if err != nil {
			if p != (cloudfront.Policy{}) {
				t.Fatalf("ParsePolicy(%q) = %+v with error %v", value, p, err)
			}
			return
		}
		v, err := key.SignPolicy(p, "")
		if err != nil || v.Policy != value {
			t.Fatalf("policy of ParsePolicy(%q) encodes as %q, %v", value, v.Policy, err)
		}
	})
}

func FuzzSegment(f *testing.F) {
	for _, s := range []string{"a", "0b6e9a1c-4f5e", "..", "*", "a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := cloudfront.Segment(text)
		if err != nil {
			return
		}
		if got != text || strings.ContainsAny(got, "*?/\\%\"{} ") {
			t.Fatalf("Segment(%q) = %q", text, got)
		}
		policy := cloudfront.Policy{Resource: "https://a.example/home/" + got + "/*", Expires: at}
		if _, err := newKey(t, "K1", ecKey()).SignPolicy(policy, ""); err != nil {
			t.Fatalf("segment %q does not fit a policy: %v", got, err)
		}
	})
}
