package settings

import (
	"strings"
	"testing"
)

// TestWebhooks: who is told is a few lines, and what is wrong with it is said at its line.
func TestWebhooks(t *testing.T) {
	const (
		key    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
		before = "  - {path: /, upstream: \"http://127.0.0.1:1\"}\ndatabase: sqlite:app.db\nreplica: {outbox: true}\n"
		hooks  = "webhooks:\n  crm: {url: \"https://crm.example.com/hooks\", secret: " + key + ", events: [created]}\n"
	)
	s := load(t, write(t, ruledPool+before+hooks, nil), nil)
	if len(s.Webhooks) != 1 || s.Webhooks[0].Name != "crm" || len(s.Webhooks[0].Secrets) != 1 || s.Webhooks[0].Events[0] != "created" || s.Webhooks[0].Private {
		t.Errorf("%+v", s.Webhooks)
	}
	for more, want := range map[string]string{
		strings.Replace(before, "{outbox: true}", "true", 1) + hooks:               ":8: webhooks: webhooks need the outbox",
		before + strings.Replace(hooks, "https://crm", "http://crm", 1):            ":9: webhooks.crm.url: it must begin with https://",
		before + strings.Replace(hooks, "created", "gone", 1):                      ":9: webhooks.crm.events: there is no \"gone\"",
		before + strings.Replace(hooks, key, "hunter2", 1):                         ":9: webhooks.crm.secret: it must be whsec_",
		before + strings.Replace(hooks, "secret: "+key+", ", "", 1):                ":9: webhooks.crm.secret: it is missing",
		before + strings.Replace(hooks, "secret: "+key, "secret_file: missing", 1): ":9: webhooks.crm.secret_file: there is no file ",
		before + strings.Replace(hooks, "crm: {", "CRM: {", 1):                     ":9: webhooks.CRM: its name: it must be small letters",
		before + strings.Replace(hooks, "url:", "uri:", 1):                         ":9: webhooks.crm.uri:",
	} {
		got := faultsOf(t, ruledPool+more)
		if strings.Contains(more, "secret_file") && (len(got) != 1 || !strings.Contains(got[0], "codegrant webhooks secret > ")) {
			t.Errorf("a missing file: %q", got)
		}
		if len(got) == 0 || !strings.HasPrefix(got[0], want) || strings.Contains(strings.Join(got, " "), "hunter2") {
			t.Errorf("%s: %q, want %q", more, got, want)
		}
	}
}
