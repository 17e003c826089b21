package kept

import (
	"maps"
	"net/http"
	"slices"
	"testing"
)

func TestResponseIsAsItWasSent(t *testing.T) {
	var r Response
	r.Header().Set("Link", "</a.css>")
	r.WriteHeader(http.StatusEarlyHints)
	if r.Status != 0 || r.Sent != nil {
		t.Errorf("after an informational answer: %d %v", r.Status, r.Sent)
	}
	r.Header().Add("Set-Cookie", "a=1")
	r.WriteHeader(http.StatusForbidden)
	r.Header().Add("Set-Cookie", "b=2")
	r.Header().Set("Late", "1")
	r.WriteHeader(http.StatusOK)
	if n, err := r.Write([]byte("no")); n != 2 || err != nil {
		t.Error(n, err)
	}
	want := http.Header{"Link": {"</a.css>"}, "Set-Cookie": {"a=1"}}
	if r.Status != http.StatusForbidden || !maps.EqualFunc(r.Sent, want, slices.Equal) || r.Body.String() != "no" {
		t.Errorf("%d %v %q", r.Status, r.Sent, r.Body.String())
	}
}

func TestResponseWithoutAStatusIsOK(t *testing.T) {
	var r Response
	if _, err := r.Write(nil); r.Status != http.StatusOK || err != nil {
		t.Errorf("%d, %v", r.Status, err)
	}
}
