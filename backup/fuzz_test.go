package backup_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/codegrant/codegrant/backup"
)

// footed are lines with the last one that fits them, which nobody guesses.
func footed(lines []byte) []byte {
	lines = bytes.Clone(lines)
	if !bytes.HasSuffix(lines, []byte("\n")) {
		lines = append(lines, '\n')
	}
	return fmt.Appendf(lines, "{\"sha256\":\"%x\"}\n", sha256.Sum256(lines))
}

// FuzzDecode: whatever is in a file, it is read or refused; and what is read has as many
// rows as it has lines of rows. Without the last line that fits, nothing is read.
func FuzzDecode(f *testing.F) {
	const head = `{"codegrant_backup":1,"made":"2026-03-01T00:00:00Z","from":"SQLite"}` + "\n"
	for lines, want := range map[string]int64{
		head: 0,
		head + `{"section":"links","columns":["id","linked_to"]}` + "\n[1,2]\n[2,null]\n" + `{"rows":2}` + "\n": 2,
		head + `{"section":"history","columns":["user_id","until","record"],"last":7}` + "\n" + `[1,"2026-02-01T00:00:00Z",{"a":"\n["}]` + "\n" + `{"rows":1}` + "\n" +
			`{"section":"history start","columns":["id","since"]}` + "\n" + `[1,"2026-01-01T00:00:00Z"]` + "\n" + `{"rows":1}` + "\n": 2,
	} {
		if s, err := backup.Decode(bytes.NewReader(footed([]byte(lines)))); err != nil || sum(s) != want {
			f.Fatalf("a seed is refused, or has not %d rows: %+v, %v", want, s, err)
		}
		f.Add([]byte(lines))
	}
	f.Add([]byte(head + `{"section":"links","columns":["id","linked_to"]}` + "\n[1,2]\n" + `{"rows":2}` + "\n"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		if s, err := backup.Decode(bytes.NewReader(lines)); err == nil && !bytes.Contains(lines, []byte(s.SHA256)) {
			t.Errorf("read without its digest %s", s.SHA256)
		}
		s, err := backup.Decode(bytes.NewReader(footed(lines)))
		if err != nil {
			return
		}
		if want := int64(bytes.Count(lines, []byte("\n["))); sum(s) != want {
			t.Errorf("%d rows of %d lines", sum(s), want)
		}
	})
}

func sum(s *backup.Summary) (rows int64) {
	for _, n := range s.Rows {
		rows += n
	}
	return rows
}
