package serve

import (
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestWouldTheyPassAsThePerson: rules see the row of the person, as at a sign-in.
func TestWouldTheyPassAsThePerson(t *testing.T) {
	if id := identityOf(replica.User{ID: 17, LinkedTo: 4}); id.UserID != 4 {
		t.Errorf("a linked identity is row %d, want 4", id.UserID)
	}
	if id := identityOf(replica.User{ID: 17}); id.UserID != 17 {
		t.Errorf("row %d, want 17", id.UserID)
	}
}
