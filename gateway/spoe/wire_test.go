package spoe

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// What HAProxy 2.6 sends, without the length before it.
const (
	theirHello  = "\x01\x00\x00\x00\x01\x00\x00\x12supported-versions\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x0e\x0ccapabilities\x08\x10pipelining,async\tengine-id\x08$9d3af904-cef0-4572-949c-4345e292c2ca"
	theirCheck  = "\x01\x00\x00\x00\x01\x00\x00\x12supported-versions\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x0e\x0ccapabilities\x08\x00\x0bhealthcheck\x11"
	theirNotify = "\x03\x00\x00\x00\x01\x07\x01\x05check\x03\x06method\x08\x03GET\x03uri\x08\x0f/reports/q3?x=1\x07headers\t\x96\x04host\x0flocalhost:18000\nuser-agent\x0bcurl/7.88.1" +
		"\x06accept\x03*/*\x06cookie\x03a=1\x0fx-forwarded-for\t127.0.0.1\x11x-forwarded-proto\x04http\x10x-forwarded-host\x0flocalhost:18000\x00\x00"
)

func parsed(t *testing.T, content string) *frame {
	t.Helper()
	f, err := parseFrame([]byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestWhatHAProxySends(t *testing.T) {
	h, err := parseHello(parsed(t, theirHello))
	if err != nil || h != (hello{frameSize: 32764, pipelining: true}) {
		t.Errorf("%+v %v", h, err)
	}
	if h, err := parseHello(parsed(t, theirCheck)); err != nil || h != (hello{frameSize: 32764, healthCheck: true}) {
		t.Errorf("%+v %v", h, err)
	}
	f := parsed(t, theirNotify)
	arguments, err := parseMessage(f.payload)
	if err != nil || f.stream != 7 || f.id != 1 {
		t.Fatal(f.stream, f.id, err)
	}
	r, narrow, err := requestOf(arguments, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != "GET" || r.RequestURI != "/reports/q3?x=1" || r.Host != "localhost:18000" || r.Header.Get("Cookie") != "a=1" || len(r.Header) != 6 || len(narrow) != 0 {
		t.Errorf("%+v %v", r, narrow)
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "\x00", 239: "\xef", 240: "\xf0\x00", 241: "\xf1\x00", 2287: "\xff\x7f", 2288: "\xf0\x80\x00", 32764: "\xfc\xf0\x0e", 264431: "\xff\xff\x7f", 264432: "\xf0\x80\x80\x00",
	} {
		var out output
		out.varint(n)
		if string(out) != want {
			t.Errorf("%d is %x, want %x", n, out, want)
		}
	}
	for _, n := range []uint64{33818863, 33818864, 4328786159, 4328786160, math.MaxInt64, math.MaxUint64 - 1, math.MaxUint64} {
		var out output
		out.varint(n)
		in := input(out)
		if got, err := in.varint(); got != n || err != nil || len(in) != 0 {
			t.Errorf("%d came back as %d, %v", n, got, err)
		}
	}
	for _, bad := range []string{"", "\xf0", "\xf0\x80", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00", "\xf0\x80\x80\x80\x80\x80\x80\x80\x80\x7f", strings.Repeat("\xff", 1000)} {
		in := input(bad)
		if n, err := in.varint(); err == nil {
			t.Errorf("%.20x is %d", bad, n)
		}
	}
}

// TestMalformedFrames: each is refused, for the reason that HAProxy is told.
func TestMalformedFrames(t *testing.T) {
	items := func(s string) string { return "\x01\x00\x00\x00\x01\x00\x00" + s }
	const versions, size, capabilities = "\x12supported-versions\x08\x032.0", "\x0emax-frame-size\x03\xfc\xf0\x0e", "\x0ccapabilities\x08\x00"
	for name, tt := range map[string]struct {
		content string
		want    code
	}{
		"nothing":                     {"", codeInvalid},
		"a type alone":                {"\x03", codeInvalid},
		"no frame id":                 {"\x03\x00\x00\x00\x01\x07", codeInvalid},
		"an id that goes on":          {"\x03\x00\x00\x00\x01\xf0\xff", codeInvalid},
		"our own type":                {"\x67\x00\x00\x00\x01\x00\x00", codeInvalid},
		"an unknown type":             {"\x09\x00\x00\x00\x01\x00\x00", codeInvalid},
		"a fragment":                  {"\x03\x00\x00\x00\x00\x07\x01", codeFragmented},
		"a later fragment":            {"\x00\x00\x00\x00\x01\x07\x01", codeFragmented},
		"an abort":                    {"\x03\x00\x00\x00\x03\x07\x01", codeFragmented},
		"HELLO of a stream":           {"\x01\x00\x00\x00\x01\x01\x00" + versions + size + capabilities, codeInvalid},
		"HELLO without versions":      {items(size + capabilities), codeNoVersion},
		"HELLO of another version":    {items("\x12supported-versions\x08\x041, 3" + size + capabilities), codeBadVersion},
		"HELLO of version 20":         {items("\x12supported-versions\x08\x0420.0" + size + capabilities), codeBadVersion},
		"versions as a number":        {items("\x12supported-versions\x03\x02" + size + capabilities), codeNoVersion},
		"HELLO without a size":        {items(versions + capabilities), codeNoFrameSize},
		"a size as a string":          {items(versions + "\x0emax-frame-size\x08\x03300" + capabilities), codeNoFrameSize},
		"a size as a signed number":   {items(versions + "\x0emax-frame-size\x02\x10" + capabilities), codeNoFrameSize},
		"a small size":                {items(versions + "\x0emax-frame-size\x03\x80" + capabilities), codeBadSize},
		"an immense size":             {items(versions + "\x0emax-frame-size\x03\xff\xff\xff\xff\xff\xff\x0f" + capabilities), codeBadSize},
		"HELLO without capabilities":  {items(versions + size), codeNoCaps},
		"capabilities as a flag":      {items(versions + size + "\x0ccapabilities\x11"), codeNoCaps},
		"an item twice":               {items(versions + versions + size + capabilities), codeInvalid},
		"an item without a value":     {items(versions + size + capabilities + "\x01x"), codeInvalid},
		"an item of an unknown type":  {items(versions + size + capabilities + "\x01x\x0a"), codeInvalid},
		"a string with flags":         {items(versions + size + "\x0ccapabilities\x18\x00"), codeInvalid},
		"a flag with more flags":      {items(versions + size + capabilities + "\x01x\x21"), codeInvalid},
		"a string beyond the frame":   {items(versions + size + "\x0ccapabilities\x08\x7f"), codeInvalid},
		"a string beyond all frames":  {items(versions + size + "\x0ccapabilities\x08\xff\xff\xff\xff\xff\xff\xff\xff\x0d"), codeInvalid},
		"a string beyond all sizes":   {items(versions + size + "\x0ccapabilities\x08" + number(math.MaxUint64)), codeInvalid},
		"half an address":             {items(versions + size + capabilities + "\x01x\x06\x7f\x00"), codeInvalid},
		"half an IPv6 address":        {items(versions + size + capabilities + "\x01x\x07\x7f\x00"), codeInvalid},
		"an item without a name":      {items(versions + size + capabilities + "\x00\x11"), codeInvalid},
		"too many items":              {items(versions + size + capabilities + many()), codeInvalid},
		"NOTIFY instead":              {theirNotify, codeInvalid},
		"a message without arguments": {"\x03\x00\x00\x00\x01\x07\x01\x05check", codeInvalid},
		"arguments that are not there": {
			"\x03\x00\x00\x00\x01\x07\x01\x05check\xff\x01x\x11", codeInvalid},
		"a message without a name": {"\x03\x00\x00\x00\x01\x07\x01\x00\x00", codeInvalid},
	} {
		f, err := parseFrame([]byte(tt.content))
		if err == nil {
			if f.kind == frameNotify && name != "NOTIFY instead" {
				_, err = parseMessage(f.payload)
			} else {
				_, err = parseHello(f)
			}
		}
		var fault *protocolError
		if !errors.As(err, &fault) || fault.code != tt.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func number(n uint64) string {
	var out output
	out.varint(n)
	return string(out)
}

func many() string {
	var b strings.Builder
	for i := range largestKV {
		b.Write([]byte{2, 'a' + byte(i/26), 'a' + byte(i%26), typeNull})
	}
	return b.String()
}

// TestFrameLengths: nothing is allocated for what a frame claims beyond the bound.
func TestFrameLengths(t *testing.T) {
	for length, want := range map[uint32]code{0: codeInvalid, 1: codeInvalid, 6: codeInvalid, 1025: codeTooBig, math.MaxUint32: codeTooBig} {
		var fault *protocolError
		read := testing.AllocsPerRun(1, func() {
			_, err := readFrame(bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, length), 3)), 1024)
			if !errors.As(err, &fault) || fault.code != want {
				t.Errorf("%d bytes: %v", length, err)
			}
		})
		if read > 20 {
			t.Errorf("%d bytes: %v allocations", length, read)
		}
	}
	sent := append(binary.BigEndian.AppendUint32(nil, uint32(len(theirNotify))), theirNotify...)
	for cut := range len(sent) {
		if _, err := readFrame(bytes.NewReader(sent[:cut]), 1024); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of a frame: %v", cut, err)
		}
	}
	if f, err := readFrame(iotest.OneByteReader(bytes.NewReader(sent)), len(theirNotify)); err != nil || f.kind != frameNotify {
		t.Errorf("byte by byte: %v", err)
	}
}

// TestS096_Questions that are no question: none of them comes to the gateway.
func TestS096_Questions(t *testing.T) {
	const method, uri, headers = "\x06method\x08\x03GET", "\x03uri\x08\x02/x", "\x07headers\x09\x0a\x04host\x01h\x00\x00"
	message := func(n int, arguments string) string { return "\x05check" + string(rune(n)) + arguments }
	withHeaders := func(h string) string { return method + uri + "\x07headers\x09" + string(rune(len(h))) + h }
	good := message(3, method+uri+headers)
	good = strings.Replace(good, "\x09\x0a", "\x09\x09", 1) // 9 bytes of headers
	ask := func(payload string) error {
		arguments, err := parseMessage(input(payload))
		if err == nil {
			_, _, err = requestOf(arguments, "")
		}
		return err
	}
	if err := ask(good); err != nil {
		t.Fatal(err)
	}
	const host = "\x04host\x01h"
	for name, payload := range map[string]string{
		"nothing":                  "",
		"another message":          strings.Replace(good, "check", "chalk", 1),
		"two messages":             good + good,
		"a second message":         good + "\x05other\x00",
		"no arguments":             "\x05check\x00",
		"no method":                message(2, uri+headers[:9]+"\x09"+headers[10:]),
		"no uri":                   message(2, method+headers[:9]+"\x09"+headers[10:]),
		"no headers":               message(2, method+uri),
		"method NULL":              strings.Replace(good, "\x08\x03GET", "\x00", 1),
		"method empty":             strings.Replace(good, "\x08\x03GET", "\x08\x00", 1),
		"uri NULL":                 strings.Replace(good, "\x08\x02/x", "\x00", 1),
		"uri binary":               strings.Replace(good, "\x08\x02/x", "\x09\x02/x", 1),
		"headers as a string":      strings.Replace(good, "headers\x09", "headers\x08", 1),
		"headers NULL":             message(3, method+uri+"\x07headers\x00"),
		"an argument twice":        message(4, method+uri+uri+"\x07headers\x09\x09"+host+"\x00\x00"),
		"an argument that is odd":  message(4, method+uri+"\x05group\x11\x07headers\x09\x09"+host+"\x00\x00"),
		"no Host":                  message(3, withHeaders("\x01a\x01b\x00\x00")),
		"two Hosts":                message(3, withHeaders(host+host+"\x00\x00")),
		"two Hosts, one large":     message(3, withHeaders(host+"\x04HOST\x01g\x00\x00")),
		"headers without an end":   message(3, withHeaders(host)),
		"headers after the end":    message(3, withHeaders(host+"\x00\x00"+host)),
		"headers cut":              message(3, withHeaders(host+"\x05ab\x00\x00")),
		"half a pair":              message(3, withHeaders(host+"\x01a")),
		"a header without a name":  message(3, withHeaders(host+"\x00\x01a\x00\x00")),
		"a name with a space":      message(3, withHeaders(host+"\x03a b\x01a\x00\x00")),
		"a name with a colon":      message(3, withHeaders(host+"\x03a:b\x01a\x00\x00")),
		"a name that is not ASCII": message(3, withHeaders(host+"\x02\xc3\xbc\x01a\x00\x00")),
		"a value with a break":     message(3, withHeaders(host+"\x01a\x03b\r\n\x00\x00")),
		"a value with NUL":         message(3, withHeaders(host+"\x01a\x01\x00\x00\x00")),
		"two Authorizations":       message(3, withHeaders(host+"\x0dauthorization\x01a\x0dAuthorization\x01a\x00\x00")),
	} {
		if err := ask(payload); !errors.Is(err, errQuestion) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzFrame varies the bytes of a frame: whatever is read of it is in it.
func FuzzFrame(f *testing.F) {
	for _, content := range []string{theirHello, theirCheck, theirNotify, "\x02\x00\x00\x00\x01\x00\x00\x0bstatus-code\x03\x00\x07message\x08\x06normal"} {
		f.Add([]byte(content))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := parseFrame(content)
		if err != nil {
			return
		}
		if len(got.payload) >= len(content) {
			t.Fatalf("a payload of %d bytes in a frame of %d", len(got.payload), len(content))
		}
		h, err := parseHello(got)
		if err == nil && (h.frameSize < minFrame || got.stream != 0) {
			t.Fatalf("%+v", h)
		}
		_, _ = parseItems(got.payload)
		arguments, err := parseMessage(got.payload)
		if err != nil {
			return
		}
		size := 0
		for name, v := range arguments {
			size += len(name) + len(v.bytes)
		}
		if size > len(content) {
			t.Fatalf("%d bytes of arguments in a frame of %d", size, len(content))
		}
		r, narrow, err := requestOf(arguments, "127.0.0.1:1")
		if err != nil {
			return
		}
		if r.Method == "" || r.RequestURI == "" || len(r.Header["Host"]) != 0 || len(r.Header["Authorization"]) > 1 {
			t.Fatalf("%+v", r)
		}
		for name, values := range r.Header {
			if name != http.CanonicalHeaderKey(name) || strings.ContainsAny(name+strings.Join(values, ""), "\r\n\x00") {
				t.Fatalf("the header %q: %q", name, values)
			}
		}
		for name := range narrow {
			if name == "method" || name == "uri" || name == "headers" {
				t.Fatalf("it asks for %v", narrow)
			}
		}
	})
}

// FuzzNumber: a number has one form, and comes back from it.
func FuzzNumber(f *testing.F) {
	for _, s := range []string{"\x00", "\xef", "\xf0\x00", "\xfc\xf0\x0e", "\xff\xff\xff\xff\xff\xff\xff\xff\x0d", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := input(b)
		n, err := in.varint()
		if err != nil {
			return
		}
		var out output
		out.varint(n)
		if !bytes.Equal(out, b[:len(b)-len(in)]) {
			t.Fatalf("%x is %d, which is %x", b[:len(b)-len(in)], n, out)
		}
	})
}

// TestVariables: names of headers are those that haproxy.cfg has.
func TestVariables(t *testing.T) {
	for header, want := range map[string]string{"X-Auth-User-Id": "x_auth_user_id", "WWW-Authenticate": "www_authenticate", "X.Odd~1": "x_odd_1"} {
		if got := variable(header); got != want {
			t.Errorf("%s is %s", header, got)
		}
	}
	if got := oneLine(" a\r\nb\tc\x7f\xff\u00fc\n"); got != "a  b c \uFFFD\u00fc" {
		t.Errorf("%q", got)
	}
}

// TestALargePage: people get a line of text in place of a page that HAProxy has no room for.
func TestALargePage(t *testing.T) {
	for size, want := range map[int]string{1000: strings.Repeat("x", 1000), 20000: "Forbidden"} {
		v := &variables{status: 403, body: strings.Repeat("x", size), headers: map[string]string{"res_content_type": "text/html; charset=utf-8"}}
		sent, err := v.ack(&frame{stream: 1, id: 1}, 16<<10)
		if err != nil || !strings.Contains(string(sent), "body\x08") || !strings.HasSuffix(string(sent), want) || strings.Contains(string(sent), "text/html") != (size == 1000) {
			t.Errorf("%d bytes: %q %v", size, sent[max(0, len(sent)-60):], err)
		}
	}
}
