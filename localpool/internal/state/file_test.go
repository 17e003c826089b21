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

func TestSave_Few(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}, []*Pool{{ID: "local_Test1"}})
	if err != nil {
		t.Fatal(err)
	}
	s.saver.write = func(string, []byte) error { return errors.New("the disk is full") }
	if err := s.CreateGroup("local_Test1", Group{Name: "a"}); err == nil {
		t.Error("a change that is not saved is not an error")
	}
	// What is there is saved at the end, if there is room again.
	s.saver.write = writeFile
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), `"name": "a"`) {
		t.Errorf("the file after the end: %v, %s", err, b)
	}
}
