package parts_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/webhook"
)

// TestDocumentedTypesOfWebhooks: docs/webhooks.md names every type of message before an example
// of its form.
func TestDocumentedTypesOfWebhooks(t *testing.T) {
	text, err := os.ReadFile("../../../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, examples, ok := strings.Cut(string(text), "\nReceivers ignore types")
	if !ok {
		t.Fatal("there are no examples")
	}
	for _, name := range slices.Concat(organization.Kinds, []string{
		webhook.TypeCreated, webhook.TypeUpdated, webhook.TypeDeleted, webhook.TypeMerged, webhook.TypeErased,
		webhook.TypeSessionStarted, webhook.TypeSessionEnded, webhook.TypeSignedOutEverywhere, webhook.TypeSignInRefused, webhook.TypeRequestRefused, webhook.TypeMoveReminder,
	}) {
		_, after, ok := strings.Cut(examples, "`"+name+"`")
		if !ok || !strings.Contains(after, "```json") || strings.Count(string(text), "`"+name+"`") < 2 {
			t.Errorf("%s is not there, or has no example", name)
		}
	}
}
