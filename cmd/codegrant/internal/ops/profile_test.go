package ops

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"testing"
)

func TestProfiles(t *testing.T) {
	mux := http.NewServeMux()
	profiles(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	ask := func(path string) (int, []byte) {
		t.Helper()
		answer, err := http.Get(server.URL + "/debug/pprof/" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, b
	}
	for _, seconds := range []string{"0", "-1", "121", "1.5", "x", "99999999999999999999", "9223372037"} {
		if status, said := ask("profile?seconds=" + seconds); status != http.StatusBadRequest {
			t.Errorf("%s seconds: %d %s", seconds, status, said)
		}
	}
	compressed := []byte{0x1f, 0x8b} // as profiles are
	for _, path := range []string{"profile?seconds=1", "heap", "allocs", "goroutine"} {
		if status, said := ask(path); status != http.StatusOK || !bytes.HasPrefix(said, compressed) {
			t.Errorf("%s: %d, %d bytes", path, status, len(said))
		}
	}
	for _, path := range []string{"", "cmdline", "symbol", "trace", "threadcreate"} {
		if status, _ := ask(path); status != http.StatusNotFound {
			t.Errorf("%q: %d", path, status)
		}
	}

	// While one is taken, there is no other.
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	status, said := ask("profile?seconds=1")
	pprof.StopCPUProfile()
	if status != http.StatusConflict {
		t.Errorf("beside another: %d %s", status, said)
	}
}
