package codegrant

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestPermissions(t *testing.T) {
	alice := &Identity{Subject: "alice", Groups: []string{"admins", "a,b"}, Scopes: []string{"openid", "orders/read"}}
	fault := errors.New("the database is down")
	failing := PermissionFunc("failing", func(context.Context, *Identity, *http.Request) (bool, error) { return true, fault })
	never := PermissionFunc("never", func(context.Context, *Identity, *http.Request) (bool, error) { return false, nil })
	tests := []struct {
		name       string
		permission Permission
		method     string
		id         *Identity
		want       bool
		wantErr    error
	}{
		{"signed in", SignedIn(), "GET", alice, true, nil},
		{"signed in: nobody", SignedIn(), "GET", nil, false, nil},
		{"in group", InGroup("admins"), "GET", alice, true, nil},
		{"in group: case matters", InGroup("Admins"), "GET", alice, false, nil},
		{"in group: a prefix is not a member", InGroup("admin"), "GET", alice, false, nil},
		{"in group: a comma separates nothing", InGroup("a"), "GET", alice, false, nil},
		{"in any group", InAnyGroup("x", "admins"), "GET", alice, true, nil},
		{"in any group: none", InAnyGroup("x", "y"), "GET", alice, false, nil},
		{"in any group: nobody", InAnyGroup("x", "y"), "GET", nil, false, nil},
		{"scope", HasScope("orders/read"), "GET", alice, true, nil},
		{"scope: missing", HasScope("orders/write"), "GET", alice, false, nil},
		{"all", All(SignedIn(), InGroup("admins")), "GET", alice, true, nil},
		{"all: one refuses", All(SignedIn(), never), "GET", alice, false, nil},
		{"all: a fault is not a yes", All(SignedIn(), failing), "GET", alice, false, fault},
		{"any: first refuses", Any(never, InGroup("admins")), "GET", alice, true, nil},
		{"any: a fault does not stop the next", Any(failing, InGroup("admins")), "GET", alice, true, nil},
		{"any: only a fault", Any(never, failing), "GET", alice, false, fault},
		{"not", Not(InGroup("x")), "GET", alice, true, nil},
		{"not: refused", Not(InGroup("admins")), "GET", alice, false, nil},
		{"not: nobody passes", Not(InGroup("x")), "GET", nil, false, nil},
		{"not: a fault is not a yes", Not(failing), "GET", alice, false, fault},
		{"read only: GET", ReadOnly(), "GET", alice, true, nil},
		{"read only: POST", ReadOnly(), "POST", alice, false, nil},
		{"read only for others", Any(InGroup("x"), ReadOnly()), "DELETE", alice, false, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.permission.Check(t.Context(), tt.id, httptest.NewRequest(tt.method, "/", nil))
			if got != tt.want || !errors.Is(err, tt.wantErr) {
				t.Errorf("Check() = %v, %v, want %v, %v", got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func TestPermissionNames(t *testing.T) {
	got := All(InAnyGroup("a", "b"), Any(HasScope("s"), Not(ReadOnly()))).String()
	if want := "(group a or b and (scope s or not reading))"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

// A rule that can never be met, or always is, is a mistake to hear of at start.
func TestS100_PermissionsThatMakeNoSensePanic(t *testing.T) {
	for name, make := range map[string]func(){
		"no group":       func() { InAnyGroup() },
		"empty group":    func() { InGroup("") },
		"one empty":      func() { InAnyGroup("a", "") },
		"empty scope":    func() { HasScope("") },
		"all of nothing": func() { All() },
		"any of nothing": func() { Any() },
		"nil permission": func() { All(SignedIn(), nil) },
		"not nil":        func() { Not(nil) },
		"no level":       func() { MinimumLevel("") },
		"no time":        func() { SignedInWithin(time.Second - 1) },
		"no function":    func() { PermissionFunc("x", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			make()
		})
	}
}
