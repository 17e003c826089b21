package secret

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	write(t, path, "first\n")
	f, err := NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name   string
		change func()
		want   []string
	}{
		{"as it was", func() {}, []string{"first"}},
		{"replaced", func() { write(t, path, "second\n") }, []string{"second"}},
		{"two lines", func() { write(t, path, "third\r\n\nsecond") }, []string{"third", "second"}},
		{"empty for a moment", func() { write(t, path, "") }, []string{"third", "second"}},
		{"gone for a moment", func() { _ = os.Remove(path) }, []string{"third", "second"}},
		{"three lines are none", func() { write(t, path, "a\nb\nc\n") }, []string{"third", "second"}},
		{"too long", func() { write(t, path, strings.Repeat("x", maxFile+1)) }, []string{"third", "second"}},
		{"back", func() { write(t, path, "fourth") }, []string{"fourth"}},
	}
	for _, step := range steps {
		step.change()
		for _, again := range []bool{false, true} {
			got, err := f.Secrets(t.Context(), again)
			if err != nil || !slices.Equal(got, step.want) {
				t.Errorf("%s: Secrets(%t) = %v, %v, want %v", step.name, again, got, err, step.want)
			}
		}
	}
}

func TestNewFileRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "\n \n", "three": "a\nb\nc", "with a blank": "canary one", "binary": "\x00canary", "not text": "\xffcanary"} {
		path := filepath.Join(dir, name)
		write(t, path, content)
		if _, err := NewFile(path); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: NewFile() = %v, want an error that names the file and nothing in it", name, err)
		}
	}
	if _, err := NewFile(filepath.Join(dir, "missing")); err == nil {
		t.Error("NewFile of a missing file: no error")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "a", "a\nb", "a b", "\r\n", "a\x00", "ä", "\xff"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		secrets, err := parse(content)
		if err != nil {
			if secrets != nil {
				t.Error("secrets beside an error")
			}
			return
		}
		if len(secrets) < 1 || len(secrets) > 2 {
			t.Errorf("%d secrets", len(secrets))
		}
		for _, s := range secrets {
			if s == "" || strings.ContainsFunc(s, unicode.IsSpace) || !strings.Contains(string(content), s) {
				t.Errorf("%q is not a secret of the file", s)
			}
		}
	})
}
