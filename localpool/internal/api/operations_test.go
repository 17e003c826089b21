package api

import (
	"testing"

	"github.com/codegrant/codegrant/localpool/internal/model"
)

// TestEveryOperation: what the model has, the API has, signed or not as there.
func TestEveryOperation(t *testing.T) {
	// Their texts and the model disagree: both are taken.
	either := map[string]bool{"GetClientToken": true, "GetDerivedToken": true}
	handlers := 0
	for _, name := range model.Operations() {
		op, ok := operations[name]
		if !ok {
			t.Errorf("%s has no handler", name)
			continue
		}
		handlers++
		if o, _ := model.Lookup(name); o.Open != op.open && !either[name] {
			t.Errorf("%s: open is %v, and in the model %v", name, op.open, o.Open)
		}
	}
	if handlers != 153 {
		t.Errorf("%d operations have a handler, want 153", handlers)
	}
	for name := range operations {
		if _, ok := model.Lookup(name); !ok && name[:len(secretsManager)] != secretsManager {
			t.Errorf("%s is not in the model", name)
		}
	}
}
