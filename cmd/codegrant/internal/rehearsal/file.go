package rehearsal

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
)

// head is the first line of a file of shapes. Each other line is a [Shape], and the last
// one says that there are no more.
type head struct {
	Version int    `json:"version"`
	Old     string `json:"old"`
	Key     string `json:"key"`               // stands for the key of the stand-ins
	Replica bool   `json:"replica,omitempty"` // the people are read from a replica
}

type end struct {
	Complete bool `json:"complete"`
	// FactorsUnknown: the people were read from a replica, which knows no second factors.
	FactorsUnknown bool `json:"factors_unknown,omitempty"`
}

// File keeps shapes while they are read, so that a reading that was cut off goes on.
type File struct {
	f     *os.File
	known map[string]struct{} // by Who
	end   end
}

var errOtherFile = errors.New("it is not a file of people of this move, or another key made it: name another file, or delete it")

var (
	errOtherSource = errors.New("its people are read from another source, the pool or the replica: name another file, or delete it")
	errInUse       = errors.New("another process reads people into it: wait for it, or name another file")
)

const maxLine = 1 << 20

// OpenFile opens a file of shapes of the people of a pool, or makes one, for this process
// alone. They are read from the pool, or from a replica of it.
func OpenFile(path, old string, masks Masks, replica bool) (_ *File, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- an operator names it
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	if err := lock(f); err != nil {
		return nil, err
	}
	file := &File{f: f, known: make(map[string]struct{})}
	want := head{1, old, masks.Who(""), replica}
	whole, err := file.lines(func(i int, line []byte) error {
		if i == 0 {
			var have head
			err := json.Unmarshal(line, &have)
			if other := have; err == nil && other.Replica != replica {
				if other.Replica = replica; other == want {
					return errOtherSource
				}
			}
			if err != nil || have != want {
				return errOtherFile
			}
			return nil
		}
		var s struct {
			Shape
			end
		}
		if err := json.Unmarshal(line, &s); err != nil || s.Who == "" && !s.Complete {
			return errOtherFile
		}
		if file.end = s.end; s.Who != "" {
			file.known[s.Who] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || whole == 0 && info.Size() > 0 {
		return nil, cmp.Or(err, errOtherFile)
	}
	// A line that was cut off is written again.
	if err := f.Truncate(whole); err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	if whole == 0 {
		return file, file.write(want)
	}
	return file, nil
}

// lines calls each with every whole line, and returns where the last one ends.
func (f *File) lines(each func(i int, line []byte) error) (whole int64, err error) {
	if _, err := f.f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	r := bufio.NewReaderSize(f.f, maxLine)
	for i := 0; ; i++ {
		line, err := r.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF):
			return whole, nil
		case errors.Is(err, bufio.ErrBufferFull):
			return 0, errOtherFile
		case err != nil:
			return 0, err
		}
		if err := each(i, bytes.TrimSuffix(line, []byte("\n"))); err != nil {
			return 0, err
		}
		whole += int64(len(line))
	}
}

func (f *File) write(v any) error {
	line, err := json.Marshal(v)
	if err == nil {
		_, err = f.f.Write(append(line, '\n'))
	}
	return err
}

// Complete reports whether everybody is in it.
func (f *File) Complete() bool { return f.end.Complete }

// FactorsUnknown reports whether nobody knows who has a second factor.
func (f *File) FactorsUnknown() bool { return f.end.FactorsUnknown }

// People is how many are in it.
func (f *File) People() int { return len(f.known) }

// Has reports whether somebody is in it.
func (f *File) Has(who string) bool { _, ok := f.known[who]; return ok }

// Add puts somebody into it, once.
func (f *File) Add(s Shape) error {
	if f.Has(s.Who) {
		return nil
	}
	f.known[s.Who] = struct{}{}
	return f.write(s)
}

// Finish says that everybody is in it.
func (f *File) Finish(factorsUnknown bool) error {
	f.end = end{true, factorsUnknown}
	if err := f.write(f.end); err != nil {
		return err
	}
	return f.f.Sync()
}

// Sample returns so many of those who are in it, of all kinds by chance, and always the
// same ones; 0: everybody.
func (f *File) Sample(most int) (all []Shape, err error) {
	chance, n := rand.New(rand.NewPCG(1, 2)), 0 // #nosec G404 -- it chooses stand-ins
	_, err = f.lines(func(i int, line []byte) error {
		var s Shape
		if err := json.Unmarshal(line, &s); i == 0 || err != nil || s.Who == "" {
			return err
		}
		n++
		if most == 0 || len(all) < most {
			all = append(all, s)
		} else if at := chance.IntN(n); at < most {
			all[at] = s
		}
		return nil
	})
	slices.SortFunc(all, func(a, b Shape) int { return bytes.Compare([]byte(a.Who), []byte(b.Who)) })
	return all, err
}

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }
