package webhook

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestS751_Signature: the example of Standard Webhooks has the signature that it has
// there, by each of the secrets.
func TestS751_Signature(t *testing.T) {
	key, err := ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1614265330, 0)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	body := []byte(`{"test": 2432232314}`)
	if got := signature([]Secret{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	_, other := secret(t)
	got := strings.Fields(signature([]Secret{other, key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body))
	if len(got) != 2 || got[1] != want || got[0] == want {
		t.Errorf("signatures of two secrets: %v", got)
	}
}

// FuzzS751_Secret: what is read as a secret has enough bytes, and neither it nor the
// fault shows any of them.
func FuzzS751_Secret(f *testing.F) {
	for _, text := range []string{NewSecret(), "whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSecret(text)
		if err != nil {
			if len(text) > 8 && strings.Contains(err.Error(), text) {
				t.Errorf("the fault quotes it: %v", err)
			}
			return
		}
		if len(s.key) < 24 || !strings.HasPrefix(text, "whsec_") {
			t.Errorf("%q is a secret of %d bytes", text, len(s.key))
		}
		for _, shown := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %x %q", s, s, s, s), fmt.Sprintf("%v", []Secret{s})} {
			if strings.Contains(shown, text) || strings.Contains(shown, strings.TrimPrefix(text, "whsec_")) || strings.Contains(shown, fmt.Sprintf("%x", s.key)) {
				t.Errorf("it prints as %s", shown)
			}
		}
	})
}

// TestS752_WhereMessagesGo: to addresses of the internet, over TLS, and nowhere else
// unless that is said; whoever answers sends them nowhere else.
func TestS752_WhereMessagesGo(t *testing.T) {
	_, key := secret(t)
	for url, want := range map[string]string{
		"https://crm.example.com/hooks": "", "https://10.0.0.1/hooks": "", "http://127.0.0.1:9000/": "", "http://localhost:9000/": "", "http://[::1]/": "",
		"http://crm.example.com/hooks": "https://", "http://10.0.0.1/": "https://", "http://localhost.example.com/": "https://", "ftp://localhost/": "https://",
		"": "not a URL", "crm.example.com": "not a URL", "https://": "not a URL", "https:crm.example.com": "not a URL", "https://crm.example.com/#a": "not a URL", "https://:443/": "not a URL",
	} {
		err := Endpoint{Name: "crm", URL: url, Secrets: []Secret{key}}.Check()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}

	// A server on this machine under a name and an address of others: a name that points
	// here is no way in.
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	port := server.URL[strings.LastIndexByte(server.URL, ':'):]
	try := func(url string, private bool) outcome {
		to := newTarget(Endpoint{Name: "crm", URL: url, Secrets: []Secret{key}, Private: private}, nil)
		return to.post(t.Context(), &Delivery{Message: "msg_1", body: []byte("{}")}, time.Now())
	}
	for _, url := range []string{"https://0.0.0.0" + port, "https://[::ffff:127.0.0.1]" + port, "https://10.255.255.1" + port, "https://169.254.169.254/", "https://100.64.0.1/", "https://[fd00::1]/"} {
		if o := try(url, false); !strings.Contains(o.failure, errAddress.Error()) && !strings.Contains(url, "127.0.0.1") {
			t.Errorf("%s: %+v", url, o)
		}
	}
	for _, metadata := range []string{"https://169.254.169.254/", "https://[fd00:ec2::254]/", "https://[fd20:ce::254]/", "https://100.100.100.200/"} {
		if o := try(metadata, true); !strings.Contains(o.failure, errAddress.Error()) {
			t.Errorf("%s: %+v", metadata, o)
		}
	}
	if o := try("https://169.254.169.254/", true); !strings.Contains(o.failure, errAddress.Error()) {
		t.Errorf("metadata of a cloud, with private networks: %+v", o)
	}
	if reached != 0 {
		t.Errorf("the server on this machine was reached %d times", reached)
	}
	if o := try(server.URL, false); o.failure != "" || reached != 1 {
		t.Errorf("this machine, by name: %+v, reached %d times", o, reached)
	}
	if o := try(server.URL+"/away", false); o.failure != "answered 307 Temporary Redirect" || reached != 2 {
		t.Errorf("a redirect: %+v, reached %d times", o, reached)
	}
}

func TestEndpointCheck(t *testing.T) {
	_, key := secret(t)
	good := Endpoint{Name: "crm", URL: "https://crm.example.com/", Secrets: []Secret{key}, Events: []string{replica.EventDeleted}}
	for want, edit := range map[string]func(*Endpoint){
		"":         func(*Endpoint) {},
		"name: ":   func(e *Endpoint) { e.Name = "CRM" },
		"secret: ": func(e *Endpoint) { e.Secrets = nil },
		"enough":   func(e *Endpoint) { e.Secrets = []Secret{key, key, key, key, key} },
		"random":   func(e *Endpoint) { e.Secrets = []Secret{{}} },
		`"gone"`:   func(e *Endpoint) { e.Events = append(e.Events, "gone") },
	} {
		e := good
		edit(&e)
		if err := e.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if _, err := NewSender(Config{}); err == nil {
		t.Error("a sender of nothing")
	}
	r := newRig(t)
	if _, err := NewSender(Config{Outbox: r.users, Queue: r.queue, Endpoints: []Endpoint{good, good}}); err == nil || !strings.Contains(err.Error(), "two of this name") {
		t.Errorf("two of a name: %v", err)
	}
}

// TestHears: an endpoint that names events hears of changes with one of them.
func TestHears(t *testing.T) {
	r := newRig(t)
	_, key := secret(t)
	all := Endpoint{Name: "all", URL: "https://a.example.com/", Secrets: []Secret{key}}
	some := Endpoint{Name: "some", URL: "https://b.example.com/", Secrets: []Secret{key}, Events: []string{replica.EventUpdated}}
	s := r.sender(t, all, some)
	r.state(t, "alice", "first")
	r.state(t, "alice", "second")
	if n, err := s.take(t.Context()); n != 2 || err != nil {
		t.Fatalf("took %d, %v", n, err)
	}
	if waiting, _ := r.size(t, "all"); waiting != 2 {
		t.Errorf("%d for who hears of everything", waiting)
	}
	if waiting, _ := r.size(t, "some"); waiting != 1 {
		t.Errorf("%d for who hears of updates", waiting)
	}
	if left, err := r.users.OutboxSize(t.Context()); err != nil || left.Entries != 0 {
		t.Errorf("left in the outbox: %+v, %v", left, err)
	}
}
