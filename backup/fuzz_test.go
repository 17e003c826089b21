package backup_test

import (
	"bytes"
	"testing"

	"github.com/codegrant/codegrant/backup"
)

// FuzzDecode: whatever is in a file, it is read or refused; and what is read has as many
// rows as it has lines of rows.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"codegrant_backup":1,"made":"2026-03-01T00:00:00Z","from":"SQLite"}` + "\n" +
		`{"sha256":"4f4f6f4e1d5d2d1d1c6d3e1f1a1b1c1d1e1f202122232425262728292a2b2c2d"}` + "\n"))
	f.Add([]byte(`{"codegrant_backup":1,"made":"2026-03-01T00:00:00Z"}` + "\n" + `{"section":"links","columns":["id","linked_to"]}` + "\n[1,2]\n[2,null]\n" + `{"rows":2}` + "\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := backup.Decode(bytes.NewReader(content))
		if err != nil {
			return
		}
		var rows int64
		for _, n := range s.Rows {
			rows += n
		}
		if lines := int64(bytes.Count(content, []byte("\n["))); rows != lines {
			t.Errorf("%d rows of %d lines", rows, lines)
		}
	})
}
