package state

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unsaved is a state whose file can be written, or not.
type unsaved struct {
	*testing.T
	*State
	path string
}

func newUnsaved(t *testing.T) *unsaved {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.json")
	s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}, []*Pool{{ID: "local_Test1", Clients: []*Client{{ID: "web", PoolID: "local_Test1", RefreshTokenValidity: time.Hour}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateUser("local_Test1", NewUser{Username: "carol", Password: "Passw0rd!", Enabled: true, Attributes: map[string]string{"email": "carol@example.com", "email_verified": "true"}}); err != nil {
		t.Fatal(err)
	}
	return &unsaved{t, s, path}
}

var errFull = errors.New("the disk is full")

func (u *unsaved) full() { u.saver.write = func(string, []byte) error { return errFull } }

func (u *unsaved) free() { u.saver.write = writeFile }

// failed is a change of somebody that cannot be saved.
func (u *unsaved) failed() {
	u.Helper()
	u.full()
	if err := u.CreateGroup("local_Test1", Group{Name: "x"}); !errors.Is(err, errFull) {
		u.Errorf("a change on a full disk: %v", err)
	}
	u.free()
}

func kindOf(err error) string {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Type
	}
	return ""
}

// Wrong passwords lock a user while nothing can be saved, too.
func TestUndo_KeepsFailedPasswords(t *testing.T) {
	u := newUnsaved(t)
	u.full()
	for range 6 {
		if _, err := u.Authenticate("local_Test1", "carol", "wrong"); err == nil {
			t.Fatal("a wrong password is taken")
		}
	}
	if _, err := u.Authenticate("local_Test1", "carol", "Passw0rd!"); !errors.Is(err, errLocked) {
		t.Errorf("the right password after six wrong ones: %v, want %v", err, errLocked)
	}
	u.free()
	if _, err := u.Authenticate("local_Test1", "carol", "Passw0rd!"); !errors.Is(err, errLocked) {
		t.Errorf("when there is room again: %v, want %v", err, errLocked)
	}
}

// A change that cannot be saved gives nobody further guesses at a code.
func TestUndo_KeepsTriesOfCodes(t *testing.T) {
	u := newUnsaved(t)
	if _, err := u.ForgotPassword("local_Test1", "carol"); err != nil {
		t.Fatal(err)
	}
	guess := func() error { return u.ConfirmForgotPassword("local_Test1", "carol", "0000000", "Passw0rd!2") }
	for range maxTries {
		if err := guess(); kindOf(err) != CodeMismatch {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := guess(); kindOf(err) != LimitExceeded {
			t.Errorf("a guess too many: %v", err)
		}
		u.failed()
	}
	// Another code has tries of its own.
	if _, err := u.ForgotPassword("local_Test1", "carol"); err != nil {
		t.Fatal(err)
	}
	if err := guess(); kindOf(err) != CodeMismatch {
		t.Errorf("a guess at another code: %v", err)
	}
}

// Nor at the codes of an authenticator.
func TestUndo_KeepsLocksOfAuthenticators(t *testing.T) {
	u := newUnsaved(t)
	if err := u.AddToken("local_Test1", "carol", "", true); err != nil {
		t.Fatal(err)
	}
	guess := func() error { return u.CheckToken("local_Test1", "carol", "000000x") }
	for range 8 {
		_ = guess()
	}
	for range 2 {
		if err := guess(); !errors.Is(err, errLocked) {
			t.Errorf("the ninth guess: %v, want %v", err, errLocked)
		}
		u.failed()
	}
	if user, err := u.User("local_Test1", "carol"); err != nil || user.Token.Failures < 5 {
		t.Errorf("%+v, %v", user.Token, err)
	}
}

// Who is disabled while their password is checked does not sign in, though a change that
// could not be saved has replaced what was in memory meanwhile.
func TestUndo_WhileAPasswordIsChecked(t *testing.T) {
	u := newUnsaved(t)
	_, err := u.attempt("local_Test1", "carol", func(string, string) bool {
		u.failed()
		if err := u.SetEnabled("local_Test1", "carol", false); err != nil {
			t.Error(err)
		}
		return true
	})
	if !errors.Is(err, errDisabled) {
		t.Errorf("a user who was disabled meanwhile: %v, want %v", err, errDisabled)
	}
	if _, err := u.attempt("local_Test1", "carol", func(string, string) bool {
		if err := u.DeletePool("local_Test1"); err != nil {
			t.Error(err)
		}
		return true
	}); kindOf(err) != ResourceNotFound {
		t.Errorf("a pool that was deleted meanwhile: %v", err)
	}
}

// A change that is not made sends nothing, and writes no code into the log. What was sent
// before stays.
func TestUndo_SendsNothing(t *testing.T) {
	u := newUnsaved(t)
	var log bytes.Buffer
	u.logger = slog.New(slog.NewTextHandler(&log, nil))
	if _, err := u.ForgotPassword("local_Test1", "carol"); err != nil {
		t.Fatal(err)
	}
	u.full()
	for range 2 * keptMessages {
		if _, err := u.ForgotPassword("local_Test1", "carol"); !errors.Is(err, errFull) {
			t.Fatal(err)
		}
	}
	list := u.Undelivered()
	if len(list) != 1 || len(u.Messages()) != 1 {
		t.Fatalf("%d are to be delivered of %d, want the one of before", len(list), len(u.Messages()))
	}
	if strings.Contains(log.String(), "code=") {
		t.Errorf("the log has a code that nobody was sent: %s", log.String())
	}
	u.Deliver(list[0])
	if !strings.Contains(log.String(), "code="+list[0].Code) {
		t.Errorf("the log lacks the code that was sent: %s", log.String())
	}
	u.free()
	for n := range keptMessages {
		if _, err := u.ForgotPassword("local_Test1", "carol"); err != nil {
			t.Fatal(err)
		}
		if list := u.Undelivered(); len(list) != 1 || len(u.Messages()) != min(n+2, keptMessages) {
			t.Fatalf("%d are to be delivered of %d", len(list), len(u.Messages()))
		}
	}
}

// A deletion that is not made leaves the pool's history.
func TestUndo_KeepsHistory(t *testing.T) {
	u := newUnsaved(t)
	began := time.Now()
	u.State.now = func() time.Time { return began.Add(time.Second) }
	if err := u.DeleteUser("local_Test1", "carol"); err != nil {
		t.Fatal(err)
	}
	preview := func() string {
		list, err := u.Preview("local_Test1", began)
		return fmt.Sprint(list, err)
	}
	before := preview()
	u.full()
	if err := u.DeletePool("local_Test1"); !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	if after := preview(); after != before || !strings.Contains(before, "Users 1") {
		t.Errorf("the history is %s, was %s", after, before)
	}
}

// A reset that is not made ends no session of a browser and no sign-in, and no message is gone.
func TestUndo_Reset(t *testing.T) {
	u := newUnsaved(t)
	if _, err := u.ForgotPassword("local_Test1", "carol"); err != nil {
		t.Fatal(err)
	}
	carol, err := u.User("local_Test1", "carol")
	if err != nil {
		t.Fatal(err)
	}
	client, _ := u.Client("web")
	cookie, _, _ := u.StartSession(Session{PoolID: "local_Test1", Username: "carol", Sub: carol.Sub(), ClientID: "web"})
	_ = u.ConfirmForgotPassword("local_Test1", "carol", "0000000", "Passw0rd!2")
	for _, full := range []bool{true, false} {
		if u.free(); full {
			u.full()
		}
		if err := u.Reset([]*Pool{{ID: "local_Test1"}}, nil); (err != nil) != full {
			t.Fatal(err)
		}
		if _, ok := u.Session(cookie, client); ok != full || len(u.Messages()) == 1 != full {
			t.Errorf("full %t: the session is there: %t, %d messages", full, ok, len(u.Messages()))
		}
		if carol, err := u.User("local_Test1", "carol"); full && (err != nil || carol.Pending[resetPassword].Tries != 1) {
			t.Errorf("the user after a reset that failed: %v, %v", carol.Pending, err)
		}
	}
}

// A secret that is due is read as it was while nothing can be saved, and replaced when there
// is room again.
func TestUndo_RotationDue(t *testing.T) {
	u := newUnsaved(t)
	now := time.Now()
	u.State.now = func() time.Time { return now }
	client, err := u.CreateClient("local_Test1", Client{Name: "m", Secrets: []string{NewSecret()}})
	if err != nil {
		t.Fatal(err)
	}
	if client, err = u.Manage("local_Test1", client.ID, true); err != nil {
		t.Fatal(err)
	}
	now = now.Add(8 * day)
	for _, full := range []bool{true, false} {
		if u.free(); full {
			u.full()
		}
		secrets, err := u.ListSecrets("local_Test1", client.ID)
		if err != nil || secrets[0].Value == client.Secrets[0] != full {
			t.Errorf("full %t: ListSecrets: %v, of before %v, %v", full, secrets, client.Secrets, err)
		}
		_, kept, err := u.Managed(client.SecretARN)
		if err != nil || kept[0].Value == client.Secrets[0] != full {
			t.Errorf("full %t: Managed: %v, of before %v, %v", full, kept, client.Secrets, err)
		}
		if _, err := u.AddSecret("local_Test1", client.ID, ""); !errors.Is(err, errManaged) {
			t.Errorf("full %t: a secret by hand: %v", full, err)
		}
		if _, err := u.Rotate(client.SecretARN, 0, true); (err != nil) != full {
			t.Errorf("full %t: Rotate: %v", full, err)
		}
	}
}
