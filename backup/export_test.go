package backup

import "io"

// Columns are those that a file has, as "table.column".
func Columns() (all []string) {
	for _, s := range sections {
		for _, c := range s.columns {
			all = append(all, s.table+"."+c.name)
		}
	}
	return all
}

// StopAt has a restore call f before it takes the n-th row.
func StopAt(n int, f func()) {
	beforeRow = func() {
		if n--; n == 0 {
			f()
		}
	}
}

// Decode reads the lines of a file.
func Decode(from io.Reader) (*Summary, error) { return decode(from, visitor{}) }
