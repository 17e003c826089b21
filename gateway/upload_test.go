package gateway_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
)

// slowly is a body of ten pieces that come one a time.
type slowly struct {
	every time.Duration
	left  int
}

func (s *slowly) Read(p []byte) (int, error) {
	time.Sleep(s.every)
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	return copy(p, "piece"), nil
}

type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

// TestS290_AnUploadMayTakeItsTime: the upstream's timeout bounds the upstream, which
// has it anew with each piece of the body and at its end; the client may take as long
// as it likes.
func TestS290_AnUploadMayTakeItsTime(t *testing.T) {
	const timeout = 30 * time.Second
	answers := func(after time.Duration) transport {
		return func(r *http.Request) (*http.Response, error) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return nil, err
			}
			select {
			case <-time.After(after):
				return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, ContentLength: 0, Request: r}, nil
			case <-r.Context().Done():
				return nil, context.Cause(r.Context())
			}
		}
	}
	stops := func(r *http.Request) (*http.Response, error) {
		_, _ = r.Body.Read(make([]byte, 1))
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	for _, tt := range []struct {
		name     string
		every    time.Duration
		upstream transport
		status   int
		took     time.Duration
	}{
		{"a body of many minutes", 2 * time.Minute, answers(29 * time.Second), 200, 22*time.Minute + 29*time.Second},
		{"an answer that does not come", 2 * time.Minute, answers(31 * time.Second), 504, 22*time.Minute + timeout},
		{"a body that is not taken", time.Second, stops, 504, time.Second + timeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				quiet := slog.New(slog.DiscardHandler)
				auth, err := codegrant.New(codegrant.Config{
					BaseURL: "https://app.example.com", Logger: quiet,
					Pool: cognito.Pool{Region: "eu-west-1", ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "client"},
				})
				if err != nil {
					t.Fatal(err)
				}
				g, err := gateway.New(gateway.Config{
					Tenants: []gateway.Tenant{{Auth: auth}}, Logger: quiet, Transport: tt.upstream,
					Routes: public(gateway.Upstream{URLs: []string{"http://upstream.internal"}, Timeout: timeout}),
				})
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close(t.Context())
				start, w := time.Now(), httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodPost, "/upload", &slowly{tt.every, 10})
				g.ServeHTTP(w, r)
				if took := time.Since(start); w.Code != tt.status || took != tt.took {
					t.Errorf("%d after %v, want %d after %v", w.Code, took, tt.status, tt.took)
				}
			})
		})
	}
}
