package state

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A file that is large is written once for many changes, nobody waits
// for it, and none of them is lost.
func TestSave_Many(t *testing.T) {
	pools := []*Pool{{ID: "local_Test1"}}
	path := filepath.Join(t.TempDir(), "state.json")
	open := func() *State {
		t.Helper()
		s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}, pools)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	open() // keys take a while to make
	synctest.Test(t, func(t *testing.T) {
		s := open()
		s.saver.small, s.saver.size = 0, 0 // as of a file that was not read
		var writes, failures atomic.Int32
		s.saver.write = func(path string, b []byte) error {
			if writes.Add(1); failures.Add(-1) >= 0 {
				return errors.New("the disk is full")
			}
			time.Sleep(time.Second) // the bubble's
			return writeFile(path, b)
		}
		count := func(want int) {
			t.Helper()
			if n, err := open().CountUsers("local_Test1"); err != nil || n != want {
				t.Errorf("%d users in the file, %v, want %d", n, err, want)
			}
		}
		create := func(from, to int) {
			t.Helper()
			for i := from; i < to; i++ {
				if _, err := s.CreateUser("local_Test1", NewUser{Username: fmt.Sprint("user", i), Enabled: true}); err != nil {
					t.Fatal(err)
				}
			}
		}
		create(0, 1) // the first is waited for, and tells what it costs
		count(1)
		began := time.Now()
		create(1, 50)
		if time.Since(began) != 0 || writes.Load() != 1 {
			t.Errorf("%d writes, which took %v", writes.Load(), time.Since(began))
		}
		count(1)
		time.Sleep(share*time.Second + time.Millisecond) // while it is written
		create(50, 60)
		if took := time.Since(began); took > share*time.Second+time.Millisecond {
			t.Errorf("changes wait for the file: %v", took)
		}
		synctest.Wait()
		time.Sleep(time.Second)
		count(50)
		failures.Store(1)
		time.Sleep(3 * share * time.Second)
		count(60)
		create(60, 70)
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		count(70)
		create(70, 71) // late ones are waited for
		count(71)
		if n := writes.Load(); n != 6 {
			t.Errorf("%d writes", n)
		}
	})
}

// TestSave_LargeFromTheStart: nobody waits for the first write of a large file that was read.
func TestSave_LargeFromTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	config := Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}
	if _, err := New(config, []*Pool{{ID: "local_Test1"}}); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s, err := New(config, nil)
		if err != nil {
			t.Fatal(err)
		}
		var writes atomic.Int32
		s.saver.small = 1
		s.saver.write = func(string, []byte) error { writes.Add(1); return nil }
		if err := s.CreateGroup("local_Test1", Group{Name: "a"}); err != nil || writes.Load() != 0 {
			t.Errorf("%d writes were waited for, %v", writes.Load(), err)
		}
		time.Sleep(leastWait + time.Millisecond)
		synctest.Wait()
		if n := writes.Load(); n != 1 {
			t.Errorf("%d writes, want 1", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestSave_AllOrNothing: a change that cannot be saved is an error and is not there, neither in
// memory nor after the next start, and what was there before it stays. It can be made again.
func TestSave_AllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	open := func() *State {
		t.Helper()
		s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}, []*Pool{{ID: "local_Test1", Clients: []*Client{{ID: "web", PoolID: "local_Test1", RefreshTokenValidity: time.Hour}}, KeepEmail: true}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	user, err := s.CreateUser("local_Test1", NewUser{Username: "carol", Password: "Passw0rd!", Enabled: true, Attributes: map[string]string{"email": "carol@example.com", "email_verified": "true"}})
	must(err)
	must(s.CreateGroup("local_Test1", Group{Name: "before"}))
	client, _ := s.Client("web")
	token, _, err := s.NewGrant(client, Grant{Sub: user.Sub(), Username: "carol"})
	must(err)
	s.saver.write = func(string, []byte) error { return errors.New("the disk is full") }
	var refused *Error
	for name, change := range map[string]func() error{
		"a group":           func() error { return s.CreateGroup("local_Test1", Group{Name: "a"}) },
		"an end of a group": func() error { return s.DeleteGroup("local_Test1", "before") },
		"a user": func() error {
			_, err := s.CreateUser("local_Test1", NewUser{Username: "dave", Enabled: true})
			return err
		},
		"an attribute":    func() error { return s.UpdateAttributes("local_Test1", "carol", map[string]string{"name": "Carol"}) },
		"the user's end":  func() error { return s.DeleteUser("local_Test1", "carol") },
		"a sign-out":      func() error { return s.SignOutEverywhere("local_Test1", "carol") },
		"a client":        func() error { _, err := s.CreateClient("local_Test1", Client{Name: "new"}); return err },
		"a client's end":  func() error { return s.DeleteClient("local_Test1", "web") },
		"another setting": func() error { return s.UpdatePool("local_Test1", func(p *Pool) error { p.Name = "new"; return nil }) },
		"a pool":          func() error { _, err := s.CreatePool(Pool{Name: "new"}); return err },
		"a sign-in": func() error {
			_, _, err := s.NewGrant(client, Grant{Sub: user.Sub(), Username: "carol"})
			return err
		},
	} {
		if err := change(); err == nil || errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	look := func(s *State) {
		t.Helper()
		p, err := s.Describe("local_Test1")
		must(err)
		groups := len(p.Groups)
		u, err := s.User("local_Test1", "carol@example.com")
		if n, _ := s.CountUsers("local_Test1"); err != nil || n != 1 || u.Attributes["name"] != "" || groups != 1 || p.Name != "" || len(p.Clients) != 1 || len(s.Pools()) != 1 {
			t.Errorf("%d users, %v, %v; %d groups, named %q, %d clients, %d pools", n, u.Attributes, err, groups, p.Name, len(p.Clients), len(s.Pools()))
		}
		if _, _, err := s.UseGrant(client, token); err != nil {
			t.Errorf("the sign-in of before: %v", err)
		}
	}
	s.saver.write = writeFile
	look(s)
	if p, _ := s.Describe("local_Test1"); !p.KeepEmail {
		t.Error("the seed's setting is gone")
	}
	must(s.Close())
	look(open())
	s = open()
	must(s.CreateGroup("local_Test1", Group{Name: "a"}))
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), `"name": "a"`) {
		t.Errorf("the file after the end: %v, %s", err, b)
	}
}

// TestSave_Unreadable: where the file cannot be read again either, the change stays in memory,
// and is saved at the end if there is room again.
func TestSave_Unreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}, []*Pool{{ID: "local_Test1"}})
	if err != nil {
		t.Fatal(err)
	}
	s.saver.write = func(string, []byte) error { return errors.Join(errors.New("the disk is gone"), os.Remove(path)) }
	if err := s.CreateGroup("local_Test1", Group{Name: "a"}); err == nil {
		t.Error("a change that is not saved is not an error")
	}
	s.saver.write = writeFile
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), `"name": "a"`) {
		t.Errorf("the file after the end: %v, %s", err, b)
	}
}

// TestSave_LeftOver: what a process has left that was killed while it wrote is removed, and
// nothing else beside the file.
func TestSave_LeftOver(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "state.json"), time.Now().Add(-2*leftFor)
	for name, gone := range map[string]bool{
		".state.json.codegrant-1234567.part": true, ".state.json.codegrant-7.part": false,
		"state.json.1": false, "state.json.20261129": false, "state.json.1764499200": false, "state.json.bak": false, "state.json1": false,
		".state.json.codegrant-.part": false, ".state.json.codegrant-a.part": false, ".other.json.codegrant-1.part": false, "state.json.codegrant-1.part": false,
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if name != ".state.json.codegrant-7.part" { // which may be written now
			if err := os.Chtimes(file, old, old); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}, []*Pool{{ID: "local_Test1"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) != gone {
			t.Errorf("%s: %v", name, err)
		}
	}
}
