package hop

import "testing"

func TestParse(t *testing.T) {
	for item, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", " 192.0.2.1\t": "192.0.2.1", "192.0.2.1:443": "192.0.2.1", "2001:db8::1": "2001:db8::1", "[2001:db8::1]": "2001:db8::1",
		"[2001:db8::1]:443": "2001:db8::1", "::ffff:192.0.2.1": "192.0.2.1", "[::ffff:192.0.2.1]:1": "192.0.2.1", "fe80::1%eth0": "fe80::1",
		"": "", "unknown": "", "_hidden": "", "[192.0.2.1]": "", "[192.0.2.1": "", "192.0.2.1.": "", "192.0.2.1:": "", "192.0.2.01": "", "for=192.0.2.1": "",
	} {
		got, ok := Parse(item)
		if ok != (want != "") || ok && got.String() != want {
			t.Errorf("%q: %v, %v, want %q", item, got, ok, want)
		}
	}
}
