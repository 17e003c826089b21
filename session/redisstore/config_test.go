package redisstore

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct {
		url  string
		want target
	}{
		{"redis://localhost", target{addresses: []string{"localhost:6379"}}},
		{"redis://localhost/", target{addresses: []string{"localhost:6379"}}},
		{"valkey://localhost:1/3", target{addresses: []string{"localhost:1"}, database: 3}},
		{"valkeys://localhost?db=3", target{addresses: []string{"localhost:6379"}, database: 3, tls: true}},
		{"rediss://u:p@h:1", target{addresses: []string{"h:1"}, tls: true, username: "u", password: "p"}},
		{"redis://:p@h", target{addresses: []string{"h:6379"}, password: "p"}},
		{"redis://u:p%40%2F%3A%23%25@h", target{addresses: []string{"h:6379"}, username: "u", password: "p@/:#%"}},
		{"redis://[::1]:1", target{addresses: []string{"[::1]:1"}}},
		{"redis://[::1]", target{addresses: []string{"[::1]:6379"}}},
		{"redis://a,b:1,[::1]:2/?cluster=true", target{addresses: []string{"a:6379", "b:1", "[::1]:2"}, cluster: true}},
		{"redis://a:1?addr=b:2&addr=c", target{addresses: []string{"a:1", "b:2", "c:6379"}}},
		{"redis://?addr=b:2&addr=c", target{addresses: []string{"b:2", "c:6379"}}},
		{"redis://a,b:1?master=m", target{addresses: []string{"a:26379", "b:1"}, masterName: "m"}},
		{"unix:///run/redis.sock?db=2", target{addresses: []string{"/run/redis.sock"}, unix: true, database: 2}},
		{"unix://u:p@/run/redis.sock", target{addresses: []string{"/run/redis.sock"}, unix: true, username: "u", password: "p"}},
		{"redis://h?prefix=x:&timeout=3s&cache_for=1s&cache=off&insecure_plaintext=1", target{
			addresses: []string{"h:6379"}, prefix: "x:", timeout: 3 * time.Second, cacheFor: time.Second, noCache: true, plaintext: true,
		}},
	} {
		got, err := parseURL(tt.url, false)
		if err != nil || fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("parseURL(%q) = %+v, %v\nwant %+v", tt.url, got, err, tt.want)
		}
	}
	if got, err := parseURL("redis://a?master=m&sentinel_user=u&sentinel_password=p", false); err != nil || got.sentinel.username != "u" || got.sentinel.password != "p" {
		t.Errorf("%+v, %v", got, err)
	}
}

// badURLs each have the password "canary" where there is one.
var badURLs = []string{
	"", "redis", "redis:", "localhost:6379", "http://h", "REDIS://h", "redis://", "redis:///0", "redis://h:", "redis://h:0", "redis://h:65536",
	"redis://h:p", "redis://u:canary@", "redis://u:canary@h:x", "redis://u:can%ary@h", "redis://u:canary#@h", "redis://u:canary/@h",
	"redis://u:canary?@h", "redis://u:canary@h/x", "redis://u:canary@h/-1", "redis://h/0/1", "redis://h/99999", "redis://h/0?db=0",
	"redis://h#f", "redis://h/0#f", "redis://a,,b", "redis://a,", "redis://::1", "redis://[::1", "redis://a b", "redis://u:canary@h?password=canary",
	"redis://h?db=x", "redis://h?db=1&db=2", "redis://h?cluster=yes", "redis://h?cluster=", "redis://h?timeout=3", "redis://h?timeout=-1s",
	"redis://h?cache_for=0s", "redis://h?cache=0.5", "redis://h?skip_verify=true", "redis://h?master=", "redis://h?prefix=", "redis://h?;", "redis://h?%zz=1",
	"unix://", "unix://host/path", "unix:///", "unix:///path?addr=b", "redis://h?addr=", "redis://h?addr=a:b:c",
	"redis://h?cluster=canary", "redis://h?timeout=canary", "redis://u:canary@@@h:@",
}

func TestBadURLs(t *testing.T) {
	for _, url := range badURLs {
		if url == "unix:///" {
			continue // a path, if an odd one
		}
		got, err := parseURL(url, false)
		if err == nil {
			t.Errorf("parseURL(%q) = %+v", url, got)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("parseURL(%q) tells the password: %v", url, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, url := range badURLs {
		f.Add(url)
	}
	f.Add("redis://u:canary@a:1,b:2/3?cluster=true&addr=c")
	f.Add("unix://u:canary@/run/redis.sock?db=2")
	f.Fuzz(func(t *testing.T, url string) {
		got, err := parseURL(url, false)
		if err != nil {
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("parseURL(%q) tells the password: %v", url, err)
			}
			return
		}
		if len(got.addresses) == 0 || got.database < 0 || got.timeout < 0 || got.cacheFor < 0 {
			t.Errorf("parseURL(%q) = %+v", url, got)
		}
		for _, address := range got.addresses {
			again, err := parseAddress(address, false)
			if !got.unix && (err != nil || again != address) {
				t.Errorf("parseURL(%q): address %q reads %q, %v", url, address, again, err)
			}
		}
	})
}

func TestConfiguration(t *testing.T) {
	for name, tt := range map[string]struct {
		config Config
		want   []string // in the error; none: there is none
	}{
		"nothing":                      {Config{}, []string{"URL or Addresses"}},
		"a URL":                        {Config{URL: "redis://localhost"}, nil},
		"addresses":                    {Config{Addresses: []string{"127.0.0.1:1", "[::1]:2"}}, nil},
		"a socket":                     {Config{URL: "unix:///run/redis.sock"}, nil},
		"another machine":              {Config{URL: "redis://redis"}, []string{"rediss://", "InsecurePlaintext"}},
		"another machine among some":   {Config{Addresses: []string{"localhost:1", "redis:2"}}, []string{"InsecurePlaintext"}},
		"another machine, with TLS":    {Config{URL: "rediss://redis"}, nil},
		"another machine, TLS by hand": {Config{URL: "redis://redis", TLS: &tls.Config{}}, nil},
		"another machine, allowed":     {Config{URL: "redis://redis", InsecurePlaintext: true}, nil},
		"another machine, by the URL":  {Config{URL: "redis://redis?insecure_plaintext=true"}, nil},
		"looks like this machine":      {Config{URL: "redis://localhost.example"}, []string{"InsecurePlaintext"}},
		"cluster and master":           {Config{URL: "redis://localhost", Cluster: true, MasterName: "m"}, []string{"sentinels"}},
		"cluster by a socket":          {Config{URL: "unix:///s?cluster=true"}, []string{"socket"}},
		"cluster with a database":      {Config{URL: "redis://localhost,localhost:1/2"}, []string{"Database"}},
		"below zero":                   {Config{URL: "redis://localhost", Database: -1, Timeout: -1, CacheBytes: -1}, []string{"Database", "Timeout"}},
		"user alone":                   {Config{URL: "redis://u@localhost"}, []string{"Password"}},
		"braces":                       {Config{URL: "redis://localhost", Prefix: "{x}:"}, []string{"brace"}},
		"everything at once": {
			Config{URL: "http://x", Addresses: []string{"x:y:z"}, Prefix: "{", Database: -1},
			[]string{"scheme", "Addresses[0]", "brace", "Database"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(tt.config)
			if (err == nil) != (len(tt.want) == 0) {
				t.Fatalf("New = %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("New = %v, want it to speak of %s", err, want)
				}
			}
			if err == nil && !s.Shared() {
				t.Error("it is not shared")
			}
		})
	}
}

func TestFieldsGoBeforeTheURL(t *testing.T) {
	c, err := Config{
		URL:       "rediss://u:p@one:1/3?prefix=x:&timeout=3s&cache_for=3s&master=url&sentinel_password=q",
		Addresses: []string{"two"}, Username: "v", Password: "r", Database: 4, Prefix: "y:", Timeout: time.Second, CacheFor: time.Minute,
		MasterName: "field", SentinelPassword: "s",
	}.resolve()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.Addresses, []string{"two:26379"}) || c.Username != "v" || c.Password != "r" || c.Database != 4 || c.Prefix != "y:" ||
		c.Timeout != time.Second || c.CacheFor != time.Minute || c.MasterName != "field" || c.SentinelPassword != "s" || c.TLS == nil {
		t.Errorf("%+v", struct{ resolved }{c})
	}
	c, err = Config{URL: "redis://localhost"}.resolve()
	if err != nil || c.Prefix != "codegrant:" || c.Timeout != 2*time.Second || c.CacheFor != 5*time.Second || c.CacheBytes != 64<<20 {
		t.Errorf("%v, %v, %v, %v, %v", c.Prefix, c.Timeout, c.CacheFor, c.CacheBytes, err)
	}
}

func TestS169_AConfigurationDoesNotPrint(t *testing.T) {
	c := Config{URL: "redis://u:canary@h", Password: "canary", SentinelPassword: "canary"}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "config", c, "pointer", &c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("", "config", c, "pointer", &c)
	for _, shown := range []string{
		fmt.Sprintf("%v %+v %#v %q %s %d %x", c, c, c, c, c, c, c), fmt.Sprintf("%v %+v %#v", &c, &c, &c), string(asJSON), log.String(),
	} {
		if strings.Contains(shown, "canary") || strings.Contains(shown, fmt.Sprintf("%x", "canary")) {
			t.Errorf("a password is shown: %s", shown)
		}
	}
}
